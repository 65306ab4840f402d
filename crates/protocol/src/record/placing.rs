//! Which bytes of the log does only the store write?
//!
//! An encoded draft becomes a record of the log when the store places it. Readers and the index trust these fields, so nothing else may
//! change them in a stored record.

use super::layout::{BLANK_BYTES, LOG_OFFSET_AT, MAGIC_BLANK, PREPARED_OFFSET_AT, QUEUE_OFFSET_AT, STORE_TIME_AT, V6_EXTRA};
use super::sys_flag;
use crate::light::{OFFSET_DIGITS_MAX, SEPARATOR};
use crate::position::{LogOffset, QueueOffset};
use crate::properties::VALUE_END;
use crate::time::Timestamp;

/// Writes queue offset, log offset and store time into a record made by [`Draft::encode`](super::Draft::encode).
///
/// # Panics
/// If `record` is shorter than a record.
pub fn place(record: &mut [u8], queue_offset: QueueOffset, log_offset: LogOffset, store_timestamp: Timestamp) {
    record[QUEUE_OFFSET_AT..][..8].copy_from_slice(&queue_offset.0.to_be_bytes());
    record[LOG_OFFSET_AT..][..8].copy_from_slice(&log_offset.0.to_be_bytes());
    let born_is_v6 = sys_flag::of(record) & sys_flag::BORN_HOST_V6 != 0;
    let at = STORE_TIME_AT + if born_is_v6 { V6_EXTRA } else { 0 };
    record[at..][..8].copy_from_slice(&store_timestamp.0.to_be_bytes());
}

/// Starts an atomic batch with a record made by [`Draft::encode`](super::Draft::encode): a crash leaves all or none of `count` records,
/// this one and those right behind it.
///
/// The count is stored as a negative prepared transaction offset. No draft has one, and to other readers such an offset means nothing.
///
/// # Panics
/// If `record` is shorter than a record.
pub fn start_atomic_batch(record: &mut [u8], count: usize) {
    let flag = sys_flag::of(record);
    let v6 = [sys_flag::BORN_HOST_V6, sys_flag::STORE_HOST_V6].iter().filter(|bit| flag & **bit != 0).count();
    record[PREPARED_OFFSET_AT + v6 * V6_EXTRA..][..8].copy_from_slice(&(-(count as i64)).to_be_bytes());
}

/// Writes a message's offsets in its light queues into the room at the end of its properties.
///
/// # Panics
/// If the room is smaller than [`light_room`](crate::light::light_room), or an offset is negative.
pub fn fill_light_room(room: &mut [u8], offsets: impl Iterator<Item = i64>) {
    let mut end = 0;
    for (n, offset) in offsets.enumerate() {
        if n > 0 {
            room[end] = SEPARATOR as u8;
            end += 1;
        }
        let mut digits = [0; OFFSET_DIGITS_MAX];
        let mut at = OFFSET_DIGITS_MAX;
        let mut left = u64::try_from(offset).expect("an offset is not negative");
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        room[end..end + OFFSET_DIGITS_MAX - at].copy_from_slice(&digits[at..]);
        end += OFFSET_DIGITS_MAX - at;
    }
    room[end..].fill(VALUE_END as u8);
}

/// The blank that ends a file with `remaining` bytes left in it. The bytes behind these eight mean nothing.
pub fn blank(remaining: u32) -> [u8; BLANK_BYTES] {
    let mut bytes = [0; BLANK_BYTES];
    bytes[..4].copy_from_slice(&remaining.to_be_bytes());
    bytes[4..].copy_from_slice(&MAGIC_BLANK.to_be_bytes());
    bytes
}
