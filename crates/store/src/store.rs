//! A broker's data folder, open: what its owner can ask for.

mod parts;
mod threads;

use crate::config::{FlushMode, Retention, StoreConfig};
use crate::contents::Contents;
use crate::keeper::Keeper;
use crate::keeper::expiry::Reason;
use crate::reader::Reader;
use crate::reader::query::KeyQuery;
use crate::reader::request::{Filter, IndexEntry, ReadRequest, ReadResult};
use crate::reader::time::Boundary;
use crate::recovery::missing::Missing;
use crate::recovery::{self, OpenError, Places, Refused};
use crate::sleeper::StopFlag;
use crate::space::Space;
use crate::watermarks::Watermarks;
use crate::writer::append::AppendError;
use crate::writer::batch::Batch;
use crate::writer::flush::Flush;
use crate::writer::queues::LightQueuesFull;
use crate::writer::{Log, Writer};
use parts::Parts;
use roxmq_env::clock::Clock;
use roxmq_env::disk::{Disk, Lock};
use roxmq_env::teeth::{Tooth, bites};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::time::Timestamp;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use threads::Threads;

/// One broker's data folder, open.
///
/// Its state has three owners: the writer appends and flushes, the reader answers, the keeper does the rest in the background.
pub struct Store {
    parts: Parts,
    reader: Reader,
    missing: Missing,
    threads: Threads,
    _lock: Lock,
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
    /// Opens a data folder, making it if needed, and recovers what is in it. No other process can open it until the store is dropped.
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
        let log = Log::new(recovered.active, recovered.end, &recovered.index.read()).map_err(recovering())?;
        let watermarks = Watermarks::default();
        watermarks.set_all(recovered.end);

        let contents = Arc::new(Contents {
            space: Space::new(disk.clone(), log_dir, config.retention.disk_reserve_bytes),
            clock,
            disk,
            index_dir,
            segments: recovered.segments,
            index: recovered.index,
            watermarks,
            config,
        });
        let stop = Arc::new(StopFlag::default());
        let writer = Arc::new(Writer::new(contents.clone(), log, recovered.flush_mark));
        let keeper = Arc::new(Keeper::new(contents.clone(), writer.clone(), recovered.indexed, stop.clone()));
        let reader = Reader::new(contents.clone(), recovered.end);
        let parts = Parts { contents, writer, keeper };
        let store = Arc::new(Store { parts, reader, missing: recovered.missing, threads: Threads::none(stop), _lock: lock });
        store.parts.keeper.check_space();
        if store.config().background {
            store.threads.start(&store.parts).map_err(failed("starting threads".to_owned()))?;
        }
        Ok(store)
    }

    fn contents(&self) -> &Contents {
        &self.parts.contents
    }

    /// The settings it was opened with.
    pub fn config(&self) -> &StoreConfig {
        &self.contents().config
    }

    /// How far the log has come.
    pub fn watermarks(&self) -> &Watermarks {
        &self.contents().watermarks
    }

    /// What was missing of the log when it was opened.
    pub fn missing(&self) -> &Missing {
        &self.missing
    }

    /// Where the oldest record starts.
    pub fn min_log_offset(&self) -> LogOffset {
        self.contents().begins()
    }

    /// The end of the log that readers see: what is confirmed.
    pub fn visible_end(&self) -> LogOffset {
        self.contents().confirmed()
    }

    /// The end of what is as durable as the settings promise, which an acknowledgement waits for: with `SYNC_FLUSH` what is on the disk,
    /// else what is written.
    pub fn confirmed(&self) -> LogOffset {
        if bites(Tooth::AckBeforeFlush) { self.watermarks().written() } else { self.contents().confirmed() }
    }

    /// How the store is doing.
    pub fn stats(&self) -> Stats {
        let Contents { space, index, segments, .. } = self.contents();
        let (free, total) = space.of_disk().ok().map_or((0, 0), |space| (space.free, space.total));
        let index = index.read();
        Stats {
            segments: segments.len(),
            log_bytes: (self.watermarks().written().0 - self.min_log_offset().0).max(0) as u64,
            queues: index.queue_count(),
            light_queues: index.light_count(),
            index_files: index.files.len(),
            disk_free_bytes: free,
            disk_total_bytes: total,
            disk_used_ratio: if total == 0 { 0.0 } else { 1.0 - free as f64 / total as f64 },
            damaged_records: self.reader.damaged_records(),
        }
    }
}

