//! How far were timed messages delivered?

use super::counts::Counts;
use super::due_queue::{Done, DueQueue, LOOK_AHEAD_MS, NOTHING_DONE};
use super::hours::{hour_of, queue_of_hour};
use crate::outages::Outages;
use crate::tables::file::TableFile;
use parking_lot::{Mutex, MutexGuard};
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::time::Timestamp;
use roxmq_store::Store;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Notify;

/// What waits, and how far it was delivered.
pub struct Timers {
    pub file: TableFile,
    queue: Mutex<DueQueue>,
    pub counts: Counts,
    /// Everything due up to then was delivered, in ms since 1970.
    passed_ms: AtomicI64,
    /// Rung when something comes in that may be due soon.
    pub bell: Notify,
    /// How things were at the start, until what waited then is counted.
    pub at_open: Mutex<Option<(LogOffset, Done)>>,
    /// Nothing can be stored.
    pub refused: Outages<()>,
}

impl Timers {
    /// Loads how far things were delivered; the log ends at `log_end`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load(file: TableFile, log_end: LogOffset) -> io::Result<Timers> {
        let done: Done = file.load()?.unwrap_or(NOTHING_DONE);
        Ok(Timers {
            file,
            queue: Mutex::new(DueQueue::after(done)),
            counts: Counts::default(),
            passed_ms: AtomicI64::new(done.due.0),
            bell: Notify::new(),
            at_open: Mutex::new(Some((log_end, done))),
            refused: Outages::default(),
        })
    }

    /// Writes how far things were delivered, if that changed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        self.file.save_behind(store, || self.queue.lock().done())
    }

    /// The queue of what is due next. While it is held, nothing is delivered, recalled or stored again.
    pub fn queue(&self) -> MutexGuard<'_, DueQueue> {
        self.queue.lock()
    }

    /// How many messages wait.
    pub fn waiting_count(&self) -> i64 {
        self.counts.total().max(0)
    }

    /// A message that waits was stored.
    pub fn arrived(&self, topic: &str, due: Timestamp) {
        self.counts.add(topic, 1);
        if due < self.passed().plus_ms(LOOK_AHEAD_MS) {
            self.bell.notify_one();
        }
    }

    /// The queue in which a message waits. One that is overdue already waits in the hour that is delivered now.
    pub fn queue_of(&self, due: Timestamp, now: Timestamp) -> u32 {
        queue_of_hour(hour_of(due.max(now).max(self.passed())))
    }

    /// Everything due up to then was delivered.
    fn passed(&self) -> Timestamp {
        Timestamp(self.passed_ms.load(Ordering::Relaxed))
    }

    /// Everything due up to this time was delivered.
    pub fn pass(&self, due: Timestamp) {
        self.passed_ms.store(due.0, Ordering::Relaxed);
    }
}
