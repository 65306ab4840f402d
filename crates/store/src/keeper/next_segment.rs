//! When is the next segment made?

use crate::keeper::Keeper;
use std::io;

impl Keeper {
    /// Makes the next segment while there is time, a part of it in each round.
    pub(super) fn prepare_segment(&self) -> io::Result<()> {
        let base = {
            let log = self.writer.log.lock();
            let used = log.end - log.active.base;
            if log.prepared.is_some() || log.is_closed || (used as u64) < log.active.bytes / 2 || !log.dirty.is_empty() {
                return Ok(());
            }
            log.active.end()
        };
        let bytes = self.contents.config.segment_bytes;
        if self.contents.segments.wants_spare() && self.next_segment.lock().is_none() {
            // If a segment has expired by now, the next one is made of its file.
            self.delete_surely_expired();
        }
        let mut next = self.next_segment.lock();
        let mut making = match next.take() {
            Some(making) => making,
            None if !self.contents.segments.has_spare(bytes) && !self.contents.space.has_room_for(bytes) => return Ok(()),
            None => self.contents.segments.begin_next(bytes)?,
        };
        if !making.make_ready(|| !self.stop.is_set())? {
            *next = Some(making);
            return Ok(());
        }
        // An append may come to the end of the segment meanwhile and make the next one itself. So the file gets its name under the
        // lock, is not written to afterwards, and is offered only if no other was made.
        let log = self.writer.log.lock();
        if log.active.end() != base {
            *next = Some(making);
            return Ok(());
        }
        let segment = self.contents.segments.name_next(making, base)?;
        drop(log);
        self.contents.segments.sync_names()?;
        let mut log = self.writer.log.lock();
        if log.active.end() == base && log.prepared.is_none() {
            log.prepared = Some(segment);
        }
        Ok(())
    }
}
