//! How is the broker loaded?
//!
//! With producers that keep many messages under way, producers of delayed and transactional messages, consumers that commit.
//!
//! All of them go on until the broker is gone or says no for good, and report every acknowledgement, every read and every refusal.

use crate::rig::broker::Broker;
use crate::rig::client::{CONSUMERS, Client, PRODUCERS, Send, pulled};
use crate::torture::ledger::Fact;
use crate::torture::messages::{self, LATE_WRITER, QUEUES, Queue, TOPICS};
use fastrand::Rng;
use roxmq_protocol::batch_body::{BatchItem, put_batch_item};
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::record::records;
use roxmq_protocol::request::{EndTransaction, UpdateConsumerOffset};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much there is to do.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Producers of plain messages.
    pub writers: u64,
    /// Consumers.
    pub readers: u64,
    /// Are there delayed and transactional messages?
    pub late: bool,
    /// Requests of a producer under way.
    pub in_flight: usize,
}

/// The usual one.
pub const SHAPE: Shape = Shape { writers: 3, readers: 2, late: true, in_flight: 24 };

/// A workload that runs.
pub struct Load {
    /// What becomes known.
    pub facts: Receiver<Fact>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts it. `life` numbers the broker's lives: every message has another id.
    pub fn start(broker: &Broker, life: u64, shape: Shape, random: &mut Rng) -> Result<Load, String> {
        let (sender, facts) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for writer in 0..shape.writers {
            let (client, sender, random, stop) = (broker.connect()?, sender.clone(), random.fork(), Arc::clone(&stop));
            let writer = Writer { client, random, facts: sender, stop, life, writer, number: 0, waiting: HashMap::new() };
            threads.push(std::thread::spawn(move || writer.run(shape.in_flight)));
        }
        if shape.late {
            let (client, sender, random, stop) = (broker.connect()?, sender.clone(), random.fork(), Arc::clone(&stop));
            let mut late = Late { client, random, facts: sender, life, number: 0 };
            threads.push(std::thread::spawn(move || while !stop.load(Ordering::Relaxed) && late.step().is_ok() {}));
        }
        for _ in 0..shape.readers {
            let (client, sender, random, stop) = (broker.connect()?, sender.clone(), random.fork(), Arc::clone(&stop));
            let mut reader = Reader { client, random, facts: sender, next: HashMap::new() };
            threads.push(std::thread::spawn(move || while !stop.load(Ordering::Relaxed) && reader.step().is_ok() {}));
        }
        Ok(Load { facts, stop, threads })
    }

    /// Takes in facts until there were this many acknowledgements, or the time is over.
    pub fn run(&self, acknowledgements: usize, time: Duration, mut learn: impl FnMut(Fact)) -> usize {
        let deadline = Instant::now() + time;
        let mut seen = 0;
        while seen < acknowledgements {
            let Ok(fact) = self.facts.recv_timeout(deadline.saturating_duration_since(Instant::now())) else { break };
            seen += usize::from(!matches!(fact, Fact::Committed { .. } | Fact::There { seen_only: true, .. } | Fact::Refused { .. }));
            learn(fact);
        }
        seen
    }

    /// Waits until all threads have noticed that the broker is gone, or stops them, and takes in what became known.
    pub fn finish(self, mut learn: impl FnMut(Fact)) -> Result<(), String> {
        self.stop.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.facts.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(fact) => learn(fact),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => return Err("the workload does not end".to_owned()),
            }
        }
        self.threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "the workload panicked".to_owned()))
    }
}

/// What waits for an acknowledgement: where it goes, and id and hash of each message.
type Waiting = (Queue, Vec<(u64, u32)>);

struct Writer {
    client: Client,
    random: Rng,
    facts: Sender<Fact>,
    stop: Arc<AtomicBool>,
    life: u64,
    writer: u64,
    number: u64,
    waiting: HashMap<i32, Waiting>,
}

