//! What is done when the disk is full?

use crate::keeper::Keeper;
use crate::space::is_full;

impl Keeper {
    /// Looks how much room there is; makes some if that is allowed, and lets appends go on when there is enough.
    pub fn check_space(&self) {
        let space = &self.contents.space;
        let Some(free) = space.free() else { return };
        if free >= space.reserve_bytes() {
            if space.is_full() && free >= space.reserve_bytes() + ROOM_TO_GO_ON {
                self.resume();
            }
            return;
        }
        // The spare file goes first.
        if let Err(error) = self.contents.segments.discard_spare() {
            tracing::warn!(%error, "the spare segment file could not be deleted");
        }
        let now = self.sure_now();
        self.delete_while(now, |oldest| {
            let may_go = self.is_expired(oldest, now) || self.expiry.rules().delete_unexpired_when_full;
            may_go && space.free().is_some_and(|free| free < space.reserve_bytes())
        });
        match space.free() {
            Some(free) if free < space.reserve_bytes() => space.close(),
            _ => self.resume(),
        }
    }

    fn resume(&self) {
        if !self.contents.space.is_full() {
            return;
        }
        match self.writer.clear_dirty().and_then(|()| self.pay_checkpoint()) {
            Ok(()) => self.contents.space.reopen(),
            Err(error) if is_full(&error) => {}
            Err(error) => drop(self.writer.fence.close(&format!("resuming after a full disk failed: {error}"))),
        }
    }
}

/// Appends go on when there is this much more than the reserve, so that they do not stop again at once.
const ROOM_TO_GO_ON: u64 = 64 << 10;
