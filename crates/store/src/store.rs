//! A broker's data directory as one value.

use crate::config::{FlushMode, Retention, StoreConfig};
use crate::flush_mark::FlushedHint;
use crate::index::table::Index;
use crate::keeper::retention::Asked;
use crate::keeper::steady::SteadyClock;
use crate::log::next_segment::NextSegment;
use crate::log::segments::Segments;
use crate::recovery::missing::Missing;
use crate::recovery::{self, OpenError, Places, Refused};
use crate::watermarks::Watermarks;
use crate::writer::append::{Log, is_full};
use crate::writer::batch::Batch;
use crate::writer::flush::Waker;
use parking_lot::{Mutex, RwLock};
use roxmq_env::clock::Clock;
use roxmq_env::disk::{Disk, Lock};
use roxmq_env::{allocator, vital};
use roxmq_protocol::light::LIGHT_QUEUE_ID;
use roxmq_protocol::position::LogOffset;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

/// One broker's data directory, open.
pub struct Store {
    pub(crate) config: StoreConfig,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) log_dir: PathBuf,
    pub(crate) index_dir: PathBuf,
    pub(crate) watermarks: Watermarks,
    pub(crate) segments: Segments,
    pub(crate) index: RwLock<Index>,
    pub(crate) log: Mutex<Log>,
    /// What index files know ends here.
    pub(crate) indexed: Mutex<i64>,
    pub(crate) hint: FlushedHint,
    pub(crate) flush_turn: Mutex<()>,
    /// How long the flush thread sleeps when nobody wakes it.
    flush_interval_ms: AtomicU64,
    pub(crate) checkpoint_turn: Mutex<()>,
    pub(crate) retention_turn: Mutex<()>,
    next_segment: Mutex<Option<NextSegment>>,
    pub(crate) retention: RwLock<Retention>,
    pub(crate) steady: Mutex<SteadyClock>,
    pub(crate) wakers: Mutex<Vec<Waker>>,
    pub(crate) asked: OnceLock<Asked>,
    pub(crate) fence: OnceLock<String>,
    pub(crate) disk_full: AtomicBool,
    pub(crate) flusher_sleeps: Arc<AtomicBool>,
    /// A deletion could not be written down; nothing is appended until it is.
    pub(crate) owes_checkpoint: AtomicBool,
    damaged: AtomicU64,
    missing: Missing,
    /// Where the log ended then.
    pub(crate) opened_at: i64,
    pub(crate) retention_due: AtomicI64,
    /// A tail that was larger than usual has left memory, which the allocator is to give back when `memory_due` has come.
    pub(crate) owes_memory: AtomicBool,
    memory_due: AtomicI64,
    threads: Mutex<Vec<JoinHandle<()>>>,
    flusher: OnceLock<Thread>,
    pub(crate) keeper: OnceLock<Thread>,
    pub(crate) looker: OnceLock<Thread>,
    stop: Arc<AtomicBool>,
    _lock: Lock,
}

/// Why a light queue cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {count} light queues, and no more than {max} may be")]
pub struct LightQueuesFull {
    /// How many there are.
    pub count: usize,
    /// How many there may be.
    pub max: usize,
}

/// How a store is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stats {
    /// Segments of the log.
    pub segments: usize,
    /// Bytes of the log that hold records.
    pub log_bytes: u64,
    /// Queues.
    pub queues: usize,
    /// How many of them are light ones.
    pub light_queues: usize,
    /// Index files.
    pub index_files: usize,
    /// Bytes free on the device.
    pub disk_free_bytes: u64,
    /// Bytes of the device.
    pub disk_total_bytes: u64,
    /// Used part of the device, 0 to 1.
    pub disk_used_ratio: f64,
    /// Damaged records met since the store was opened.
    pub damaged_records: u64,
}

