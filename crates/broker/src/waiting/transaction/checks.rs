//! How often was a producer asked about a half message, whatever happened since?
//!
//! ```text
//! one round:   39 to producers ...   then one record that counts:   "17:1,18:3,21:1"
//! ```
//! The counts are records of `rmq_sys_delivery_marks`, written after the producers were asked: a crash in between costs one question more,
//! never one less. Producers read the count in `TRANSACTION_CHECK_TIMES`, as do consumers of what is committed after a check. Java
//! stores the half message again for each check, with its count.

use crate::waiting::marks;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, PropertiesBuf, name};
use roxmq_protocol::record::Record;

/// The queue of the marks that count checks.
pub const CHECKS_QUEUE: u32 = marks::OTHERS_FROM_QUEUE + 1;

/// What a record of the queue says: offsets in the half queue, and how often each was asked about.
pub fn counted(body: &[u8]) -> impl Iterator<Item = (QueueOffset, u32)> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    text.split(',').filter_map(|word| {
        let (offset, times) = word.split_once(':')?;
        Some((QueueOffset(offset.parse().ok()?), times.parse().ok()?))
    })
}

/// What a half message itself says.
pub fn said_in(half: &Record<'_>) -> u32 {
    half.properties().find(name::TRANSACTION_CHECK_TIMES).and_then(|times| times.parse().ok()).unwrap_or(0)
}

/// The properties of a new half message. One that was committed after a check tells its consumers of it, and they may send it on.
pub fn never_checked(properties: &str) -> String {
    let mut properties = PropertiesBuf::from_text(properties);
    properties.remove(name::TRANSACTION_CHECK_TIMES);
    properties.into_string()
}

/// The properties with the count, if there was a check, and there is room for it.
pub fn with_times(properties: &str, times: u32) -> String {
    let mut counted = PropertiesBuf::from_text(properties);
    if times > 0 {
        counted.set(name::TRANSACTION_CHECK_TIMES, &times.to_string());
    }
    let fits = counted.as_str().len() <= PROPERTIES_BYTES_MAX;
    if fits { counted.into_string() } else { properties.to_owned() }
}
