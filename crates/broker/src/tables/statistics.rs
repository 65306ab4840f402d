//! How much moved, for topics, groups and the broker: over the last minute, hour and day (Java's `BrokerStatsManager`, `StatsItem`).

use parking_lot::{Mutex, RwLock};
use roxmq_protocol::body::{BrokerStatsData, BrokerStatsItem};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What moves, and is counted in messages and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// Stored, by topic.
    Puts,
    /// Pulled, by topic and group with an `@` between them.
    Gets,
    /// Given back by consumers, by topic and group as well.
    SendBacks,
    /// Stored by the broker, by the name of its cluster.
    BrokerPuts,
    /// Pulled from the broker, by the name of its cluster.
    BrokerGets,
}

/// How many kinds there are.
const KINDS: usize = Moved::BrokerGets as usize + 1;

/// In what something that moved is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Messages,
    Bytes,
}

/// One of the figures that tools ask for with code 315.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistic(Moved, Unit);

impl Statistic {
    /// Messages stored in a topic.
    pub const TOPIC_PUT_NUMS: Statistic = Statistic(Moved::Puts, Unit::Messages);
    /// Messages of a topic that a group pulled.
    pub const GROUP_GET_NUMS: Statistic = Statistic(Moved::Gets, Unit::Messages);

    const ALL: [(&'static str, Statistic); 7] = [
        ("TOPIC_PUT_NUMS", Self::TOPIC_PUT_NUMS),
        ("TOPIC_PUT_SIZE", Statistic(Moved::Puts, Unit::Bytes)),
        ("GROUP_GET_NUMS", Self::GROUP_GET_NUMS),
        ("GROUP_GET_SIZE", Statistic(Moved::Gets, Unit::Bytes)),
        ("SNDBCK_PUT_NUMS", Statistic(Moved::SendBacks, Unit::Messages)),
        ("BROKER_PUT_NUMS", Statistic(Moved::BrokerPuts, Unit::Messages)),
        ("BROKER_GET_NUMS", Statistic(Moved::BrokerGets, Unit::Messages)),
    ];

    /// By the name that tools use.
    pub fn named(name: &str) -> Option<Statistic> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, statistic)| *statistic)
    }
}

/// One count: how often, and how much in all. Messages and bytes are one, so that a message is looked up once to be counted.
#[derive(Default)]
pub struct Counter {
    messages: AtomicU64,
    bytes: AtomicU64,
    times: AtomicU64,
    windows: Mutex<Windows>,
}

impl Counter {
    /// Counts one occasion.
    pub fn add(&self, messages: u64, bytes: u64) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.times.fetch_add(1, Ordering::Relaxed);
    }

    fn sample(&self, now: Duration) -> Sample {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Sample { at: now, messages: of(&self.messages), bytes: of(&self.bytes), times: of(&self.times) }
    }
}

#[derive(Clone, Copy, Default)]
struct Sample {
    at: Duration,
    messages: u64,
    bytes: u64,
    times: u64,
}

impl Sample {
    fn sum(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Messages => self.messages,
            Unit::Bytes => self.bytes,
        }
    }
}

#[derive(Default)]
struct Windows {
    minute: VecDeque<Sample>,
    hour: VecDeque<Sample>,
    day: VecDeque<Sample>,
}

/// How often each window takes a sample, and how many it keeps (one more than its intervals).
const MINUTE: (Duration, usize) = (Duration::from_secs(10), 7);
const HOUR: (Duration, usize) = (Duration::from_secs(600), 7);
const DAY: (Duration, usize) = (Duration::from_secs(3600), 25);

fn push(window: &mut VecDeque<Sample>, (every, keep): (Duration, usize), sample: Sample) {
    // Half a second of slack: a sampler that wakes a little early must not skip a whole interval.
    let slack = Duration::from_millis(500);
    if window.back().is_none_or(|last| sample.at + slack >= last.at + every) {
        window.push_back(sample);
        if window.len() > keep {
            window.pop_front();
        }
    }
}

