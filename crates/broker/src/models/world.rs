//! What can happen to a broker, and how do its clients reach it?

use super::client::{Answered, Client};
use super::poison;
use crate::broker::Broker;
use crate::delivery::clearing;
use crate::saving;
use crate::settings::{BrokerConfig, FlushDiskType};
use crate::shard::BrokerShard;
use crate::testing::{self, try_open_with};
use crate::waiting::clearance::Outcome;
use proptest::prelude::*;
use roxmq_env::clock::Clock;
use roxmq_env::disk::{Fault, SimDisk};
use roxmq_env::randomness::Randomness;
use roxmq_protocol::body::{HeartbeatData, TopicConfig};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request::{Heartbeat, Request};
use roxmq_remoting::Received;
use roxmq_remoting::testing::TestShard;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A broker that is opened again whenever it dies, and clients that connect again then.
///
/// What clients do comes by their connections, and what is answered is all they know. What a broker does by itself when its time has
/// come (delivery, check-backs, housekeeping) is called by the models: there are no threads.
pub struct World {
    pub clock: Clock,
    sim: SimDisk,
    randomness: Randomness,
    config: BrokerConfig,
    running: Option<Running>,
    /// What each client says of itself.
    heartbeats: Vec<HeartbeatData>,
    /// Where the log ended at the starts since they were last asked for.
    kept_to: i64,
    old_tables: Vec<(PathBuf, Vec<u8>)>,
}

/// A broker and its only shard.
struct Running {
    broker: Arc<Broker>,
    shard: TestShard<BrokerShard>,
    clients: Vec<Client>,
}

/// One of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who(usize);

/// The client that is there from the start, and a member of no group.
pub const ANYONE: Who = Who(0);

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
            running: None,
            heartbeats: vec![HeartbeatData::default()],
            kept_to: i64::MAX,
            old_tables: Vec::new(),
        };
        world.open();
        world.kept_to = i64::MAX;
        world
    }

    pub fn broker(&self) -> &Broker {
        &self.running().broker
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it is open between steps")
    }

    /// One more client, which says this of itself now and whenever it connects again.
    pub fn join(&mut self, heartbeat: HeartbeatData) -> Who {
        let who = Who(self.heartbeats.len());
        self.heartbeats.push(HeartbeatData::default());
        self.connect(who);
        self.beat(who, heartbeat);
        who
    }

    /// The client says something else of itself from now on.
    pub fn beat(&mut self, who: Who, heartbeat: HeartbeatData) {
        self.ask(who, &Heartbeat {}, &json::to_vec(&heartbeat, Dialect::Fastjson)).expect_success();
        self.heartbeats[who.0] = heartbeat;
    }

    /// The client's connection breaks, and it connects again.
    pub fn connect_again(&mut self, who: Who) {
        let running = self.running.as_mut().expect("it is open between steps");
        running.clients.swap_remove(who.0).close(&running.shard);
        self.connect(who);
        self.beat(who, self.heartbeats[who.0].clone());
    }

    fn connect(&mut self, who: Who) {
        let running = self.running.as_mut().expect("it is open between steps");
        running.clients.push(Client::connect(&running.shard, who.0));
        let last = running.clients.len() - 1;
        running.clients.swap(who.0, last);
    }

    /// What a client's request is answered with.
    pub fn ask<'a, R: Request<'a>>(&self, who: Who, request: &R, body: &[u8]) -> Answered {
        self.ask_together(who, std::iter::once((request, body))).remove(0)
    }

    /// What requests are answered with that a client sends without waiting in between.
    ///
    /// The store has no thread that flushes: it is flushed while an answer is owed, and only then.
    pub fn ask_together<'a, 'b, R: Request<'a> + 'b>(&self, who: Who, requests: impl Iterator<Item = (&'b R, &'b [u8])>) -> Vec<Answered> {
        let Running { broker, shard, clients } = self.running();
        let client = &clients[who.0];
        let asked = client.send(shard, requests);
        for _ in 0..TURNS_MAX {
            shard.turn();
            if let Some(answers) = client.answers(asked.clone()) {
                return answers;
            }
            // One that fails closes the store, and the answer says so.
            let _ = broker.store.flush();
        }
        panic!("{} is not answered", R::NAME)
    }

    /// The requests of the broker that a client got since this was asked last.
    pub fn heard(&self, who: Who) -> Vec<Received> {
        let Running { shard, clients, .. } = self.running();
        shard.turn();
        clients[who.0].heard()
    }

    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Writes and syncs so far.
    pub fn operations(&self) -> u64 {
        self.sim.operations()
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
        let Running { broker, shard, clients } = self.running.take().expect("it is open between steps");
        drop((clients, shard));
        how(self, Arc::into_inner(broker).expect("the only reference"));
        self.open();
    }

    fn open(&mut self) {
        let mut failed = String::new();
        for _ in 0..FAULTS_MAX {
            match try_open_with(16 << 10, &self.sim.disk(), &self.clock, &self.randomness, self.config.clone()) {
                Ok(broker) => {
                    let broker = Arc::new(broker);
                    broker.tables.topics.add(TopicConfig { topic_name: poison::topic(), ..TopicConfig::default() });
                    clearing::watch(&broker);
                    self.kept_to = self.kept_to.min(broker.store.watermarks().written().0);
                    return self.serve(broker);
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

    /// Lets the clients connect again.
    fn serve(&mut self, broker: Arc<Broker>) {
        let shard = TestShard::new(|handle| BrokerShard::new(Arc::clone(&broker), handle));
        let clients = (0..self.heartbeats.len()).map(|number| Client::connect(&shard, number)).collect();
        self.running = Some(Running { broker, shard, clients });
        for (number, heartbeat) in self.heartbeats.clone().into_iter().enumerate().skip(1) {
            self.beat(Who(number), heartbeat);
        }
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
        while clearing::clear(self.broker()) == Outcome::Cleared {
            self.broker().store.tick();
        }
    }

    fn tables(&self) -> Vec<PathBuf> {
        let folder = self.config.store_root.join("config");
        let names = ["delayOffset.json", "timers.json", "transactions.json"];
        names.iter().flat_map(|name| [folder.join(name), folder.join(format!("{name}.bak"))]).collect()
    }
}

/// More than a history has.
const FAULTS_MAX: usize = 200;
/// A send to a new topic takes a turn for the topic, one for the message and one for the flush.
const TURNS_MAX: usize = 4;
const OUTAGE: Duration = Duration::from_secs(5 * 86_400);
