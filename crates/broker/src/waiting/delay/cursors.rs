//! How far is each delay level delivered?

use super::levels::DelayLevel;
use crate::names;
use crate::outages::Outages;
use crate::tables::file::TableFile;
use crate::waiting::marks;
use parking_lot::Mutex;
use roxmq_env::clock::Clock;
use roxmq_protocol::body::DelayOffsetSerializeWrapper;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::Record;
use roxmq_store::Store;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tracing::warn;

/// The delivery cursors of the delay levels.
pub struct DelayCursors {
    file: TableFile,
    cursors: Mutex<BTreeMap<DelayLevel, QueueOffset>>,
    /// Levels whose next message was stored by a clock that has stepped back since.
    stepped_back: Mutex<BTreeMap<DelayLevel, SteppedBack>>,
    /// Levels whose deliveries the store refuses.
    pub refused: Outages<DelayLevel>,
}

/// The clock stepped back: the store times of a level's messages before an offset are in the future.
#[derive(Clone, Copy)]
pub struct SteppedBack {
    /// When the broker noticed, in time since its start.
    pub noticed: Duration,
    pub before: QueueOffset,
}

impl DelayCursors {
    /// Loads the cursors from their file, or from the newest marks where these are ahead of it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load(file: TableFile, store: &Store) -> io::Result<DelayCursors> {
        let loaded: DelayOffsetSerializeWrapper = file.load()?.unwrap_or_default();
        let loaded = loaded.offset_table.into_iter();
        let mut cursors: BTreeMap<_, _> = loaded.map(|(level, cursor)| (DelayLevel(level), QueueOffset(cursor))).collect();
        for level in DelayLevel::all() {
            if let Some(marked) = marks::newest(store, level.queue_id()) {
                let cursor = cursors.entry(level).or_default();
                if marked > *cursor {
                    *cursor = marked;
                    file.touch();
                }
            }
        }
        Ok(DelayCursors { file, cursors: Mutex::new(cursors), stepped_back: Mutex::default(), refused: Outages::default() })
    }

    /// The next offset to deliver of a level.
    pub fn cursor(&self, level: DelayLevel) -> QueueOffset {
        self.cursors.lock().get(&level).copied().unwrap_or_default()
    }

    /// All cursors.
    pub fn all(&self) -> DelayOffsetSerializeWrapper {
        let offset_table = self.cursors.lock().iter().map(|(level, cursor)| (level.0, cursor.0)).collect();
        DelayOffsetSerializeWrapper { data_version: None, offset_table }
    }

    /// Moves cursors back to the ends of their queues. A crash lost the messages beyond, and new ones will get their offsets.
    pub fn limit_to_ends(&self, end: impl Fn(DelayLevel) -> QueueOffset) {
        for (level, cursor) in self.cursors.lock().iter_mut() {
            let end = end(*level);
            if *cursor > end {
                warn!(%level, %cursor, %end, "moved back a delivery cursor that was ahead of the log");
                *cursor = end;
                self.file.touch();
            }
        }
    }

    /// Has the clock stepped back since `next`, the next message of a level, was stored? The queue of the level ends at `end`.
    pub fn clock_stepped_back(&self, level: DelayLevel, next: &Record<'_>, end: QueueOffset, clock: &Clock) -> Option<SteppedBack> {
        let mut stepped_back = self.stepped_back.lock();
        if next.store_timestamp.0 <= clock.now_ms() {
            stepped_back.remove(&level);
            return None;
        }
        let noticed = SteppedBack { noticed: clock.elapsed(), before: end };
        let known = stepped_back.entry(level).or_insert(noticed);
        if known.before <= next.queue_offset {
            *known = noticed;
        }
        Some(*known)
    }

    /// Everything before this offset of the level is delivered.
    pub fn advance(&self, level: DelayLevel, to: QueueOffset) {
        self.cursors.lock().insert(level, to);
        self.file.touch();
    }

    /// Writes the cursors if they moved.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        self.file.save_behind(store, || self.all())
    }

    /// Where the oldest delayed message is in the log.
    pub fn oldest_waiting(&self, store: &Store) -> Option<LogOffset> {
        let oldest = |level: DelayLevel| {
            let (min, max) = store.bounds(names::DELAY_TOPIC, level.queue_id())?;
            let first = min.max(self.cursor(level));
            // An entry that cannot be read, or damage that is not skipped yet, may hide one anywhere.
            let found = || store.index_entry(names::DELAY_TOPIC, level.queue_id(), first).map_or(LogOffset(0), |entry| entry.log_offset);
            (first < max).then(found)
        };
        DelayLevel::all().filter_map(oldest).min()
    }

    /// The end of a level's queue, if messages wait in it.
    pub fn waiting_end(&self, store: &Store, level: DelayLevel) -> Option<QueueOffset> {
        let (min, max) = store.bounds(names::DELAY_TOPIC, level.queue_id())?;
        (max > self.cursor(level).max(min)).then_some(max)
    }
}
