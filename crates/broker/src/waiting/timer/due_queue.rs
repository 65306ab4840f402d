//! What is due in the next hours, read from the queues of these hours.

use super::hours::{HOUR_MS, HOURS, hour_of, queue_of_hour};
use super::times::ORIGIN;
use crate::names::{MARKS_TOPIC, TIMER_TOPIC};
use crate::waiting::marks;
use crate::waiting::system_queue::{Reached, SystemQueue};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::name;
use roxmq_protocol::record::Record;
use roxmq_store::Store;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use tracing::warn;

/// What is due within this time is in memory.
pub const LOOK_AHEAD_MS: i64 = 300_000;
/// How often a message is tried that the disk refuses to read; there is a second between two tries.
const TRIES_MAX: u32 = 600;
/// Messages in memory; of more, only the nearest are, and the others are read again when it is their turn.
const ROOM: usize = 1 << 19;
/// The queue of the marks that speak of timers.
pub const MARKS_QUEUE: u32 = marks::OTHERS_FROM_QUEUE;

/// Everything that was due up to `due_ms` and is stored before `log_offset` was delivered, or is named by a mark from `marks` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    pub due_ms: i64,
    pub log_offset: i64,
    pub marks: i64,
}

/// Without the file nothing is known to be done, and all marks are read.
pub const NOTHING_DONE: Done = Done { due_ms: i64::MIN, log_offset: 0, marks: 0 };

/// One message that waits: when it is due, and where its first copy was stored. This is also the order of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    pub due_ms: i64,
    pub origin: i64,
}

/// What is in memory of what waits.
pub struct DueQueue {
    pub done: Done,
    /// Where the newest copy is that was seen.
    near: BTreeMap<Timer, i64>,
    /// How many may be there.
    room: usize,
    /// What is due from here on is not in `near`, for want of room.
    horizon_ms: i64,
    /// Queues that are read, and how far.
    reading: BTreeMap<u32, Reading>,
    /// Hours up to this one are in `reading`.
    hours_to: Option<i64>,
    /// First copies of what was delivered in this round and before it, and when it was due: `done` does not speak of them yet.
    delivered: HashMap<i64, i64>,
    delivered_before: HashMap<i64, i64>,
    /// First copies of what was recalled, and when it would have been due.
    recalled: HashMap<i64, i64>,
    are_marks_read: bool,
    /// What the disk refused to read when it was their turn, and how often: it is tried again, and meanwhile others go on.
    unread: HashMap<Timer, Unread>,
}

/// A message that could not be read.
#[derive(Clone, Copy)]
struct Unread {
    at: i64,
    tries: u32,
}

struct Reading {
    next: i64,
    /// What is due later is of an hour that shares the queue, and has time.
    due_before_ms: i64,
}

/// What a record of the timer topic says.
pub struct Entry {
    pub timer: Timer,
    pub is_recall: bool,
}

impl Entry {
    /// Reads a record; `None` when it is not one of ours.
    pub fn of(record: &Record<'_>) -> Option<Entry> {
        let properties = record.properties();
        let due_ms = properties.find(name::TIMER_OUT_MS)?.parse().ok()?;
        // What cannot be read was not given by the broker, which then knows of no earlier copy.
        let origin = properties.find(ORIGIN).and_then(|origin| origin.parse().ok()).unwrap_or(record.log_offset.0);
        Some(Entry { timer: Timer { due_ms, origin }, is_recall: properties.find(name::TIMER_DEL_UNIQKEY).is_some() })
    }
}

impl DueQueue {
    pub fn after(done: Done) -> DueQueue {
        DueQueue::with_room(done, ROOM)
    }

    pub fn with_room(done: Done, room: usize) -> DueQueue {
        DueQueue {
            done,
            near: BTreeMap::new(),
            room,
            horizon_ms: i64::MAX,
            reading: BTreeMap::new(),
            hours_to: None,
            delivered: HashMap::new(),
            delivered_before: HashMap::new(),
            recalled: HashMap::new(),
            are_marks_read: false,
            unread: HashMap::new(),
        }
    }

    /// Is it still to be delivered, as far as is known without its hour having been read?
    pub fn is_open(&self, timer: Timer, log_offset: i64) -> bool {
        let is_done = timer.due_ms <= self.done.due_ms && log_offset < self.done.log_offset;
        !is_done
            && !self.delivered.contains_key(&timer.origin)
            && !self.delivered_before.contains_key(&timer.origin)
            && !self.recalled.contains_key(&timer.origin)
    }

