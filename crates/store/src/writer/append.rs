//! How does a batch get into the log?
//!
//! ```text
//! under the log's lock:  queue offsets, log offsets, store time  ->  one pwrite  ->  index  ->  `written`
//! ```
//!
//! Nothing is published before all of the batch is written, so a write that fails leaves no trace: bytes that it may have left on
//! disk are past `written`, and are cleared before the next append.
//!
//! An atomic batch lies in one segment, and its first record says how many belong to it: recovery takes all of them or none.

use crate::index::table::Dispatch;
use crate::log::segment::Segment;
use crate::space::is_full;
use crate::writer::batch::Batch;
use crate::writer::{Log, Writer};
use roxmq_env::disk::File;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::BLANK_BYTES;
use roxmq_protocol::record::placing::blank;
use roxmq_protocol::time::Timestamp;
use std::io;
use std::sync::Arc;

/// Why nothing of a batch was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// A write or a sync failed; nothing is appended any more until the store is opened again.
    #[error("the store is fenced: {0}")]
    Fenced(String),
    /// No room, or less than the reserve; appends work again once there is.
    #[error("the disk is full")]
    DiskFull,
    /// The disk does not keep up: what is not durable yet, or not in an index file, has as much in memory as it may. Appends work again
    /// once it is.
    #[error("the disk does not keep up with what is sent")]
    Behind,
    /// A record, or an atomic batch, is longer than a segment.
    #[error("a message of {bytes} bytes is more than {max}")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The most allowed.
        max: usize,
    },
    /// The store was shut down.
    #[error("the store is closed")]
    Closed,
}

/// Where the next record of a batch goes while the batch is written.
struct Cursor {
    active: Arc<Segment>,
    file: Arc<File>,
    end: LogOffset,
    /// Segments begun by this batch.
    begun: Vec<Arc<Segment>>,
}

