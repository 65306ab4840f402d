//! What is computed of messages before they are appended?

use crate::index::facts::{self, Entry};
use crate::index::hint::QueueHint;
use roxmq_protocol::light::{LIGHT_QUEUE_ID, allows_light, light_names, light_property_bytes, light_room};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::{NAME_END, PROPERTIES_BYTES_MAX, Properties, PropertiesBuf, VALUE_END, name};
use roxmq_protocol::record::placing::fill_light_room;
use roxmq_protocol::record::placing::{place, start_atomic_batch};
use roxmq_protocol::record::{Draft, DraftError, sys_flag};
use roxmq_protocol::time::Timestamp;

/// Messages to append in one go. Each is encoded, and everything about it computed, when it is pushed, so that under the log's
/// lock only offsets are left to assign. Buffers are kept by [`Batch::clear`].
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) items: Vec<Item>,
    /// Hashes of the items' keys, one item's after the other's.
    pub(crate) hashes: Vec<u32>,
    /// The items' places in light queues, one item's after the other's.
    pub(crate) lights: Vec<Light>,
    /// Whether messages go into the light queues that their producers name.
    serves_light: bool,
    /// See [`Batch::make_atomic`].
    pub(crate) is_atomic: bool,
    /// See [`Batch::use_reserve`].
    pub(crate) may_use_reserve: bool,
}

/// One message of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    /// Where its record starts in the bytes.
    pub at: usize,
    pub topic_at: usize,
    pub topic_len: usize,
    pub body_len: usize,
    pub queue_id: u32,
    pub is_queued: bool,
    /// Where its hashes end.
    pub hashes_end: usize,
    /// Which of the places in light queues are its own; none, usually.
    pub lights: (u32, u32),
    /// The log offset is 0 until appended; so is the envelope CRC of one that is in light queues.
    pub entry: Entry,
    /// The queue's number in the index; known during an append only.
    pub queue: u32,
    /// What an earlier append found, and then what this one did.
    pub hint: Option<QueueHint>,
    pub queue_offset: QueueOffset,
    pub store_timestamp: Timestamp,
}

/// One message's place in one light queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Light {
    /// Where the queue's name is in the bytes.
    pub name_at: usize,
    pub name_len: usize,
    /// The queue's number in the index; known during an append only.
    pub queue: u32,
    pub queue_offset: QueueOffset,
}

/// Where an appended message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Position in its queue.
    pub queue_offset: QueueOffset,
    /// Where its record starts.
    pub log_offset: LogOffset,
    /// Bytes of its record.
    pub size: u32,
    /// When it was stored.
    pub store_timestamp: Timestamp,
    /// Where its record ends: the watermark its acknowledgement waits for.
    pub end: LogOffset,
}

impl Batch {
    /// An empty batch. Its messages are in their own queues only; [`crate::Store::batch`] makes what a store's settings ask for.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// An empty batch whose messages also go into the light queues that they name.
    pub fn with_light_queues() -> Batch {
        Batch { serves_light: true, ..Batch::default() }
    }

    /// Encodes a message into the batch and says which one it is.
    ///
    /// Offsets in light queues that its properties claim are removed: only the store gives such offsets.
    pub fn push(&mut self, draft: Draft<'_>) -> Result<usize, DraftError> {
        // A negative one would claim the messages after it for an atomic batch.
        let draft = Draft { prepared_transaction_offset: draft.prepared_transaction_offset.max(0), ..draft };
        let at = self.bytes.len();
        let flag = draft.encoded_sys_flag();
        let hashes_before = self.hashes.len();
        let lights_before = self.lights.len();
        let found = facts::of_properties(draft.topic, Properties::new(draft.properties), flag, &mut self.hashes);
        let names = found.light_names.filter(|_| self.serves_light && allows_light(draft.topic) && facts::is_queued(flag));
        let encoded = match names {
            None if !found.has_light_offsets => draft.encode(&mut self.bytes).map(|size| (size, draft.properties.len())),
            _ => self.encode_light(draft, names.unwrap_or_default()),
        };
        let (size, properties_len) = encoded.inspect_err(|_| self.hashes.truncate(hashes_before))?;
        let lights = (lights_before as u32, self.lights.len() as u32);
        let envelope = match lights.0 == lights.1 {
            true => facts::envelope_crc(&self.bytes[at..], flag, draft.body.len()),
            // Its offsets, which the CRC covers, are not known yet.
            false => 0,
        };
        self.items.push(Item {
            at,
            topic_at: at + size - properties_len - 2 - draft.topic.len(),
            topic_len: draft.topic.len(),
            body_len: draft.body.len(),
            queue_id: draft.queue_id,
            is_queued: facts::is_queued(flag),
            hashes_end: self.hashes.len(),
            lights,
            entry: Entry { log_offset: LogOffset(0), size: size as u32, tags: found.tags, envelope },
            queue: 0,
            hint: None,
            queue_offset: QueueOffset(0),
            store_timestamp: Timestamp(0),
        });
        Ok(self.items.len() - 1)
    }

