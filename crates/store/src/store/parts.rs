//! What do a store and its threads work with?

use crate::contents::Contents;
use crate::keeper::Keeper;
use crate::sleeper::Sleeper;
use crate::writer::Writer;
use std::sync::Arc;

/// The owners of the store's state; clones are the same ones.
#[derive(Clone)]
pub(super) struct Parts {
    pub contents: Arc<Contents>,
    pub writer: Arc<Writer>,
    pub keeper: Arc<Keeper>,
}

impl Parts {
    /// Makes durable what is written now; whether it worked.
    pub fn flush(&self) -> bool {
        let is_durable = self.writer.flush();
        if is_durable {
            self.keeper.wake_when_due();
        }
        is_durable
    }

    /// The threads that run in the background, in the order of their loops.
    pub fn sleepers(&self) -> [&Sleeper; 3] {
        [&self.writer.flusher.thread, &self.keeper.thread, &self.contents.space.looker]
    }
}