impl Writer {
    /// Appends all of a batch, or nothing. Afterwards [`Batch::placed`] says where each message is.
    pub fn append(&self, batch: &mut Batch) -> Result<(), AppendError> {
        assert!(batch.is_gapless(), "records of a batch would be written at wrong places");
        self.check_sizes(batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        batch.start_atomic();
        if batch.may_use_reserve
            && self.contents.space.is_full()
            && let Err(error) = self.clear_dirty()
        {
            return Err(self.append_failed(&error));
        }
        let mut log = self.log.lock();
        self.check_open(&log)?;
        let may_use_reserve = batch.may_use_reserve && log.dirty.is_empty();
        if self.contents.space.is_full() && !may_use_reserve {
            return Err(AppendError::DiskFull);
        }
        if self.contents.index.read().tail_bytes() >= self.contents.config.tail_memory_bytes {
            return Err(AppendError::Behind);
        }
        self.find_queues(&mut log, batch);
        let now = Timestamp(self.contents.clock.now_ms());
        for item in &mut batch.items {
            item.store_timestamp = now;
            item.queue_offset = if item.is_queued { log.take_next(item.queue) } else { QueueOffset(0) };
            for light in &mut batch.lights[item.lights.0 as usize..item.lights.1 as usize] {
                light.queue_offset = log.take_next(light.queue);
            }
        }

        match self.write(&mut log, batch) {
            Ok(cursor) => self.publish(&mut log, batch, cursor),
            Err(error) => {
                self.forget_offsets(&mut log, batch);
                return Err(self.append_failed(&error));
            }
        }
        let end = log.end;
        drop(log);
        self.after_append(end);
        Ok(())
    }

    /// The most bytes of a record, or of an atomic batch.
    pub fn record_bytes_max(&self) -> usize {
        self.contents.config.segment_bytes as usize - BLANK_BYTES
    }

    fn check_sizes(&self, batch: &Batch) -> Result<(), AppendError> {
        let record_max = self.record_bytes_max();
        if batch.is_atomic && batch.bytes() > record_max {
            return Err(AppendError::TooLarge { bytes: batch.bytes(), max: record_max });
        }
        for item in &batch.items {
            if item.entry.size as usize > record_max {
                return Err(AppendError::TooLarge { bytes: item.entry.size as usize, max: record_max });
            }
        }
        Ok(())
    }

    fn check_open(&self, log: &Log) -> Result<(), AppendError> {
        if let Some(cause) = self.fence.cause() {
            return Err(AppendError::Fenced(cause.clone()));
        }
        if log.is_closed { Err(AppendError::Closed) } else { Ok(()) }
    }

    /// Assigns log offsets and writes the records, a run of them per segment.
    fn write(&self, log: &mut Log, batch: &mut Batch) -> io::Result<Cursor> {
        let mut cursor = Cursor { active: log.active.clone(), file: log.file.clone(), end: log.end, begun: Vec::new() };
        let mut result = Ok(());
        let mut from = 0;
        while from < batch.items.len() && result.is_ok() {
            result = self.write_run(log, batch, &mut from, &mut cursor);
        }
        if result.is_err() {
            log.dirty.push((log.active.clone(), log.end));
            log.dirty.extend(cursor.begun.iter().map(|segment| (segment.clone(), segment.base)));
            log.prepared = cursor.begun.drain(..).next().or(log.prepared.take());
        }
        result.map(|()| cursor)
    }

    /// Writes as many items as fit into the segment, from number `from` on, and advances it; then, if some are left, ends the segment.
    fn write_run(&self, log: &mut Log, batch: &mut Batch, from: &mut usize, cursor: &mut Cursor) -> io::Result<()> {
        let start = cursor.end;
        let first = *from;
        let has_room = |bytes: usize, end: LogOffset| end + (bytes + BLANK_BYTES) as i64 <= cursor.active.end();
        let goes_here = !batch.is_atomic || has_room(batch.bytes.len(), start);
        for item in batch.items[first..].iter_mut().take_while(|_| goes_here) {
            let size = item.entry.size as usize;
            if !has_room(size, cursor.end) {
                break;
            }
            item.place(&mut batch.bytes[item.at..item.at + size], &batch.lights, cursor.end);
            cursor.end += size as i64;
            *from += 1;
        }
        if *from > first {
            let bytes = batch.items[first].at..batch.items[*from - 1].at + batch.items[*from - 1].entry.size as usize;
            cursor.file.write_at((start - cursor.active.base) as u64, &batch.bytes[bytes])?;
        }
        if *from == batch.items.len() {
            return Ok(());
        }
        let left = cursor.active.end() - cursor.end;
        if left >= BLANK_BYTES as i64 {
            cursor.file.write_at((cursor.end - cursor.active.base) as u64, &blank(left as u32))?;
        }
        let segment = self.next_segment(log, cursor.active.end())?;
        cursor.file = segment.file.file()?;
        cursor.end = segment.base;
        cursor.active = segment.clone();
        cursor.begun.push(segment);
        Ok(())
    }

    fn next_segment(&self, log: &mut Log, base: LogOffset) -> io::Result<Arc<Segment>> {
        match log.prepared.take() {
            Some(prepared) if prepared.base == base => Ok(prepared),
            _ => self.contents.segments.create(base, self.contents.config.segment_bytes),
        }
    }

    /// Everything is written: publishes it.
    fn publish(&self, log: &mut Log, batch: &Batch, cursor: Cursor) {
        for segment in cursor.begun {
            self.contents.segments.push(segment);
        }
        (log.active, log.file, log.end) = (cursor.active, cursor.file, cursor.end);
        let mut hashes = 0;
        let mut index = self.contents.index.write();
        for item in &batch.items {
            index.dispatch(Dispatch {
                queued: item.is_queued.then_some((item.queue, item.queue_offset)),
                entry: item.entry,
                store_time: item.store_timestamp,
                hashes: &batch.hashes[hashes..item.hashes_end],
            });
            for light in item.lights(&batch.lights) {
                index.add(light.queue, light.queue_offset, item.entry, item.store_timestamp);
            }
            hashes = item.hashes_end;
        }
        drop(index);
        self.contents.watermarks.set_written(log.end);
    }

    fn append_failed(&self, error: &io::Error) -> AppendError {
        if is_full(error) {
            self.contents.space.close();
            return AppendError::DiskFull;
        }
        AppendError::Fenced(self.fence.close(&format!("writing the commit log failed: {error}")))
    }

    /// Clears what failed writes left on disk; nothing is appended before that.
    pub(crate) fn clear_dirty(&self) -> io::Result<()> {
        let mut log = self.log.lock();
        while let Some((segment, from)) = log.dirty.last().cloned() {
            segment.clear_from(from)?;
            // Else a crash could mix what is cleared with what is written next.
            segment.file.file()?.sync_data()?;
            log.dirty.pop();
        }
        Ok(())
    }
}
