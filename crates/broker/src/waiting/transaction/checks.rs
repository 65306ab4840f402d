//! How often was the producer of a half message checked back?
//!
//! ```text
//! one round:   39 to producers ...   then one record of counts:   "17:1,18:3,21:1"
//! ```
//! The counts are records of `rmq_sys_delivery_marks`. They are written after the checks: a crash in between costs one check more, never
//! one less. Producers see the count in `TRANSACTION_CHECK_TIMES`, and so do consumers of a message that is committed after a check.
//! Java stores the half message again for each check, with its count.

use crate::waiting::marks;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, PropertiesBuf, name};
use roxmq_protocol::record::Record;

/// The queue of the delivery marks that count checks.
pub const CHECKS_QUEUE: u32 = marks::OTHERS_FROM_QUEUE + 1;

/// The counts in a record of that queue, each with the offset in the half queue.
pub fn counts_in(body: &[u8]) -> impl Iterator<Item = (QueueOffset, u32)> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    text.split(',').filter_map(|word| {
        let (offset, times) = word.split_once(':')?;
        Some((QueueOffset(offset.parse().ok()?), times.parse().ok()?))
    })
}

/// The count in the half message itself.
pub fn count_in(half: &Record<'_>) -> u32 {
    half.properties().find(name::TRANSACTION_CHECK_TIMES).and_then(|times| times.parse().ok()).unwrap_or(0)
}

/// The properties of a new half message, without a count. A consumer may send a message on that has one from its own transaction.
pub fn never_checked(properties: &str) -> String {
    let mut properties = PropertiesBuf::from_text(properties);
    properties.remove(name::TRANSACTION_CHECK_TIMES);
    properties.into_string()
}

/// The properties with the count, if it is not zero and there is room for it.
pub fn with_times(properties: &str, times: u32) -> String {
    let mut counted = PropertiesBuf::from_text(properties);
    if times > 0 {
        counted.set(name::TRANSACTION_CHECK_TIMES, &times.to_string());
    }
    let fits = counted.as_str().len() <= PROPERTIES_BYTES_MAX;
    if fits { counted.into_string() } else { properties.to_owned() }
}
