//! How far is each delay level delivered?

use super::levels::{level_of, levels, queue_of};
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

/// How far each level is delivered.
pub struct DelayCursors {
    file: TableFile,
    cursors: Mutex<BTreeMap<i32, i64>>,
    /// Levels whose next message was stored by a clock that was ahead of what it shows now.
    ahead: Mutex<BTreeMap<i32, Ahead>>,
    /// Levels of which nothing can be stored.
    pub refused: Outages<i32>,
}

/// What was stored by a clock that has gone back since: when that was noticed, and up to which offset.
#[derive(Clone, Copy)]
pub struct Ahead {
    pub since: Duration,
    pub before: i64,
}

impl DelayCursors {
    /// Loads the cursors: the file's, or the newest mark's, which is never behind it.
    ///
    /// # Errors
    /// When their file cannot be read.
    pub fn load(file: TableFile, store: &Store) -> io::Result<DelayCursors> {
        let loaded: Option<DelayOffsetSerializeWrapper> = file.load()?;
        let mut cursors = loaded.unwrap_or_default().offset_table;
        for queue_id in 0..marks::OTHERS_FROM_QUEUE {
            if let Some(marked) = marks::newest(store, queue_id) {
                let cursor = cursors.entry(level_of(queue_id)).or_default();
                if marked > *cursor {
                    *cursor = marked;
                    file.touch();
                }
            }
        }
        Ok(DelayCursors { file, cursors: Mutex::new(cursors), ahead: Mutex::default(), refused: Outages::default() })
    }

    /// The next offset to be delivered of a level.
    pub fn cursor(&self, level: i32) -> i64 {
        self.cursors.lock().get(&level).copied().unwrap_or(0)
    }

    /// All cursors.
    pub fn all(&self) -> DelayOffsetSerializeWrapper {
        DelayOffsetSerializeWrapper { data_version: None, offset_table: self.cursors.lock().clone() }
    }

    /// Moves cursors back to the ends of their queues: beyond are messages that a crash took away, and others will get their offsets.
    pub fn limit_to_ends(&self, max: impl Fn(i32) -> i64) {
        for (level, cursor) in self.cursors.lock().iter_mut() {
            let max = max(*level);
            if *cursor > max {
                warn!(level, cursor, max, "a delay level's cursor was ahead of the log");
                *cursor = max;
                self.file.touch();
            }
        }
    }

    /// Since when it is known that the level's messages before an offset were stored by a clock that was ahead.
    pub fn ahead(&self, level: i32, next: &Record<'_>, max: i64, clock: &Clock) -> Option<Ahead> {
        let mut ahead = self.ahead.lock();
        if next.store_timestamp.0 <= clock.now_ms() {
            ahead.remove(&level);
            return None;
        }
        let noticed = Ahead { since: clock.elapsed(), before: max };
        let known = ahead.entry(level).or_insert(noticed);
        if known.before <= next.queue_offset.0 {
            *known = noticed;
        }
        Some(*known)
    }

    /// Everything before this offset of the level is delivered.
    pub fn advance(&self, level: i32, to: i64) {
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

    /// Where the oldest message lies in the log that waits for its level.
    pub fn waits_from(&self, store: &Store) -> Option<LogOffset> {
        let oldest = |level: i32| {
            let (min, max) = store.bounds(names::DELAY_TOPIC, queue_of(level))?;
            let first = min.max(QueueOffset(self.cursor(level)));
            // Where it cannot be read, or damage was not passed over yet, anything may wait.
            let found = || store.index_entry(names::DELAY_TOPIC, queue_of(level), first).map_or(LogOffset(0), |entry| entry.log_offset);
            (first < max).then(found)
        };
        levels().filter_map(oldest).min()
    }

    /// The end of a level's queue, if it has messages that were not delivered.
    pub fn waiting_end(&self, store: &Store, level: i32) -> Option<QueueOffset> {
        let (min, max) = store.bounds(names::DELAY_TOPIC, queue_of(level))?;
        (max.0 > self.cursor(level).max(min.0)).then_some(max)
    }
}
