//! What does the broker know of timed messages?

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

/// Timed messages: which are due next, how many wait, and how far they are delivered.
pub struct Timers {
    file: TableFile,
    queue: Mutex<DueQueue>,
    counts: Counts,
    /// Everything due up to this time is delivered, in ms since 1970.
    passed_ms: AtomicI64,
    /// Notified when a message arrives that may be due soon.
    arrival: Notify,
    /// The state at the start, until the messages that waited then are counted.
    at_start: Mutex<Option<AtStart>>,
    /// The store refuses deliveries.
    pub refused: Outages<()>,
}

/// The state at the start.
pub struct AtStart {
    pub log_end: LogOffset,
    pub done: Done,
}

impl Timers {
    /// Loads how far timed messages are delivered; the log ends at `log_end`.
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
            arrival: Notify::new(),
            at_start: Mutex::new(Some(AtStart { log_end, done })),
            refused: Outages::default(),
        })
    }

    /// Writes how far timed messages are delivered, if that is worth it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        self.file.save_behind(store, || self.queue.lock().done())
    }

    /// Has the file written with the next [`Timers::save`].
    pub fn request_saving(&self) {
        self.file.touch();
    }

    /// The queue of what is due next. While it is held, nothing is delivered, recalled or stored again.
    pub fn queue(&self) -> MutexGuard<'_, DueQueue> {
        self.queue.lock()
    }

    /// The state at the start, the first time.
    pub fn take_at_start(&self) -> Option<AtStart> {
        self.at_start.lock().take()
    }

    /// How many messages wait, by the topic they go to.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many messages wait.
    pub fn waiting_count(&self) -> i64 {
        self.counts.total().max(0)
    }

    /// A message was stored that waits.
    pub fn arrived(&self, topic: &str, due: Timestamp) {
        self.counts.add(topic, 1);
        if due < self.passed().plus_ms(LOOK_AHEAD_MS) {
            self.arrival.notify_one();
        }
    }

    /// A message no longer waits: it was delivered, parked, dropped or recalled.
    pub fn no_longer_waits(&self, topic: &str) {
        self.counts.add(topic, -1);
    }

    /// Returns when a message has arrived that may be due soon.
    pub async fn wait_for_arrival(&self) {
        self.arrival.notified().await;
    }

    /// The queue in which a message waits. One that is overdue already waits in the hour that is delivered now.
    pub fn queue_of(&self, due: Timestamp, now: Timestamp) -> u32 {
        queue_of_hour(hour_of(due.max(now).max(self.passed())))
    }

    fn passed(&self) -> Timestamp {
        Timestamp(self.passed_ms.load(Ordering::Relaxed))
    }

    /// Everything due up to this time is delivered.
    pub fn pass(&self, due: Timestamp) {
        self.passed_ms.store(due.0, Ordering::Relaxed);
    }
}
