//! What can happen to a broker besides requests, and what do consumers see of it?

use crate::broker::Broker;
use crate::names;
use crate::saving;
use crate::settings::{BrokerConfig, FlushDiskType};
use crate::testing::{self, try_open_with};
use crate::waiting::preparing;
use proptest::prelude::*;
use roxmq_env::clock::Clock;
use roxmq_env::disk::{Fault, SimDisk};
use roxmq_env::randomness::Randomness;
use roxmq_protocol::body::TopicConfig;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::records;
use roxmq_store::{Filter, Patience, ReadLimits, ReadRequest, ReadStatus};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A broker that is opened again whenever it dies.
pub struct World {
    pub clock: Clock,
    sim: SimDisk,
    randomness: Randomness,
    config: BrokerConfig,
    broker: Option<Arc<Broker>>,
    /// Where the log ended at the starts since somebody asked.
    kept_to: i64,
    old_tables: Vec<(PathBuf, Vec<u8>)>,
}

/// What happens to it.
#[derive(Clone, Debug)]
pub enum Mishap {
    /// Nothing bad: the tables are written.
    Save,
    /// Nothing bad: the store does its housekeeping.
    Tick,
    /// A clean stop and a start.
    Restart,
    /// `kill -9`.
    Kill,
    /// The power goes between two steps.
    PowerCut,
    /// The power goes at the so many-th write or sync from now.
    PowerCutAt(u64),
    /// The disk fails there.
    IoErrorAt(u64),
    /// It is full there, for once.
    NoSpaceAt(u64),
    /// The machine is down for days, and what is old expires at once.
    Outage,
    /// `kill -9`, and the tables of what waits are lost.
    TablesLost,
    /// `kill -9`, and the tables of what waits are those of an earlier time.
    TablesOld,
}

/// How a broker came out of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum After {
    Well,
    /// The disk was full: something may have been refused.
    Refused,
    /// It was started again.
    Died,
}

/// Mostly harmless ones.
pub fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        3 => Just(Mishap::Save),
        3 => Just(Mishap::Tick),
        1 => Just(Mishap::Restart),
        1 => Just(Mishap::Kill),
        1 => Just(Mishap::PowerCut),
        4 => (0..5_u64).prop_map(Mishap::PowerCutAt),
        2 => (5..30_u64).prop_map(Mishap::PowerCutAt),
        1 => (0..30_u64).prop_map(Mishap::IoErrorAt),
        3 => (0..8_u64).prop_map(Mishap::NoSpaceAt),
        1 => Just(Mishap::Outage),
        1 => Just(Mishap::TablesLost),
        1 => Just(Mishap::TablesOld),
    ]
}

/// Time passes: mostly a little, now and then days.
pub fn a_while() -> impl Strategy<Value = Duration> {
    let s = 1000_u64;
    // Among them those at which something is just, or just not yet due.
    let edge = prop_oneof![Just(s - 1), Just(s), Just(6 * s - 1), Just(6 * s)];
    let ms = prop_oneof![4 => 1..10 * s, 4 => edge, 4 => 10 * s..600 * s, 2 => 600 * s..3 * 3600 * s, 1 => 3600 * s..12 * 86_400 * s];
    ms.prop_map(Duration::from_millis)
}

/// Whether messages cannot be delivered when they are due; most can.
pub fn poison() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.15)
}

/// Where messages go: to the one topic there is, or to one that no record can name.
pub fn topic(is_poison: bool) -> String {
    if is_poison { names::retry_topic(&"g".repeat(300)) } else { testing::TOPIC.to_owned() }
}

/// How the log is flushed.
pub fn flush() -> impl Strategy<Value = FlushDiskType> {
    prop_oneof![2 => Just(FlushDiskType::SyncFlush), 1 => Just(FlushDiskType::AsyncFlush)]
}