/// Appends, and what makes them durable.
impl Store {
    /// An empty batch for messages to this store.
    pub fn batch(&self) -> Batch {
        if self.config().light_queues { Batch::with_light_queues() } else { Batch::new() }
    }

    /// Appends all of a batch, or nothing. Afterwards [`Batch::placed`] says where each message is.
    pub fn append(&self, batch: &mut Batch) -> Result<(), AppendError> {
        self.parts.writer.append(batch)
    }

    /// The most bytes of a record, or of an atomic batch: each lies in one segment.
    pub fn record_bytes_max(&self) -> usize {
        self.parts.writer.record_bytes_max()
    }

    /// Makes those of these light queues that do not exist, unless there would be more than `max` then.
    pub fn reserve_light_queues<'a>(&self, names: impl Iterator<Item = &'a str> + Clone, max: usize) -> Result<(), LightQueuesFull> {
        self.parts.writer.reserve_light_queues(names, max)
    }

    /// Makes durable what is written now.
    pub fn flush(&self) -> Flush {
        self.parts.flush()
    }

    /// With `ASYNC_FLUSH`, how long written data may wait for the disk from now on.
    pub fn set_flush_interval(&self, interval: Duration) {
        let flusher = &self.parts.writer.flusher;
        if matches!(self.config().flush, FlushMode::Async { .. }) {
            flusher.set_interval(interval);
            flusher.thread.wake();
        }
    }

    /// Registers what is called after each advance of `flushed`, and when the store is fenced. It is called on the flush thread, or with
    /// the log locked, so it should only wake another thread.
    pub fn wake_when_flushed(&self, waker: Arc<dyn Fn() + Send + Sync>) {
        self.parts.writer.fence.wake_with(waker);
    }

    /// Refuses appends from now on, because a file beside the log that it depends on could not be written.
    pub fn fence(&self, cause: &str) {
        self.parts.writer.fence.close(cause);
    }

    /// Why nothing can be appended any more, if so.
    pub fn fenced(&self) -> Option<String> {
        self.parts.writer.fence.cause().cloned()
    }

    /// Whether appends are refused for want of room.
    pub fn disk_full(&self) -> bool {
        self.contents().space.is_full()
    }
}

/// Reads.
impl Store {
    /// Every queue: topic and queue id.
    pub fn queues(&self) -> Vec<(String, u32)> {
        self.contents().index.read().queues().map(|(_, queue)| (queue.topic.to_string(), queue.queue_id)).collect()
    }

    /// The queues of a topic that ever held a message, in order.
    pub fn queues_of(&self, topic: &str) -> Vec<u32> {
        self.contents().index.read().queues_of(topic)
    }

    /// The oldest offset of a queue and the one past its newest; `None` if there is no such queue.
    pub fn bounds(&self, topic: &str, queue_id: u32) -> Option<(QueueOffset, QueueOffset)> {
        self.reader.bounds(topic, queue_id)
    }

    /// The offset that the next message of a queue will get, durable or not; `None` if there is no such queue.
    pub fn queue_next(&self, topic: &str, queue_id: u32) -> Option<QueueOffset> {
        self.reader.queue_next(topic, queue_id)
    }

    /// Appends messages of a queue to `out`, those that the filter wants.
    pub fn read(&self, request: &ReadRequest<'_>, filter: Filter<'_>, out: &mut Vec<u8>) -> ReadResult {
        self.reader.read(request, filter, out)
    }

    /// What the index knows of one message; `None` also if it cannot be read now.
    pub fn index_entry(&self, topic: &str, queue_id: u32, offset: QueueOffset) -> Option<IndexEntry> {
        self.find_entry(topic, queue_id, offset).ok().flatten()
    }

    /// What the index knows of one message.
    ///
    /// # Errors
    /// When the disk refuses: there may be an entry.
    pub fn find_entry(&self, topic: &str, queue_id: u32, offset: QueueOffset) -> io::Result<Option<IndexEntry>> {
        self.reader.find_entry(topic, queue_id, offset)
    }

