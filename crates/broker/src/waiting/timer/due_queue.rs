//! Which messages are due next?
//!
//! Messages that wait for a time are records of a system topic with a queue for each hour (`hours.rs`). A `DueQueue` reads the queues
//! of the hours that are near, and keeps in memory what is still open: neither delivered, as the delivery marks say, nor recalled. It
//! knows nothing of what is done with a message that is due.

use super::hours::{HOUR_MS, HOURS, hour_of, queue_of_hour, start_of};
use super::times::ORIGIN;
use crate::names::{DELIVERY_MARKS_TOPIC, TIMER_TOPIC};
use crate::waiting::marks;
use crate::waiting::system_queue::{Reached, SystemQueue};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::name;
use roxmq_protocol::record::Record;
use roxmq_protocol::time::Timestamp;
use roxmq_store::Store;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use tracing::warn;

/// What is due within this time is in memory.
pub const LOOK_AHEAD_MS: i64 = 300_000;
/// How often the queue tries to read a message that the disk refuses; a second passes between two tries.
const TRIES_MAX: u32 = 600;
/// Messages in memory. Of more, only the nearest are; the others are read again when their turn comes.
const ROOM: usize = 1 << 19;
/// The queue of the delivery marks of timers.
pub const MARKS_QUEUE: u32 = marks::OTHERS_FROM_QUEUE;

/// What is done: everything that was due up to `due` and is stored before `log_offset` was delivered, or is named by a delivery mark
/// from `marks` on. This is the file `config/timers.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    #[serde(rename = "dueMs")]
    pub due: Timestamp,
    pub log_offset: LogOffset,
    pub marks: QueueOffset,
}

/// Without the file nothing is known to be done, and all marks are read.
pub const NOTHING_DONE: Done = Done { due: Timestamp(i64::MIN), log_offset: LogOffset(0), marks: QueueOffset(0) };

/// One message that waits: when it is due, and where its first copy was stored. Messages are delivered in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    pub due: Timestamp,
    pub origin: LogOffset,
}

/// What is in memory of the messages that wait.
pub struct DueQueue {
    done: Done,
    /// Where the newest copy is that was seen.
    near: BTreeMap<Timer, LogOffset>,
    /// How many may be there.
    room: usize,
    /// What is due from here on is not in `near`, for want of room.
    horizon: Timestamp,
    /// Queues that are read, and how far.
    reading: BTreeMap<u32, Reading>,
    /// Hours up to this one are in `reading`.
    hours_to: Option<i64>,
    /// First copies of what was delivered in this round and before it, and when it was due. `done` does not cover them yet.
    delivered: HashMap<LogOffset, Timestamp>,
    delivered_before: HashMap<LogOffset, Timestamp>,
    /// First copies of what was recalled, and when it would have been due.
    recalled: HashMap<LogOffset, Timestamp>,
    /// Have the delivery marks been read?
    marks: Marks,
    /// Messages that the disk refused to read when they were due. They are retried, and meanwhile the others go on.
    unread: HashMap<Timer, Unread>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marks {
    Unread,
    Known,
}

/// A message that could not be read.
#[derive(Clone, Copy)]
struct Unread {
    at: LogOffset,
    tries: u32,
}

struct Reading {
    records: SystemQueue,
    /// What is due later belongs to an hour that shares the queue, and has time.
    due_before: Timestamp,
}

impl Reading {
    fn new(queue_id: u32, due_before: Timestamp) -> Reading {
        Reading { records: SystemQueue::new(TIMER_TOPIC, queue_id, QueueOffset(0)), due_before }
    }
}

/// What a record of the timer topic says.
pub struct Entry {
    pub timer: Timer,
    pub kind: EntryKind,
}

/// Whether a record of the timer topic brings a message, or takes one back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    Message,
    Recall,
}

impl Entry {
    /// Reads a record; `None` if it does not say when it is due.
    pub fn of(record: &Record<'_>) -> Option<Entry> {
        let properties = record.properties();
        let due = Timestamp(properties.find(name::TIMER_OUT_MS)?.parse().ok()?);
        // A value that cannot be read was not written by a broker, which then knows of no earlier copy.
        let origin = properties.find(ORIGIN).and_then(|origin| origin.parse().ok()).map_or(record.log_offset, LogOffset);
        let kind = if properties.find(name::TIMER_DEL_UNIQKEY).is_some() { EntryKind::Recall } else { EntryKind::Message };
        Some(Entry { timer: Timer { due, origin }, kind })
    }
}

/// What became of an attempt to read a message that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOff {
    /// It is retried in the next round; the first time this is worth a log line.
    Retried { is_first: bool },
    /// It was tried often enough.
    GivenUp,
}

/// Whether what is done is worth being written to its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Small,
    WorthSaving,
}

