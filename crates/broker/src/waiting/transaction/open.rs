//! Which half messages are open?

use super::checks::{self, CHECKS_QUEUE};
use crate::names::{HALF_TOPIC, OP_TOPIC, PROGRESS_TOPIC};
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
use std::sync::atomic::AtomicU32;
use tracing::warn;

/// Which half messages are open.
pub struct Transactions {
    file: TableFile,
    state: Mutex<State>,
    /// How many in the last round had no producer that could be asked.
    pub unasked: AtomicU32,
    /// Nothing can be stored of the checks.
    pub uncounted: Outages<()>,
    /// Nothing can be parked.
    pub unparked: Outages<()>,
}

/// What is known of the queues of transactions.
pub struct State {
    /// By offset in the half queue.
    pub open: BTreeMap<QueueOffset, Open>,
    halves: SystemQueue,
    ops: SystemQueue,
    checked: SystemQueue,
    /// Op records may be read before the half messages they close.
    closed_early: Vec<QueueOffset>,
}

/// A half message that is open.
pub struct Open {
    /// Where it lies.
    pub log_offset: LogOffset,
    /// When it was stored.
    pub stored: Timestamp,
    /// How often its producer was asked.
    pub checks: u32,
    /// Op records before this one were appended before the half message was looked at, so none of them closes it.
    ops_before: QueueOffset,
    /// Counts of checks before this one were written before the half message was looked at, so none of them is of it.
    checks_before: QueueOffset,
}

/// What was decided, or which half messages there are, cannot be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The file: from where the queues are read after a restart.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cursors {
    /// Offset in the half queue.
    pub half: i64,
    /// Offset in the op queue.
    pub op: i64,
    /// Offset in the queue of counted checks.
    pub checks: i64,
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
            unasked: AtomicU32::new(0),
            uncounted: Outages::default(),
            unparked: Outages::default(),
        })
    }

    /// What is known, as of the last reading. Held until what follows from it is in the log.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// What is known now. Held until what follows from it is in the log.
    ///
    /// # Errors
    /// Where the disk refuses: not all that is open, or closed, is known then.
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

    /// Where the oldest open half message lies in the log.
    pub fn waits_from(&self, store: &Store) -> Option<LogOffset> {
        match self.known(store) {
            Ok(state) => state.open.values().map(|open| open.log_offset).next(),
            // Anything may be open.
            Err(Unreadable) => Some(LogOffset(0)),
        }
    }

    /// Writes from where the queues are to be read, if that moved: the open half messages, and only few more, are found again from there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        self.file.save_behind(store, || {
            let state = self.state.lock();
            let (half, op, checks) = match state.open.first_key_value() {
                None => (state.halves.next, state.ops.next, state.checked.next),
                // What is said of this one, or of one after it, comes after what had been read when it was met.
                Some((first, open)) => (*first, open.ops_before, open.checks_before),
            };
            Cursors { half: half.0, op: op.0, checks: checks.0 }
        })
    }

    /// Reads a queue from its end at the latest: what is beyond it are messages that a crash took away.
    pub fn limit_to_ends(&self, half_max: QueueOffset, op_max: QueueOffset, checks_max: QueueOffset) {
        let mut state = self.state.lock();
        let State { halves, ops, checked, .. } = &mut *state;
        let before = (*halves, *ops, *checked);
        for (queue, max) in [(&mut *halves, half_max), (&mut *ops, op_max), (&mut *checked, checks_max)] {
            queue.next = queue.next.min(max);
        }
        if before != (*halves, *ops, *checked) {
            warn!(%half_max, %op_max, %checks_max, "the offsets of transactions were ahead of the log");
            self.file.touch();
        }
    }
}

impl State {
    fn at(cursors: &Cursors) -> State {
        State {
            open: BTreeMap::new(),
            halves: SystemQueue::new(HALF_TOPIC, 0, QueueOffset(cursors.half)),
            ops: SystemQueue::new(OP_TOPIC, 0, QueueOffset(cursors.op)),
            checked: SystemQueue::new(PROGRESS_TOPIC, CHECKS_QUEUE, QueueOffset(cursors.checks)),
            closed_early: Vec::new(),
        }
    }

    /// Was the half message closed?
    pub fn is_closed(&self, offset: QueueOffset) -> bool {
        offset < self.halves.next && !self.open.contains_key(&offset)
    }

    /// Reads what was added to the queues. Unless the end is reached, not all that is open, or closed, is known.
    fn catch_up(&mut self, store: &Store) -> Reached {
        let State { open, halves, ops, checked, closed_early } = self;
        let (ops_before, checks_before) = (ops.next, checked.next);
        let reached_halves = halves.read_on(store, |record| {
            // Java stores a half message again for each check, and counts there.
            let checks = checks::said_in(record);
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
        let reached_checks = checked.read_on(store, |record| {
            for (offset, count) in checks::counted(record.body) {
                if let Some(open) = open.get_mut(&offset) {
                    open.checks = open.checks.max(count);
                }
            }
        });
        reached_halves.and(reached_ops).and(reached_checks)
    }

    /// How often producers were asked about a half message that is open.
    pub fn checks(&self, offset: QueueOffset) -> u32 {
        self.open.get(&offset).map_or(0, |open| open.checks)
    }
}
