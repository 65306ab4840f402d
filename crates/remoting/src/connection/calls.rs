//! Which of our requests does the other end owe an answer to?

use crate::message::{CallError, Received};
use std::collections::HashMap;
use tokio::sync::oneshot;

/// Calls to one client that may wait for an answer.
const CALLS_MAX: usize = 4096;

/// Calls that wait.
#[derive(Default)]
pub(super) struct Calls {
    next_opaque: i32,
    waiting: HashMap<i32, oneshot::Sender<Received>>,
}

impl Calls {
    /// Adds a call; its number goes into the request.
    ///
    /// # Errors
    /// When too many wait.
    pub(super) fn add(&mut self, answer: oneshot::Sender<Received>) -> Result<i32, CallError> {
        if self.waiting.len() >= CALLS_MAX {
            self.waiting.retain(|_, caller| !caller.is_closed());
            if self.waiting.len() >= CALLS_MAX {
                return Err(CallError::Busy);
            }
        }
        self.next_opaque = self.next_opaque.wrapping_add(1);
        self.waiting.insert(self.next_opaque, answer);
        Ok(self.next_opaque)
    }

    /// The caller that waits for the answer with this number.
    pub(super) fn take(&mut self, opaque: i32) -> Option<oneshot::Sender<Received>> {
        self.waiting.remove(&opaque)
    }

    /// No answer comes any more: every caller hears that the connection is closed.
    pub(super) fn end(&mut self) {
        self.waiting.clear();
    }
}