    /// Reads what came into the queues of the hours that are near. False where the disk refuses: not all that is near is known then.
    pub fn catch_up(&mut self, store: &Store, now_ms: i64) -> bool {
        if !self.know_marks(store) {
            return false;
        }
        self.turn_to_hours(store, now_ms);
        let is_short = self.horizon_ms != i64::MAX && now_ms >= self.horizon_ms - LOOK_AHEAD_MS;
        if is_short || (self.near.is_empty() && self.horizon_ms != i64::MAX) {
            self.horizon_ms = i64::MAX;
            self.reading.values_mut().for_each(|reading| reading.next = 0);
        }
        let queues: Vec<u32> = self.reading.keys().copied().collect();
        let mut is_whole = true;
        for queue in queues {
            is_whole &= self.read_queue(store, queue);
        }
        is_whole
    }

    /// Reads the marks once. Until they are read what was delivered seems to wait.
    #[must_use]
    pub fn know_marks(&mut self, store: &Store) -> bool {
        self.are_marks_read = self.are_marks_read || self.read_marks(store, LogOffset(i64::MAX));
        self.are_marks_read
    }

    /// What the marks before `end` name was delivered before this start. False where the disk refuses.
    #[must_use]
    pub fn read_marks(&mut self, store: &Store, end: LogOffset) -> bool {
        let mut marks = SystemQueue::new(MARKS_TOPIC, MARKS_QUEUE, QueueOffset(self.done.marks));
        let reached = marks.read_on(store, |record| {
            if record.log_offset < end {
                self.delivered_before.extend(marked(record).map(|timer| (timer.origin, timer.due_ms)));
            }
        });
        reached == Reached::End
    }

    /// Opens the queues of the hours that have come near, and drops those that are over.
    fn turn_to_hours(&mut self, store: &Store, now_ms: i64) {
        let last = hour_of(now_ms.max(self.done.due_ms).saturating_add(LOOK_AHEAD_MS));
        let mut first = match self.hours_to {
            Some(to) => to + 1,
            // What was late when it was stored may be in the hour before.
            None => hour_of(self.done.due_ms) - 1,
        };
        if last - first >= HOURS {
            // Nothing is known of what was delivered when, or it is years ago: every queue there is may hold something.
            first = last - (HOURS - 1);
            let due_before_ms = (last + 1) * HOUR_MS;
            let all = store.queues_of(TIMER_TOPIC);
            self.reading = all.into_iter().map(|queue| (queue, Reading { next: 0, due_before_ms })).collect();
        }
        for hour in first..=last {
            let due_before_ms = (hour + 1) * HOUR_MS;
            let reading = self.reading.entry(queue_of_hour(hour)).or_insert(Reading { next: 0, due_before_ms });
            if reading.due_before_ms < due_before_ms {
                *reading = Reading { next: 0, due_before_ms };
            }
        }
        self.hours_to = Some(self.hours_to.map_or(last, |to| to.max(last)));
        let over = self.done.due_ms.saturating_sub(HOUR_MS);
        self.reading.retain(|_, reading| reading.due_before_ms > over);
    }

    fn read_queue(&mut self, store: &Store, queue: u32) -> bool {
        let Some(reading) = self.reading.get(&queue) else { return true };
        let (from, due_before_ms) = (reading.next, reading.due_before_ms);
        let mut records = SystemQueue::new(TIMER_TOPIC, queue, QueueOffset(from));
        let reached = records.read_on(store, |record| match Entry::of(record) {
            None => warn!(queue, offset = record.queue_offset.0, "a record of {TIMER_TOPIC} has no time; it is passed over"),
            Some(entry) if entry.timer.due_ms >= due_before_ms => {}
            Some(Entry { timer, is_recall: true }) => self.recall(timer),
            Some(Entry { timer, is_recall: false }) => self.take(timer, record.log_offset.0),
        });
        if let Some(reading) = self.reading.get_mut(&queue) {
            reading.next = records.next.0;
        }
        reached == Reached::End
    }

    /// The disk refuses to read what is due: it is tried again in the next round. How often it was tried now; `None` if that was too
    /// often, and it is given up.
    pub fn put_off(&mut self, timer: Timer, at: i64) -> Option<u32> {
        self.near.remove(&timer);
        let unread = self.unread.entry(timer).or_insert(Unread { at, tries: 0 });
        unread.tries += 1;
        (unread.tries <= TRIES_MAX).then_some(unread.tries)
    }