impl Store {
    /// Opens a data folder, making it if needed, and recovers what is in it. Nobody else can open it until the store is dropped.
    pub fn open(clock: Clock, disk: Disk, config: StoreConfig) -> Result<Arc<Store>, OpenError> {
        check(&config)?;
        let log_dir = config.commit_log_dir.clone().unwrap_or_else(|| config.root.join("commitlog"));
        let index_dir = config.root.join("index");
        let failed = |what: String| move |source| OpenError::Disk { what, source };
        for folder in [&config.root, &log_dir, &index_dir] {
            disk.create_dir_all(folder).map_err(failed("making the data folder".to_owned()))?;
        }
        let lock_file = config.root.join("lock");
        let lock = disk.lock(&lock_file).map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => OpenError::Locked(config.root.clone()),
            _ => OpenError::Disk { what: "locking the data folder".to_owned(), source },
        })?;
        let places = Places {
            disk: &disk,
            root: &config.root,
            log: &log_dir,
            index: &index_dir,
            segment_bytes: config.segment_bytes,
            zero_fill: config.flush == FlushMode::Sync,
            opens_with_missing: config.opens_with_missing,
        };
        let recovering = || failed(format!("recovering {}", config.root.display()));
        let recovered = recovery::recover(&places).map_err(|refused| match refused {
            Refused::Missing(missing) => OpenError::Missing(missing),
            Refused::Disk(error) => recovering()(error),
        })?;
        let file = recovered.active.file.file().map_err(recovering())?;
        let watermarks = Watermarks::default();
        watermarks.set_all(recovered.end);

        let mut next = Vec::new();
        for (no, queue) in recovered.index.read().queues() {
            next.resize(no as usize + 1, 0);
            next[no as usize] = queue.next;
        }
        let log = Log { active: recovered.active, file, end: recovered.end, next, prepared: None, dirty: Vec::new(), is_closed: false };
        let steady = SteadyClock::unsure(clock.elapsed().as_millis() as i64);
        let store = Arc::new(Store {
            clock,
            disk,
            log_dir,
            index_dir,
            watermarks,
            segments: recovered.segments,
            index: recovered.index,
            log: Mutex::new(log),
            indexed: Mutex::new(recovered.indexed),
            hint: recovered.hint,
            flush_turn: Mutex::new(()),
            flush_interval_ms: AtomicU64::new(match config.flush {
                FlushMode::Sync => 1000,
                FlushMode::Async { interval_ms } => interval_ms.max(1),
            }),
            checkpoint_turn: Mutex::new(()),
            retention_turn: Mutex::new(()),
            next_segment: Mutex::new(None),
            wakers: Mutex::new(Vec::new()),
            asked: OnceLock::new(),
            fence: OnceLock::new(),
            disk_full: AtomicBool::new(false),
            flusher_sleeps: Arc::new(AtomicBool::new(false)),
            owes_checkpoint: AtomicBool::new(false),
            damaged: AtomicU64::new(0),
            missing: recovered.missing,
            opened_at: recovered.end,
            retention_due: AtomicI64::new(0),
            owes_memory: AtomicBool::new(false),
            memory_due: AtomicI64::new(0),
            threads: Mutex::new(Vec::new()),
            flusher: OnceLock::new(),
            keeper: OnceLock::new(),
            looker: OnceLock::new(),
            stop: Arc::new(AtomicBool::new(false)),
            _lock: lock,
            retention: RwLock::new(config.retention()),
            steady: Mutex::new(steady),
            config,
        });
        store.check_space();
        if store.config.background {
            store.start_threads().map_err(failed("starting threads".to_owned()))?;
        }
        Ok(store)
    }

    /// The settings it was opened with.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// How far the log has come.
    pub fn watermarks(&self) -> &Watermarks {
        &self.watermarks
    }

    /// What was missing of the log when it was opened.
    pub fn missing(&self) -> &Missing {
        &self.missing
    }

    /// Whether appends are refused for want of room.
    pub fn disk_full(&self) -> bool {
        self.disk_full.load(Ordering::Relaxed)
    }

    /// Where the oldest record there is starts.
    pub fn min_log_offset(&self) -> LogOffset {
        LogOffset(self.segments.first().map_or(0, |segment| segment.base))
    }

    /// The end of the log that may be seen.
    pub fn max_log_offset(&self) -> LogOffset {
        self.readable()
    }

    /// An empty batch for messages to this store.
    pub fn batch(&self) -> Batch {
        if self.config.light_queues { Batch::with_light_queues() } else { Batch::new() }
    }

    /// Has a place for each of these light queues, making those that are not there unless there would be more than `max` then.
    pub fn reserve_light_queues<'a>(&self, names: impl Iterator<Item = &'a str> + Clone, max: usize) -> Result<(), LightQueuesFull> {
        let index = self.index.read();
        if names.clone().all(|name| index.find(name, LIGHT_QUEUE_ID).is_some()) {
            return Ok(());
        }
        drop(index);
        let mut log = self.log.lock();
        let mut index = self.index.write();
        let new: BTreeSet<&str> = names.filter(|name| index.find(name, LIGHT_QUEUE_ID).is_none()).collect();
        if index.light_count() + new.len() > max {
            return Err(LightQueuesFull { count: index.light_count(), max });
        }
        for name in new {
            log.find_or_create(&mut index, name, LIGHT_QUEUE_ID);
        }
        Ok(())
    }

    /// Every queue: topic and queue id.
    pub fn queues(&self) -> Vec<(String, u32)> {
        self.index.read().queues().map(|(_, queue)| (queue.topic.to_string(), queue.queue_id)).collect()
    }

    /// The queues of a topic that ever held a message, in order.
    pub fn queues_of(&self, topic: &str) -> Vec<u32> {
        self.index.read().queues_of(topic)
    }

    /// Forgets a topic's queues; see [`Store::delete_topics`].
    pub fn delete_topic(&self, topic: &str) {
        self.delete_topics([topic]);
    }

    /// Forgets the queues of topics; a topic of such a name starts at offset 0. The records go when their segments do.
    ///
    /// The deletion is durable when this returns, unless the disk is full. Nobody else waits for that:
    ///
    /// 1. Under the log's lock the queues go, and where the log ends, the topics' records before are dead.
    /// 2. The log up to there is made durable, else a power cut could leave a mark that is ahead of the log.
    /// 3. The checkpoint says so, durably. Until then a crash may bring the topics back. So a queue that is sent to meanwhile goes on where
    ///    it ended: whether the records before are dead then or not, its own follow. (From 0 they would, after a crash, be taken for the
    ///    torn end of the log.) And no index file is written without entries that may come back: `indexed` is held, and nothing merged.
    /// 4. From now on queues of that name begin at 0.
    pub fn delete_topics<'a>(&self, topics: impl IntoIterator<Item = &'a str>) {
        let _indexed = self.indexed.lock();
        let log = self.log.lock();
        let mut index = self.index.write();
        let deleted = topics.into_iter().filter(|topic| index.delete_topic(topic, log.end)).count();
        drop((index, log));
        if deleted == 0 || !self.flush() {
            return;
        }
        if let Err(error) = self.save_checkpoint() {
            self.owes_checkpoint.store(true, Ordering::Relaxed);
            self.background_failed("writing the checkpoint", &error);
        }
    }

    /// Was a topic of that name deleted? Remembered for as long as records of the deleted one are in the log.
    pub fn was_deleted(&self, topic: &str) -> bool {
        self.index.read().dead_before.contains_key(topic)
    }

    /// How the store is doing.
    pub fn stats(&self) -> Stats {
        let space = self.disk.space(&self.log_dir).ok();
        let (free, total) = space.map_or((0, 0), |space| (space.free, space.total));
        let index = self.index.read();
        Stats {
            segments: self.segments.len(),
            log_bytes: (self.watermarks.written().0 - self.min_log_offset().0).max(0) as u64,
            queues: index.queue_count(),
            light_queues: index.light_count(),
            index_files: index.files.len(),
            disk_free_bytes: free,
            disk_total_bytes: total,
            disk_used_ratio: if total == 0 { 0.0 } else { 1.0 - free as f64 / total as f64 },
            damaged_records: self.damaged.load(Ordering::Relaxed),
        }
    }

    /// Refuses further appends, makes everything durable and writes down what saves work at the next start.
    pub fn shutdown(&self) {
        self.log.lock().is_closed = true;
        self.stop.store(true, Ordering::SeqCst);
        self.join();
        if let Err(error) = self.segments.discard_unused() {
            tracing::warn!(%error, "the unfinished next segment could not be deleted");
        }
        if self.flush()
            && let Err(error) = self.seal_all().and_then(|()| self.save_checkpoint())
        {
            tracing::warn!(%error, "the index could not be written at shutdown; the next start replays the end of the log");
        }
    }

    /// Does once what the threads of the store do all the time; for simulations, which have none.
    pub fn tick(&self) {
        self.flush();
        self.check_space();
        self.keep_house();
    }

    /// Reports a record that is not what was written.
    pub(crate) fn report_damage(&self, topic: &str, queue_id: u32, offset: i64, log_offset: i64) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
        tracing::error!(topic, queue_id, offset, log_offset, "record is damaged; it is not served");
    }

    /// With [`FlushMode::Async`], how long written data may wait for the disk from now on.
    pub fn set_flush_interval(&self, interval_ms: u64) {
        if matches!(self.config.flush, FlushMode::Async { .. }) {
            self.flush_interval_ms.store(interval_ms.max(1), Ordering::Relaxed);
            self.wake_flusher();
        }
    }

    pub(crate) fn wake_flusher(&self) {
        if let Some(thread) = self.flusher.get() {
            thread.unpark();
        }
    }

    fn keep_house(&self) {
        if self.fence.get().is_some() {
            return;
        }
        match self.prepare_segment() {
            // Appends make their own segment then, and take room only as they need it.
            Err(error) if is_full(&error) => drop(self.segments.discard_unused()),
            Err(error) => self.background_failed("preparing the next segment", &error),
            Ok(()) => {}
        }
        if let Err(error) = self.seal() {
            self.background_failed("writing the index", &error);
        }
        self.give_back_memory();
        let now = self.clock.elapsed().as_millis() as i64;
        if now >= self.retention_due.load(Ordering::Relaxed) {
            self.retention_due.store(now + RETENTION_EVERY_MS, Ordering::Relaxed);
            self.delete_surely_expired();
        }
        self.close_idle_files();
    }

    /// After a tail that was larger than usual its memory lies in pieces between those of younger entries.
    fn give_back_memory(&self) {
        let now = self.clock.elapsed().as_millis() as i64;
        if self.owes_memory.load(Ordering::Relaxed) && now >= self.memory_due.load(Ordering::Relaxed) {
            self.owes_memory.store(false, Ordering::Relaxed);
            self.memory_due.store(now + MEMORY_EVERY_MS, Ordering::Relaxed);
            allocator::give_back_what_is_free();
        }
    }

    /// Makes the next segment while there is time, some of it in each turn.
    fn prepare_segment(&self) -> io::Result<()> {
        let base = {
            let log = self.log.lock();
            let used = log.end - log.active.base;
            if log.prepared.is_some() || log.is_closed || (used as u64) < log.active.bytes / 2 || !log.dirty.is_empty() {
                return Ok(());
            }
            log.active.end()
        };
        let bytes = self.config.segment_bytes;
        if self.segments.wants_spare() && self.next_segment.lock().is_none() {
            // If a segment has expired by now, the next one is made of its file.
            self.delete_surely_expired();
        }
        let mut next = self.next_segment.lock();
        let mut making = match next.take() {
            Some(making) => making,
            None if !self.segments.has_spare(bytes) && !self.has_room_for(bytes) => return Ok(()),
            None => self.segments.begin_next(bytes)?,
        };
        if !making.make_ready(|| !self.stop.load(Ordering::SeqCst))? {
            *next = Some(making);
            return Ok(());
        }
        // An append may come to the end of the segment meanwhile and make the next one itself. So the file gets its name under the
        // lock, is not written to afterwards, and is offered only if nobody made another.
        let log = self.log.lock();
        if log.active.end() != base {
            *next = Some(making);
            return Ok(());
        }
        let segment = self.segments.name_next(making, base)?;
        drop(log);
        self.segments.sync_names()?;
        let mut log = self.log.lock();
        if log.active.end() == base && log.prepared.is_none() {
            log.prepared = Some(segment);
        }
        Ok(())
    }

    fn background_failed(&self, what: &str, error: &io::Error) {
        match error.kind() {
            _ if is_full(error) => self.disk_is_full(),
            io::ErrorKind::InvalidData => tracing::error!(what, %error, "damage was found"),
            _ => drop(self.fence(&format!("{what} failed: {error}"))),
        }
    }

    fn close_idle_files(&self) {
        let (segments, files) = (self.segments.all(), self.index.read().files.values().cloned().collect::<Vec<_>>());
        let all = segments.iter().map(|segment| &segment.file).chain(files.iter().map(|file| &file.file));
        if all.clone().filter(|file| file.is_open()).count() > OPEN_FILES_MAX {
            all.for_each(|file| file.close_if_idle());
        }
        if segments.iter().filter(|segment| segment.file.is_viewed()).count() > VIEWS_MAX {
            segments.iter().for_each(|segment| segment.file.end_view_if_idle());
        }
    }

    fn start_threads(self: &Arc<Store>) -> io::Result<()> {
        let (sleeps, store) = (self.flusher_sleeps.clone(), Arc::downgrade(self));
        let stop = self.stop.clone();
        let is_sync = self.config.flush == FlushMode::Sync;
        let flusher = vital::spawn("roxmq-flush", move || flush_loop(&store, &sleeps, &stop, is_sync))?;
        let (store, stop) = (Arc::downgrade(self), self.stop.clone());
        let keeper = vital::spawn("roxmq-store", move || keep_loop(&store, &stop))?;
        let (store, stop) = (Arc::downgrade(self), self.stop.clone());
        let looker = vital::spawn("roxmq-room", move || look_for_room_loop(&store, &stop))?;
        let _ = self.flusher.set(flusher.thread().clone());
        let _ = self.keeper.set(keeper.thread().clone());
        let _ = self.looker.set(looker.thread().clone());
        self.threads.lock().extend([flusher, keeper, looker]);
        Ok(())
    }

    fn join(&self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in [&self.flusher, &self.keeper, &self.looker].into_iter().filter_map(OnceLock::get) {
            thread.unpark();
        }
        for thread in std::mem::take(&mut *self.threads.lock()) {
            // The last owner of a store may be one of its threads.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.join();
    }
}

