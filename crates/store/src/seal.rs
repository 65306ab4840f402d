//! How does the tail of the index get out of memory and into files?
//!
//! Every so many bytes of durable log, and at the end of each segment, what the tail knows of that range is written to an index file.
//! When a segment is complete, its files are merged into one. Both happen in the background; only moving the entries out of memory
//! takes the index's lock, a few queues at a time.

use crate::checkpoint::Checkpoint;
use crate::index::{Index, TailEntry};
use crate::index_file::{IndexFile, IndexFileWriter, Row};
use crate::recovery;
use crate::store::Store;
use parking_lot::RwLock;
use roxmq_env::disk::Disk;
use roxmq_env::teeth::bites;
use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::path::Path;
use std::sync::Arc;

impl Store {
    /// Writes the index files that are due.
    pub(crate) fn seal(&self) -> io::Result<()> {
        let mut indexed = self.indexed.lock();
        while let Some((from, to, sealed)) = self.due(*indexed) {
            move_tail_to_file(&self.disk, &self.index_dir, &self.index, from, to)?;
            *indexed = to;
            if sealed {
                self.save_checkpoint()?;
            }
        }
        drop(indexed);
        // Nothing is deleted under the hands of a merge.
        let _turn = self.retention_turn.lock();
        self.repair()?;
        while let Some(parts) = self.mergeable() {
            self.merge(&parts)?;
        }
        Ok(())
    }

    /// Writes all of the tail to files, so that the next start has nothing to replay.
    pub(crate) fn seal_all(&self) -> io::Result<()> {
        self.seal()?;
        let mut indexed = self.indexed.lock();
        let (from, to) = (indexed.max(self.log.lock().active.base), self.watermarks.flushed().0);
        if from < to {
            move_tail_to_file(&self.disk, &self.index_dir, &self.index, from, to)?;
            *indexed = to;
        }
        Ok(())
    }

    /// The range that the next index file is for, and whether that completes a segment.
    fn due(&self, indexed: i64) -> Option<(i64, i64, bool)> {
        let flushed = if bites("index-before-log") { self.watermarks.written().0 } else { self.watermarks.flushed().0 };
        let segment = self.segments.overlapping(indexed, i64::MAX).into_iter().next()?;
        let from = indexed.max(segment.base);
        if flushed >= segment.end() {
            return Some((from, segment.end(), true));
        }
        (flushed - from >= self.config.tail_checkpoint_bytes as i64).then_some((from, flushed, false))
    }

    /// Index files to make one of: those of a sealed segment, or too many of the active one, as many short lives of a store leave.
    fn mergeable(&self) -> Option<Vec<Arc<IndexFile>>> {
        let segments = self.segments.all();
        let index = self.index.read();
        segments.iter().find_map(|segment| {
            let parts: Vec<_> = index.files.range(segment.base..segment.end()).map(|(_, file)| file.clone()).collect();
            let end = parts.iter().try_fold(segment.base, |at, part| (part.from == at).then_some(part.to))?;
            let few = if end == segment.end() { 1 } else { PARTS_MAX };
            (parts.len() > few && !parts.iter().any(|part| part.has_damage())).then_some(parts)
        })
    }

    /// Makes one index file of several that follow each other.
    fn merge(&self, parts: &[Arc<IndexFile>]) -> io::Result<()> {
        let (whole, rows) = merged(&self.disk, &self.index_dir, parts, &self.index)?;
        let whole = Arc::new(whole);
        let queues: Vec<&[Row]> = rows.chunk_by(|a, b| (&a.topic, a.queue_id) == (&b.topic, b.queue_id)).collect();
        for queues in queues.chunks(QUEUES_PER_LOCK) {
            let mut index = self.index.write();
            queues.iter().for_each(|rows| index.replace_runs(&whole, &rows[0].topic, rows[0].queue_id, rows));
        }
        let mut index = self.index.write();
        parts.iter().for_each(|part| drop(index.files.remove(&part.from)));
        index.files.insert(whole.from, whole);
        drop(index);
        for part in parts {
            self.disk.remove(part.file.path())?;
        }
        self.disk.sync_dir(&self.index_dir)
    }

    /// Makes damaged index files anew from the log.
    fn repair(&self) -> io::Result<()> {
        let damaged: Vec<_> = self.index.read().files.values().filter(|file| file.has_damage()).cloned().collect();
        for file in damaged {
            let scratch = RwLock::new(self.index.read().with_same_dead());
            recovery::replay_range(&self.segments, file.from, file.to, &mut scratch.write())?;
            let (anew, rows) = write_tail(&self.disk, &self.index_dir, &scratch, file.from, file.to)?;
            let anew = Arc::new(anew);
            let mut index = self.index.write();
            for rows in rows.chunk_by(|a, b| (&a.topic, a.queue_id) == (&b.topic, b.queue_id)) {
                index.replace_runs(&anew, &rows[0].topic, rows[0].queue_id, rows);
            }
            index.files.insert(anew.from, anew);
            tracing::warn!(file = %file.file.path().display(), "index file was made anew from the log");
        }
        Ok(())
    }

