//! Which goals are there, and how is each measured?

use super::figures::Metric::{self, *};
use super::special::{self, Special};

/// A figure and what it is to be.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What is measured.
    pub metric: Metric,
    /// What it is to be.
    pub goal: Goal,
}

/// What a figure is to be.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Reported without a goal.
    Reported,
}

impl Limit {
    /// Whether a value is good.
    pub fn holds(&self, value: f64) -> bool {
        match self.goal {
            Goal::AtLeast(least) => value >= least,
            Goal::AtMost(most) => value <= most,
            Goal::Reported => true,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        match self.goal {
            Goal::AtLeast(least) => format!("{} >= {}", self.metric.name(), self.metric.text(least)),
            Goal::AtMost(most) => format!("{} <= {}", self.metric.name(), self.metric.text(most)),
            Goal::Reported => format!("{} (no goal)", self.metric.name()),
        }
    }
}

impl Row {
    /// Whether its goal is a latency: then nothing else should run on the machine.
    pub fn is_of_latency(&self) -> bool {
        let is_bound = |limit: &Limit| matches!(limit.metric, P50 | P99 | P999 | Ratio) && !matches!(limit.goal, Goal::Reported);
        self.limits.iter().any(is_bound)
    }
}

/// One row of the table of goals.
pub struct Row {
    /// By what it is chosen on the command line.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// What an acknowledgement means: where the message is by then.
    pub acknowledged: &'static str,
    /// The broker's settings, besides addresses and the data folder.
    pub settings: &'static [&'static str],
    /// How it is measured.
    pub load: Load,
    /// What is looked at.
    pub limits: &'static [Limit],
}