impl World {
    pub fn new(seed: u64, flush: FlushDiskType) -> World {
        let config = BrokerConfig { flush_disk_type: flush, transaction_checks_max: 3, ..testing::config() };
        let mut world = World {
            clock: Clock::manual(testing::NOW_MS),
            sim: SimDisk::new(seed),
            randomness: Randomness::seeded(seed),
            config,
            broker: None,
            kept_to: i64::MAX,
            old_tables: Vec::new(),
        };
        world.open();
        world.kept_to = i64::MAX;
        world
    }

    pub fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("it is open between steps")
    }

    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Where the log ends.
    pub fn log_end(&self) -> i64 {
        self.broker().store.watermarks().written().0
    }

    /// After the broker died: what was behind this in the log is gone. More may have been appended since.
    pub fn kept_to(&mut self) -> i64 {
        std::mem::replace(&mut self.kept_to, i64::MAX)
    }

    /// Lets it happen. Did the broker die of it?
    pub fn meet(&mut self, mishap: &Mishap) -> bool {
        match mishap {
            Mishap::Save => self.save(),
            Mishap::Tick => self.tick(),
            Mishap::PowerCutAt(operations) => self.fail_in(*operations, Fault::PowerCut),
            Mishap::IoErrorAt(operations) => self.fail_in(*operations, Fault::Io),
            Mishap::NoSpaceAt(operations) => self.fail_in(*operations, Fault::NoSpace),
            Mishap::Restart => self.end(|world, broker| {
                testing::close(broker);
                world.sim.kill();
            }),
            Mishap::Kill => self.end(|world, _| world.sim.kill()),
            Mishap::PowerCut => self.end(|world, _| world.sim.crash()),
            Mishap::Outage => {
                self.end(|world, _| {
                    world.sim.crash();
                    world.clock.advance(OUTAGE);
                });
                self.tick();
            }
            Mishap::TablesLost => self.end(|world, _| {
                world.sim.kill();
                world.sim.clear_faults();
                for table in world.tables() {
                    let _ = world.sim.disk().remove(&table);
                }
            }),
            Mishap::TablesOld => self.end(|world, _| {
                world.sim.kill();
                world.sim.clear_faults();
                for (table, bytes) in &world.old_tables {
                    world.sim.disk().replace_atomically(table, bytes).expect("writes");
                }
            }),
        }
        self.recover() == After::Died
            || !matches!(mishap, Mishap::Save | Mishap::Tick | Mishap::PowerCutAt(_) | Mishap::IoErrorAt(_) | Mishap::NoSpaceAt(_))
    }

    /// To be called after each step: starts a broker that lost its power, or whose disk failed, again. How was the step?
    pub fn recover(&mut self) -> After {
        if self.sim.is_dead() || self.broker().store.fenced().is_some() {
            self.end(|world, _| world.sim.crash());
            return After::Died;
        }
        if self.broker().store.disk_full() {
            self.broker().store.tick();
            return self.recover().max(After::Refused);
        }
        After::Well
    }

    /// No more mishaps.
    pub fn calm(&mut self) -> After {
        self.sim.clear_faults();
        self.recover()
    }

    fn fail_in(&self, operations: u64, fault: Fault) {
        self.sim.fail_at(self.sim.operations() + operations, fault);
    }

    fn end(&mut self, how: impl FnOnce(&World, Broker)) {
        let broker = self.broker.take().expect("it is open between steps");
        how(self, Arc::into_inner(broker).expect("nobody else has it"));
        self.open();
    }

    fn open(&mut self) {
        let mut failed = String::new();
        for _ in 0..FAULTS_MAX {
            match try_open_with(16 << 10, &self.sim.disk(), &self.clock, &self.randomness, self.config.clone()) {
                Ok(broker) => {
                    let broker = Arc::new(broker);
                    broker.tables.topics.add(TopicConfig { topic_name: topic(true), ..TopicConfig::default() });
                    preparing::watch(&broker);
                    self.kept_to = self.kept_to.min(broker.store.watermarks().written().0);
                    return self.broker = Some(broker);
                }
                // A fault was due while it was opened.
                Err(_) if self.sim.is_dead() => self.sim.crash(),
                Err(error) => {
                    failed = error.to_string();
                    self.sim.kill();
                }
            }
        }
        panic!("it does not start any more: {failed}");
    }

    fn save(&mut self) {
        if self.old_tables.is_empty() || self.randomness.below(4) == 0 {
            let read = |path: PathBuf| Some((path.clone(), self.sim.disk().read(&path).ok()??));
            self.old_tables = self.tables().into_iter().filter_map(read).collect();
        }
        saving::save_tables(self.broker());
    }

    fn tick(&self) {
        self.broker().store.tick();
        while preparing::prepare(self.broker()) {
            self.broker().store.tick();
        }
    }

    fn tables(&self) -> Vec<PathBuf> {
        let folder = self.config.store_root.join("config");
        let names = ["delayOffset.json", "timers.json", "transactions.json"];
        names.iter().flat_map(|name| [folder.join(name), folder.join(format!("{name}.bak"))]).collect()
    }
}

