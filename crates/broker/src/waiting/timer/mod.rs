//! Messages that wait for a time of their own: `TIMER_DELAY_SEC`, `TIMER_DELAY_MS`, `TIMER_DELIVER_MS`.
//!
//! ```text
//! send ──► rmq_sys_wheel_timer, the queue of the hour in which it is due ──due──► the real topic, and a delivery mark
//! ```
//! Queues cost no files, so each hour has its own. The messages that are due soon are in one or two queues, and only those are in
//! memory. A message that waits longer than the log is retained is stored again first (`delivery/roll.rs`). The delivery marks name the messages
//! of an hour that are delivered. `config/timers.json` says from where the marks are read after a restart; it is only ever behind.
//!
//! Java's `TimerMessageStore` and `HookUtils.handleScheduleMessage` decide which messages wait and which are refused. Java rounds times
//! down to a second; here a message is never early.

pub mod counts;
#[cfg(feature = "fuzzing")]
pub mod decoders;
pub mod due_queue;
pub mod handle;
pub mod hours;
pub mod timers;
pub mod times;