impl Writer {
    fn run(mut self, in_flight: usize) {
        loop {
            let mut frames = Vec::new();
            while self.waiting.len() < in_flight && !self.stop.load(Ordering::Relaxed) {
                self.put(&mut frames);
            }
            if self.waiting.is_empty() {
                return;
            }
            if self.client.write(&frames).is_err() {
                // Answers may still lie in the socket: what was acknowledged counts although the broker is gone.
                while self.take().is_ok() {}
                return;
            }
            for _ in 0..self.random.usize(1..=in_flight) {
                if self.waiting.is_empty() {
                    break;
                }
                if self.take().is_err() {
                    return;
                }
            }
        }
    }

    fn put(&mut self, frames: &mut Vec<u8>) {
        let queue = (self.random.usize(..TOPICS.len()), self.random.u32(..QUEUES));
        let count = if self.random.u8(..6) == 0 { self.random.usize(2..12) } else { 1 };
        let mut messages = Vec::new();
        let mut items = Vec::new();
        for _ in 0..count {
            let id = messages::id(self.life, self.writer, self.number);
            self.number += 1;
            let body = body(id, b'P', &mut self.random);
            let properties = properties(id);
            messages.push((id, messages::hash(&body)));
            if count == 1 {
                let send = Send { topic: TOPICS[queue.0], queue: queue.1, properties: &properties, body: &body, is_batch: false };
                let opaque = self.client.put_send(frames, &send);
                self.waiting.insert(opaque, (queue, messages));
                return;
            }
            // Bodies and properties are far below what a batch can hold.
            let _ = put_batch_item(&mut items, BatchItem { flag: 0, body: &body, properties: &properties });
        }
        let send = Send { topic: TOPICS[queue.0], queue: queue.1, properties: "WAIT\u{1}true\u{2}", body: &items, is_batch: true };
        let opaque = self.client.put_send(frames, &send);
        self.waiting.insert(opaque, (queue, messages));
    }

    fn take(&mut self) -> io::Result<()> {
        let answer = self.client.next()?;
        let Some((queue, messages)) = self.waiting.remove(&answer.opaque) else { return Ok(()) };
        if answer.code != 0 {
            // Once the run is over there is no listener.
            let _ = self.facts.send(Fact::Refused { code: answer.code, remark: answer.remark });
            // A broker that refuses would be asked thousands of times a second.
            std::thread::sleep(Duration::from_millis(2));
            return Ok(());
        }
        let first = answer.number("queueOffset").unwrap_or(-1);
        let ids = answer.field("msgId").unwrap_or_default().split(',').map(|id| MessageId::parse(id).map(|id| id.log_offset.0));
        let when = Instant::now();
        for ((offset, (id, hash)), log_offset) in (first..).zip(messages).zip(ids) {
            let _ = self.facts.send(Fact::There { queue, offset, hash, id, seen_only: false, log_offset, when });
        }
        Ok(())
    }
}

/// Sends delayed messages and transactions, one after the other.
struct Late {
    client: Client,
    random: Rng,
    facts: Sender<Fact>,
    life: u64,
    number: u64,
}

