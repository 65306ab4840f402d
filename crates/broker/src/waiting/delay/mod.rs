//! Messages that wait for one of the delay levels. Java: `ScheduleMessageService`.
//!
//! A delayed message is stored in queue `level - 1` of `SCHEDULE_TOPIC_XXXX` and says where it really goes in `REAL_TOPIC` and
//! `REAL_QID`. All messages of a level wait equally long, so each queue is in the order of its due times: a cursor for each level is all
//! the state there is. Delivery is an ordinary append to the real topics, and a mark of the cursor goes with it into the log
//! (`waiting/cursors.rs`). `config/delayOffset.json` repeats the cursors for tools, and for when retention has taken the marks away.

pub mod cursors;
pub mod deliver;
pub mod levels;
