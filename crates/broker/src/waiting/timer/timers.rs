//! How far were timed messages delivered?

use super::counts::Counts;
use super::due_queue::{Done, DueQueue, LOOK_AHEAD_MS, NOTHING_DONE};
use super::hours::{hour_of, queue_of_hour};
use crate::tables::file::TableFile;
use crate::trouble::Troubles;
use parking_lot::Mutex;
use roxmq_protocol::position::LogOffset;
use roxmq_store::Store;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Notify;

/// What waits, and how far it was delivered.
pub struct Timers {
    pub file: TableFile,
    pub waiting: Mutex<DueQueue>,
    pub counts: Counts,
    /// Everything due up to then was looked at already.
    pub passed_ms: AtomicI64,
    /// Rung when something comes in that may be due soon.
    pub bell: Notify,
    /// How things were at the start, until what waited then is counted.
    pub at_open: Mutex<Option<(LogOffset, Done)>>,
    /// Nothing can be stored.
    pub refused: Troubles<()>,
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
            waiting: Mutex::new(DueQueue::after(done)),
            counts: Counts::default(),
            passed_ms: AtomicI64::new(done.due_ms),
            bell: Notify::new(),
            at_open: Mutex::new(Some((log_end, done))),
            refused: Troubles::default(),
        })
    }

    /// Writes how far things were delivered, if that changed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        self.file.save_behind(store, || self.waiting.lock().done)
    }

    /// Holds up deliveries, as one does that is under way.
    #[cfg(test)]
    pub fn lock_waiting(&self) -> impl Drop + '_ {
        self.waiting.lock()
    }

    /// How many messages wait.
    pub fn waiting_count(&self) -> i64 {
        self.counts.total().max(0)
    }

    /// A message that waits was stored.
    pub fn arrived(&self, topic: &str, due_ms: i64) {
        self.counts.add(topic, 1);
        if due_ms < self.passed_ms.load(Ordering::Relaxed).saturating_add(LOOK_AHEAD_MS) {
            self.bell.notify_one();
        }
    }

    /// The queue in which a message waits. What is already late waits where is looked at now.
    pub fn queue_of(&self, due_ms: i64, now_ms: i64) -> u32 {
        queue_of_hour(hour_of(due_ms.max(now_ms).max(self.passed_ms.load(Ordering::Relaxed))))
    }
}
