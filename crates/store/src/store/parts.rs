//! What do a store and its threads work with?

use crate::contents::Contents;
use crate::keeper::Keeper;
use crate::sleeper::Sleeper;
use crate::writer::Writer;
use crate::writer::flush::Flush;
use std::sync::Arc;

/// The owners of the store's state; clones are the same ones.
#[derive(Clone)]
pub(super) struct Parts {
    pub contents: Arc<Contents>,
    pub writer: Arc<Writer>,
    pub keeper: Arc<Keeper>,
}

impl Parts {
    /// Makes durable what is written now.
    pub fn flush(&self) -> Flush {
        let before = self.contents.watermarks.flushed();
        let flush = self.writer.flush();
        // Without progress the keeper has nothing new to seal; one that cannot write retries at its own pace.
        if self.contents.watermarks.flushed() != before {
            self.keeper.wake_when_due();
        }
        flush
    }

    /// The threads that run in the background, in the order of their loops.
    pub fn sleepers(&self) -> [&Sleeper; 3] {
        [&self.writer.flusher.thread, &self.keeper.thread, &self.contents.space.looker]
    }
}
