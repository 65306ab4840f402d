//! How do messages get into the log, and become durable there?
//!
//! [`queues`] finds the numbers of a batch's queues, [`append`] writes it, [`flush`] makes it durable; [`fence`] ends all that after a
//! write or sync that failed.

pub(crate) mod append;
pub(crate) mod batch;
pub(crate) mod fence;
pub(crate) mod flush;
pub(crate) mod queues;

use crate::config::FlushMode;
use crate::contents::Contents;
use crate::flush_mark::FlushMark;
use crate::index::table::Index;
use crate::locks;
use crate::log::segment::Segment;
use crate::sleeper::Sleeper;
use fence::Fence;
use roxmq_env::disk::File;
use roxmq_env::lock_order::Mutex;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Appends to the log, and makes it durable.
pub(crate) struct Writer {
    contents: Arc<Contents>,
    pub log: Mutex<Log>,
    flush_turn: Mutex<()>,
    flush_mark: FlushMark,
    pub fence: Fence,
    pub flusher: Flusher,
}

/// What the log's lock guards.
#[derive(Debug)]
pub(crate) struct Log {
    pub active: Arc<Segment>,
    pub file: Arc<File>,
    /// Where the next record goes.
    pub end: LogOffset,
    /// The next offset of each queue, by its number in the index.
    pub next: Vec<QueueOffset>,
    /// Made ahead, to be the next segment.
    pub prepared: Option<Arc<Segment>>,
    /// A failed write may have left something in these segments, from the offset on.
    pub dirty: Vec<(Arc<Segment>, LogOffset)>,
    pub is_closed: bool,
}

/// The thread that flushes.
#[derive(Debug, Default)]
pub(crate) struct Flusher {
    pub thread: Sleeper,
    pub sleeps: AtomicBool,
    /// How long it sleeps unless it is woken.
    interval_ms: AtomicU64,
}

impl Log {
    /// A log that ends at `end` in the segment `active`, with the queues of `index`.
    pub fn new(active: Arc<Segment>, end: LogOffset, index: &Index) -> io::Result<Log> {
        let mut next = Vec::new();
        for (no, queue) in index.queues() {
            next.resize(no as usize + 1, QueueOffset(0));
            next[no as usize] = queue.next;
        }
        let file = active.file.file()?;
        Ok(Log { active, file, end, next, prepared: None, dirty: Vec::new(), is_closed: false })
    }
}

impl Flusher {
    pub fn set_interval(&self, interval: Duration) {
        self.interval_ms.store((interval.as_millis() as u64).max(1), Ordering::Relaxed);
    }

    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.load(Ordering::Relaxed))
    }
}

impl Writer {
    pub fn new(contents: Arc<Contents>, log: Log, flush_mark: FlushMark) -> Writer {
        let flusher = Flusher::default();
        flusher.set_interval(match contents.config.flush {
            FlushMode::Sync => SYNC_FLUSH_INTERVAL,
            FlushMode::Async { interval } => interval,
        });
        Writer {
            contents,
            log: Mutex::new(locks::LOG, log),
            flush_turn: Mutex::new(locks::FLUSH_TURN, ()),
            flush_mark,
            fence: Fence::default(),
            flusher,
        }
    }

    /// Refuses appends from now on.
    pub fn close(&self) {
        self.log.lock().is_closed = true;
    }
}

/// With `SYNC_FLUSH` each append wakes the flush thread.
const SYNC_FLUSH_INTERVAL: Duration = Duration::from_secs(1);
