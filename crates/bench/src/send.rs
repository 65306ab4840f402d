//! How does one connection send? As fast as answers come, or each message at its due time; every answer is checked.

use crate::clock::{Nanos, Window};
use crate::frames::{OPAQUE_MIN, OPAQUES, SendFrames};
use crate::stamp::Stamp;
use crate::tally::{Offsets, Tally};
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
        /// When the first is due, in ns after the window's start.
        first: f64,
        /// ns between two of this connection.
        interval: f64,
    },
}

/// The sending side of one connection.
pub struct Sender {
    frames: Arc<SendFrames>,
    pace: Pace,
    window: Window,
    slots: Vec<Slot>,
    free: Vec<u32>,
    stamp: Stamp,
    requests: u64,
    batch: u64,
    body_bytes: u64,
    next_queue: u32,
    acknowledged: Vec<Offsets>,
    /// What it saw.
    pub tally: Tally,
}

/// One request that may be unanswered.
#[derive(Clone, Copy, Default)]
struct Slot {
    opaque: i32,
    queue: u32,
    due: Nanos,
    is_waiting: bool,
}

/// What is the same for all senders of a run.
#[derive(Clone, Copy, Debug)]
pub struct SenderShape {
    /// Number of the run.
    pub run: u32,
    /// Queues, from 0 on.
    pub queues: u32,
    /// Messages in one request.
    pub batch: usize,
    /// Body of each, in bytes.
    pub body_bytes: usize,
    /// When to send.
    pub window: Window,
}

impl Sender {
    /// The sender of connection `number`.
    pub fn new(number: u32, frames: Arc<SendFrames>, pace: Pace, shape: SenderShape) -> Sender {
        let slots = match pace {
            Pace::InFlight(count) => count,
            Pace::Due { .. } => DUE_IN_FLIGHT_MAX,
        };
        Sender {
            frames,
            pace,
            window: shape.window,
            slots: vec![Slot::default(); slots],
            free: (0..slots as u32).rev().collect(),
            stamp: Stamp { run: shape.run, connection: number, sequence: 0, due: 0 },
            requests: 0,
            batch: shape.batch as u64,
            body_bytes: shape.body_bytes as u64,
            next_queue: number % shape.queues,
            acknowledged: vec![Offsets::default(); shape.queues as usize],
            tally: Tally::default(),
        }
    }

    /// The offsets that were acknowledged, by queue.
    pub fn acknowledged(&self) -> &[Offsets] {
        &self.acknowledged
    }

    /// Counts what is still unanswered as gone wrong, once the connection is no longer used.
    pub fn give_up(&mut self) {
        for _ in self.free.len()..self.slots.len() {
            self.tally.error("no answer".into());
        }
    }

    /// When the next request is due; `None` when it may go at once.
    fn due(&self) -> Option<Nanos> {
        match self.pace {
            Pace::InFlight(_) => None,
            Pace::Due { first, interval } => Some(self.window.start + (first + interval * self.requests as f64) as Nanos),
        }
    }

    fn send(&mut self, out: &mut Vec<u8>, at: u32, due: Nanos) {
        let round = (self.requests % (OPAQUES as u64 / self.slots.len() as u64)) as i32;
        let opaque = OPAQUE_MIN + round * self.slots.len() as i32 + at as i32;
        let queue = self.next_queue;
        self.slots[at as usize] = Slot { opaque, queue, due, is_waiting: true };
        self.stamp.due = due;
        self.frames.write(out, opaque, queue, self.stamp);
        self.stamp.sequence += self.batch;
        self.requests += 1;
        self.next_queue = if queue + 1 == self.acknowledged.len() as u32 { 0 } else { queue + 1 };
    }

    fn take(&mut self, opaque: i32) -> Option<Slot> {
        let at = opaque.checked_sub(OPAQUE_MIN)? as usize % self.slots.len();
        let slot = self.slots.get_mut(at).filter(|slot| slot.is_waiting && slot.opaque == opaque)?;
        slot.is_waiting = false;
        self.free.push(at as u32);
        Some(*slot)
    }
}

impl Load for Sender {
    fn ask(&mut self, out: &mut Vec<u8>, now: Nanos) {
        while !self.free.is_empty() {
            let due = self.due().unwrap_or(now);
            if due > now || due >= self.window.end || now < self.window.start {
                break;
            }
            let Some(at) = self.free.pop() else { break };
            self.send(out, at, due);
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
        let Some(slot) = self.take(header.opaque) else {
            return self.tally.error("answer to nothing that was asked".into());
        };
        match stored_at(&header, slot.queue, self.batch) {
            Ok(offset) => {
                self.acknowledged[slot.queue as usize].add(offset, self.batch);
                self.tally.messages_in_all += self.batch;
                if self.window.counts(now) {
                    self.tally.requests += 1;
                    self.tally.messages += self.batch;
                    self.tally.bytes += self.batch * self.body_bytes;
                    self.tally.latency.add(now.saturating_sub(slot.due));
                }
            }
            Err(what) => self.tally.error(what),
        }
    }

    fn is_done(&self, now: Nanos) -> bool {
        let all_sent = now >= self.window.end && self.due().is_none_or(|due| due >= self.window.end);
        all_sent && self.free.len() == self.slots.len()
    }

    fn has_due_times(&self) -> bool {
        matches!(self.pace, Pace::Due { .. })
    }
}

/// The queue offset that an answer tells, if everything in it is as it must be.
fn stored_at(header: &Header<'_>, queue: u32, batch: u64) -> Result<i64, String> {
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
const DUE_IN_FLIGHT_MAX: usize = 16 * 1024;
/// Bytes made in one go.
const WRITE_BYTES_MAX: usize = 256 * 1024;
