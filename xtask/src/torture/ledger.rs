//! What must be in the broker, and is it? Every acknowledgement and every read is written down here; after each fault all of it is read
//! back and compared.

use crate::rig::client::{CONSUMERS, Client};
use crate::torture::messages::{DELAY_MS, Queue, TOPICS, hash, id_in, is_pending, life_of, queues, shared_key, unique_key};
use fastrand::Rng;
use roxmq_protocol::record::records;
use roxmq_protocol::request::{MaxOffset, QueryConsumerOffset};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

/// What became known while the broker was loaded.
pub enum Fact {
    /// A message was acknowledged, or seen by a reader, at this place.
    There { queue: Queue, offset: i64, hash: u32, id: u64, seen_only: bool, log_offset: Option<i64>, when: Instant },
    /// A delayed message, or the commit of a transaction, was acknowledged: the message appears sooner or later.
    Comes { id: u64, when: Instant },
    /// A transaction was rolled back: its message never appears.
    NeverComes { id: u64 },
    /// A group's offset was committed.
    Committed { queue: Queue, offset: i64 },
    /// A send was refused.
    Refused { code: i32, remark: String },
}

/// Something that must not be.
pub type Violation = String;

#[derive(Clone, Debug)]
struct Known {
    hash: u32,
    id: u64,
    log_offset: Option<i64>,
    when: Instant,
}

/// What was read back at a place.
struct Found {
    hash: u32,
    log_offset: i64,
}

/// The oracle.
#[derive(Default)]
pub struct Ledger {
    known: BTreeMap<(Queue, i64), Known>,
    coming: HashMap<u64, Instant>,
    barred: HashSet<u64>,
    /// All that was there at the last look: what was sent before and was not there then must not be there later.
    there: HashSet<u64>,
    looks: u64,
    committed: HashMap<Queue, i64>,
    /// The broker's clock jumps, so its times say nothing about how long something waited.
    clock_jumps: bool,
    /// When the last harm was done.
    pub harmed: Option<Instant>,
    /// Acknowledgements so far.
    pub acknowledged: u64,
    /// Messages compared so far.
    pub compared: u64,
}

/// What a power cut may take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayLose {
    /// Nothing that was acknowledged or read.
    Nothing,
    /// The newest, acknowledged shortly before this.
    SuffixSince(Instant),
}

/// What a look found.
#[derive(Default)]
pub struct Looked {
    /// What must not be.
    pub violations: Vec<Violation>,
    /// Acknowledged and lost, where that is allowed.
    pub lost: u64,
    /// How long before the fault the oldest of the lost was acknowledged, in ms.
    pub lost_age_ms: u64,
}

fn since(harmed: Option<Instant>, when: Instant) -> String {
    match harmed {
        Some(harmed) if when > harmed => format!(", acknowledged {:?} after the harm", when - harmed),
        Some(harmed) => format!(", acknowledged {:?} before the harm", harmed - when),
        None => String::new(),
    }
}

impl Ledger {
    /// One for a broker whose clock jumps.
    pub fn of_a_jumping_clock() -> Ledger {
        Ledger { clock_jumps: true, ..Ledger::default() }
    }

    /// Takes a fact in.
    pub fn learn(&mut self, fact: Fact, violations: &mut Vec<Violation>) {
        match fact {
            Fact::There { queue, offset, hash, id, seen_only, log_offset, when } => {
                self.acknowledged += u64::from(!seen_only);
                let known = self.known.entry((queue, offset)).or_insert(Known { hash, id, log_offset, when });
                if known.hash != hash {
                    violations.push(format!("two messages at {queue:?} {offset}: {:x} and {id:x}", known.id));
                }
                known.log_offset = known.log_offset.or(log_offset);
            }
            Fact::Comes { id, when } => {
                self.acknowledged += 1;
                self.coming.insert(id, when);
            }
            Fact::NeverComes { id } => {
                self.acknowledged += 1;
                self.barred.insert(id);
            }
            Fact::Committed { queue, offset } => {
                let most = self.committed.entry(queue).or_default();
                *most = offset.max(*most);
            }
            Fact::Refused { .. } => {}
        }
    }

