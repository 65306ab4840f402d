//! How does a thread wait until an append is confirmed? Sends do not block a thread: they wait in their shard, see `shard/sends.rs`.

use crate::error::Refusal;
use parking_lot::{Condvar, Mutex};
use roxmq_protocol::position::LogOffset;
use roxmq_store::Store;
use std::sync::Arc;
use std::time::Duration;

/// Lets threads of the broker wait for the confirmed watermark.
pub struct FlushWatch(Arc<(Mutex<()>, Condvar)>);

impl FlushWatch {
    /// Watches this store.
    pub fn of(store: &Store) -> FlushWatch {
        let watch = Arc::new((Mutex::new(()), Condvar::new()));
        let flushed = Arc::clone(&watch);
        store.wake_when_flushed(Arc::new(move || {
            // Taken so that no thread is between its look at the watermark and its wait.
            drop(flushed.0.lock());
            flushed.1.notify_all();
        }));
        FlushWatch(watch)
    }

    /// Waits until everything before `end` is confirmed, at most for `timeout`.
    pub fn wait(&self, store: &Store, end: LogOffset, timeout: Duration) -> Confirmation {
        if !store.config().background && store.confirmed() < end {
            // No other thread flushes.
            let _ = store.flush();
        }
        let (mutex, flushed) = &*self.0;
        let is_waiting = |_: &mut ()| store.confirmed() < end && store.fenced().is_none();
        flushed.wait_while_for(&mut mutex.lock(), is_waiting, timeout);
        match store.confirmed() >= end {
            true => Confirmation::Confirmed,
            false => store.fenced().map_or(Confirmation::TimedOut, Confirmation::Fenced),
        }
    }
}

/// Were appended messages confirmed?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// They are as durable as the settings ask for.
    Confirmed,
    /// Not in time. They may be later, or a crash may take them.
    TimedOut,
    /// The store was fenced before, for this reason.
    Fenced(String),
}

impl Confirmation {
    /// A refusal unless they were confirmed.
    pub fn into_result(self) -> Result<(), Refusal> {
        match self {
            Confirmation::Confirmed => Ok(()),
            Confirmation::Fenced(why) => Err(Refusal::Fenced(why)),
            Confirmation::TimedOut => Err(Refusal::Failed("the messages are stored, but not known to be on the disk in time".into())),
        }
    }
}
