//! Messages that wait for a delay level. Java: `ScheduleMessageService`.
//!
//! A delayed message is stored in queue `level - 1` of `SCHEDULE_TOPIC_XXXX`, with its destination in `REAL_TOPIC` and `REAL_QID`. All
//! messages of a level wait equally long, so each queue is in the order of its due times, and the only state is a delivery cursor for
//! each level. Delivery is an ordinary append to the real topics, with a delivery mark that holds the cursor (`waiting/marks.rs`).
//! `config/delayOffset.json` repeats the cursors for tools, and for when retention has deleted the marks.

pub mod cursors;
pub mod levels;
