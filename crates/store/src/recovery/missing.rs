//! Which part of the log is missing, and what was in it?
//!
//! Files are missing in the middle when the next one does not begin where the one before ends. At its end the log does not say so: there
//! the flush mark, the checkpoint and index files know that more of it was durable. What the oldest files held may have expired, so
//! a log that begins late misses nothing.
//!
//! The number of messages follows from the offsets of queues before and after, from the checkpoint, and from index files about the missing
//! part, as far as these are there. There may have been more.

use crate::checkpoint::Checkpoint;
use crate::index::file::IndexFile;
use crate::index::table::Index;
use crate::log::segment::Segment;
use roxmq_env::disk::Disk;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The part of the log that a start did not find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// From which log offset to which, oldest first.
    pub ranges: Vec<Range<LogOffset>>,
    /// Messages that were there, at least; one that was in several queues counts in each.
    pub messages: u64,
    /// How many queues they were in.
    pub queues: usize,
}

impl Missing {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Bytes of the log.
    pub fn bytes(&self) -> u64 {
        self.ranges.iter().map(|range| (range.end - range.start) as u64).sum()
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of the commit log are missing (", self.bytes())?;
        for (n, range) in self.ranges.iter().take(RANGES_SHOWN).enumerate() {
            let separator = if n == 0 { "" } else { ", " };
            write!(f, "{separator}from {} to {}", range.start, range.end)?;
        }
        let more = self.ranges.len().saturating_sub(RANGES_SHOWN);
        if more > 0 {
            write!(f, ", and {more} more ranges")?;
        }
        write!(f, "), with at least {} messages of {} queues", self.messages, self.queues)
    }
}

/// What lies between segments.
pub(crate) fn gaps(segments: &[Arc<Segment>]) -> Vec<Range<LogOffset>> {
    let pairs = segments.windows(2).map(|pair| pair[0].end()..pair[1].base);
    pairs.filter(|gap| !gap.is_empty()).collect()
}

/// What is known of queues apart from the log.
#[derive(Debug, Default)]
pub(crate) struct Known {
    queues: BTreeMap<(Arc<str>, u32), KnownQueue>,
}

#[derive(Debug, Default)]
struct KnownQueue {
    /// The first offset that index files know of what is missing.
    first: Option<QueueOffset>,
    next: QueueOffset,
}

impl Known {
    /// What the checkpoint says, and what index files say of `missing`, if anything is.
    pub fn load(
        disk: &Disk,
        folder: &Path,
        files: &[(LogOffset, LogOffset)],
        missing: &[Range<LogOffset>],
        checkpoint: Option<&Checkpoint>,
        index: &Index,
    ) -> io::Result<Known> {
        let mut known = Known::default();
        if missing.is_empty() {
            return Ok(known);
        }
        for (topic, queue_id, next) in checkpoint.iter().flat_map(|checkpoint| &checkpoint.queues) {
            known.queue(topic.as_str().into(), *queue_id).next = *next;
        }
        let is_missing = |from: LogOffset, to: LogOffset| missing.iter().any(|range| from < range.end && range.start < to);
        for (from, to) in files.iter().filter(|(from, to)| is_missing(*from, *to)) {
            let rows = match IndexFile::open(disk, folder, *from, *to) {
                Ok((_, rows)) => rows,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => continue,
                Err(error) => return Err(error),
            };
            for row in rows.into_iter().filter(|row| !index.is_dead(&row.topic, row.first_log_offset)) {
                let queue = known.queue(row.topic, row.queue_id);
                queue.first = Some(queue.first.map_or(row.first, |first| first.min(row.first)));
                queue.next = queue.next.max(row.first + i64::from(row.count));
            }
        }
        Ok(known)
    }

    fn queue(&mut self, topic: Arc<str>, queue_id: u32) -> &mut KnownQueue {
        self.queues.entry((topic, queue_id)).or_default()
    }

    /// The offset that the next message of each queue has, as far as is known.
    pub fn next(&self) -> impl Iterator<Item = ((&str, u32), QueueOffset)> {
        self.queues.iter().map(|((topic, queue_id), queue)| ((&**topic, *queue_id), queue.next))
    }

    /// What is missing with these ranges of a log that begins at `begins`, and of which `index` has the rest.
    pub fn missing(&self, ranges: Vec<Range<LogOffset>>, begins: LogOffset, index: &Index) -> Missing {
        let mut missing = Missing { ranges, ..Missing::default() };
        if missing.is_empty() {
            return missing;
        }
        let mut count = |messages: i64| {
            missing.queues += usize::from(messages > 0);
            missing.messages += messages.max(0) as u64;
        };
        // Where a queue begins while nothing of the log was deleted.
        let zero = (begins == LogOffset(0)).then_some(QueueOffset(0));
        for (_, queue) in index.queues() {
            let known = self.queues.get(&(queue.topic.clone(), queue.queue_id));
            let (first, next) = known.map_or((zero, QueueOffset(0)), |known| (known.first.or(zero), known.next));
            let (mut messages, mut counted_to) = (0, QueueOffset(0));
            for range in &missing.ranges {
                let (before, after) = queue.around(range);
                if let Some(from) = before.or(first) {
                    let (from, to) = (from.max(counted_to), after.unwrap_or(next));
                    messages += (to - from).max(0);
                    counted_to = to.max(counted_to);
                }
            }
            count(messages);
        }
        let of_no_record = self.queues.iter().filter(|((topic, queue_id), _)| index.find(topic, *queue_id).is_none());
        for known in of_no_record.map(|(_, known)| known) {
            count(known.first.or(zero).map_or(0, |first| known.next - first));
        }
        missing
    }
}

const RANGES_SHOWN: usize = 5;
