//! When is what was written durable, and what if it cannot be made so?
//!
//! A flush takes the watermark `written`, syncs what is below it, writes it down, publishes it as `flushed`, and calls the wakers. While one
//! runs, the next group of appends forms: with `SYNC_FLUSH` that is all there is to group commit, without a timer.

use crate::config::FlushMode;
use crate::space::is_full;
use crate::writer::Writer;
use roxmq_env::disk::File;
use roxmq_protocol::position::LogOffset;
use std::io;
use std::ops::Range;
use std::sync::atomic::{Ordering, fence};

/// How a flush ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// What was written when it began is on the disk.
    Durable,
    /// It could not be made durable, and the store is fenced, now or before.
    Fenced,
}

impl Writer {
    /// Makes durable what is written now.
    pub fn flush(&self) -> Flush {
        let _turn = self.flush_turn.lock();
        if self.fence.is_closed() {
            return Flush::Fenced;
        }
        let (from, to) = (self.contents.watermarks.flushed(), self.contents.watermarks.written());
        if from == to {
            return Flush::Durable;
        }
        for segment in self.contents.segments.overlapping(from, to) {
            let synced = segment.file.file().and_then(|file| {
                write_back(&file, (from.max(segment.base) - segment.base) as u64..(to.min(segment.end()) - segment.base) as u64)?;
                file.sync_data()
            });
            if let Err(error) = synced {
                self.fence.close(&format!("syncing the commit log failed: {error}"));
                return Flush::Fenced;
            }
        }
        // Written before it is published: when a disk dies or a file system gives up while a sync is under way, that sync may say that it
        // worked (see `File::confirm`).
        if let Err(error) = self.flush_mark.write(to)
            && !is_full(&error)
        {
            self.fence.close(&format!("writing the flush mark failed: {error}"));
            return Flush::Fenced;
        }
        self.contents.watermarks.set_flushed(to);
        self.fence.wake_all();
        Flush::Durable
    }

    /// Wakes the flush thread if there is enough to flush.
    pub(crate) fn after_append(&self, end: LogOffset) {
        let unflushed = (end - self.contents.watermarks.flushed()) as u64;
        let is_due = match self.contents.config.flush {
            FlushMode::Sync => true,
            FlushMode::Async { .. } => unflushed >= self.contents.config.flush_bytes,
        };
        // The flush thread notes that it sleeps, then looks once more; we publish, then look whether it sleeps: one sees the other.
        fence(Ordering::SeqCst);
        if is_due && self.flusher.sleeps.swap(false, Ordering::SeqCst) {
            self.flusher.thread.wake();
        }
    }
}

/// Has what is to be synced written to the device piece by piece, all but the end, where appends go on. In one go it takes
/// a core for some milliseconds and keeps pages locked, and appends wait for as long (16 MiB: 6 ms, measured).
fn write_back(file: &File, bytes: Range<u64>) -> io::Result<()> {
    let mut from = bytes.start;
    while let piece_end = (from / PIECE_BYTES + 1) * PIECE_BYTES
        && piece_end <= bytes.end
    {
        file.write_back(from..piece_end)?;
        from = piece_end;
    }
    Ok(())
}

/// Written back at once.
const PIECE_BYTES: u64 = 1 << 20;