impl DueQueue {
    /// A queue that has yet to read what is not `done`.
    pub fn after(done: Done) -> DueQueue {
        DueQueue::with_room(done, ROOM)
    }

    /// The same, with room for so many messages in memory.
    pub fn with_room(done: Done, room: usize) -> DueQueue {
        DueQueue {
            done,
            near: BTreeMap::new(),
            room,
            horizon: Timestamp::MAX,
            reading: BTreeMap::new(),
            hours_to: None,
            delivered: HashMap::new(),
            delivered_before: HashMap::new(),
            recalled: HashMap::new(),
            marks: Marks::Unread,
            unread: HashMap::new(),
        }
    }

    /// What is done.
    pub fn done(&self) -> Done {
        self.done
    }

    /// Is the message still to be delivered, as far as is known without reading its hour?
    pub fn is_open(&self, timer: Timer, log_offset: LogOffset) -> bool {
        let is_done = timer.due <= self.done.due && log_offset < self.done.log_offset;
        !is_done
            && !self.delivered.contains_key(&timer.origin)
            && !self.delivered_before.contains_key(&timer.origin)
            && !self.recalled.contains_key(&timer.origin)
    }

    /// Reads what came into the queues of the hours that are near. Unless the end is reached, not all that is near is known.
    pub fn catch_up(&mut self, store: &Store, now: Timestamp) -> Reached {
        if self.know_marks(store) == Reached::Unreadable {
            return Reached::Unreadable;
        }
        self.turn_to_hours(store, now);
        let is_cut = self.horizon != Timestamp::MAX;
        let is_short = is_cut && now >= self.horizon.plus_ms(-LOOK_AHEAD_MS);
        if is_short || (is_cut && self.near.is_empty()) {
            self.horizon = Timestamp::MAX;
            self.reading.values_mut().for_each(|reading| reading.records.next = QueueOffset(0));
        }
        let queues: Vec<u32> = self.reading.keys().copied().collect();
        queues.into_iter().fold(Reached::End, |reached, queue| reached.and(self.read_queue(store, queue)))
    }

    /// Reads the delivery marks once. Until they are read, what was delivered seems to wait.
    pub fn know_marks(&mut self, store: &Store) -> Reached {
        if self.marks == Marks::Known {
            return Reached::End;
        }
        let reached = self.read_marks(store, LogOffset(i64::MAX));
        if reached == Reached::End {
            self.marks = Marks::Known;
        }
        reached
    }

    /// Reads the marks before `end`: what they name was delivered before this start.
    pub fn read_marks(&mut self, store: &Store, end: LogOffset) -> Reached {
        SystemQueue::new(DELIVERY_MARKS_TOPIC, MARKS_QUEUE, self.done.marks).read_on(store, |record| {
            if record.log_offset < end {
                self.delivered_before.extend(named_in(record.body).map(|timer| (timer.origin, timer.due)));
            }
        })
    }

    /// Opens the queues of the hours that have come near, and drops those that are over.
    fn turn_to_hours(&mut self, store: &Store, now: Timestamp) {
        let last = hour_of(now.max(self.done.due).plus_ms(LOOK_AHEAD_MS));
        let mut first = match self.hours_to {
            Some(to) => to + 1,
            // A message that was overdue when it was stored may be in the hour before.
            None => hour_of(self.done.due) - 1,
        };
        if last - first >= HOURS {
            // It is not known since when messages are delivered, or that is years ago: every queue may hold some.
            first = last - (HOURS - 1);
            let all = store.queues_of(TIMER_TOPIC);
            self.reading = all.into_iter().map(|queue| (queue, Reading::new(queue, start_of(last + 1)))).collect();
        }
        for hour in first..=last {
            let (queue, due_before) = (queue_of_hour(hour), start_of(hour + 1));
            let reading = self.reading.entry(queue).or_insert_with(|| Reading::new(queue, due_before));
            if reading.due_before < due_before {
                *reading = Reading::new(queue, due_before);
            }
        }
        self.hours_to = Some(self.hours_to.map_or(last, |to| to.max(last)));
        let over = self.done.due.plus_ms(-HOUR_MS);
        self.reading.retain(|_, reading| reading.due_before > over);
    }

    fn read_queue(&mut self, store: &Store, queue: u32) -> Reached {
        let Some(reading) = self.reading.get(&queue) else { return Reached::End };
        let (mut records, due_before) = (reading.records, reading.due_before);
        let reached = records.read_on(store, |record| match Entry::of(record) {
            None => warn!(queue, offset = %record.queue_offset, "skipped a record of {TIMER_TOPIC} without a time"),
            Some(entry) if entry.timer.due >= due_before => {}
            Some(Entry { timer, kind: EntryKind::Recall }) => self.recall(timer),
            Some(Entry { timer, kind: EntryKind::Message }) => self.take(timer, record.log_offset),
        });
        if let Some(reading) = self.reading.get_mut(&queue) {
            reading.records = records;
        }
        reached
    }