    /// Reads everything back. `life` is the life of the broker that has just ended; `all_due` says that what comes later must have come.
    pub fn look(&mut self, client: &mut Client, life: u64, may_lose: MayLose, all_due: bool, random: &mut Rng) -> Result<Looked, String> {
        let mut looked = Looked::default();
        let mut there: HashMap<u64, (Queue, i64)> = HashMap::new();
        let mut found: HashMap<(Queue, i64), Found> = HashMap::new();
        let mut ends = HashMap::new();
        for queue in queues() {
            let (topic, mut next) = (TOPICS[queue.0], 0);
            let violations = &mut looked.violations;
            let request = MaxOffset { topic: topic.into(), queue_id: queue.1 as i32 };
            let max = client.call(&request, b"").map_err(|error| format!("max offset: {error}"))?.number("offset").unwrap_or(0);
            client.read_queue(topic, queue.1, |record| {
                let offset = record.queue_offset.0;
                if (record.topic, record.queue_id) != (topic, queue.1) || !record.body_is_intact() {
                    violations.push(format!("{queue:?} {offset} serves another queue's or a damaged record"));
                }
                if offset != next {
                    violations.push(format!("{queue:?} goes on with {offset} after {next}: a gap or a repetition"));
                }
                next = offset + 1;
                found.insert((queue, offset), Found { hash: hash(record.body), log_offset: record.log_offset.0 });
                let Some((id, _)) = id_in(record.body) else {
                    return violations.push(format!("{queue:?} {offset} has a body that was never sent"));
                };
                if let Some(before) = there.insert(id, (queue, offset)) {
                    violations.push(format!(
                        "message {id:x} is there twice: {before:?} and {queue:?} {offset}, stored at {}",
                        record.store_timestamp.0
                    ));
                }
                if !self.clock_jumps
                    && record.properties().find("DELAYED").is_some()
                    && record.store_timestamp.ms_since(record.born_timestamp) < DELAY_MS
                {
                    violations
                        .push(format!("delayed message {id:x} came after {} ms", record.store_timestamp.ms_since(record.born_timestamp)));
                }
            })?;
            // Delayed messages may come meanwhile, so there may be more than there was said to be.
            if max > next {
                looked.violations.push(format!("{queue:?} ends at {max} and can be read up to {next}"));
            }
            ends.insert(queue, next);
        }
        self.compared += found.len() as u64;
        self.compare(&found, may_lose, &mut looked);
        self.compare_coming(&there, may_lose, all_due, &mut looked);
        for (id, place) in &there {
            let is_late = life_of(*id) < life && !self.there.contains(id) && self.looks > 0;
            if is_late && !self.coming.contains_key(id) && !is_pending(*id) {
                looked.violations.push(format!("message {id:x} of an earlier life, which was gone, is there again at {place:?}"));
            }
        }
        self.there = there.keys().copied().collect();
        self.looks += 1;
        self.check_offsets(client, &ends, &mut looked)?;
        self.check_queries(client, random, &mut looked)?;
        Ok(looked)
    }

    /// What was acknowledged and is not at its place.
    pub fn missing(&self, client: &mut Client) -> Result<Vec<Violation>, String> {
        let mut found = HashMap::new();
        let firsts = queues().map(|queue| (queue, self.known.range((queue, 0)..=(queue, i64::MAX)).next().map(|((_, first), _)| *first)));
        for (queue, first) in firsts.filter_map(|(queue, first)| Some((queue, first?))).collect::<Vec<_>>() {
            client.read_queue_from(TOPICS[queue.0], queue.1, first, |record| {
                found.insert((queue, record.queue_offset.0), hash(record.body));
            })?;
        }
        let missing = self.known.iter().filter(|(at, known)| found.get(at) != Some(&known.hash));
        Ok(missing.map(|(at, known)| format!("{:?} {}, message {:x}", at.0, at.1, known.id)).collect())
    }

