//! When is what was appended as durable as the settings promise?

use crate::error::Refusal;
use parking_lot::{Condvar, Mutex};
use roxmq_protocol::position::LogOffset;
use roxmq_store::Store;
use std::sync::Arc;
use std::time::Duration;

/// Lets threads of the broker wait for the flush watermark.
pub struct Flushed(Arc<(Mutex<()>, Condvar)>);

impl Flushed {
    pub fn of(store: &Store) -> Flushed {
        let bell = Arc::new((Mutex::new(()), Condvar::new()));
        let rung = Arc::clone(&bell);
        store.wake_when_flushed(Arc::new(move || {
            // Taken so that nobody is between looking at the watermark and waiting.
            drop(rung.0.lock());
            rung.1.notify_all();
        }));
        Flushed(bell)
    }

    /// Is everything before `end` durable within `timeout`?
    pub fn wait(&self, store: &Store, end: LogOffset, timeout: Duration) -> bool {
        if !store.config().background && store.confirmed() < end {
            // Nobody else does.
            let _ = store.flush();
        }
        let mut guard = self.0.0.lock();
        let is_waiting = |_: &mut ()| store.confirmed() < end && store.fenced().is_none();
        self.0.1.wait_while_for(&mut guard, is_waiting, timeout);
        store.confirmed() >= end
    }
}

/// What became of messages that were appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// They are as durable as the settings ask for.
    Durable,
    /// They were not in time; they may be later, or be gone after a crash.
    NotInTime,
    /// The store was fenced, for this reason, before they were.
    Fenced(String),
}

impl Kept {
    pub fn in_time(self) -> Result<(), Refusal> {
        match self {
            Kept::Durable => Ok(()),
            Kept::Fenced(why) => Err(Refusal::Fenced(why)),
            Kept::NotInTime => Err(Refusal::Failed("the messages are stored, but not known to be on the disk in time".into())),
        }
    }
}