fn over(window: &VecDeque<Sample>, now: Sample, unit: Unit) -> BrokerStatsItem {
    let Some(first) = window.front() else { return BrokerStatsItem::default() };
    let sum = now.sum(unit) - first.sum(unit);
    let seconds = (now.at.saturating_sub(first.at)).as_secs_f64();
    let times = now.times - first.times;
    BrokerStatsItem {
        avgpt: if times > 0 { sum as f64 / times as f64 } else { 0.0 },
        sum: sum as i64,
        tps: if seconds > 0.0 { sum as f64 / seconds } else { 0.0 },
    }
}

/// All counters.
#[derive(Default)]
pub struct Statistics {
    /// By what moved, as numbered, and key.
    counters: RwLock<[HashMap<String, Arc<Counter>>; KINDS]>,
    /// How often counters were dropped: whoever holds one has to look for another.
    forgotten: AtomicU64,
}

impl Statistics {
    /// The counter, made when it is asked for first.
    pub fn counter(&self, moved: Moved, key: &str) -> Arc<Counter> {
        if let Some(counter) = self.counters.read()[moved as usize].get(key) {
            return Arc::clone(counter);
        }
        Arc::clone(self.counters.write()[moved as usize].entry(key.to_owned()).or_default())
    }

    /// Counts one occasion.
    pub fn add(&self, moved: Moved, key: &str, messages: u64, bytes: u64) {
        // Usually it is there, and is not cloned: shards that count the same would take turns at its reference count.
        let counters = self.counters.read();
        if let Some(counter) = counters[moved as usize].get(key) {
            return counter.add(messages, bytes);
        }
        drop(counters);
        self.counter(moved, key).add(messages, bytes);
    }

    /// Takes the samples; called every 10 s with the time since the broker started.
    pub fn sample(&self, now: Duration) {
        for counter in self.counters.read().iter().flat_map(HashMap::values) {
            let sample = counter.sample(now);
            let mut windows = counter.windows.lock();
            push(&mut windows.minute, MINUTE, sample);
            push(&mut windows.hour, HOUR, sample);
            push(&mut windows.day, DAY, sample);
        }
    }

    /// The figures of one counter, if it was ever used.
    pub fn figures(&self, statistic: Statistic, key: &str, now: Duration) -> Option<BrokerStatsData> {
        let Statistic(moved, unit) = statistic;
        let counter = self.counters.read()[moved as usize].get(key).cloned()?;
        let sample = counter.sample(now);
        let windows = counter.windows.lock();
        Some(BrokerStatsData {
            stats_day: over(&windows.day, sample, unit),
            stats_hour: over(&windows.hour, sample, unit),
            stats_minute: over(&windows.minute, sample, unit),
        })
    }

    /// Occasions a second over the last minute, 0 for a counter that was never used.
    pub fn rate(&self, statistic: Statistic, key: &str, now: Duration) -> f64 {
        self.figures(statistic, key, now).map_or(0.0, |figures| figures.stats_minute.tps)
    }

    /// Drops the counters whose key is `name`, or `name` beside an `@`.
    pub fn forget(&self, name: &str) {
        let is_of_it = |key: &str| key.split('@').any(|part| part == name);
        let mut counters = self.counters.write();
        counters.iter_mut().for_each(|counters| counters.retain(|key, _| !is_of_it(key)));
        self.forgotten.fetch_add(1, Ordering::Release);
    }

    /// How often counters were dropped.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_steady_sends() {
        let statistics = Statistics::default();
        for second in 0..=120u64 {
            if second % 10 == 0 {
                statistics.sample(Duration::from_secs(second));
            }
            statistics.add(Moved::Puts, "t", 3, 100);
        }
        // The first was counted behind the first sample, and began the counter.
        for (name, minute, hour, average) in [("TOPIC_PUT_SIZE", 6100, 11_100, 100.0), ("TOPIC_PUT_NUMS", 183, 333, 3.0)] {
            let statistic = Statistic::named(name).unwrap();
            let figures = statistics.figures(statistic, "t", Duration::from_secs(120)).unwrap();
            assert_eq!((figures.stats_minute.sum, figures.stats_minute.avgpt), (minute, average), "{name}");
            assert_eq!(figures.stats_hour.sum, hour, "{name}");
            assert!(statistics.figures(statistic, "u", Duration::ZERO).is_none());
        }
        assert!(statistics.figures(Statistic::GROUP_GET_NUMS, "t", Duration::ZERO).is_none());
    }
}
