//! Which offset belongs to a time?

use crate::reader::Reader;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::Record;
use roxmq_protocol::time::Timestamp;

/// Which side of the time is asked for (`BoundaryType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boundary {
    /// The first message stored at the time or later; past the newest if all are older.
    #[default]
    Lower,
    /// The last message stored at the time or earlier; the oldest if all are newer.
    Upper,
}

impl Reader {
    /// The offset of a queue that belongs to a store time (`ConsumeQueue.getOffsetInQueueByTime`); 0 for an unknown queue.
    pub fn offset_by_time(&self, topic: &str, queue_id: u32, time: Timestamp, boundary: Boundary) -> QueueOffset {
        let Some((min, max)) = self.bounds(topic, queue_id) else { return QueueOffset(0) };
        // The first offset stored after the time, or at it if that is asked for.
        let is_before = |stored: Timestamp| match boundary {
            Boundary::Lower => stored < time,
            Boundary::Upper => stored <= time,
        };
        let (mut low, mut high) = (min, max);
        while low < high {
            let middle = low + (high - low) / 2;
            // An offset without a message is as old as the next one that has one.
            match self.store_time_from(topic, queue_id, middle, high) {
                Some((offset, stored)) if is_before(stored) => low = offset + 1,
                Some(_) | None => high = middle,
            }
        }
        match boundary {
            Boundary::Lower => self.with_message(topic, queue_id, low, max),
            Boundary::Upper => self.with_message_before(topic, queue_id, low, min),
        }
    }

    /// When a message was stored.
    pub fn store_time(&self, topic: &str, queue_id: u32, offset: QueueOffset) -> Option<Timestamp> {
        let (entry, store_time) = self.entry(topic, queue_id, offset).ok()??;
        store_time.or_else(|| {
            let mut bytes = Vec::new();
            self.contents.segments.at(entry.log_offset)?.read(entry.log_offset, entry.size as usize, &mut bytes).ok()?;
            let (record, _) = Record::parse(&bytes).ok()?;
            (record.log_offset == entry.log_offset).then_some(record.store_timestamp)
        })
    }

    /// Store time of the oldest message there is.
    pub fn earliest_store_time(&self) -> Option<Timestamp> {
        let in_files = self.contents.index.read().files.values().map(|file| file.first_time).find(|time| *time != Timestamp::MAX);
        in_files.or_else(|| {
            let bytes = self.message_at(self.contents.begins())?;
            Record::parse(&bytes).ok().map(|(record, _)| record.store_timestamp)
        })
    }

    /// The first message from `from` on that has a store time, before `to`.
    fn store_time_from(&self, topic: &str, queue_id: u32, from: QueueOffset, to: QueueOffset) -> Option<(QueueOffset, Timestamp)> {
        (from.0..to.0).map(QueueOffset).take(DAMAGE_SKIPPED_MAX).find_map(|offset| {
            let time = self.store_time(topic, queue_id, offset)?;
            Some((offset, time))
        })
    }

    fn with_message(&self, topic: &str, queue_id: u32, from: QueueOffset, max: QueueOffset) -> QueueOffset {
        let found = (from.0..max.0)
            .map(QueueOffset)
            .take(DAMAGE_SKIPPED_MAX)
            .find(|offset| self.entry(topic, queue_id, *offset).is_ok_and(|entry| entry.is_some()));
        found.unwrap_or(from.min(max))
    }

    fn with_message_before(&self, topic: &str, queue_id: u32, end: QueueOffset, min: QueueOffset) -> QueueOffset {
        let found = (min.0..end.0)
            .map(QueueOffset)
            .rev()
            .take(DAMAGE_SKIPPED_MAX)
            .find(|offset| self.entry(topic, queue_id, *offset).is_ok_and(|entry| entry.is_some()));
        found.unwrap_or(min)
    }
}

/// A longer gap than this is taken for an offset.
const DAMAGE_SKIPPED_MAX: usize = 1024;