    /// The disk refuses to read a message that is due: it is retried in the next round, unless it was tried often enough.
    pub fn put_off(&mut self, timer: Timer, at: LogOffset) -> PutOff {
        self.near.remove(&timer);
        let unread = self.unread.entry(timer).or_insert(Unread { at, tries: 0 });
        unread.tries += 1;
        match unread.tries <= TRIES_MAX {
            true => PutOff::Retried { is_first: unread.tries == 1 },
            false => PutOff::GivenUp,
        }
    }

    /// Was anything put off that is due?
    pub fn has_put_off(&self) -> bool {
        !self.unread.is_empty()
    }

    /// A new round: what was put off is due again.
    pub fn retry(&mut self) {
        for (timer, unread) in &self.unread {
            if self.near.len() < self.room {
                self.near.entry(*timer).or_insert(unread.at);
            }
        }
    }

    /// A message was found, or a newer copy of it.
    pub fn take(&mut self, timer: Timer, log_offset: LogOffset) {
        if timer.due >= self.horizon || !self.is_open(timer, log_offset) {
            return;
        }
        self.near.insert(timer, log_offset);
        if self.near.len() > self.room {
            self.drop_farther_half();
        }
    }

    /// Messages of one time are all in memory, or none of them is.
    fn drop_farther_half(&mut self) {
        let middle = self.near.keys().nth(self.room / 2).map_or(Timestamp::MAX, |timer| timer.due);
        let is_one_time = self.near.keys().next().is_some_and(|first| first.due == middle);
        self.horizon = if is_one_time { middle.plus_ms(1) } else { middle };
        self.near.split_off(&Timer { due: self.horizon, origin: LogOffset(i64::MIN) });
    }

    /// The next ones that are due by now, in order, and where they are.
    pub fn due(&self, now: Timestamp, max: usize) -> Vec<(Timer, LogOffset)> {
        let last = Timer { due: now, origin: LogOffset(i64::MAX) };
        self.near.range(..=last).take(max).map(|(timer, at)| (*timer, *at)).collect()
    }

    /// When the next one is due, as far as is known.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.near.first_key_value().map(|(timer, _)| timer.due)
    }

    #[cfg(test)]
    pub fn near_count(&self) -> usize {
        self.near.len()
    }

    /// Where the newest copy is, if the message is near and waits.
    pub fn newest(&self, timer: Timer) -> Option<LogOffset> {
        self.near.get(&timer).copied()
    }

    /// The message was delivered, or cannot be any more.
    pub fn close(&mut self, timer: Timer) {
        self.near.remove(&timer);
        self.unread.remove(&timer);
        self.delivered.insert(timer.origin, timer.due);
    }

    /// The message is never delivered.
    pub fn recall(&mut self, timer: Timer) {
        self.near.remove(&timer);
        self.unread.remove(&timer);
        self.recalled.insert(timer.origin, timer.due);
    }

    /// Everything due by now was delivered; the log and the marks ended here when that began.
    pub fn all_done(&mut self, now: Timestamp, log_offset: LogOffset, marks: QueueOffset) -> Progress {
        let before = self.done;
        if now < before.due {
            // The clock went back. Not all that is due up to then was delivered: until it is that late again, only the marks say what was
            // delivered.
            self.delivered_before.extend(self.delivered.drain());
            return Progress::Small;
        }
        // A message that was stored again just before its delivery is met in the next round at the latest.
        self.delivered_before.retain(|_, due| *due > now);
        // What is left was delivered by a clock that has gone back: only its marks tell the next start.
        let marks = if self.delivered_before.is_empty() { marks } else { before.marks };
        self.done = Done { due: now, log_offset, marks };
        self.delivered_before.extend(self.delivered.drain());
        self.recalled.retain(|_, due| *due > now.plus_ms(-HOUR_MS));
        match before.marks != marks || hour_of(before.due) != hour_of(now) {
            true => Progress::WorthSaving,
            false => Progress::Small,
        }
    }
}

/// The body of a delivery mark: each message that is delivered with it.
pub fn mark(timers: impl Iterator<Item = Timer>) -> String {
    let words: Vec<String> = timers.map(|timer| format!("{}:{}", timer.due, timer.origin)).collect();
    words.join(",")
}

/// The messages that the body of a mark names.
pub fn named_in(mark: &[u8]) -> impl Iterator<Item = Timer> + use<'_> {
    let text = std::str::from_utf8(mark).unwrap_or_default();
    text.split(',').filter_map(|word| {
        let (due, origin) = word.split_once(':')?;
        Some(Timer { due: Timestamp(due.parse().ok()?), origin: LogOffset(origin.parse().ok()?) })
    })
}