    /// Encodes a message whose properties end with room for its offsets in the light queues that `names` lists; without, if none of
    /// them is valid. Says how long the record is, and its properties.
    fn encode_light(&mut self, draft: Draft<'_>, names: &str) -> Result<(usize, usize), DraftError> {
        let mut properties = PropertiesBuf::from_text(draft.properties);
        properties.remove(name::INNER_MULTI_QUEUE_OFFSET);
        let mut text = properties.into_string();
        let names = light_names(names).ok();
        let count = names.clone().map_or(0, Iterator::count);
        let is_light = count > 0 && text.len() + light_property_bytes(count) <= PROPERTIES_BYTES_MAX;
        if is_light {
            text.push_str(name::INNER_MULTI_QUEUE_OFFSET);
            text.push(NAME_END);
            text.extend(std::iter::repeat_n(VALUE_END, light_room(count)));
        }
        let size = Draft { properties: &text, ..draft }.encode(&mut self.bytes)?;
        if let Some(value) = Properties::new(&text).find(name::INNER_MULTI_DISPATCH).filter(|_| is_light) {
            let text_at = self.bytes.len() - text.len();
            let position = |part: &str| text_at + (part.as_ptr() as usize - text.as_ptr() as usize);
            let names = light_names(value).into_iter().flatten();
            self.lights.extend(names.map(|name| Light {
                name_at: position(name),
                name_len: name.len(),
                queue: 0,
                queue_offset: QueueOffset(0),
            }));
        }
        Ok((size, text.len()))
    }

    /// Says of message `i` what an earlier append found about its queue, see [`Batch::hint`].
    pub fn set_hint(&mut self, i: usize, hint: Option<QueueHint>) {
        if let Some(item) = self.items.get_mut(i) {
            item.hint = hint;
        }
    }

    /// What the append has found about the queue of message `i`, for the next message to it.
    pub fn hint(&self, i: usize) -> Option<QueueHint> {
        self.items.get(i)?.hint
    }

    /// Takes back what was pushed after its first `len` messages.
    pub fn truncate(&mut self, len: usize) {
        let Some(first) = self.items.get(len) else { return };
        self.bytes.truncate(first.at);
        self.lights.truncate(first.lights.0 as usize);
        self.hashes.truncate(len.checked_sub(1).map_or(0, |last| self.items[last].hashes_end));
        self.items.truncate(len);
    }

    /// Makes the batch atomic: the log has all of it or nothing, also when the power goes while it is written. Until [`Batch::clear`].
    ///
    /// It has to fit into a segment: [`crate::Store::record_bytes_max`]. The first message says in its prepared transaction offset how
    /// many there are, so it should be one whose own is not read.
    pub fn make_atomic(&mut self) {
        self.is_atomic = true;
    }

    /// Lets the append take room from the reserve when the disk is full. Until [`Batch::clear`].
    ///
    /// The reserve is for what makes room: messages that are still needed are stored again before the oldest segment is deleted.
    pub fn use_reserve(&mut self) {
        self.may_use_reserve = true;
    }

    /// Writes into the first record how many belong together. A single one is atomic anyway.
    pub(crate) fn start_atomic(&mut self) {
        let count = self.items.len();
        let Some(first) = self.items.first_mut().filter(|_| self.is_atomic && count > 1) else { return };
        let record = &mut self.bytes[first.at..first.at + first.entry.size as usize];
        start_atomic_batch(record, count);
        first.entry.envelope = facts::envelope_crc(record, sys_flag::of(record), first.body_len);
    }

    /// Whether its records follow each other without a gap: otherwise an unfinished one lies between them, and those after it would be
    /// written to wrong places.
    pub(crate) fn is_gapless(&self) -> bool {
        let end = self.items.iter().try_fold(0, |end, item| (item.at == end).then_some(end + item.entry.size as usize));
        end == Some(self.bytes.len())
    }

    /// How many messages it holds.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes of the record pushed last; 0 if there is none.
    pub fn last_bytes(&self) -> usize {
        self.items.last().map_or(0, |item| item.entry.size as usize)
    }

