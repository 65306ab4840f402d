//! What can be asked of a queue, and what does the answer say besides the messages?

use crate::index::facts::Entry;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::Record;
use roxmq_protocol::time::Timestamp;

/// Messages to read: of which queue, from where, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest<'a> {
    /// The queue's topic.
    pub topic: &'a str,
    /// The queue's number in the topic.
    pub queue_id: u32,
    /// The offset of the first message.
    pub from: QueueOffset,
    /// How much the read may do.
    pub limits: ReadLimits,
}

/// How much one read may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Messages in the answer.
    pub messages_max: u32,
    /// Bytes in the answer; the first message is given even if it is longer.
    pub bytes_max: usize,
    /// Index entries looked at.
    pub scan_max: u32,
    /// Whether the disk may be waited for.
    pub patience: Patience,
}

/// Whether a read may wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It ends before the first message that is not in memory.
    MemoryOnly,
    /// It waits.
    WaitForDisk,
}

/// What the index knows of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Where its record starts.
    pub log_offset: LogOffset,
    /// Bytes of its record.
    pub size: u32,
    /// Java's hash of its tags, sign-extended; 0 without tags.
    pub tags_code: i64,
}

impl IndexEntry {
    pub(crate) fn of(entry: &Entry) -> IndexEntry {
        IndexEntry { log_offset: entry.log_offset, size: entry.size, tags_code: i64::from(entry.tags) }
    }
}

/// Chooses messages by what the index knows of them.
pub type EntryFilter<'a> = dyn FnMut(&IndexEntry) -> bool + 'a;

/// Chooses messages by their records, which costs more.
pub type RecordFilter<'a> = dyn FnMut(&Record<'_>) -> bool + 'a;

/// Which messages a read wants: all of them, unless one of these says no.
#[derive(Default)]
pub struct Filter<'a> {
    /// Asked first.
    pub by_entry: Option<&'a mut EntryFilter<'a>>,
    /// Asked about what the other one wants.
    pub by_record: Option<&'a mut RecordFilter<'a>>,
}

impl<'a> Filter<'a> {
    /// Every message.
    pub const ALL: Filter<'a> = Filter { by_entry: None, by_record: None };
}

/// How a read went (`GetMessageStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// Messages were read.
    Found,
    /// None of those looked at was wanted; go on at `next`.
    NoMatchedMessage,
    /// They were deleted while being read; go on at `next`.
    MessageWasRemoving,
    /// There is no such queue.
    NoMatchedLogicQueue,
    /// Nothing was ever put into the queue.
    NoMessageInQueue,
    /// The index or the log could not be read now; try again.
    OffsetFoundNull,
    /// The next message is not in memory, and the read was not to wait for the disk.
    NotInMemory,
    /// The offset is that of the next message to come.
    OffsetOverflowOne,
    /// The offset is beyond the next message to come.
    OffsetOverflowBadly,
    /// The messages at the offset are gone.
    OffsetTooSmall,
}

/// What a read found besides the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadResult {
    /// How it went.
    pub status: ReadStatus,
    /// Where to read next.
    pub next: QueueOffset,
    /// The oldest offset of the queue.
    pub min: QueueOffset,
    /// One past the newest offset that may be seen.
    pub max: QueueOffset,
    /// Records appended to the buffer.
    pub messages: u32,
    /// Store time of the last of them.
    pub last_store_time: Option<Timestamp>,
}
