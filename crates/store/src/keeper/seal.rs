//! When does the tail of the index go into files?
//!
//! Every so many bytes of durable log, and at the end of each segment, what the tail knows of that range is written to an index file.
//! When a segment is complete, its files are merged into one. Both happen in the background.

use crate::contents::Contents;
use crate::index::file::IndexFile;
use crate::index::merge::merge_files;
use crate::index::table::Index;
use crate::index::tail_file::{move_tail_to_file, replace_file};
use crate::keeper::Keeper;
use crate::locks;
use crate::recovery::replay::replay_range;
use roxmq_env::lock_order::RwLock;
use roxmq_env::teeth::{Tooth, bites};
use roxmq_protocol::position::LogOffset;
use std::io;
use std::sync::Arc;

impl Keeper {
    /// Writes the index files that are due.
    pub fn seal(&self) -> io::Result<()> {
        let Contents { disk, index_dir, index, .. } = &*self.contents;
        let mut indexed = self.indexed.lock();
        while let Some((from, to, sealed)) = self.due(*indexed) {
            if index.read().tail_bytes() >= LARGE_TAIL_BYTES {
                self.memory.owe();
            }
            move_tail_to_file(disk, index_dir, index, from, to)?;
            *indexed = to;
            if sealed {
                self.save_checkpoint()?;
            }
        }
        drop(indexed);
        // Nothing is deleted while files are merged.
        let _turn = self.retention_turn.lock();
        self.repair()?;
        while let Some((parts, living)) = self.mergeable() {
            merge_files(disk, index_dir, index, &parts, &living)?;
        }
        Ok(())
    }

    /// Writes all of the tail to files, so that the next start has nothing to replay.
    pub fn seal_all(&self) -> io::Result<()> {
        self.seal()?;
        let Contents { disk, index_dir, index, .. } = &*self.contents;
        let mut indexed = self.indexed.lock();
        let (from, to) = (indexed.max(self.writer.log.lock().active.base), self.contents.watermarks.flushed());
        if from < to {
            move_tail_to_file(disk, index_dir, index, from, to)?;
            *indexed = to;
        }
        Ok(())
    }

    /// The range that the next index file is for, and whether that completes a segment.
    fn due(&self, indexed: LogOffset) -> Option<(LogOffset, LogOffset, bool)> {
        let Contents { watermarks, segments, .. } = &*self.contents;
        let flushed = if bites(Tooth::IndexBeforeLog) { watermarks.written() } else { watermarks.flushed() };
        let segment = segments.overlapping(indexed, LogOffset::MAX).into_iter().next()?;
        let from = indexed.max(segment.base);
        if flushed >= segment.end() {
            return Some((from, segment.end(), true));
        }
        self.is_tail_due(from, flushed).then_some((from, flushed, false))
    }

    /// Wakes the keeper's thread as soon as there is enough of the tail, after a flush: waiting for the next round would let a fast sender
    /// make the next start long.
    pub fn wake_when_due(&self) {
        // A thread that holds the lock is at that work already.
        let Some(indexed) = self.indexed.try_lock() else { return };
        if self.is_tail_due(*indexed, self.contents.watermarks.flushed()) {
            self.thread.wake();
        }
    }

    /// Whether the tail is to go to a file, when the files know what is before `from`, and what is before `flushed` is durable.
    fn is_tail_due(&self, from: LogOffset, flushed: LogOffset) -> bool {
        let least = self.contents.config.tail_checkpoint_bytes;
        let grown = (flushed - from).max(0) as u64;
        if grown == 0 {
            return false;
        }
        let index = self.contents.index.read();
        let is_large = index.tail_bytes() >= self.contents.config.tail_memory_bytes / 2;
        is_large || (grown >= least && grown >= tail_bytes(least, index.queue_count()))
    }

    /// Index files to merge: those of a sealed segment, or too many of the active one. With them an index that knows which topics are
    /// deleted. Nothing is merged while a crash could undo a deletion, since a merge leaves the deleted entries out.
    fn mergeable(&self) -> Option<(Vec<Arc<IndexFile>>, Index)> {
        let segments = self.contents.segments.all();
        let index = self.contents.index.read();
        if index.has_pending_deletions() {
            return None;
        }
        let parts = segments.iter().find_map(|segment| {
            let parts: Vec<_> = index.files.range(segment.base..segment.end()).map(|(_, file)| file.clone()).collect();
            let end = parts.iter().try_fold(segment.base, |at, part| (part.from == at).then_some(part.to))?;
            let rows: Vec<u64> = parts.iter().map(|part| part.rows).collect();
            let merges = if end == segment.end() { parts.len() > 1 } else { are_too_many(&rows) };
            (merges && !parts.iter().any(|part| part.has_damage())).then_some(parts)
        })?;
        Some((parts, index.with_same_dead()))
    }

    /// Rebuilds damaged index files from the log.
    fn repair(&self) -> io::Result<()> {
        let Contents { disk, index_dir, index, segments, .. } = &*self.contents;
        let damaged: Vec<_> = index.read().files.values().filter(|file| file.has_damage()).cloned().collect();
        for file in damaged {
            let from_log = RwLock::new(locks::INDEX, index.read().with_same_dead());
            replay_range(segments, file.from, file.to, &mut from_log.write())?;
            replace_file(disk, index_dir, index, &from_log, file.from, file.to)?;
            tracing::warn!(file = %file.file.path().display(), "rebuilt index file from the log");
        }
        Ok(())
    }
}

/// How much of the log one index file covers, at least `least`, with this number of queues. A file costs its entries and its rows, so with
/// very many queues it waits until they have more than an entry each.
fn tail_bytes(least: u64, queues: usize) -> u64 {
    (queues as u64 * TAIL_BYTES_PER_QUEUE).clamp(least, least * TAIL_GROWTH_MAX)
}

/// Whether the parts of an active segment, with these numbers of rows, are merged now: many short lives of a store leave many parts, and
/// very many queues many rows, each of which takes memory in its queue. The largest part does not count, as most of it stays.
fn are_too_many(rows: &[u64]) -> bool {
    let merged = rows.iter().copied().max().unwrap_or(0);
    rows.len() > PARTS_MAX || rows.iter().sum::<u64>() - merged > ROWS_MAX
}

/// A tail that is larger than usual: a file for 64 MiB of messages of 1 KiB takes 4 MiB of memory until it is written.
const LARGE_TAIL_BYTES: u64 = 16 << 20;
const TAIL_BYTES_PER_QUEUE: u64 = 4096;
const TAIL_GROWTH_MAX: u64 = 4;
const PARTS_MAX: usize = 32;
const ROWS_MAX: u64 = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_very_many_queues_files_are_for_more_of_the_log() {
        const MIB: u64 = 1 << 20;
        for (queues, bytes) in [(0, 64 * MIB), (16_384, 64 * MIB), (32_768, 128 * MIB), (100_000, 256 * MIB), (10_000_000, 256 * MIB)] {
            assert_eq!(tail_bytes(64 * MIB, queues), bytes, "{queues}");
        }
    }

    #[test]
    fn many_rows_are_merged_before_their_segment_is_complete() {
        let parts = [
            (vec![], false),
            (vec![1 << 24], false),
            (vec![1 << 24, ROWS_MAX], false),
            (vec![1 << 17, 1 << 24, 1 << 17, 1], true),
            (vec![60_000; 5], false),
            (vec![60_000; 6], true),
            (vec![1; PARTS_MAX], false),
            (vec![1; PARTS_MAX + 1], true),
        ];
        for (rows, expected) in parts {
            assert_eq!(are_too_many(&rows), expected, "{rows:?}");
        }
    }
}
