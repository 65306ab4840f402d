//! Which entries does one queue have, and where are they?
//!
//! A queue's older entries are in index files, of which the queue knows its runs; the newest are the *tail*, in memory. Offsets may
//! have gaps, where damage took records away.

use crate::index::directory::Row;
use crate::index::facts::Entry;
use crate::index::file::IndexFile;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::time::Timestamp;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// A queue's place in the table; reused after its topic is deleted.
pub(crate) type QueueNo = u32;

/// One queue of one topic.
#[derive(Debug)]
pub(crate) struct Queue {
    pub topic: Arc<str>,
    pub queue_id: u32,
    /// One past the newest offset; also when the messages are gone.
    pub next: QueueOffset,
    /// What is in index files, oldest first. One run, and one chunk, lie in the queue itself: most queues have no more, and there may be
    /// many of them.
    runs: SmallVec<[Run; 1]>,
    tail: SmallVec<[Chunk; 1]>,
}

/// Consecutive offsets of a queue in one index file.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub file: Arc<IndexFile>,
    pub first: QueueOffset,
    pub count: u32,
    /// Number of the first entry in the file.
    pub at: u32,
}

/// Consecutive offsets of a queue in memory.
#[derive(Debug)]
struct Chunk {
    first: QueueOffset,
    entries: Vec<TailEntry>,
}

/// An entry in memory, with its store time, for which the log need not be read then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TailEntry {
    pub entry: Entry,
    pub store_time: Timestamp,
}

/// How an offset follows the newest of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    /// It is the next one, or the first one known.
    Directly,
    /// Some before it are missing.
    WithGap,
    /// It is 0 again: the topic was deleted and created again.
    AsNew,
    /// The queue has it already.
    NotAtAll,
}

/// Where an offset of a queue is found.
#[derive(Debug)]
pub(crate) enum Located {
    /// In memory; entries from there on were copied.
    Tail,
    /// In an index file, from entry `at`, `count` of them.
    File { file: Arc<IndexFile>, at: u32, count: u32 },
    /// Nowhere, but this later offset exists.
    Gap(QueueOffset),
    /// Neither it nor any later offset is visible.
    End,
}

impl Queue {
    /// One without entries, of which the next offset is `next`.
    pub fn new(topic: Arc<str>, queue_id: u32, next: QueueOffset) -> Queue {
        Queue { topic, queue_id, next, runs: SmallVec::new(), tail: SmallVec::new() }
    }

    /// Whether it is this queue of this topic. Names that came from the index are the same allocation, which is compared first.
    pub fn is(&self, topic: &Arc<str>, queue_id: u32) -> bool {
        self.queue_id == queue_id && self.topic == *topic
    }

    pub fn follows(&self, offset: QueueOffset) -> Follows {
        if offset == self.next || (self.is_empty() && offset > self.next) {
            Follows::Directly
        } else if offset > self.next {
            Follows::WithGap
        } else if offset == QueueOffset(0) {
            Follows::AsNew
        } else {
            Follows::NotAtAll
        }
    }

    /// How many entries are in memory.
    pub fn tail_len(&self) -> usize {
        self.tail.iter().map(|chunk| chunk.entries.len()).sum()
    }

