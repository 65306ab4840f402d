//! How does one connection send? As fast as answers come, or each message at its due time; every answer is checked.

use crate::clock::{Nanos, Window};
use crate::frames::SendFrames;
use crate::slots::Slots;
use crate::stamp::Stamp;
use crate::tally::{Offsets, Tally};
use crate::transact::Outcome;
use crate::wire::Load;
use roxmq_protocol::code;
use roxmq_protocol::frame::Frame;
use roxmq_protocol::header::{self, Header};
use std::sync::Arc;

/// When requests go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Whenever fewer than so many are unanswered.
    InFlight(usize),
    /// At due times, whatever the answers do; latency counts from there.
    Due {
        /// Requests that may be unanswered.
        unanswered_max: usize,
        /// Whether what is due when that many are is not sent at all, rather than later.
        is_shed: bool,
        /// When the first is due, in ns after the window's start.
        first: f64,
        /// ns between two of this connection.
        interval: f64,
    },
}

impl Pace {
    /// How many requests of a connection may be unanswered.
    pub fn slots(&self) -> usize {
        match self {
            Pace::InFlight(count) => *count,
            Pace::Due { unanswered_max, .. } => *unanswered_max,
        }
    }

    /// When a connection's request is due, if it had so many before; `None` when it may go at once.
    pub fn due(&self, window: &Window, requests: u64) -> Option<Nanos> {
        match self {
            Pace::InFlight(_) => None,
            Pace::Due { first, interval, .. } => Some(window.start + (first + interval * requests as f64) as Nanos),
        }
    }

    /// When the next request is to be sent, if that is now: the time from which its latency counts.
    pub fn next(&self, window: &Window, requests: u64, now: Nanos) -> Option<Nanos> {
        let due = self.due(window, requests).unwrap_or(now);
        (due <= now && due < window.end && now >= window.start).then_some(due)
    }

    /// Whether all requests have gone that are to go.
    pub fn is_over(&self, window: &Window, requests: u64, now: Nanos) -> bool {
        now >= window.end && self.due(window, requests).is_none_or(|due| due >= window.end)
    }
}

/// The sending side of one connection.
pub struct Sender {
    frames: Arc<SendFrames>,
    pace: Pace,
    window: Window,
    slots: Slots<Asked>,
    deliver_after: Nanos,
    stamp: Stamp,
    requests: u64,
    batch: u64,
    body_bytes: u64,
    is_any_refused: bool,
    share: Share,
    /// The place in its share of the queue that is next.
    next: u32,
    /// By place in its share.
    acknowledged: Vec<Offsets>,
    /// What it saw.
    pub tally: Tally,
}

/// One unanswered request.
struct Asked {
    place: u32,
    due: Nanos,
}

/// The queues that a connection sends to, in turns. Where there are enough for all, each connection has some for itself: keeping account of
/// very many in every connection would take the generator longer than it takes the broker to store them.
#[derive(Clone, Copy, Debug)]
struct Share {
    first: u32,
    step: u32,
    /// How many there are in all.
    queues: u32,
}

impl Share {
    fn new(connection: u32, connections: u32, queues: u32) -> Share {
        match queues >= connections {
            true => Share { first: connection, step: connections, queues },
            false => Share { first: connection % queues, step: 1, queues },
        }
    }

    fn count(self) -> u32 {
        match self.step {
            1 => self.queues,
            step => (self.queues - self.first).div_ceil(step),
        }
    }

    fn queue(self, place: u32) -> u32 {
        (self.first + place * self.step) % self.queues
    }
}

/// What is the same for all senders of a run.
#[derive(Clone, Copy, Debug)]
pub struct SenderShape {
    /// Number of the run.
    pub run: u32,
    /// Queues, from 0 on.
    pub queues: u32,
    /// Connections that share them.
    pub connections: u32,
    /// Messages in one request.
    pub batch: usize,
    /// Body of each, in bytes.
    pub body_bytes: usize,
    /// When to send.
    pub window: Window,
    /// For timed messages: what to add to the time of a send on the run's clock for its time of delivery, in ns since 1970.
    pub deliver_after: Nanos,
}

impl Sender {
    /// The sender of connection `number`.
    pub fn new(number: u32, frames: Arc<SendFrames>, pace: Pace, shape: SenderShape) -> Sender {
        let share = Share::new(number, shape.connections, shape.queues);
        Sender {
            frames,
            pace,
            window: shape.window,
            slots: Slots::new(pace.slots()),
            deliver_after: shape.deliver_after,
            stamp: Stamp { run: shape.run, connection: number, sequence: 0, due: 0 },
            requests: 0,
            batch: shape.batch as u64,
            body_bytes: shape.body_bytes as u64,
            is_any_refused: false,
            share,
            next: 0,
            acknowledged: vec![Offsets::default(); share.count() as usize],
            tally: Tally::default(),
        }
    }

    fn is_overload(&self) -> bool {
        matches!(self.pace, Pace::Due { is_shed: true, .. })
    }

    /// The number of the connection.
    pub fn connection(&self) -> usize {
        self.stamp.connection as usize
    }

