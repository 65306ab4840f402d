//! How does one connection send? As fast as answers come, or each message at its due time; every answer is checked.

use crate::load::answer::stored_at;
use crate::load::outcome::Outcome;
use crate::load::pace::Pace;
use crate::measure::clock::{Nanos, Window};
use crate::measure::tally::{Offsets, Tally};
use crate::wire::connection::{Load, WRITE_BYTES_MAX};
use crate::wire::sends::SendFrames;
use crate::wire::slots::Slots;
use crate::wire::stamp::Stamp;
use roxmq_protocol::code;
use roxmq_protocol::frame::Frame;
use roxmq_protocol::header;
use std::sync::Arc;

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

    /// What the topic must hold of its messages, one by one: all of them, or undecided once something went wrong.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let outcome = if self.tally.errors.is_empty() && !self.is_any_refused { Outcome::Committed } else { Outcome::Undecided };
        vec![outcome; self.stamp.sequence as usize]
    }

    /// Counts unanswered requests as errors, once the connection is no longer used.
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
            return self.tally.error("answer to no request".into());
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
