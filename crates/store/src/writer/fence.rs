//! What happens after a write or sync that failed?
//!
//! A write or sync that fails fences the store: the kernel may have dropped the pages, so a second sync would lie. Appends are refused
//! from then on, reads go on, and opening the store again finds out what is there.

use crate::locks;
use roxmq_env::lock_order::Mutex;
use std::sync::{Arc, OnceLock};

/// Called after `flushed` moved, and when the store is fenced.
pub(crate) type Waker = Arc<dyn Fn() + Send + Sync>;

/// Whether the store is closed for writing, and who is woken when that, or what is durable, changes.
pub(crate) struct Fence {
    cause: OnceLock<String>,
    wakers: Mutex<Vec<Waker>>,
}

impl Default for Fence {
    fn default() -> Fence {
        Fence { cause: OnceLock::new(), wakers: Mutex::new(locks::WAKERS, Vec::new()) }
    }
}

impl Fence {
    /// Why nothing can be appended any more, if so.
    pub fn cause(&self) -> Option<&String> {
        self.cause.get()
    }

    pub fn is_closed(&self) -> bool {
        self.cause.get().is_some()
    }

    /// Refuses appends from now on; the first cause stays, and comes back.
    pub fn close(&self, cause: &str) -> String {
        let is_first = self.cause.set(cause.to_owned()).is_ok();
        if is_first {
            tracing::error!(cause, "store is fenced: nothing is stored any more, restart the broker once the disk is sound");
            self.wake_all();
        }
        self.cause.get().cloned().unwrap_or_default()
    }

    /// Registers a waker.
    pub fn wake_with(&self, waker: Waker) {
        self.wakers.lock().push(waker);
    }

    pub fn wake_all(&self) {
        let wakers = self.wakers.lock().clone();
        wakers.iter().for_each(|wake| wake());
    }
}