/// A message as a consumer sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub body: String,
    pub queue_offset: i64,
    pub log_offset: i64,
    pub store_ms: i64,
    pub reconsume_times: i32,
}

/// A consumer that reads everything as soon as it may, and remembers.
pub struct Reader {
    topic: String,
    queue_id: u32,
    next: i64,
    pub seen: Vec<Seen>,
    /// How often each body was seen.
    times: HashMap<String, usize>,
}

impl Reader {
    pub fn of(topic: &str, queue_id: u32) -> Reader {
        Reader { topic: topic.to_owned(), queue_id, next: 0, seen: Vec::new(), times: HashMap::new() }
    }

    /// Reads what is new. Offsets have no gap.
    pub fn read(&mut self, broker: &Broker) -> Vec<Seen> {
        let before = self.seen.len();
        loop {
            let mut bytes = Vec::new();
            let result = broker.store.read(
                &ReadRequest { topic: &self.topic, queue_id: self.queue_id, from: QueueOffset(self.next), limits: LIMITS },
                Filter::ALL,
                &mut bytes,
            );
            if result.status != ReadStatus::Found {
                return self.seen[before..].to_vec();
            }
            for record in records(&bytes).map(|record| record.expect("reads")) {
                assert_eq!(record.queue_offset.0, self.next, "{} {}: a gap", self.topic, self.queue_id);
                self.next += 1;
                let body = String::from_utf8_lossy(record.body).into_owned();
                *self.times.entry(body.clone()).or_default() += 1;
                self.seen.push(Seen {
                    body,
                    queue_offset: record.queue_offset.0,
                    log_offset: record.log_offset.0,
                    store_ms: record.store_timestamp.0,
                    reconsume_times: record.reconsume_times,
                });
            }
        }
    }

    /// The broker died and its log ends here: what was behind it was never seen. With SYNC_FLUSH there is no such thing.
    pub fn forget_behind(&mut self, log_end: i64, flush: FlushDiskType) {
        let times = &mut self.times;
        self.seen.retain(|seen| {
            let is_there = seen.log_offset < log_end;
            assert!(is_there || flush == FlushDiskType::AsyncFlush, "{} was seen, and is gone", seen.body);
            *times.entry(seen.body.clone()).or_default() -= usize::from(!is_there);
            is_there
        });
        self.next = self.seen.last().map_or(0, |last| last.queue_offset + 1);
    }

    pub fn times(&self, body: &str) -> usize {
        self.times.get(body).copied().unwrap_or(0)
    }
}

/// More than a history has.
const FAULTS_MAX: usize = 200;
const OUTAGE: Duration = Duration::from_secs(5 * 86_400);
const LIMITS: ReadLimits = ReadLimits { messages_max: 64, bytes_max: 1 << 20, scan_max: 64, patience: Patience::WaitForDisk };