    /// Bytes of all records.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The topic and queue of each message, also the light ones.
    pub fn queues(&self) -> impl Iterator<Item = (&str, u32)> {
        let own = self.items.iter().map(|item| (text(&self.bytes, item.topic_at, item.topic_len), item.queue_id));
        let light = self.lights.iter().map(|light| (text(&self.bytes, light.name_at, light.name_len), LIGHT_QUEUE_ID));
        own.chain(light)
    }

    /// Where message `i` is; valid only after a successful append.
    ///
    /// # Panics
    /// If there is no such message.
    pub fn placed(&self, i: usize) -> Placed {
        let item = &self.items[i];
        Placed {
            queue_offset: item.queue_offset,
            log_offset: item.entry.log_offset,
            size: item.entry.size,
            store_timestamp: item.store_timestamp,
            end: item.entry.end(),
        }
    }

    /// Empties it for the next turn; the buffers stay, unless one giant batch made them large.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
        self.hashes.clear();
        self.lights.clear();
        self.is_atomic = false;
        self.may_use_reserve = false;
        self.bytes.shrink_to(KEPT_BYTES_MAX);
    }
}

impl Item {
    /// Its places in light queues.
    pub fn lights<'a>(&self, all: &'a [Light]) -> &'a [Light] {
        &all[self.lights.0 as usize..self.lights.1 as usize]
    }

    /// Writes into its record where it is, once that is known.
    pub fn place(&mut self, record: &mut [u8], lights: &[Light], log_offset: LogOffset) {
        self.entry.log_offset = log_offset;
        place(record, self.queue_offset, log_offset, self.store_timestamp);
        let lights = self.lights(lights);
        if !lights.is_empty() {
            let room_at = record.len() - light_room(lights.len());
            fill_light_room(&mut record[room_at..], lights.iter().map(|light| light.queue_offset.0));
            self.entry.envelope = facts::envelope_crc(record, sys_flag::of(record), self.body_len);
        }
    }
}

/// A topic or name was text when it was pushed, and records are patched elsewhere.
pub(crate) fn text(bytes: &[u8], at: usize, len: usize) -> &str {
    std::str::from_utf8(&bytes[at..at + len]).unwrap_or_default()
}

const KEPT_BYTES_MAX: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;

    fn draft<'a>(properties: &'a str, body: &'a str) -> Draft<'a> {
        let host = ([127, 0, 0, 1], 1).into();
        Draft {
            topic: "topic",
            queue_id: 0,
            flag: 0,
            sys_flag: 0,
            born_timestamp: Timestamp(0),
            born_host: host,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body: body.as_bytes(),
            properties,
        }
    }

    #[test]
    fn a_record_that_was_only_begun_does_not_go_unseen() {
        let mut batch = Batch::new();
        assert!(batch.is_gapless());
        batch.push(draft("", "whole")).unwrap();
        assert!(batch.is_gapless());
        // As a panic in the middle of a push leaves it.
        batch.bytes.push(0);
        assert!(!batch.is_gapless());
        batch.push(draft("", "after it")).unwrap();
        assert!(!batch.is_gapless());
        batch.truncate(1);
        assert!(!batch.is_gapless());
        batch.clear();
        assert!(batch.is_gapless());
    }

    #[test]
    #[should_panic(expected = "wrong places")]
    fn a_batch_with_a_gap_is_not_appended() {
        let config = crate::StoreConfig {
            root: "/store".into(),
            background: false,
            retention: crate::config::Retention { disk_reserve_bytes: 0, ..Default::default() },
            ..Default::default()
        };
        let store = crate::Store::open(Clock::manual(0), SimDisk::new(1).disk(), config).unwrap();
        let mut batch = Batch::new();
        batch.push(draft("", "whole")).unwrap();
        batch.bytes.push(0);
        let _ = store.append(&mut batch);
    }

    #[test]
    fn what_is_taken_back_leaves_nothing_behind() {
        let kept = [("KEYS\u{1}a b\u{2}", "first"), ("INNER_MULTI_DISPATCH\u{1}%LMQ%x,%LMQ%y\u{2}", "second")];
        for len in 0..=2 {
            let mut short = Batch::with_light_queues();
            for (properties, body) in kept.into_iter().take(len) {
                short.push(draft(properties, body)).unwrap();
            }
            let mut batch = Batch::with_light_queues();
            for (properties, body) in kept {
                batch.push(draft(properties, body)).unwrap();
            }
            batch.push(draft("KEYS\u{1}c\u{2}INNER_MULTI_DISPATCH\u{1}%LMQ%z\u{2}", "third")).unwrap();
            batch.truncate(len);
            assert_eq!(format!("{batch:?}"), format!("{short:?}"), "{len} are left");
            batch.truncate(7);
            assert_eq!(batch.len(), len);
        }
    }
}
