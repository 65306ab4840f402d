//! When is written down what the log does not say?

use crate::checkpoint::Checkpoint;
use crate::keeper::Keeper;
use std::io;
use std::sync::atomic::Ordering;

impl Keeper {
    /// Writes down the next offsets and the deleted topics, nothing of it ahead of what is durable.
    pub(crate) fn save_checkpoint(&self) -> io::Result<()> {
        let _turn = self.checkpoint_turn.lock();
        let flushed = self.contents.watermarks.flushed();
        let index = self.contents.index.read();
        let (checkpoint, deletions) = (Checkpoint::of(&index, flushed), index.deletions(flushed));
        drop(index);
        checkpoint.save(&self.contents.disk, &self.contents.config.root)?;
        self.contents.index.write().deletions_are_durable(&deletions);
        Ok(())
    }

    /// Writes down the deletion that a full disk did not take.
    pub(super) fn pay_checkpoint(&self) -> io::Result<()> {
        if self.owes_checkpoint.load(Ordering::Relaxed) {
            self.save_checkpoint()?;
            self.owes_checkpoint.store(false, Ordering::Relaxed);
        }
        Ok(())
    }
}
