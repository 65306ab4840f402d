//! Where does a queue begin and end, and what is known of one message?

use crate::index::facts::{self, Entry};
use crate::index::queue::Located;
use crate::log::walk;
use crate::reader::Reader;
use crate::reader::request::IndexEntry;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::Record;
use roxmq_protocol::time::Timestamp;
use std::io;

impl Reader {
    /// The oldest offset of a queue and the one past its newest; `None` if there is no such queue.
    pub fn bounds(&self, topic: &str, queue_id: u32) -> Option<(QueueOffset, QueueOffset)> {
        let bound = self.contents.confirmed();
        let index = self.contents.index.read();
        let queue = index.queue(topic, queue_id)?;
        let max = queue.visible_next(bound);
        Some((queue.min().min(max), max))
    }

    /// The offset that the next message of a queue will get, durable or not; `None` if there is no such queue.
    pub fn queue_next(&self, topic: &str, queue_id: u32) -> Option<QueueOffset> {
        self.contents.index.read().queue(topic, queue_id).map(|queue| queue.next)
    }

    /// What the index knows of one message.
    ///
    /// # Errors
    /// When the disk refuses: there may be an entry.
    pub fn find_entry(&self, topic: &str, queue_id: u32, offset: QueueOffset) -> io::Result<Option<IndexEntry>> {
        Ok(self.entry(topic, queue_id, offset)?.map(|(entry, _)| IndexEntry::of(&entry)))
    }

    /// One whole record, checked; `None` if none starts there, none that may be seen, or if it cannot be read now.
    pub fn message_at(&self, at: LogOffset) -> Option<Vec<u8>> {
        self.find_message(at).ok().flatten()
    }

    /// One whole record, checked; `None` if none starts there, or none that may be seen.
    ///
    /// # Errors
    /// When the disk refuses: there may be one.
    pub fn find_message(&self, at: LogOffset) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let Some(segment) = self.contents.segments.at(at) else { return Ok(None) };
        let is_there = walk::record_at(&segment, at, &mut bytes)?;
        if !is_there || at.plus(bytes.len()) > self.contents.confirmed() {
            return Ok(None);
        }
        let Ok((record, _)) = Record::parse(&bytes) else { return Ok(None) };
        // Where the index knows the record too, its envelope can be checked as well.
        let is_damaged = match self.entry(record.topic, record.queue_id, record.queue_offset)? {
            Some((entry, _)) if entry.log_offset == at => entry.envelope != facts::envelope_crc(&bytes, record.sys_flag, record.body.len()),
            _ => self.contents.index.read().is_dead(record.topic, at),
        };
        Ok((!is_damaged).then_some(bytes))
    }

    /// The entry of one offset; with its store time if that is in memory.
    pub(crate) fn entry(&self, topic: &str, queue_id: u32, offset: QueueOffset) -> io::Result<Option<(Entry, Option<Timestamp>)>> {
        let mut tail = Vec::new();
        let mut entries = Vec::new();
        let located = match self.contents.index.read().queue(topic, queue_id) {
            Some(queue) => queue.locate(offset, self.contents.confirmed(), 1, &mut tail),
            None => return Ok(None),
        };
        Ok(match located {
            Located::Tail => tail.first().map(|found| (found.entry, Some(found.store_time))),
            Located::File { file, at, .. } => {
                file.entries(at, 1, &mut entries)?;
                entries.first().map(|entry| (*entry, None))
            }
            Located::Gap(_) | Located::End => None,
        })
    }
}