fn flush_loop(store: &Weak<Store>, sleeps: &AtomicBool, stop: &AtomicBool, is_sync: bool) {
    while !stop.load(Ordering::SeqCst) {
        let Some(open) = store.upgrade() else { return };
        open.flush();
        sleeps.store(true, Ordering::SeqCst);
        std::sync::atomic::fence(Ordering::SeqCst);
        let is_behind = is_sync && open.fence.get().is_none() && open.watermarks.flushed() != open.watermarks.written();
        let interval_ms = open.flush_interval_ms.load(Ordering::Relaxed);
        drop(open);
        if !is_behind {
            std::thread::park_timeout(Duration::from_millis(interval_ms));
        }
        sleeps.store(false, Ordering::SeqCst);
    }
}

fn keep_loop(store: &Weak<Store>, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let Some(open) = store.upgrade() else { return };
        open.keep_house();
        drop(open);
        std::thread::park_timeout(KEEP_HOUSE_EVERY);
    }
}

/// By itself, because housekeeping may take seconds on a slow disk, and senders wait for room.
fn look_for_room_loop(store: &Weak<Store>, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let Some(open) = store.upgrade() else { return };
        open.check_space();
        let pause = if open.disk_full() { LOOK_FOR_ROOM_EVERY } else { KEEP_HOUSE_EVERY };
        drop(open);
        std::thread::park_timeout(pause);
    }
}

fn check(config: &StoreConfig) -> Result<(), OpenError> {
    let in_range = |name: &str, value: u64, low: u64, high: u64| match (low..=high).contains(&value) {
        true => Ok(()),
        false => Err(OpenError::Config(format!("{name} is {value}, not between {low} and {high}"))),
    };
    in_range("segment_bytes", config.segment_bytes, SEGMENT_BYTES_MIN, i32::MAX as u64)?;
    in_range("tail_checkpoint_bytes", config.tail_checkpoint_bytes, 1, i32::MAX as u64)
}

const SEGMENT_BYTES_MIN: u64 = 1024;
const OPEN_FILES_MAX: usize = 128;
/// Mapped segments above which those that nobody reads are let go.
const VIEWS_MAX: usize = 8;
const KEEP_HOUSE_EVERY: Duration = Duration::from_millis(500);
const LOOK_FOR_ROOM_EVERY: Duration = Duration::from_millis(50);
const RETENTION_EVERY_MS: i64 = 10_000;
const MEMORY_EVERY_MS: i64 = 5_000;
