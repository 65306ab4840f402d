//! How far was it delivered, whatever happened? A mark, appended with what it speaks of as one whole batch.
//!
//! ```text
//! one append:  [mark: "from here on nothing is delivered"] [message] [message] ...
//! ```
//!
//! A mark is a record of `rmq_sys_delivery_marks`. For a delay level its body is the next position in decimal digits, and the newest one
//! counts; for timers it names each message (`timer/waiting.rs`); a third kind counts the checks of half messages (`transaction/checks.rs`).
//! Marks and messages are in the log together or not at all, so after a crash nothing is delivered twice or left out. Files that repeat
//! the positions matter only when retention has taken the marks away. Java has nothing like it and delivers again.

use crate::names::PROGRESS_TOPIC;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::records;
use roxmq_store::{Filter, Patience, ReadLimits, ReadRequest, Store};

/// Marks of delay levels are in the queues below, each in the queue of its level; those of others from here on.
pub const OTHERS_FROM_QUEUE: u32 = 100;

/// What the newest mark of a queue says, if there is one.
pub fn newest(store: &Store, queue_id: u32) -> Option<i64> {
    let (min, max) = store.bounds(PROGRESS_TOPIC, queue_id)?;
    // A damaged one is passed over: the one before it is behind, which costs a repetition, not a message.
    (min.0..max.0).rev().take(DAMAGED_MAX).find_map(|offset| {
        let mut bytes = Vec::new();
        store.read(&ReadRequest { topic: PROGRESS_TOPIC, queue_id, from: QueueOffset(offset), limits: ONE }, Filter::ALL, &mut bytes);
        let record = records(&bytes).next()?.ok().filter(|record| record.queue_offset.0 == offset)?;
        std::str::from_utf8(record.body).ok()?.parse().ok()
    })
}

const ONE: ReadLimits = ReadLimits { messages_max: 1, bytes_max: 1024, scan_max: 1, patience: Patience::WaitForDisk };
/// Looked through for a sound mark.
const DAMAGED_MAX: usize = 64;

#[cfg(test)]
mod tests;
