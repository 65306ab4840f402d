//! Which segments are deleted?
//!
//! Whole segments, oldest first, but neither the active one nor one that is not sealed: a segment and its index file go together. Before
//! anything goes, the next offsets are written down.

use crate::config::Retention;
use crate::keeper::Keeper;
use crate::keeper::expiry::Reason;
use crate::log::segment::Segment;
use roxmq_protocol::time::Timestamp;
use std::io;
use std::sync::Arc;
use std::time::Duration;

impl Keeper {
    /// The deletion hook would answer differently now: housekeeping asks again at once.
    pub fn ask_again(&self) {
        self.expiry.make_due();
        self.thread.wake();
        self.contents.space.looker.wake();
    }

    fn may_delete(&self, segment: &Segment, now: Timestamp) -> bool {
        match self.expiry.hook() {
            Some(hook) => hook(segment.end(), self.reason(segment, now)),
            None => !self.contents.config.asks_before_deletion,
        }
    }

    fn reason(&self, segment: &Segment, now: Timestamp) -> Reason {
        let has_room = self.contents.space.free().is_none_or(|free| free >= self.contents.space.reserve_bytes());
        if has_room && self.is_expired(segment, now) && !self.is_too_much() { Reason::Expired } else { Reason::NoRoom }
    }

    /// Goes by these rules from the next round of housekeeping on.
    pub fn set_retention(&self, rules: Retention) {
        self.contents.space.set_reserve(rules.disk_reserve_bytes);
        self.expiry.set_rules(rules);
    }

    /// Deletes what has expired by time or size, because an operator asks for it: the clock is believed. Says how many segments.
    pub fn delete_expired(&self) -> usize {
        self.delete_expired_at(Timestamp(self.contents.clock.now_ms()))
    }

    /// As housekeeping does it: by a clock that is believed only after a while.
    pub(super) fn delete_surely_expired(&self) -> usize {
        self.delete_expired_at(self.sure_now())
    }

    fn delete_expired_at(&self, now: Timestamp) -> usize {
        self.delete_while(now, |oldest| self.is_expired(oldest, now) || self.is_too_much())
    }

    pub(super) fn delete_while(&self, now: Timestamp, goes: impl Fn(&Segment) -> bool) -> usize {
        let _turn = self.retention_turn.lock();
        let mut deleted = 0;
        while let Some(oldest) = self.contents.segments.first()
            && self.is_sealed(&oldest)
            && goes(&oldest)
            && self.may_delete(&oldest, now)
        {
            let base = oldest.base;
            if let Err(error) = self.delete(oldest) {
                // On a full disk the next offsets cannot be written down; then nothing may go.
                tracing::warn!(segment = %base, %error, "an expired segment could not be deleted");
                break;
            }
            tracing::info!(segment = %base, "deleted segment");
            deleted += 1;
        }
        deleted
    }

    fn delete(&self, segment: Arc<Segment>) -> io::Result<()> {
        self.save_checkpoint()?;
        let end = segment.end();
        let files = self.contents.index.write().trim(end);
        match self.contents.space.has_room_for(0) {
            true => self.contents.segments.retire(segment, self.contents.config.segment_bytes)?,
            false => self.contents.segments.remove(&segment)?,
        }
        self.contents.index.write().forget_deletions(end);
        for file in &files {
            self.contents.disk.remove(file.file.path())?;
        }
        self.contents.disk.sync_dir(&self.contents.index_dir)
    }

    fn is_sealed(&self, segment: &Segment) -> bool {
        let index = self.contents.index.read();
        index.files.get(&segment.base).is_some_and(|file| file.to == segment.end())
    }

    /// The time to go by when no operator asks. Where there is no room, the clock is believed.
    pub(super) fn sure_now(&self) -> Timestamp {
        let (now, elapsed) = (Timestamp(self.contents.clock.now_ms()), self.contents.clock.elapsed());
        if self.contents.space.is_full() { now } else { self.expiry.sure_now(now, elapsed) }
    }

    pub(super) fn is_expired(&self, segment: &Segment, now: Timestamp) -> bool {
        let index = self.contents.index.read();
        let newest = index.files.get(&segment.base).map(|file| file.last_time);
        let hours = self.expiry.rules().file_reserved_hours;
        newest.is_some_and(|newest| newest + Duration::from_secs(hours.saturating_mul(3600)) < now)
    }

    fn is_too_much(&self) -> bool {
        let Some(limit) = self.expiry.rules().retention_bytes else { return false };
        let all = self.contents.segments.all();
        let sealed: u64 = all.iter().take(all.len().saturating_sub(1)).map(|segment| segment.bytes).sum();
        sealed > limit
    }
}