impl Late {
    fn step(&mut self) -> io::Result<()> {
        let id = messages::id(self.life, LATE_WRITER, self.number);
        self.number += 1;
        let queue = (self.random.usize(..TOPICS.len()), self.random.u32(..QUEUES));
        let body = body(id, b'L', &mut self.random);
        let is_delayed = self.random.bool();
        let mark = match is_delayed {
            true => "DELAY\u{1}1\u{2}DELAYED\u{1}1\u{2}".to_owned(),
            false => format!("TRAN_MSG\u{1}true\u{2}PGROUP\u{1}{PRODUCERS}\u{2}"),
        };
        let properties = properties(id) + &mark;
        let mut frames = Vec::new();
        let send = Send { topic: TOPICS[queue.0], queue: queue.1, properties: &properties, body: &body, is_batch: false };
        let opaque = self.client.put_send(&mut frames, &send);
        self.client.write(&frames)?;
        let stored = loop {
            let answer = self.client.next()?;
            if answer.opaque == opaque {
                break answer;
            }
        };
        if stored.code != 0 {
            let _ = self.facts.send(Fact::Refused { code: stored.code, remark: stored.remark });
            std::thread::sleep(Duration::from_millis(2));
            return Ok(());
        }
        if is_delayed {
            let _ = self.facts.send(Fact::Comes { id, when: Instant::now() });
            return Ok(());
        }
        let half = stored.field("msgId").and_then(MessageId::parse).map_or(0, |id| id.log_offset.0);
        let commits = self.random.u8(..3) > 0;
        let decision = EndTransaction {
            topic: Some(TOPICS[queue.0].into()),
            producer_group: PRODUCERS.into(),
            tran_state_table_offset: stored.number("queueOffset").unwrap_or(-1),
            commit_log_offset: half,
            commit_or_rollback: if commits { COMMIT } else { ROLLBACK },
            from_transaction_check: false,
            msg_id: None,
            transaction_id: None,
        };
        if !commits {
            // Whatever becomes of the decision, this message must not be delivered.
            let _ = self.facts.send(Fact::NeverComes { id });
        }
        let decided = self.client.call(&decision, b"")?;
        match decided.code {
            0 if commits => drop(self.facts.send(Fact::Comes { id, when: Instant::now() })),
            0 => {}
            code => drop(self.facts.send(Fact::Refused { code, remark: decided.remark })),
        }
        Ok(())
    }
}

struct Reader {
    client: Client,
    random: Rng,
    facts: Sender<Fact>,
    next: HashMap<Queue, i64>,
}

impl Reader {
    fn step(&mut self) -> io::Result<()> {
        let queue = (self.random.usize(..TOPICS.len()), self.random.u32(..QUEUES));
        let from = self.next.get(&queue).copied().unwrap_or(0);
        let answer = self.client.pull(TOPICS[queue.0], queue.1, from, 20)?;
        let Some(next) = pulled(&answer) else { return Ok(()) };
        for record in records(&answer.body).flatten() {
            let Some((id, _)) = messages::id_in(record.body) else { continue };
            let _ = self.facts.send(Fact::There {
                queue,
                offset: record.queue_offset.0,
                hash: messages::hash(record.body),
                id,
                seen_only: true,
                log_offset: Some(record.log_offset.0),
                when: Instant::now(),
            });
        }
        self.next.insert(queue, next);
        // Said before it is asked: a commit whose answer never came may have been taken.
        let _ = self.facts.send(Fact::Committed { queue, offset: next });
        let commit = UpdateConsumerOffset {
            consumer_group: CONSUMERS.into(),
            topic: TOPICS[queue.0].into(),
            queue_id: queue.1 as i32,
            commit_offset: next,
        };
        self.client.call(&commit, b"").map(drop)
    }
}

fn properties(id: u64) -> String {
    format!(
        "UNIQ_KEY\u{1}{}\u{2}KEYS\u{1}{}\u{2}TAGS\u{1}T{}\u{2}WAIT\u{1}true\u{2}",
        messages::unique_key(id),
        messages::shared_key(id),
        id % 3
    )
}

/// Mostly of one size, so that what an earlier life left behind the end of the log begins where a new record ends; sometimes large.
fn body(id: u64, kind: u8, random: &mut Rng) -> Vec<u8> {
    let bytes = match random.u8(..100) {
        0 => random.usize(1..100_000),
        1..15 => random.usize(1..6_000),
        15..35 => random.usize(1..500),
        _ => 200,
    };
    let mut body = id.to_be_bytes().to_vec();
    body.push(kind);
    body.resize(9 + bytes, 0);
    random.fill(&mut body[9..]);
    body
}

const COMMIT: i32 = 8;
const ROLLBACK: i32 = 12;
