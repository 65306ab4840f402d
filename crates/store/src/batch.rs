//! Messages on their way into the log.

use crate::facts::{self, Entry};
use roxmq_protocol::properties::Properties;
use roxmq_protocol::record::{Draft, DraftError, LogOffset, QueueOffset, keep_together, sys_flag_of};

/// Messages to append in one go. Each is encoded, and everything about it computed, when it is pushed, so that under the log's
/// lock only offsets are left to assign. Buffers are kept by [`Batch::clear`].
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) items: Vec<Item>,
    /// Hashes of the items' keys, one item's after the other's.
    pub(crate) hashes: Vec<u32>,
    /// See [`Batch::keep_whole`].
    pub(crate) is_whole: bool,
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
    /// The log offset is 0 until appended.
    pub entry: Entry,
    /// The queue's number in the index; known during an append only.
    pub queue: u32,
    pub queue_offset: i64,
    pub store_timestamp: i64,
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
    /// When it was stored, ms since 1970.
    pub store_timestamp: i64,
    /// Where its record ends: the watermark its acknowledgement waits for.
    pub end: LogOffset,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Encodes a message into the batch and says which one it is.
    pub fn push(&mut self, draft: Draft<'_>) -> Result<usize, DraftError> {
        // A negative one would claim the messages behind it for a whole batch.
        let draft = Draft { prepared_transaction_offset: draft.prepared_transaction_offset.max(0), ..draft };
        let at = self.bytes.len();
        let size = draft.encode(&mut self.bytes)?;
        let record = &self.bytes[at..];
        let topic_at = at + size - draft.properties.len() - 2 - draft.topic.len();
        let flag = draft.encoded_sys_flag();
        let entry = Entry {
            log_offset: 0,
            size: size as u32,
            tags: facts::of_properties(draft.topic, Properties::new(draft.properties), flag, &mut self.hashes),
            envelope: facts::envelope_crc(record, flag, draft.body.len()),
        };
        self.items.push(Item {
            at,
            topic_at,
            topic_len: draft.topic.len(),
            body_len: draft.body.len(),
            queue_id: draft.queue_id,
            is_queued: facts::is_queued(flag),
            hashes_end: self.hashes.len(),
            entry,
            queue: 0,
            queue_offset: 0,
            store_timestamp: 0,
        });
        Ok(self.items.len() - 1)
    }

    /// Has the log keep all of the batch or nothing, also when the power goes while it is written. Until [`Batch::clear`].
    ///
    /// It has to fit into a segment: [`crate::Store::whole_bytes_max`]. The first message says in its prepared transaction offset how
    /// many there are, so let it be one whose own nobody reads.
    pub fn keep_whole(&mut self) {
        self.is_whole = true;
    }

    /// Writes into the first record how many stay together. What is alone is whole by itself.
    pub(crate) fn say_together(&mut self) {
        let count = self.items.len();
        let Some(first) = self.items.first_mut().filter(|_| self.is_whole && count > 1) else { return };
        let record = &mut self.bytes[first.at..first.at + first.entry.size as usize];
        keep_together(record, count);
        first.entry.envelope = facts::envelope_crc(record, sys_flag_of(record), first.body_len);
    }

    /// How many messages it holds.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes of all records.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The topic and queue of each message.
    pub fn queues(&self) -> impl Iterator<Item = (&str, u32)> {
        // A topic was text when it was pushed, and records are only patched in their fixed part.
        self.items.iter().map(|item| {
            let topic = &self.bytes[item.topic_at..item.topic_at + item.topic_len];
            (std::str::from_utf8(topic).unwrap_or_default(), item.queue_id)
        })
    }

    /// Where message `i` is; means something after a successful append only.
    ///
    /// # Panics
    /// If there is no such message.
    pub fn placed(&self, i: usize) -> Placed {
        let item = &self.items[i];
        Placed {
            queue_offset: QueueOffset(item.queue_offset),
            log_offset: LogOffset(item.entry.log_offset),
            size: item.entry.size,
            store_timestamp: item.store_timestamp,
            end: LogOffset(item.entry.end()),
        }
    }

    /// Empties it for the next turn; the buffers stay, unless one giant batch made them large.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
        self.hashes.clear();
        self.is_whole = false;
        self.bytes.shrink_to(KEPT_BYTES_MAX);
    }
}

const KEPT_BYTES_MAX: usize = 8 << 20;
