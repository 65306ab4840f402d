//! What is deleted, and when is the disk full?
//!
//! Whole segments, oldest first, never the active one nor one that is not sealed: a segment and its index file go together. Before
//! anything goes, the next offsets are written down.

use crate::config::Retention;
use crate::log::segment::Segment;
use crate::store::Store;
use crate::writer::append::is_full;
use roxmq_protocol::position::LogOffset;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Is asked, with the offset up to which the log is about to be deleted, whether it may be.
pub(crate) type Asked = Box<dyn Fn(LogOffset, Reason) -> bool + Send + Sync>;

/// Why a part of the log is about to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is old enough; it could stay.
    Expired,
    /// There is more than shall be kept, or no room for more.
    NoRoom,
}

impl Store {
    /// Names who is asked before the oldest part of the log is deleted, up to which offset. Whoever still needs something of it says no,
    /// stores it again, and has it asked again: see [`Store::ask_again`]. It must not wait for the disk, as housekeeping waits for it.
    /// Only the first one named is asked.
    pub fn ask_before_deletion(&self, asked: impl Fn(LogOffset, Reason) -> bool + Send + Sync + 'static) {
        let _ = self.asked.set(Box::new(asked));
    }

    /// Whoever is asked before deletions would answer differently now: housekeeping asks again at once.
    pub fn ask_again(&self) {
        self.retention_due.store(0, Ordering::Relaxed);
        [&self.keeper, &self.looker].into_iter().filter_map(|thread| thread.get()).for_each(|thread| thread.unpark());
    }

    fn may_delete(&self, segment: &Segment, now_ms: i64) -> bool {
        match self.asked.get() {
            Some(asked) => asked(LogOffset(segment.end()), self.reason(segment, now_ms)),
            None => !self.config.asks_before_deletion,
        }
    }

    fn reason(&self, segment: &Segment, now_ms: i64) -> Reason {
        let has_room = self.free().is_none_or(|free| free >= self.retention().disk_reserve_bytes);
        if has_room && self.is_expired(segment, now_ms) && !self.is_too_much() { Reason::Expired } else { Reason::NoRoom }
    }

    /// Keeps messages by these rules from now on; the next round of housekeeping goes by them.
    pub fn set_retention(&self, retention: Retention) {
        *self.retention.write() = retention;
    }

    fn retention(&self) -> Retention {
        *self.retention.read()
    }

    /// Deletes what has expired by time or size, because somebody asks for it: the clock is taken at its word. Says how many segments.
    pub fn delete_expired(&self) -> usize {
        self.delete_expired_at(self.clock.now_ms())
    }

    /// As housekeeping does it: by no clock that may be wrong.
    pub(crate) fn delete_surely_expired(&self) -> usize {
        self.delete_expired_at(self.sure_now_ms())
    }

    fn delete_expired_at(&self, now_ms: i64) -> usize {
        self.delete_while(now_ms, |store, oldest| store.is_expired(oldest, now_ms) || store.is_too_much())
    }

    /// Looks how much room there is; makes some if that is allowed, and lets appends go on when there is enough.
    pub(crate) fn check_space(&self) {
        let Some(free) = self.free() else { return };
        if free >= self.retention().disk_reserve_bytes {
            if self.disk_full.load(Ordering::Relaxed) && free >= self.retention().disk_reserve_bytes + ROOM_TO_GO_ON {
                self.resume();
            }
            return;
        }
        // What is kept for later goes first.
        if let Err(error) = self.segments.discard_spare() {
            tracing::warn!(%error, "the file that was kept for the next segment could not be deleted");
        }
        let now_ms = self.sure_now_ms();
        self.delete_while(now_ms, |store, oldest| {
            let may_go = store.is_expired(oldest, now_ms) || store.retention().delete_unexpired_when_full;
            may_go && store.free().is_some_and(|free| free < store.retention().disk_reserve_bytes)
        });
        match self.free() {
            Some(free) if free < self.retention().disk_reserve_bytes => self.disk_is_full(),
            _ => self.resume(),
        }
    }

