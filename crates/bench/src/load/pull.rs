//! How does one connection pull? Each cursor reads one queue with one pull at a time; every record is checked.

use crate::load::arrivals::Arrivals;
use crate::measure::clock::{Nanos, Window};
use crate::measure::tally::Tally;
use crate::wire::connection::Load;
use crate::wire::pulls::{PullAsk, write_pull};
use crate::wire::queues::Queues;
use crate::wire::slots::{OPAQUE_MIN, OPAQUES};
use crate::wire::stamp::{self, Stamp};
use roxmq_protocol::code;
use roxmq_protocol::frame::{Encoding, Frame};
use roxmq_protocol::header;
use roxmq_protocol::record::{self, Record};
use roxmq_protocol::request::{HeaderFields, PullReply};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What cursors do.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Read what is there, again from the start when the end is reached.
    Backlog,
    /// Wait at the end for what comes.
    Tail,
    /// Wait for the messages of this run, and measure how long each took.
    EndToEnd {
        /// Number of the run; messages of others are not counted.
        run: u32,
        /// How far the senders are.
        progress: Arc<Progress>,
    },
    /// Wait for timed messages and note when each arrives, until no more are expected.
    Timed(Arc<Arrivals>),
}

/// What senders and receivers of a run know of each other.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages that were acknowledged, once `sent` is set.
    pub acknowledged: AtomicU64,
    /// Messages that were received.
    pub received: AtomicU64,
    /// Whether all senders have ended.
    pub sent: AtomicBool,
}

impl Progress {
    /// Whether everything that was acknowledged has been received.
    fn is_complete(&self) -> bool {
        self.sent.load(Ordering::Acquire) && self.received.load(Ordering::Relaxed) >= self.acknowledged.load(Ordering::Relaxed)
    }
}

/// What is the same for all pullers of a run.
#[derive(Clone, Debug)]
pub struct PullerShape {
    /// How headers are written.
    pub encoding: Encoding,
    /// What is read.
    pub queues: Queues,
    /// Consumer groups, by the number that cursors know.
    pub groups: Arc<[String]>,
    /// Messages in one pull at most.
    pub count: i32,
    /// Pulls of a connection under way at a time, at most.
    pub in_flight: usize,
    /// When to pull.
    pub window: Window,
    /// What the cursors do.
    pub reading: Reading,
    /// How long the broker may hold a pull at the tail, if not as long as suits the number of pulls.
    pub hold: Option<Duration>,
}

/// Where one queue is read.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    /// The queue.
    pub queue: u32,
    /// Number of the group that reads.
    pub group: u32,
    /// Queue offset that comes next.
    pub next: i64,
    /// Where a backlog starts.
    pub start: i64,
    round: i32,
    asked_at: Option<Nanos>,
}

impl Cursor {
    /// A cursor at `next` of a queue whose first message is at `start`.
    pub fn new(queue: u32, next: i64, start: i64) -> Cursor {
        Cursor { queue, group: 0, next, start, round: 0, asked_at: None }
    }

    /// The same for another group than the first.
    pub fn of_group(self, group: u32) -> Cursor {
        Cursor { group, ..self }
    }
}

/// The pulling side of one connection.
pub struct Puller {
    shape: PullerShape,
    cursors: Vec<Cursor>,
    /// Cursors without a pull under way. They take turns.
    idle: VecDeque<usize>,
    /// What it saw.
    pub tally: Tally,
}

impl Puller {
    /// A puller with these cursors.
    pub fn new(shape: PullerShape, cursors: Vec<Cursor>) -> Puller {
        Puller { shape, idle: (0..cursors.len()).collect(), cursors, tally: Tally::default() }
    }

    /// How far its queues are read.
    pub fn cursors(&self) -> &[Cursor] {
        &self.cursors
    }

    fn hold_ms(&self) -> i64 {
        match (&self.shape.reading, self.shape.hold) {
            (Reading::Backlog, _) => 0,
            (Reading::Tail, Some(hold)) => hold.as_millis() as i64,
            // The more pulls there are, the longer each waits, or nothing but waiting would be measured.
            (Reading::Tail | Reading::EndToEnd { .. } | Reading::Timed(_), _) => {
                (HOLD_MS_MIN + self.cursors.len() as i64 / 5).min(HOLD_MS_MAX)
            }
        }
    }

    /// Whether no further pull is to be made.
    fn is_over(&self, now: Nanos) -> bool {
        match &self.shape.reading {
            Reading::Backlog | Reading::Tail => now >= self.shape.window.end,
            Reading::EndToEnd { progress, .. } => progress.is_complete(),
            Reading::Timed(arrivals) => arrivals.is_over(),
        }
    }

    /// The cursor that waits for this answer, and when it asked.
    fn waiting(&mut self, opaque: i32) -> Option<(usize, Nanos)> {
        let cursors = self.cursors.len();
        let number = opaque.checked_sub(OPAQUE_MIN)? as usize;
        let (at, round) = (number % cursors, number / cursors);
        let cursor = self.cursors.get_mut(at).filter(|cursor| cursor.round as usize == round)?;
        Some((at, cursor.asked_at.take()?))
    }

