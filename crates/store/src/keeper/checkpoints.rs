//! When is the checkpoint written?

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

    /// Writes a checkpoint that a full disk refused.
    pub(super) fn pay_checkpoint(&self) -> io::Result<()> {
        if self.owes_checkpoint.load(Ordering::Relaxed) {
            self.save_checkpoint()?;
            self.owes_checkpoint.store(false, Ordering::Relaxed);
        }
        Ok(())
    }
}