    /// One whole record, checked; `None` if none starts there, none that may be seen, or if it cannot be read now.
    pub fn message_at(&self, at: LogOffset) -> Option<Vec<u8>> {
        self.reader.message_at(at)
    }

    /// One whole record, checked; `None` if none starts there, or none that may be seen.
    ///
    /// # Errors
    /// When the disk refuses: there may be one.
    pub fn find_message(&self, at: LogOffset) -> io::Result<Option<Vec<u8>>> {
        self.reader.find_message(at)
    }

    /// Messages with a key, newest first.
    ///
    /// The index finds them by the key's hash; then the key itself is compared, so that no two keys are ever mixed up.
    pub fn query(&self, query: &KeyQuery<'_>) -> Vec<Vec<u8>> {
        self.reader.query(query)
    }

    /// The offset of a queue that belongs to a store time (`ConsumeQueue.getOffsetInQueueByTime`); 0 for an unknown queue.
    pub fn offset_by_time(&self, topic: &str, queue_id: u32, time: Timestamp, boundary: Boundary) -> QueueOffset {
        self.reader.offset_by_time(topic, queue_id, time, boundary)
    }

    /// When a message was stored.
    pub fn store_time(&self, topic: &str, queue_id: u32, offset: QueueOffset) -> Option<Timestamp> {
        self.reader.store_time(topic, queue_id, offset)
    }

    /// Store time of the oldest message there is.
    pub fn earliest_store_time(&self) -> Option<Timestamp> {
        self.reader.earliest_store_time()
    }
}

/// Housekeeping.
impl Store {
    /// Forgets a topic's queues; see [`Store::delete_topics`].
    pub fn delete_topic(&self, topic: &str) {
        self.delete_topics([topic]);
    }

    /// Forgets the queues of topics; a topic of such a name starts at offset 0. The records go when their segments do.
    ///
    /// The deletion is durable when this returns, unless the disk is full. No append waits for that.
    pub fn delete_topics<'a>(&self, topics: impl IntoIterator<Item = &'a str>) {
        self.parts.keeper.delete_topics(topics);
    }

    /// Whether a topic of that name was deleted. Remembered for as long as records of the deleted one are in the log.
    pub fn was_deleted(&self, topic: &str) -> bool {
        self.contents().index.read().dead_before.contains_key(topic)
    }

    /// Sets the hook that is asked before the log is deleted up to an offset. If messages there are still needed, it says no; once they are
    /// stored again, [`Store::ask_again`] has it asked again. It must not wait for the disk, as housekeeping waits for it. Only the first
    /// hook counts.
    pub fn ask_before_deletion(&self, hook: impl Fn(LogOffset, Reason) -> bool + Send + Sync + 'static) {
        self.parts.keeper.expiry.set_hook(Box::new(hook));
    }

    /// Asks the deletion hook again at once; its answer may have changed.
    pub fn ask_again(&self) {
        self.parts.keeper.ask_again();
    }

    /// Sets the rules of retention; the next round of housekeeping goes by them.
    pub fn set_retention(&self, retention: Retention) {
        self.parts.keeper.set_retention(retention);
    }

    /// Deletes what has expired by time or size, because an operator asks for it: the clock is believed. Says how many segments.
    pub fn delete_expired(&self) -> usize {
        self.parts.keeper.delete_expired()
    }

    /// Refuses further appends, makes everything durable and writes down what saves work at the next start.
    pub fn shutdown(&self) {
        self.parts.writer.close();
        self.threads.stop(&self.parts);
        if let Err(error) = self.contents().segments.discard_unused() {
            tracing::warn!(%error, "the unfinished next segment could not be deleted");
        }
        if self.flush() == Flush::Durable
            && let Err(error) = self.parts.keeper.seal_all().and_then(|()| self.parts.keeper.save_checkpoint())
        {
            tracing::warn!(%error, "the index could not be written at shutdown; the next start replays the end of the log");
        }
    }

    /// Does once what the threads of the store do all the time; for simulations, which have none.
    pub fn tick(&self) {
        let _ = self.flush();
        self.parts.keeper.check_space();
        self.parts.keeper.do_round();
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.threads.stop(&self.parts);
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