    /// Checks and counts the records of one answer. How many there were, or what is wrong with them.
    fn take_records(&mut self, at: usize, body: &[u8], now: Nanos) -> Result<u64, String> {
        let Cursor { queue, next, .. } = self.cursors[at];
        let queues = &self.shape.queues;
        let topic = queues.topic_of(queue);
        let counts = self.shape.window.counts(now);
        let mut messages = 0;
        let mut bytes = 0;
        let mut of_run = 0;
        for record in record::records(body) {
            let record = record.map_err(|error| error.to_string())?;
            let stamp = check(&record, &topic, queues.id(queue), next + messages as i64)?;
            messages += 1;
            bytes += record.body.len() as u64;
            match (&self.shape.reading, stamp) {
                (Reading::EndToEnd { run, .. }, Some(stamp)) if stamp.run == *run => {
                    of_run += 1;
                    if counts {
                        self.tally.took(now.saturating_sub(stamp.due), &self.shape.window, now);
                    }
                }
                (Reading::Timed(arrivals), Some(stamp)) => of_run += u64::from(arrivals.add(&record, stamp.run, stamp.sequence)),
                _ => {}
            }
        }
        let mine = match &self.shape.reading {
            Reading::EndToEnd { progress, .. } => {
                progress.received.fetch_add(of_run, Ordering::Relaxed);
                of_run
            }
            Reading::Timed(_) => of_run,
            Reading::Backlog | Reading::Tail => messages,
        };
        self.tally.messages_in_all += mine;
        if counts {
            self.tally.messages += mine;
            self.tally.bytes += bytes;
        }
        Ok(messages)
    }

    fn take_answer(&mut self, at: usize, frame: &Frame<'_>, asked_at: Nanos, now: Nanos) -> Result<(), String> {
        let header = header::read(frame).map_err(|error| error.to_string())?;
        let reply = |header: &header::Header<'_>| PullReply::read(&header.fields).map_err(|error| error.to_string());
        match header.code {
            code::SUCCESS => {
                let messages = self.take_records(at, frame.body, now)?;
                let reply = reply(&header)?;
                let next = self.cursors[at].next + messages as i64;
                if messages == 0 || reply.next_begin_offset != next {
                    return Err(format!("{messages} messages before the next offset {}", reply.next_begin_offset));
                }
                self.cursors[at].next = next;
                if matches!(self.shape.reading, Reading::Backlog) && next >= reply.max_offset {
                    self.cursors[at].next = self.cursors[at].start;
                }
                if self.shape.window.counts(now) {
                    self.tally.requests += 1;
                    if !matches!(self.shape.reading, Reading::EndToEnd { .. }) {
                        self.tally.took(now.saturating_sub(asked_at), &self.shape.window, now);
                    }
                }
                Ok(())
            }
            code::PULL_NOT_FOUND if matches!(self.shape.reading, Reading::Backlog) => {
                self.cursors[at].next = self.cursors[at].start;
                Err("nothing to pull".into())
            }
            code::PULL_NOT_FOUND => Ok(()),
            code::PULL_RETRY_IMMEDIATELY => {
                self.cursors[at].next = reply(&header)?.next_begin_offset;
                Ok(())
            }
            code => Err(format!("code {code}: {}", header.remark.map(|remark| remark.unescape().into_owned()).unwrap_or_default())),
        }
    }
}

impl Load for Puller {
    fn ask(&mut self, out: &mut Vec<u8>, now: Nanos) {
        if self.is_over(now) {
            return;
        }
        let hold_ms = self.hold_ms();
        let cursors = self.cursors.len() as i32;
        let rounds = OPAQUES / cursors.max(1);
        while self.cursors.len() - self.idle.len() < self.shape.in_flight
            && let Some(at) = self.idle.pop_front()
        {
            let cursor = &mut self.cursors[at];
            cursor.round = (cursor.round + 1) % rounds;
            cursor.asked_at = Some(now);
            let opaque = OPAQUE_MIN + cursor.round * cursors + at as i32;
            let (queue, offset, group) = (cursor.queue, cursor.next, cursor.group);
            let PullerShape { groups, queues, count, .. } = &self.shape;
            let group = &groups[group as usize];
            let (topic, queue) = (queues.topic_of(queue), queues.id(queue));
            write_pull(out, self.shape.encoding, opaque, &PullAsk { group, topic: &topic, queue, offset, count: *count, hold_ms });
        }
    }

    fn answer(&mut self, frame: &Frame<'_>, now: Nanos) {
        let opaque = match header::read(frame) {
            Ok(header) => header.opaque,
            Err(error) => return self.tally.error(error.to_string()),
        };
        let Some((at, asked_at)) = self.waiting(opaque) else {
            return self.tally.error("answer to no request".into());
        };
        if let Err(what) = self.take_answer(at, frame, asked_at, now) {
            self.tally.error(what);
        }
        self.idle.push_back(at);
    }

    fn is_done(&self, now: Nanos) -> bool {
        // Pulls that the broker holds are left to it; only an answer that is due at once is waited for.
        self.is_over(now) && (self.hold_ms() > 0 || self.idle.len() == self.cursors.len())
    }

    fn has_due_times(&self) -> bool {
        false
    }

    fn wakes_at(&self) -> Option<Nanos> {
        // Pulls may be held for longer than the run lasts.
        matches!(self.shape.reading, Reading::Tail).then_some(self.shape.window.end)
    }
}

/// Whether a record is the one that must stand there; its stamp, if the bench made it.
fn check(record: &Record<'_>, topic: &str, queue: u32, offset: i64) -> Result<Option<Stamp>, String> {
    if record.queue_offset.0 != offset {
        return Err("queue offset is not the next one".into());
    }
    if record.queue_id != queue || record.topic != topic {
        return Err("record of another queue".into());
    }
    if !record.body_is_intact() {
        return Err("checksum of the body is wrong".into());
    }
    if !stamp::is_marked(record.body) {
        return Ok(None);
    }
    Stamp::read(record.body).map(Some).ok_or_else(|| "body is not what was sent".into())
}

/// How long the broker may hold a pull. Short, so that the end of a run is noticed.
const HOLD_MS_MIN: i64 = 1000;
const HOLD_MS_MAX: i64 = 5000;
