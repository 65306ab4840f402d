//! When is what was written durable, and what if it cannot be made so?
//!
//! A flush takes the watermark `written`, syncs what is below it, writes it down, publishes it as `flushed`, and wakes whoever registered. While one
//! runs, the next group of appends forms: with `SYNC_FLUSH` that is the whole of group commit, no timer, nobody waits alone.
//!
//! A write or sync that fails fences the store: the kernel may have dropped the pages, so a second sync would lie. Appends are
//! refused from then on, reads go on, and opening the store again finds out what is there.

use crate::config::FlushMode;
use crate::store::Store;
use roxmq_env::disk::File;
use roxmq_env::teeth::{Tooth, bites};
use roxmq_protocol::position::LogOffset;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// Called after `flushed` moved, and when the store was fenced.
pub(crate) type Waker = Arc<dyn Fn() + Send + Sync>;

impl Store {
    /// What an acknowledgement waits for: with `SYNC_FLUSH` what is durable, else what is written.
    pub fn durable(&self) -> LogOffset {
        match self.config.flush {
            FlushMode::Sync if !bites(Tooth::AckBeforeFlush) => self.watermarks.flushed(),
            FlushMode::Sync | FlushMode::Async { .. } => self.watermarks.written(),
        }
    }

    /// Registers somebody to be called after each advance of `flushed`, and when the store is fenced. It is called on the flush
    /// thread, so it should only wake somebody.
    pub fn wake_when_flushed(&self, waker: Waker) {
        self.wakers.lock().push(waker);
    }

    /// Refuses appends from now on, because something that belongs to the log could not be written beside it.
    pub fn close_for_writing(&self, cause: &str) {
        self.fence(cause);
    }

    /// Why nothing can be appended any more, if so.
    pub fn fenced(&self) -> Option<String> {
        self.fence.get().cloned()
    }

    /// Makes durable what is written now. Whether it worked; if not the store is fenced.
    pub fn flush(&self) -> bool {
        let _turn = self.flush_turn.lock();
        if self.fence.get().is_some() {
            return false;
        }
        let (from, to) = (self.watermarks.flushed().0, self.watermarks.written().0);
        if from == to {
            return true;
        }
        for segment in self.segments.overlapping(from, to) {
            let synced = segment.file.file().and_then(|file| {
                write_back(&file, (from.max(segment.base) - segment.base) as u64..(to.min(segment.end()) - segment.base) as u64)?;
                file.sync_data()
            });
            if let Err(error) = synced {
                self.fence(&format!("syncing the commit log failed: {error}"));
                return false;
            }
        }
        // Written before anybody is told: when a disk dies or a file system gives up while a sync is under way, that sync may say that it
        // worked (see `File::confirm`).
        if let Err(error) = self.hint.write(to)
            && !crate::writer::append::is_full(&error)
        {
            self.fence(&format!("writing the flush mark failed: {error}"));
            return false;
        }
        self.watermarks.set_flushed(to);
        self.wake_all();
        self.wake_keeper_when_due(to);
        true
    }

    /// The tail goes to a file as soon as there is enough of it: waiting for the keeper's next round would let a fast sender make the
    /// next start long.
    fn wake_keeper_when_due(&self, flushed: i64) {
        // Somebody who holds the lock is at that work already.
        let Some(indexed) = self.indexed.try_lock() else { return };
        if self.is_tail_due(*indexed, flushed)
            && let Some(keeper) = self.keeper.get()
        {
            keeper.unpark();
        }
    }

    /// Refuses appends from now on; the first cause stays.
    pub(crate) fn fence(&self, cause: &str) -> String {
        let is_first = self.fence.set(cause.to_owned()).is_ok();
        if is_first {
            tracing::error!(cause, "store is fenced: nothing is stored any more, restart the broker once the disk is sound");
            self.wake_all();
        }
        self.fenced().unwrap_or_default()
    }

    fn wake_all(&self) {
        let wakers = self.wakers.lock().clone();
        wakers.iter().for_each(|wake| wake());
    }

    /// Wakes the flush thread if there is something for it now.
    pub(crate) fn after_append(&self, end: i64) {
        let unflushed = (end - self.watermarks.flushed().0) as u64;
        let is_due = match self.config.flush {
            FlushMode::Sync => true,
            FlushMode::Async { .. } => unflushed >= self.config.flush_bytes,
        };
        // The flusher says that it sleeps and looks once more; we publish and look whether it sleeps: one sees the other.
        fence(Ordering::SeqCst);
        if is_due && self.flusher_sleeps.swap(false, Ordering::SeqCst) {
            self.wake_flusher();
        }
    }
}

/// Has whole pieces of what is to be synced written to the device one after the other, all but the end, where appends go on. In one go it takes
/// a core for some milliseconds and keeps pages locked, and whoever appends meanwhile waits for as long (16 MiB: 6 ms, measured).
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