    /// Was anything put off that is due?
    pub fn has_put_off(&self) -> bool {
        !self.unread.is_empty()
    }

    /// A new round: what was put off is due again.
    pub fn try_again(&mut self) {
        for (timer, unread) in &self.unread {
            if self.near.len() < self.room {
                self.near.entry(*timer).or_insert(unread.at);
            }
        }
    }

    pub fn take(&mut self, timer: Timer, log_offset: i64) {
        if timer.due_ms >= self.horizon_ms || !self.is_open(timer, log_offset) {
            return;
        }
        self.near.insert(timer, log_offset);
        if self.near.len() > self.room {
            self.drop_farther_half();
        }
    }

    /// Messages with one time are all in memory or none of them is.
    fn drop_farther_half(&mut self) {
        let middle = self.near.keys().nth(self.room / 2).map_or(i64::MAX, |timer| timer.due_ms);
        let is_one_time = self.near.keys().next().is_some_and(|first| first.due_ms == middle);
        self.horizon_ms = if is_one_time { middle.saturating_add(1) } else { middle };
        self.near.split_off(&Timer { due_ms: self.horizon_ms, origin: i64::MIN });
    }

    /// The next ones that are due by `now_ms`, in order, and where they are.
    pub fn due(&self, now_ms: i64, max: usize) -> Vec<(Timer, i64)> {
        let last = Timer { due_ms: now_ms, origin: i64::MAX };
        self.near.range(..=last).take(max).map(|(timer, at)| (*timer, *at)).collect()
    }

    /// When the next one is due, as far as is known.
    pub fn next_due_ms(&self) -> Option<i64> {
        self.near.first_key_value().map(|(timer, _)| timer.due_ms)
    }

    #[cfg(test)]
    pub fn near_count(&self) -> usize {
        self.near.len()
    }

    /// Where the newest copy is, if the message is near and waits.
    pub fn newest(&self, timer: Timer) -> Option<i64> {
        self.near.get(&timer).copied()
    }

    /// Was delivered, or cannot be any more.
    pub fn close(&mut self, timer: Timer) {
        self.near.remove(&timer);
        self.unread.remove(&timer);
        self.delivered.insert(timer.origin, timer.due_ms);
    }

    /// Is never delivered.
    pub fn recall(&mut self, timer: Timer) {
        self.near.remove(&timer);
        self.unread.remove(&timer);
        self.recalled.insert(timer.origin, timer.due_ms);
    }

    /// Everything due by `now_ms` was delivered; the log and the marks ended there when that began. Is it worth being written down?
    pub fn all_done(&mut self, now_ms: i64, log_offset: i64, marks: i64) -> bool {
        let before = self.done;
        if now_ms < before.due_ms {
            // The clock went back. Not all that is due up to then was delivered: until it is that late again, what is delivered is known
            // from the marks alone.
            self.delivered_before.extend(self.delivered.drain());
            return false;
        }
        let done_ms = before.due_ms.max(now_ms);
        // What was stored again just before its delivery is met in the next round at the latest.
        self.delivered_before.retain(|_, due_ms| *due_ms > done_ms);
        // What is left was delivered by a clock that has gone back: nothing but its marks will tell the next start.
        let marks = if self.delivered_before.is_empty() { marks } else { before.marks };
        self.done = Done { due_ms: done_ms, log_offset, marks };
        self.delivered_before.extend(self.delivered.drain());
        self.recalled.retain(|_, due_ms| *due_ms > done_ms - HOUR_MS);
        before.marks != marks || hour_of(before.due_ms) != hour_of(done_ms)
    }
}

/// What a mark says: each message that was delivered with it.
pub fn mark(timers: impl Iterator<Item = Timer>) -> String {
    let words: Vec<String> = timers.map(|timer| format!("{}:{}", timer.due_ms, timer.origin)).collect();
    words.join(",")
}

fn marked<'a>(record: &Record<'a>) -> impl Iterator<Item = Timer> + use<'a> {
    named_in(record.body)
}

/// The messages that a mark's body names.
pub fn named_in(mark: &[u8]) -> impl Iterator<Item = Timer> + use<'_> {
    let text = std::str::from_utf8(mark).unwrap_or_default();
    text.split(',').filter_map(|word| {
        let (due_ms, origin) = word.split_once(':')?;
        Some(Timer { due_ms: due_ms.parse().ok()?, origin: origin.parse().ok()? })
    })
}