    fn compare(&mut self, found: &HashMap<(Queue, i64), Found>, may_lose: MayLose, looked: &mut Looked) {
        let mut lost = Vec::new();
        let mut kept_up_to = (0, String::new());
        for (at, known) in &mut self.known {
            match found.get(at) {
                Some(there) if there.hash == known.hash => match known.log_offset {
                    // Its delivery was lost and made again, at the same place of its queue but not of the log.
                    Some(before) if before != there.log_offset && matches!(may_lose, MayLose::SuffixSince(_)) && is_pending(known.id) => {
                        known.log_offset = Some(there.log_offset);
                    }
                    Some(before) if before != there.log_offset => looked.violations.push(format!(
                        "{:?} {}, message {:x}, was at {before} of the log and is at {}",
                        at.0, at.1, known.id, there.log_offset
                    )),
                    // One that was delivered again may by chance lie where it had been.
                    Some(before) if before > kept_up_to.0 && !is_pending(known.id) => {
                        kept_up_to = (before, format!("{:?} {}, message {:x}", at.0, at.1, known.id))
                    }
                    _ => {}
                },
                // What was lost may have left its place to another already.
                Some(_) if matches!(may_lose, MayLose::SuffixSince(_)) => lost.push(*at),
                Some(_) => looked.violations.push(format!("{:?} {} holds another message than {:x}", at.0, at.1, known.id)),
                None => lost.push(*at),
            }
        }
        for at in lost {
            let Some(known) = self.known.remove(&at) else { continue };
            match may_lose {
                MayLose::Nothing => {
                    looked.violations.push(format!("LOST: {:?} {}, message {:x}{}", at.0, at.1, known.id, since(self.harmed, known.when)));
                }
                MayLose::SuffixSince(since) => {
                    looked.lost += 1;
                    let age = since.saturating_duration_since(known.when).as_millis() as u64;
                    looked.lost_age_ms = looked.lost_age_ms.max(age);
                    if let Some(log_offset) = known.log_offset.filter(|log_offset| *log_offset < kept_up_to.0) {
                        looked.violations.push(format!(
                            "LOST: {:?} {}, message {:x}, at {log_offset} of the log, and at {} there is {}",
                            at.0, at.1, known.id, kept_up_to.0, kept_up_to.1
                        ));
                    }
                    if age > ASYNC_WINDOW_MS {
                        looked.violations.push(format!("LOST: {:?} {}, acknowledged {age} ms before the cut", at.0, at.1));
                    }
                }
            }
        }
    }

    fn compare_coming(&mut self, there: &HashMap<u64, (Queue, i64)>, may_lose: MayLose, all_due: bool, looked: &mut Looked) {
        for id in self.barred.iter().filter(|id| there.contains_key(id)) {
            looked.violations.push(format!("message {id:x} was rolled back and is there"));
        }
        if let MayLose::SuffixSince(since) = may_lose {
            // It may be lost; one older than the window may not, which `all_due` shows at the end.
            self.coming
                .retain(|id, when| there.contains_key(id) || since.saturating_duration_since(*when).as_millis() as u64 > ASYNC_WINDOW_MS);
        }
        if all_due {
            for id in self.coming.keys().filter(|id| !there.contains_key(id)) {
                looked.violations.push(format!("LOST: message {id:x}, delayed or committed, never came"));
            }
        }
    }

    fn check_offsets(&mut self, client: &mut Client, ends: &HashMap<Queue, i64>, looked: &mut Looked) -> Result<(), String> {
        for queue in queues() {
            let request = QueryConsumerOffset {
                consumer_group: CONSUMERS.into(),
                topic: TOPICS[queue.0].into(),
                queue_id: queue.1 as i32,
                set_zero_if_not_found: Some(false),
            };
            let answer = client.call(&request, b"").map_err(|error| format!("committed offset: {error}"))?;
            let Some(offset) = answer.number("offset").filter(|_| answer.code == 0) else { continue };
            let end = ends.get(&queue).copied().unwrap_or(0);
            if offset > end {
                looked.violations.push(format!("{queue:?} ends at {end} and the group is at {offset}"));
            }
            if self.committed.get(&queue).is_none_or(|committed| offset > *committed) {
                looked.violations.push(format!("the group is at {offset} of {queue:?}, and committed {:?}", self.committed.get(&queue)));
            }
        }
        Ok(())
    }

    fn check_queries(&mut self, client: &mut Client, random: &mut Rng, looked: &mut Looked) -> Result<(), String> {
        let all: Vec<_> = self.known.iter().collect();
        for _ in 0..QUERIES.min(all.len()) {
            let ((queue, offset), known) = all[random.usize(..all.len())];
            for (key, unique) in [(unique_key(known.id), true), (shared_key(known.id), false)] {
                let found = client.query(TOPICS[queue.0], &key, unique)?;
                if !records(&found).flatten().any(|record| record.queue_offset.0 == *offset && record.queue_id == queue.1) {
                    looked.violations.push(format!("{queue:?} {offset} is not found by its key {key}"));
                }
            }
        }
        Ok(())
    }
}

/// The flush interval of 500 ms, and as much for the flush itself, which the machine's other work may hold up.
pub const ASYNC_WINDOW_MS: u64 = 1000;
const QUERIES: usize = 6;