    pub(crate) fn disk_is_full(&self) {
        if !self.disk_full.swap(true, Ordering::Relaxed) {
            tracing::error!(reserve = self.retention().disk_reserve_bytes, "disk is full: appends are refused until there is room");
            // It looks for room more often from now on.
            self.looker.get().into_iter().for_each(|looker| looker.unpark());
        }
    }

    fn resume(&self) {
        if !self.disk_full.load(Ordering::Relaxed) {
            return;
        }
        match self.clear_dirty().and_then(|()| self.pay_checkpoint()) {
            Ok(()) => {
                self.disk_full.store(false, Ordering::Relaxed);
                tracing::warn!("there is room on the disk again: appends go on");
            }
            Err(error) if is_full(&error) => {}
            Err(error) => drop(self.fence(&format!("resuming after a full disk failed: {error}"))),
        }
    }

    fn pay_checkpoint(&self) -> io::Result<()> {
        if self.owes_checkpoint.load(Ordering::Relaxed) {
            self.save_checkpoint()?;
            self.owes_checkpoint.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn delete_while(&self, now_ms: i64, goes: impl Fn(&Store, &Segment) -> bool) -> usize {
        let _turn = self.retention_turn.lock();
        let mut deleted = 0;
        while let Some(oldest) = self.segments.first()
            && self.is_sealed(&oldest)
            && goes(self, &oldest)
            && self.may_delete(&oldest, now_ms)
        {
            let base = oldest.base;
            if let Err(error) = self.delete(oldest) {
                // On a full disk the next offsets cannot be written down; then nothing may go.
                tracing::warn!(segment = base, %error, "an expired segment could not be deleted");
                break;
            }
            tracing::info!(segment = base, "segment deleted");
            deleted += 1;
        }
        deleted
    }

    fn delete(&self, segment: Arc<Segment>) -> io::Result<()> {
        self.save_checkpoint()?;
        let end = segment.end();
        let files = self.index.write().trim(end);
        match self.has_room_for(0) {
            true => self.segments.retire(segment, self.config.segment_bytes)?,
            false => self.segments.remove(&segment)?,
        }
        self.index.write().forget_deletions(end);
        for file in &files {
            self.disk.remove(file.file.path())?;
        }
        self.disk.sync_dir(&self.index_dir)
    }

    fn is_sealed(&self, segment: &Segment) -> bool {
        let index = self.index.read();
        index.files.get(&segment.base).is_some_and(|file| file.to == segment.end())
    }

    /// The time to go by when nobody asked. Where there is no room, the clock is taken at its word.
    fn sure_now_ms(&self) -> i64 {
        let (now_ms, elapsed_ms) = (self.clock.now_ms(), self.clock.elapsed().as_millis() as i64);
        if self.disk_full.load(Ordering::Relaxed) { now_ms } else { self.steady.lock().now_ms(now_ms, elapsed_ms) }
    }

    fn is_expired(&self, segment: &Segment, now_ms: i64) -> bool {
        let index = self.index.read();
        let newest = index.files.get(&segment.base).map(|file| file.last_time);
        let kept_ms = self.retention().file_reserved_hours.saturating_mul(HOUR_MS).min(i64::MAX as u64) as i64;
        newest.is_some_and(|newest| newest.saturating_add(kept_ms) < now_ms)
    }

    fn is_too_much(&self) -> bool {
        let Some(limit) = self.retention().retention_bytes else { return false };
        let all = self.segments.all();
        let sealed: u64 = all.iter().take(all.len().saturating_sub(1)).map(|segment| segment.bytes).sum();
        sealed > limit
    }

    /// Whether so much can be taken without touching the reserve.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        self.free().is_some_and(|free| free >= self.retention().disk_reserve_bytes.saturating_add(bytes))
    }

    fn free(&self) -> Option<u64> {
        match self.disk.space(&self.log_dir) {
            Ok(space) => Some(space.free),
            Err(error) => {
                tracing::warn!(%error, "cannot tell how much room the disk has");
                None
            }
        }
    }
}

const HOUR_MS: u64 = 3_600_000;
/// Appends go on when there is so much more than the reserve, lest they stop again at once.
const ROOM_TO_GO_ON: u64 = 64 << 10;
