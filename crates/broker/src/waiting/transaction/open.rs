//! Which half messages are open, and how often was each checked back? Read again from the log after a restart.

use super::checks::{self, CHECKS_QUEUE};
use crate::names::{DELIVERY_MARKS_TOPIC, HALF_TOPIC, OP_TOPIC};
use crate::outages::Outages;
use crate::tables::file::TableFile;
use crate::waiting::system_queue::{Reached, SystemQueue};
use parking_lot::{Mutex, MutexGuard};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::time::Timestamp;
use roxmq_store::Store;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use tracing::warn;

/// The half messages that are open.
pub struct Transactions {
    file: TableFile,
    state: Mutex<State>,
    /// How many had no connected producer in the last round of checks.
    without_producer: AtomicU32,
    /// The store refuses the counts of checks.
    pub uncounted: Outages<()>,
    /// The store refuses to park.
    pub unparked: Outages<()>,
}

/// What was read from the queues of transactions.
pub struct State {
    /// By offset in the half queue.
    open: BTreeMap<QueueOffset, Open>,
    halves: SystemQueue,
    ops: SystemQueue,
    checks: SystemQueue,
    /// Half messages whose op records were read before they were.
    closed_early: Vec<QueueOffset>,
}

/// A half message that is open.
pub struct Open {
    /// Where it is in the log.
    pub log_offset: LogOffset,
    /// When it was stored.
    pub stored: Timestamp,
    /// How often its producer was checked back.
    pub checks: u32,
    /// Op records before this offset were read before the half message, so none of them closes it.
    ops_before: QueueOffset,
    /// Counts of checks before this offset were read before the half message, so none of them is of it.
    checks_before: QueueOffset,
}

/// The disk refuses to read a queue of transactions now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The file `config/transactions.json`: from where the queues are read after a restart.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cursors {
    /// In the half queue.
    pub half: QueueOffset,
    /// In the op queue.
    pub op: QueueOffset,
    /// In the queue of the counts of checks.
    pub checks: QueueOffset,
}

impl Transactions {
    /// Loads from where the queues are read.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load(file: TableFile) -> io::Result<Transactions> {
        let cursors: Cursors = file.load()?.unwrap_or_default();
        Ok(Transactions {
            file,
            state: Mutex::new(State::at(&cursors)),
            without_producer: AtomicU32::new(0),
            uncounted: Outages::default(),
            unparked: Outages::default(),
        })
    }

    /// The state as of the last reading. Hold it until the log has what follows from it.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The state as of now. Hold it until the log has what follows from it.
    ///
    /// # Errors
    /// When the disk refuses: a half message may be open, or closed, that is not known to be.
    pub fn known(&self, store: &Store) -> Result<MutexGuard<'_, State>, Unreadable> {
        let mut state = self.state.lock();
        let before = (state.halves, state.ops);
        let reached = state.catch_up(store);
        if before != (state.halves, state.ops) {
            self.file.touch();
        }
        match reached {
            Reached::End => Ok(state),
            Reached::Unreadable => Err(Unreadable),
        }
    }

    /// Notes how many half messages had no connected producer in a round of checks. Returns how many there were in the round before.
    pub fn note_without_producer(&self, count: u32) -> u32 {
        self.without_producer.swap(count, Ordering::Relaxed)
    }

    /// Where the oldest open half message is in the log.
    pub fn oldest_open(&self, store: &Store) -> Option<LogOffset> {
        match self.known(store) {
            Ok(state) => state.open.values().map(|open| open.log_offset).next(),
            // An open one may be anywhere.
            Err(Unreadable) => Some(LogOffset(0)),
        }
    }

    /// Writes from where the queues are read after a restart, if that moved. The open half messages come from there on, with few others.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        self.file.save_behind(store, || {
            let state = self.state.lock();
            let (half, op, checks) = match state.open.first_key_value() {
                None => (state.halves.next, state.ops.next, state.checks.next),
                // Records about this one, or a later one, come behind those that had been read when it was.
                Some((first, open)) => (*first, open.ops_before, open.checks_before),
            };
            Cursors { half, op, checks }
        })
    }

    /// Moves cursors back to the ends of their queues. A crash lost the messages beyond, and new ones will get their offsets.
    pub fn limit_to_ends(&self, half_max: QueueOffset, op_max: QueueOffset, checks_max: QueueOffset) {
        let mut state = self.state.lock();
        let State { halves, ops, checks, .. } = &mut *state;
        let before = (*halves, *ops, *checks);
        for (queue, max) in [(&mut *halves, half_max), (&mut *ops, op_max), (&mut *checks, checks_max)] {
            queue.next = queue.next.min(max);
        }
        if before != (*halves, *ops, *checks) {
            warn!(%half_max, %op_max, %checks_max, "moved back the cursors of transactions that were ahead of the log");
            self.file.touch();
        }
    }
}

impl State {
    fn at(cursors: &Cursors) -> State {
        State {
            open: BTreeMap::new(),
            halves: SystemQueue::new(HALF_TOPIC, 0, cursors.half),
            ops: SystemQueue::new(OP_TOPIC, 0, cursors.op),
            checks: SystemQueue::new(DELIVERY_MARKS_TOPIC, CHECKS_QUEUE, cursors.checks),
            closed_early: Vec::new(),
        }
    }

    /// The open half messages: their offsets in the half queue, and where they are in the log.
    pub fn all_open(&self) -> Vec<(QueueOffset, LogOffset)> {
        self.open.iter().map(|(offset, open)| (*offset, open.log_offset)).collect()
    }

    /// A half message, if it is open.
    pub fn open_mut(&mut self, offset: QueueOffset) -> Option<&mut Open> {
        self.open.get_mut(&offset)
    }

    /// The half message is decided, parked or gone.
    pub fn close(&mut self, offset: QueueOffset) {
        self.open.remove(&offset);
    }

    /// Is the half message closed?
    pub fn is_closed(&self, offset: QueueOffset) -> bool {
        offset < self.halves.next && !self.open.contains_key(&offset)
    }

    /// Reads the new records of the queues. Unless it reaches the end, a half message may be open, or closed, that is not known to be.
    fn catch_up(&mut self, store: &Store) -> Reached {
        let State { open, halves, ops, checks, closed_early } = self;
        let (ops_before, checks_before) = (ops.next, checks.next);
        let reached_halves = halves.read_on(store, |record| {
            // Java stores a half message again for each check, with its count.
            let checks = checks::count_in(record);
            let (log_offset, stored) = (record.log_offset, record.store_timestamp);
            open.insert(record.queue_offset, Open { log_offset, stored, checks, ops_before, checks_before });
        });
        let half_read = halves.next;
        let reached_ops = ops.read_on(store, |record| {
            let text = std::str::from_utf8(record.body).unwrap_or_default();
            for closed in text.split(',').filter_map(|offset| offset.trim().parse().ok().map(QueueOffset)) {
                if open.remove(&closed).is_none() && closed >= half_read {
                    closed_early.push(closed);
                }
            }
        });
        closed_early.retain(|closed| open.remove(closed).is_none() && *closed >= half_read);
        let reached_checks = checks.read_on(store, |record| {
            for (offset, count) in checks::counts_in(record.body) {
                if let Some(open) = open.get_mut(&offset) {
                    open.checks = open.checks.max(count);
                }
            }
        });
        reached_halves.and(reached_ops).and(reached_checks)
    }

    /// How often the producer of an open half message was checked back; 0 if it is closed.
    pub fn checks(&self, offset: QueueOffset) -> u32 {
        self.open.get(&offset).map_or(0, |open| open.checks)
    }
}