/// How a row is measured.
pub enum Load {
    /// One run of the generator, after filling the topic for some seconds at full speed.
    Bench { fill_seconds: f64, words: &'static str },
    /// In a way of its own.
    Special(Special),
}

const fn least(metric: Metric, goal: f64) -> Limit {
    Limit { metric, goal: Goal::AtLeast(goal) }
}

const fn most(metric: Metric, goal: f64) -> Limit {
    Limit { metric, goal: Goal::AtMost(goal) }
}

const fn told(metric: Metric) -> Limit {
    Limit { metric, goal: Goal::Reported }
}

const fn bench(words: &'static str) -> Load {
    Load::Bench { fill_seconds: 0.0, words }
}

/// In the page cache: a crash of the process loses nothing, a power cut the last half second.
pub const CACHE: &str = "page cache";
/// On the disk.
pub const DISK: &str = "fdatasync";
/// Nothing is acknowledged.
const NOTHING: &str = "-";
const SYNC: &[&str] = &["flushDiskType=SYNC_FLUSH"];

/// All of them. Bodies have 1 KiB unless said; broker and generator share the cores.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    Row { name: "send-16x16", title: "send, 16 connections x 16 in flight", acknowledged: CACHE, settings: &[],
        load: bench("send -c 16 -w 16 --read-back"), limits: &[least(Rate, 350e3), most(Cpu, 2.8), told(P99), told(Stolen), told(Anonymous)] },
    Row { name: "send-1x64", title: "send, 1 x 64", acknowledged: CACHE, settings: &[],
        load: bench("send -c 1 -w 64 --read-back"), limits: &[least(Rate, 180e3), most(Cpu, 3.5)] },
    Row { name: "send-64x1", title: "send, 64 x 1", acknowledged: CACHE, settings: &[],
        load: bench("send -c 64 -w 1 --read-back"), limits: &[least(Rate, 100e3), most(Cpu, 10.0)] },
    Row { name: "send-1000x1", title: "send, 1000 x 1", acknowledged: CACHE, settings: &[],
        load: bench("send -c 1000 -w 1 --read-back"), limits: &[told(Rate), told(Cpu), told(Anonymous)] },
    Row { name: "send-1x1", title: "send, 1 x 1", acknowledged: CACHE, settings: &[],
        load: bench("send -c 1 -w 1 --read-back"), limits: &[most(P50, 150.0), most(P99, 350.0), told(Stolen)] },
    Row { name: "send-128B", title: "send 128 B, 16 x 16", acknowledged: CACHE, settings: &[],
        load: bench("send -c 16 -w 16 --body 128 --read-back"), limits: &[told(Rate), told(Cpu)] },
    Row { name: "send-16KiB", title: "send 16 KiB, 16 x 4", acknowledged: CACHE, settings: &[],
        load: bench("send -c 16 -w 4 --body 16384 --read-back"), limits: &[told(Rate), told(Cpu)] },
    Row { name: "batch", title: "send batches of 32 x 100 B, 4 x 4", acknowledged: CACHE, settings: &[],
        load: bench("send -c 4 -w 4 --batch 32 --body 100"), limits: &[least(Rate, 2e6), most(Cpu, 0.6), told(Anonymous)] },
    Row { name: "pull-tail", title: "pull 32 at a time, 8 connections, recent messages", acknowledged: NOTHING, settings: &[],
        load: Load::Bench { fill_seconds: 2.0, words: "pull -c 8 -w 1" }, limits: &[least(Rate, 1.4e6), most(Cpu, 0.7)] },
    Row { name: "pull-backlog", title: "pull 32 at a time, 8 connections, a backlog from its start", acknowledged: NOTHING, settings: &[],
        load: Load::Special(special::backlog), limits: &[least(Rate, 1.4e6), most(Cpu, 0.7), told(Stored), told(Anonymous)] },
    Row { name: "fixed-50k", title: "send at a fixed 50,000/s, 16 connections", acknowledged: CACHE, settings: &[],
        load: bench("send -c 16 --rate 50000 --read-back"), limits: &[most(P50, 200.0), most(P99, 2000.0), most(P999, 5000.0), told(Cpu), told(Stolen)] },
    Row { name: "e2e-idle", title: "end to end to an idle consumer, 1,000/s", acknowledged: CACHE, settings: &[],
        load: bench("e2e -c 1 --consumers 1 -q 1 --rate 1000 --spin"), limits: &[most(P50, 300.0), told(P99)] },
    Row { name: "sync-16x16", title: "SYNC_FLUSH, 16 x 16", acknowledged: DISK, settings: SYNC,
        load: bench("send -c 16 -w 16 --read-back"), limits: &[least(Rate, 250e3), most(Cpu, 4.0)] },
    Row { name: "sync-1x1", title: "SYNC_FLUSH, 1 x 1", acknowledged: DISK, settings: SYNC,
        load: bench("send -c 1 -w 1 --read-back"), limits: &[least(Rate, 2600.0), told(P99)] },
    Row { name: "queues", title: "1 queue, then 100,000 queues of 12,500 topics, 16 x 16", acknowledged: CACHE, settings: &[],
        load: Load::Special(special::queues), limits: &[least(Kept, 95.0), most(Files, 0.0), most(Anonymous, 120.0), most(TopicMs, 1.0), told(Cpu)] },
    Row { name: "idle", title: "idle, 5 s after the start", acknowledged: NOTHING, settings: &[],
        load: Load::Special(special::idle), limits: &[most(Anonymous, 15.0), told(FilePages), told(Cores)] },
    Row { name: "idle-connections", title: "5,000 idle connections with heartbeats", acknowledged: NOTHING, settings: &[],
        load: Load::Special(special::idle_connections), limits: &[most(Anonymous, 30.0), told(Cores)] },
    Row { name: "parked", title: "10,000 parked long polls of 15 s", acknowledged: NOTHING, settings: &[],
        load: Load::Special(special::parked), limits: &[most(Cores, 0.01), told(Anonymous)] },
    Row { name: "start-empty", title: "start on an empty folder to the first acknowledged message", acknowledged: CACHE, settings: &[],
        load: Load::Special(special::start_empty), limits: &[most(StartMs, 100.0)] },
    Row { name: "start-full", title: "start on much data in 10,000 queues, after a clean stop and after kill -9 under load", acknowledged: CACHE,
        settings: &[], load: Load::Special(special::start_full), limits: &[most(StartMs, 300.0), most(KilledMs, 300.0), told(Stored)] },
    Row { name: "overload", title: "overload: three times as much is due as 16 x 16 gives", acknowledged: CACHE, settings: &[],
        load: Load::Special(special::overload), limits: &[least(Kept, 90.0), most(P99, 1e6), told(Refused), told(Stolen), told(Anonymous)] },
    Row { name: "beside", title: "sends at 20,000/s beside a reader of the oldest data, against none", acknowledged: CACHE, settings: &[],
        load: Load::Special(special::beside), limits: &[most(Ratio, 2.0), told(P99), told(Rate), told(Stolen)] },
    Row { name: "fan-out", title: "10,000/s to 50 groups; the CPU of each delivered message", acknowledged: CACHE, settings: &[],
        load: bench("e2e -c 1 -q 8 --rate 10000 --groups 50 --consumers 8"), limits: &[most(Cpu, 1.0), told(Rate), told(P99), told(Anonymous)] },
    Row { name: "delayed", title: "send messages of a delay level, 16 x 16", acknowledged: CACHE, settings: &[],
        load: bench("send -c 16 -w 16 --delay-level 18"), limits: &[told(Rate), told(Cpu)] },
    Row { name: "transactions", title: "transactions, 16 x 16, decisions waited for, 10 % rolled back", acknowledged: CACHE, settings: &[],
        load: bench("transaction -c 16 -w 16 --wait --rollback 0.1"), limits: &[told(Rate), told(Cpu), told(Anonymous)] },
    Row { name: "soak", title: "70 % of what is taken for long; the last third of it against the first", acknowledged: CACHE,
        settings: &["retentionBytes=8GiB"],
        load: Load::Special(special::soak), limits: &[most(Ratio, 1.25), most(Growth, 5.0), told(Rate), told(P999), told(Stolen), told(Anonymous)] },
];