    /// The offsets that were acknowledged, with their queue.
    pub fn acknowledged(&self) -> impl Iterator<Item = (usize, Offsets)> {
        (0..).zip(&self.acknowledged).map(|(place, offsets)| (self.share.queue(place) as usize, *offsets))
    }

    /// What is to be found of its messages one by one: all of them, or nobody knows where something went wrong.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let outcome = if self.tally.errors.is_empty() && !self.is_any_refused { Outcome::Committed } else { Outcome::Undecided };
        vec![outcome; self.stamp.sequence as usize]
    }

    /// Counts what is still unanswered as gone wrong, once the connection is no longer used.
    pub fn give_up(&mut self) {
        for _ in 0..self.slots.unanswered() {
            self.tally.error("no answer".into());
        }
    }
}

impl Load for Sender {
    fn ask(&mut self, out: &mut Vec<u8>, now: Nanos) {
        while let Some(due) = self.pace.next(&self.window, self.requests, now) {
            let place = self.next;
            let Some(opaque) = self.slots.put(Asked { place, due }) else {
                if !matches!(self.pace, Pace::Due { is_shed: true, .. }) {
                    break;
                }
                self.requests += 1;
                self.tally.unsent += if self.window.counts(due) { self.batch } else { 0 };
                continue;
            };
            self.stamp.due = due;
            self.frames.write(out, opaque, self.share.queue(place), self.stamp, (due + self.deliver_after) / 1_000_000);
            self.stamp.sequence += self.batch;
            self.requests += 1;
            self.next = if place + 1 == self.acknowledged.len() as u32 { 0 } else { place + 1 };
            if out.len() > WRITE_BYTES_MAX {
                break;
            }
        }
    }

    fn answer(&mut self, frame: &Frame<'_>, now: Nanos) {
        let header = match header::read(frame) {
            Ok(header) => header,
            Err(error) => return self.tally.error(error.to_string()),
        };
        let Some(asked) = self.slots.take(header.opaque) else {
            return self.tally.error("answer to nothing that was asked".into());
        };
        match stored_at(&header, self.frames.queues().id(self.share.queue(asked.place)), self.batch) {
            Ok(offset) => {
                self.acknowledged[asked.place as usize].add(offset, self.batch);
                self.tally.messages_in_all += self.batch;
                if self.window.counts(now) {
                    self.tally.requests += 1;
                    self.tally.messages += self.batch;
                    self.tally.bytes += self.batch * self.body_bytes;
                    self.tally.took(now.saturating_sub(asked.due), &self.window, now);
                }
            }
            Err(_) if self.is_overload() && header.code == code::SYSTEM_BUSY => {
                self.is_any_refused = true;
                self.tally.refused += if self.window.counts(now) { self.batch } else { 0 };
            }
            Err(what) => self.tally.error(what),
        }
    }

    fn is_done(&self, now: Nanos) -> bool {
        self.pace.is_over(&self.window, self.requests, now) && self.slots.unanswered() == 0
    }

    fn has_due_times(&self) -> bool {
        matches!(self.pace, Pace::Due { .. })
    }
}

/// The queue offset that an answer tells, if everything in it is as it must be.
///
/// # Errors
/// What is wrong with it.
pub fn stored_at(header: &Header<'_>, queue: u32, batch: u64) -> Result<i64, String> {
    if header.code != code::SUCCESS {
        let remark = header.remark.map(|remark| remark.unescape().into_owned()).unwrap_or_default();
        return Err(format!("code {}: {}", header.code, remark.chars().take(80).collect::<String>()));
    }
    let number = |name: &str| header.fields.text(name).and_then(|text| text.parse::<i64>().ok());
    if number("queueId") != Some(i64::from(queue)) {
        return Err("answer names another queue".into());
    }
    let ids = header.fields.text("msgId").unwrap_or_default();
    let is_id = |id: &str| matches!(id.len(), 32 | 56) && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !ids.split(',').all(is_id) || ids.split(',').count() as u64 != batch {
        return Err("msgId is not what it must be".into());
    }
    number("queueOffset").filter(|offset| *offset >= 0).ok_or_else(|| "queueOffset is missing".into())
}

/// Unanswered requests of one connection that sends at due times. Later ones wait, and their latency says so.
pub const DUE_IN_FLIGHT_MAX: usize = 16 * 1024;
/// Bytes made in one go.
pub const WRITE_BYTES_MAX: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn every_queue_is_in_somebodys_share_and_in_one_where_there_are_enough() {
        for (connections, queues) in [(1, 1), (16, 1), (16, 8), (16, 16), (16, 17), (16, 100), (1, 5), (3, 100_000)] {
            let mut seen = vec![0; queues as usize];
            for connection in 0..connections {
                let share = Share::new(connection, connections, queues);
                assert!(share.count() > 0, "connection {connection} of {connections}, {queues} queues");
                (0..share.count()).for_each(|place| seen[share.queue(place) as usize] += 1);
            }
            let expected = if queues >= connections { 1 } else { connections };
            assert!(seen.iter().all(|count| *count == expected), "{connections} connections, {queues} queues: {seen:?}");
        }
    }
}