    /// Whether no message is left.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.tail.is_empty()
    }

    /// The oldest offset there is; `next` if there is none.
    pub fn min(&self) -> QueueOffset {
        let in_files = self.runs.first().map(|run| run.first);
        in_files.or_else(|| self.tail.first().map(|chunk| chunk.first)).unwrap_or(self.next)
    }

    /// One past the newest offset that is before a part of the log, and the oldest after it. No file spans `part`.
    pub fn around(&self, part: &Range<LogOffset>) -> (Option<QueueOffset>, Option<QueueOffset>) {
        let files_before = self.runs.iter().filter(|run| run.file.to <= part.start).map(Run::end);
        let files_after = self.runs.iter().filter(|run| run.file.from >= part.end).map(|run| run.first);
        let split = |chunk: &Chunk, at: LogOffset| chunk.entries.partition_point(|entry| entry.entry.log_offset < at);
        let chunks_before = self.tail.iter().map(|chunk| (chunk, split(chunk, part.start))).filter(|(_, count)| *count > 0);
        let chunks_after = self.tail.iter().map(|chunk| (chunk, split(chunk, part.end))).filter(|(chunk, at)| *at < chunk.entries.len());
        let offset = |(chunk, n): (&Chunk, usize)| chunk.first + n as i64;
        (files_before.chain(chunks_before.map(offset)).max(), files_after.chain(chunks_after.map(offset)).min())
    }

    /// One past the newest offset that may be seen, when nothing from `bound` on in the log may.
    pub fn visible_next(&self, bound: LogOffset) -> QueueOffset {
        match self.tail.last().and_then(|chunk| chunk.entries.last()) {
            Some(last) if last.entry.end() > bound => {}
            _ => return self.next,
        }
        let hidden = self.tail.partition_point(|chunk| chunk.entries.last().is_some_and(|last| last.entry.end() <= bound));
        match self.tail.get(hidden) {
            Some(chunk) => chunk.first + chunk.entries.partition_point(|entry| entry.entry.end() <= bound) as i64,
            None => self.next,
        }
    }

    /// Finds `offset`; entries in memory are copied to `out`, at most `max`, none that ends after `bound` in the log.
    pub fn locate(&self, offset: QueueOffset, bound: LogOffset, max: usize, out: &mut Vec<TailEntry>) -> Located {
        let run = self.runs.partition_point(|run| run.first <= offset).checked_sub(1).map(|at| &self.runs[at]);
        if let Some(run) = run
            && offset < run.end()
        {
            let skip = (offset - run.first) as u32;
            return Located::File { file: run.file.clone(), at: run.at + skip, count: run.count - skip };
        }
        if let Some(later) = self.runs.get(self.runs.partition_point(|run| run.first <= offset)) {
            return Located::Gap(later.first);
        }
        self.locate_in_tail(offset, bound, max, out)
    }

    fn locate_in_tail(&self, offset: QueueOffset, bound: LogOffset, max: usize, out: &mut Vec<TailEntry>) -> Located {
        let after = self.tail.partition_point(|chunk| chunk.first <= offset);
        let mut expected = offset;
        let mut copied = 0;
        for chunk in &self.tail[after.saturating_sub(1)..] {
            if chunk.end() <= offset {
                continue;
            }
            if chunk.first > expected {
                return match copied {
                    0 if chunk.entries[0].entry.end() <= bound => Located::Gap(chunk.first),
                    0 => Located::End,
                    _ => Located::Tail,
                };
            }
            let skip = (expected - chunk.first) as usize;
            let seen = chunk.entries[skip..].iter().take(max - copied).take_while(|entry| entry.entry.end() <= bound);
            let before = out.len();
            out.extend(seen);
            copied += out.len() - before;
            expected = chunk.end();
            if copied == max || out.len() - before < chunk.entries.len() - skip {
                break;
            }
        }
        match copied {
            0 => Located::End,
            _ => Located::Tail,
        }
    }

    /// Appends the entries in memory before `end` in the log to `out`, and says for each run of consecutive offsets where it begins
    /// and how long it is.
    pub fn tail_before(&self, end: LogOffset, out: &mut Vec<TailEntry>) -> SmallVec<[(QueueOffset, usize); 1]> {
        let mut runs: SmallVec<[(QueueOffset, usize); 1]> = SmallVec::new();
        for chunk in &self.tail {
            let before = out.len();
            out.extend(chunk.entries.iter().take_while(|entry| entry.entry.log_offset < end));
            match (runs.last_mut(), out.len() - before) {
                (_, 0) => break,
                (Some((first, len)), more) if *first + *len as i64 == chunk.first => *len += more,
                (_, len) => runs.push((chunk.first, len)),
            }
        }
        runs
    }

    pub fn push(&mut self, offset: QueueOffset, entry: TailEntry) {
        debug_assert!(offset >= self.next, "offset {offset} of {} {} after {}", self.topic, self.queue_id, self.next);
        self.next = offset + 1;
        if let Some(chunk) = self.tail.last_mut()
            && chunk.end() == offset
            && (chunk.entries.len() < chunk.entries.capacity() || chunk.entries.len() < CHUNK_GROWN)
        {
            return chunk.entries.push(entry);
        }
        let room = self.tail.last().map_or(CHUNK_FIRST, |chunk| (chunk.entries.len() * 4).clamp(CHUNK_FIRST, CHUNK_MAX));
        let mut entries = Vec::with_capacity(room);
        entries.push(entry);
        self.tail.push(Chunk { first: offset, entries });
    }

    pub fn add_row(&mut self, file: &Arc<IndexFile>, row: &Row) {
        match self.follows(row.first) {
            Follows::Directly | Follows::WithGap => {}
            Follows::AsNew | Follows::NotAtAll if self.take_back_outlier(row.first) => {}
            Follows::AsNew => self.forget(),
            Follows::NotAtAll => {
                tracing::warn!(topic = &*row.topic, queue_id = row.queue_id, offset = %row.first, "index file repeats offsets; skipped");
                return;
            }
        }
        self.next = row.first + i64::from(row.count);
        self.runs.push(Run { file: file.clone(), first: row.first, count: row.count, at: row.at });
    }

    /// Takes the newest entry back if it stands alone after a gap in memory, where nothing explains the gap.
    pub fn take_back_unexplained(&mut self, known_next: impl Fn(&Arc<str>, u32) -> QueueOffset) {
        if !self.tail.is_empty()
            && let Some((Some(end), offset)) = self.outlier()
            && known_next(&self.topic, self.queue_id) < offset
        {
            tracing::error!(topic = &*self.topic, queue_id = self.queue_id, %offset, "the newest record has a wrong offset");
            self.take_back_newest();
            self.next = end;
        }
    }

    /// Takes the newest entry back if it alone stands after a gap and `offset` belongs into the gap: then that entry's offset was
    /// damaged, not the ones that seemed to be missing. Says whether `offset` follows now.
    pub fn take_back_outlier(&mut self, offset: QueueOffset) -> bool {
        let Some((before, newest)) = self.outlier() else { return false };
        let belongs = offset <= newest && before.is_none_or(|end| end <= offset);
        if belongs {
            self.take_back_newest();
            self.next = before.unwrap_or(offset);
        }
        belongs
    }

    /// The newest offset if it stands alone after a gap, and where the gap begins; that is unknown if nothing is before it.
    fn outlier(&self) -> Option<(Option<QueueOffset>, QueueOffset)> {
        let chunks = self.tail.iter().rev().map(|chunk| (chunk.first, chunk.end()));
        let runs = self.runs.iter().rev().map(|run| (run.first, run.end()));
        let mut newest_first = chunks.chain(runs);
        let (newest, _) = newest_first.next().filter(|(first, end)| *first + 1 == *end)?;
        let before = newest_first.next().map(|(_, end)| end);
        before.is_none_or(|end| end < newest).then_some((before, newest))
    }

    fn take_back_newest(&mut self) {
        if self.tail.pop().is_none() {
            self.runs.pop();
        }
    }

    pub fn forget(&mut self) {
        self.runs.clear();
        self.tail.clear();
    }

    pub fn moved_to_file(&mut self, file: &Arc<IndexFile>, row: &Row) {
        // A queue of the same name that is younger than the row is another one.
        let Some(front) = self.tail.first() else { return };
        if front.first != row.first || front.entries[0].entry.log_offset != row.first_log_offset {
            return;
        }
        let end = row.first + i64::from(row.count);
        let left_from = self.tail.iter().position(|chunk| chunk.end() > end).unwrap_or(self.tail.len());
        self.tail.drain(..left_from);
        if let Some(chunk) = self.tail.first_mut()
            && chunk.first < end
        {
            chunk.entries.drain(..(end - chunk.first) as usize);
            chunk.first = end;
        }
        if self.tail.is_empty() {
            self.tail.shrink_to_fit();
        }
        self.runs.push(Run { file: file.clone(), first: row.first, count: row.count, at: row.at });
    }

    /// Forgets what is in files that end before or at `log_offset`.
    pub fn trim(&mut self, log_offset: LogOffset) {
        let kept_from = self.runs.iter().position(|run| run.file.to > log_offset).unwrap_or(self.runs.len());
        self.runs.drain(..kept_from);
    }

    pub fn replace_runs(&mut self, file: &Arc<IndexFile>, rows: &[Row]) {
        let is_replaced = |run: &Run| run.file.from >= file.from && run.file.to <= file.to;
        let Some(at) = self.runs.iter().position(is_replaced) else { return };
        let oldest = self.runs[at].first;
        self.runs.retain(|run| !is_replaced(run));
        self.runs.shrink_to_fit();
        // Rows of a generation that was deleted meanwhile are left out.
        let rows = rows.iter().filter(|row| row.first >= oldest);
        for (more, row) in rows.enumerate() {
            self.runs.insert(at + more, Run { file: file.clone(), first: row.first, count: row.count, at: row.at });
        }
    }
}

impl Run {
    pub fn end(&self) -> QueueOffset {
        self.first + i64::from(self.count)
    }
}

impl Chunk {
    fn end(&self) -> QueueOffset {
        self.first + self.entries.len() as i64
    }
}

/// Small at first, so that a million queues with a message each stay small; then it grows, so that they have one chunk each.
const CHUNK_FIRST: usize = 2;
/// Entries of a chunk above which it is followed by another one rather than moved to where there is more room.
const CHUNK_GROWN: usize = 16;
const CHUNK_MAX: usize = 1024;
