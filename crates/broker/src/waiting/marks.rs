//! What does the newest delivery mark of a queue say?
//!
//! ```text
//! one append:  [mark: "delivered up to here"] [message] [message] ...
//! ```
//!
//! A delivery mark is a record of `rmq_sys_delivery_marks`, appended in one atomic batch with the messages it covers. For a delay level
//! its body is the delivery cursor in decimal digits, and the newest mark counts; for timed messages it names each of them
//! (`timer/due_queue.rs`); a third kind counts how often producers were checked back (`transaction/checks.rs`).
//!
//! A crash leaves mark and messages, or neither: nothing is delivered twice or left out. The files that repeat the cursors matter only
//! when retention has deleted the marks. Java has no marks, and delivers again after a crash.

use crate::names::DELIVERY_MARKS_TOPIC;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::records;
use roxmq_store::{Filter, Patience, ReadLimits, ReadRequest, Store};

/// Marks of delay levels are in the queues below, each in the queue of its level; other marks are in the queues from here on.
pub const OTHERS_FROM_QUEUE: u32 = 100;

/// The delivery cursor in the newest mark of a queue.
pub fn newest(store: &Store, queue_id: u32) -> Option<QueueOffset> {
    let (min, max) = store.bounds(DELIVERY_MARKS_TOPIC, queue_id)?;
    // A damaged mark is skipped. The one before it is behind, which repeats deliveries but loses none.
    (min.0..max.0).rev().take(DAMAGED_MAX).map(QueueOffset).find_map(|offset| {
        let mut bytes = Vec::new();
        store.read(&ReadRequest { topic: DELIVERY_MARKS_TOPIC, queue_id, from: offset, limits: ONE }, Filter::ALL, &mut bytes);
        let record = records(&bytes).next()?.ok().filter(|record| record.queue_offset == offset)?;
        std::str::from_utf8(record.body).ok()?.parse().ok().map(QueueOffset)
    })
}

const ONE: ReadLimits = ReadLimits { messages_max: 1, bytes_max: 1024, scan_max: 1, patience: Patience::WaitForDisk };
/// Marks that are read in search of a sound one.
const DAMAGED_MAX: usize = 64;

#[cfg(test)]
mod tests;
