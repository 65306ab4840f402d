//! How much moved, for topics, groups and the broker: over the last minute, hour and day (Java's `BrokerStatsManager`, `StatsItem`).

use parking_lot::{Mutex, RwLock};
use roxmq_protocol::body::{BrokerStatsData, BrokerStatsItem};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What is counted. The names are those tools ask for with code 315.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Statistic {
    TopicPutNums,
    TopicPutSize,
    GroupGetNums,
    GroupGetSize,
    SendBackNums,
    BrokerPutNums,
    BrokerGetNums,
}

impl Statistic {
    const ALL: [(&'static str, Statistic); 7] = [
        ("TOPIC_PUT_NUMS", Statistic::TopicPutNums),
        ("TOPIC_PUT_SIZE", Statistic::TopicPutSize),
        ("GROUP_GET_NUMS", Statistic::GroupGetNums),
        ("GROUP_GET_SIZE", Statistic::GroupGetSize),
        ("SNDBCK_PUT_NUMS", Statistic::SendBackNums),
        ("BROKER_PUT_NUMS", Statistic::BrokerPutNums),
        ("BROKER_GET_NUMS", Statistic::BrokerGetNums),
    ];

    /// By the name that tools use.
    pub fn named(name: &str) -> Option<Statistic> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, statistic)| *statistic)
    }
}

/// One count: how often, and how much in all.
#[derive(Default)]
pub struct Counter {
    sum: AtomicU64,
    times: AtomicU64,
    windows: Mutex<Windows>,
}

impl Counter {
    /// Counts one occasion of `amount`.
    pub fn add(&self, amount: u64) {
        self.sum.fetch_add(amount, Ordering::Relaxed);
        self.times.fetch_add(1, Ordering::Relaxed);
    }

    fn sample(&self, now: Duration) -> Sample {
        Sample { at: now, sum: self.sum.load(Ordering::Relaxed), times: self.times.load(Ordering::Relaxed) }
    }
}

#[derive(Clone, Copy, Default)]
struct Sample {
    at: Duration,
    sum: u64,
    times: u64,
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

fn over(window: &VecDeque<Sample>, now: Sample) -> BrokerStatsItem {
    let Some(first) = window.front() else { return BrokerStatsItem::default() };
    let sum = now.sum - first.sum;
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
    /// By statistic, as numbered, and key.
    counters: RwLock<[HashMap<String, Arc<Counter>>; Statistic::ALL.len()]>,
}

impl Statistics {
    /// The counter, made when it is asked for first.
    pub fn counter(&self, statistic: Statistic, key: &str) -> Arc<Counter> {
        if let Some(counter) = self.counters.read()[statistic as usize].get(key) {
            return Arc::clone(counter);
        }
        Arc::clone(self.counters.write()[statistic as usize].entry(key.to_owned()).or_default())
    }

    /// Counts one occasion in several counters of one key.
    pub fn add<const N: usize>(&self, amounts: [(Statistic, u64); N], key: &str) {
        let counters = self.counters.read();
        let known = amounts.map(|(statistic, amount)| counters[statistic as usize].get(key).map(|counter| counter.add(amount)));
        drop(counters);
        for ((statistic, amount), _) in amounts.into_iter().zip(known).filter(|(_, known)| known.is_none()) {
            self.counter(statistic, key).add(amount);
        }
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
        let counter = self.counters.read()[statistic as usize].get(key).cloned()?;
        let sample = counter.sample(now);
        let windows = counter.windows.lock();
        Some(BrokerStatsData {
            stats_day: over(&windows.day, sample),
            stats_hour: over(&windows.hour, sample),
            stats_minute: over(&windows.minute, sample),
        })
    }

    /// Occasions a second over the last minute, 0 for a counter that was never used.
    pub fn rate(&self, statistic: Statistic, key: &str, now: Duration) -> f64 {
        self.figures(statistic, key, now).map_or(0.0, |figures| figures.stats_minute.tps)
    }

    /// Drops the counters whose key is `name`, or `name` beside an `@`.
    pub fn forget(&self, name: &str) {
        let is_of_it = |key: &str| key.split('@').any(|part| part == name);
        self.counters.write().iter_mut().for_each(|counters| counters.retain(|key, _| !is_of_it(key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_steady_sends() {
        let statistics = Statistics::default();
        let counter = statistics.counter(Statistic::TopicPutSize, "t");
        for second in 0..=120u64 {
            if second % 10 == 0 {
                statistics.sample(Duration::from_secs(second));
            }
            counter.add(100);
        }
        let figures = statistics.figures(Statistic::TopicPutSize, "t", Duration::from_secs(120)).unwrap();
        assert_eq!((figures.stats_minute.sum, figures.stats_minute.avgpt), (6100, 100.0));
        assert_eq!(figures.stats_hour.sum, 12100);
        assert!(statistics.figures(Statistic::TopicPutSize, "u", Duration::ZERO).is_none());
    }
}
