//! Messages that wait for a time of their own: `TIMER_DELAY_SEC`, `TIMER_DELAY_MS`, `TIMER_DELIVER_MS`.
//!
//! ```text
//! send ──► rmq_sys_wheel_timer, the queue of the hour in which it is due ──due──► the real topic, and a mark that says so
//! ```
//! Queues cost no files, so each hour has its own: what is due soon is in one or two queues, and only that is in memory. A message of
//! which the log would be deleted before it is due is stored again first (`roll.rs`). Which messages of an hour were delivered
//! is known from the marks, records of a system topic that are appended together with what they speak of; `config/timers.json` says
//! from where the marks are read after a restart, and is only ever behind.
//!
//! Java's `TimerMessageStore` and `HookUtils.handleScheduleMessage` decide which messages wait and what is refused. Java's times are
//! rounded down to a second, here a message is never early.

pub mod counts;
#[cfg(feature = "fuzzing")]
pub mod decoders;
pub mod deliver;
pub mod due_queue;
pub mod handle;
pub mod hours;
pub mod roll;
#[cfg(test)]
mod tests;
pub mod timers;
pub mod times;