    /// Writes down the next offsets, none of them ahead of what is durable.
    pub(crate) fn save_checkpoint(&self) -> io::Result<()> {
        let _turn = self.checkpoint_turn.lock();
        let flushed = self.watermarks.flushed().0;
        let index = self.index.read();
        let queues = index.queues().map(|(_, queue)| (queue.topic.to_string(), queue.queue_id, queue.visible_next(flushed)));
        let checkpoint = Checkpoint {
            flushed,
            queues: queues.filter(|(_, _, next)| *next > 0).collect(),
            dead_before: index.dead_before.iter().map(|(topic, dead)| (topic.to_string(), *dead)).collect(),
        };
        drop(index);
        checkpoint.save(&self.disk, &self.config.root)
    }
}

/// Writes what `index` has in memory of a range, all of it durable, to a file, and out of memory.
pub(crate) fn move_tail_to_file(disk: &Disk, folder: &Path, index: &RwLock<Index>, from: i64, to: i64) -> io::Result<()> {
    let (file, rows) = write_tail(disk, folder, index, from, to)?;
    let file = Arc::new(file);
    index.write().files.insert(from, file.clone());
    for rows in rows.chunks(QUEUES_PER_LOCK) {
        let mut index = index.write();
        rows.iter().for_each(|row| index.moved_to_file(&file, row));
    }
    index.write().keys.drop_before(to);
    Ok(())
}

pub(crate) fn write_tail(disk: &Disk, folder: &Path, index: &RwLock<Index>, from: i64, to: i64) -> io::Result<(IndexFile, Vec<Row>)> {
    let mut runs: Vec<(Arc<str>, u32, i64, Vec<TailEntry>)> = Vec::new();
    let queues = index.read().with_tail();
    for numbers in queues.chunks(QUEUES_PER_LOCK) {
        let index = index.read();
        for queue in numbers.iter().filter_map(|no| index.at(*no)) {
            let of_queue = queue.tail_before(to).into_iter();
            runs.extend(of_queue.map(|(first, entries)| (queue.topic.clone(), queue.queue_id, first, entries)));
        }
    }
    let mut keys = index.read().keys.before(to);
    runs.sort_by(|a, b| (&a.0, a.1, a.3[0].entry.log_offset).cmp(&(&b.0, b.1, b.3[0].entry.log_offset)));
    keys.sort_unstable();

    let mut writer = IndexFileWriter::create(disk, folder, from, to)?;
    let (mut first_time, mut last_time) = (i64::MAX, i64::MIN);
    for (topic, queue_id, first, entries) in &runs {
        writer.row(topic, *queue_id, *first, entries[0].entry.log_offset);
        for entry in entries {
            writer.entry(&entry.entry)?;
            first_time = first_time.min(entry.store_time);
            last_time = last_time.max(entry.store_time);
        }
    }
    drop(runs);
    for (hash, log_offset) in keys {
        writer.key(hash, log_offset)?;
    }
    writer.finish(disk, folder, first_time, last_time)
}

fn merged(disk: &Disk, folder: &Path, parts: &[Arc<IndexFile>], index: &RwLock<Index>) -> io::Result<(IndexFile, Vec<Row>)> {
    let mut runs: BTreeMap<(String, u32), Vec<(usize, Row)>> = BTreeMap::new();
    for (n, part) in parts.iter().enumerate() {
        let rows = part.rows()?;
        let index = index.read();
        for row in rows.into_iter().filter(|row| !index.is_dead(&row.topic, row.first_log_offset)) {
            runs.entry((row.topic.clone(), row.queue_id)).or_default().push((n, row));
        }
    }
    let mut writer = IndexFileWriter::create(disk, folder, parts[0].from, parts[parts.len() - 1].to)?;
    let mut entries = Vec::new();
    for ((topic, queue_id), runs) in &runs {
        let mut next = None;
        for (n, run) in runs {
            if next != Some(run.first) {
                writer.row(topic, *queue_id, run.first, run.first_log_offset);
            }
            next = Some(run.first + i64::from(run.count));
            let mut done = 0;
            while done < run.count {
                let count = (run.count - done).min(ENTRIES_PER_READ);
                entries.clear();
                parts[*n].entries(run.at + done, count as usize, &mut entries)?;
                entries.iter().try_for_each(|entry| writer.entry(entry))?;
                done += count;
            }
        }
    }
    let mut sources: Vec<_> = parts.iter().map(|part| part.keys()).collect();
    let mut heads = BinaryHeap::new();
    for (n, source) in sources.iter_mut().enumerate() {
        heads.extend(source.next().transpose()?.map(|key| Reverse((key, n))));
    }
    while let Some(mut head) = heads.peek_mut() {
        let Reverse(((hash, log_offset), n)) = *head;
        writer.key(hash, log_offset)?;
        match sources[n].next().transpose()? {
            // In its place, which costs half of taking one out and putting another in.
            Some(key) => *head = Reverse((key, n)),
            None => drop(PeekMut::pop(head)),
        }
    }
    drop(sources);
    let first_time = parts.iter().map(|part| part.first_time).min().unwrap_or(i64::MAX);
    let last_time = parts.iter().map(|part| part.last_time).max().unwrap_or(i64::MIN);
    writer.finish(disk, folder, first_time, last_time)
}

const QUEUES_PER_LOCK: usize = 256;
const PARTS_MAX: usize = 32;
const ENTRIES_PER_READ: u32 = 16_320;
