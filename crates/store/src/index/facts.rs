//! What do queues and the key index need to know about a record?
//!
//! Append asks before the record has its place, recovery and repair ask the log; this is the one place that answers, so that the
//! index is the same however it was made.

use roxmq_protocol::light::{LIGHT_QUEUE_ID, light_places};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::{Properties, java_hash, name, tokens};
use roxmq_protocol::record::{Record, sys_flag};

/// A record's place, as the index keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub log_offset: LogOffset,
    pub size: u32,
    /// Java's hash of the tags.
    pub tags: i32,
    /// See [`envelope_crc`].
    pub envelope: u32,
}

impl Entry {
    pub fn end(&self) -> LogOffset {
        self.log_offset + i64::from(self.size)
    }
}

/// What one walk through a record's properties finds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// Java's hash of the tags.
    pub tags: i32,
    /// The light queues that the producer names.
    pub light_names: Option<&'a str>,
    /// Whether offsets in light queues stand there.
    pub has_light_offsets: bool,
}

/// Whether the record takes a place in its queue. Half and rolled back messages do not (`ConsumeQueueStore` in Java).
pub(crate) fn is_queued(flag: i32) -> bool {
    !matches!(sys_flag::transaction(flag), sys_flag::TRANSACTION_PREPARED | sys_flag::TRANSACTION_ROLLBACK)
}

/// Looks through a record's properties once: adds its keys to `hashes`, the unique key, then each token of `KEYS`, and returns
/// what else the index needs.
pub(crate) fn of_properties<'a>(topic: &str, properties: Properties<'a>, flag: i32, hashes: &mut Vec<u32>) -> Facts<'a> {
    let (mut tags, mut unique, mut keys) = ("", None, "");
    let (mut light_names, mut has_light_offsets) = (None, false);
    for (name, value) in properties.iter() {
        match name {
            name::TAGS => tags = value,
            name::UNIQ_KEY => unique = Some(value),
            name::KEYS => keys = value,
            name::INNER_MULTI_DISPATCH => light_names = Some(value),
            name::INNER_MULTI_QUEUE_OFFSET => has_light_offsets = true,
            _ => {}
        }
    }
    if sys_flag::transaction(flag) != sys_flag::TRANSACTION_ROLLBACK {
        hashes.extend(unique.map(|key| key_hash(topic, key)));
        let keys = tokens(keys).filter(|key| Some(*key) != unique).take(KEYS_PER_MESSAGE_MAX);
        hashes.extend(keys.map(|key| key_hash(topic, key)));
    }
    Facts { tags: java_hash(tags), light_names, has_light_offsets }
}

/// Every queue that a record of the log is in, and its offset there: its own, then light ones.
pub(crate) fn places<'a>(record: &Record<'a>) -> impl Iterator<Item = (&'a str, u32, QueueOffset)> + use<'a> {
    let is_queued = is_queued(record.sys_flag);
    let own = (record.topic, record.queue_id, record.queue_offset);
    let light = light_places(record.topic, record.properties()).map(|(name, offset)| (name, LIGHT_QUEUE_ID, QueueOffset(offset)));
    std::iter::once(own).chain(light).filter(move |_| is_queued)
}

/// The hash of a key in the index: CRC-32 of topic, a zero byte, key.
pub(crate) fn key_hash(topic: &str, key: &str) -> u32 {
    together([topic.as_bytes(), &[0], key.as_bytes()])
}

/// CRC-32 of a record less its body, which has its own CRC, and less what the store fills in under its lock. Together with the
/// comparison of log offset and queue offset it leaves no bit of a record unchecked but those of the store time.
pub(crate) fn envelope_crc(record: &[u8], flag: i32, body_len: usize) -> u32 {
    let born = if flag & sys_flag::BORN_HOST_V6 != 0 { V6_EXTRA } else { 0 };
    let store = if flag & sys_flag::STORE_HOST_V6 != 0 { V6_EXTRA } else { 0 };
    let store_time_at = 56 + born;
    let body_at = 88 + born + store;
    together([&record[..20], &record[36..store_time_at], &record[store_time_at + 8..body_at], &record[body_at + body_len..]])
}

/// CRC-32 of the parts, one after the other. They are copied together first, as most are short, and a CRC costs most at its start and end.
fn together<const N: usize>(parts: [&[u8]; N]) -> u32 {
    let mut bytes = [0; TOGETHER_BYTES];
    let mut len = 0;
    for part in parts {
        let Some(room) = bytes.get_mut(len..len + part.len()) else { return one_by_one(parts) };
        room.copy_from_slice(part);
        len += part.len();
    }
    crc32fast::hash(&bytes[..len])
}

fn one_by_one<const N: usize>(parts: [&[u8]; N]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    parts.iter().for_each(|part| crc.update(part));
    crc.finalize()
}

/// As much as nearly all envelopes and keys have.
const TOGETHER_BYTES: usize = 512;
const V6_EXTRA: usize = 12;
/// A message with more keys than this is found by the first ones only.
const KEYS_PER_MESSAGE_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_of_parts_is_that_of_all_of_them_however_long() {
        let bytes: Vec<u8> = (0..2000_u32).map(|n| (n * 7) as u8).collect();
        for len in [0, 1, 20, 64, 128, 511, 512, 513, 2000] {
            for cut in [0, len / 3, len] {
                let parts = [&bytes[..cut], &[][..], &bytes[cut..len]];
                assert_eq!(together(parts), crc32fast::hash(&bytes[..len]), "{len} bytes cut at {cut}");
            }
        }
        assert_eq!(key_hash("topic", "key"), crc32fast::hash(b"topic\0key"));
    }
}
