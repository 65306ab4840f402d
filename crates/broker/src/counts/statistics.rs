//! How many messages and bytes went through topics, groups and the broker over the last minute, hour and day?
//!
//! Java: `BrokerStatsManager`, `StatsItem`.

use parking_lot::{Mutex, RwLock};
use roxmq_protocol::body::{BrokerStatsData, BrokerStatsItem};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The movements that are counted, in messages and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// Stored, by topic.
    Puts,
    /// Pulled, by topic and group with an `@` between them.
    Gets,
    /// Sent back by consumers, by topic and group as well.
    SendBacks,
    /// Stored by the broker, by the name of its cluster.
    BrokerPuts,
    /// Pulled from the broker, by the name of its cluster.
    BrokerGets,
}

/// The number of kinds.
const KINDS: usize = Moved::BrokerGets as usize + 1;

impl Moved {
    /// In the order of their numbers.
    const ALL: [Moved; KINDS] = [Moved::Puts, Moved::Gets, Moved::SendBacks, Moved::BrokerPuts, Moved::BrokerGets];
}

/// The unit of a statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Messages,
    Bytes,
}

/// A statistic that tools request by name (315).
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

/// One counter. Messages and bytes share it, so that counting a message takes one lookup.
#[derive(Default)]
pub struct Counter {
    messages: AtomicU64,
    bytes: AtomicU64,
    times: AtomicU64,
    windows: Mutex<Windows>,
}

impl Counter {
    /// Counts one event.
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

/// How often a window takes a sample, and how far back it looks.
#[derive(Clone, Copy)]
struct Window {
    every: Duration,
    span: Duration,
}

const MINUTE: Window = Window { every: Duration::from_secs(10), span: Duration::from_secs(60) };
const HOUR: Window = Window { every: Duration::from_secs(600), span: Duration::from_secs(3600) };
const DAY: Window = Window { every: Duration::from_secs(3600), span: Duration::from_secs(24 * 3600) };

/// A sampler that wakes a little early must not skip a whole interval.
const SLACK: Duration = Duration::from_millis(500);

impl Window {
    /// The first sample of a counter: it was made within the interval that ends now, and was at 0 at its beginning. Java does the same, so
    /// that events before the first sample count, too.
    fn begin(self, now: Duration) -> Sample {
        Sample { at: now.saturating_sub(self.every), ..Sample::default() }
    }

    fn push(self, samples: &mut VecDeque<Sample>, sample: Sample) {
        if samples.is_empty() {
            samples.push_back(self.begin(sample.at));
        }
        if samples.back().is_some_and(|last| sample.at + SLACK >= last.at + self.every) {
            samples.push_back(sample);
        }
        // The first sample in the window is where the span begins.
        while samples.get(1).is_some_and(|second| second.at + self.span <= sample.at + SLACK) {
            samples.pop_front();
        }
    }

    /// The figures of the span that ends now.
    fn figures(self, samples: &VecDeque<Sample>, now: Sample, unit: Unit) -> BrokerStatsItem {
        let first = samples.front().copied().unwrap_or_else(|| self.begin(now.at));
        let sum = now.sum(unit).saturating_sub(first.sum(unit));
        let times = now.times.saturating_sub(first.times);
        let seconds = now.at.saturating_sub(first.at).max(self.every).as_secs_f64();
        BrokerStatsItem { avgpt: if times > 0 { sum as f64 / times as f64 } else { 0.0 }, sum: sum as i64, tps: sum as f64 / seconds }
    }
}

/// All counters.
#[derive(Default)]
pub struct Statistics {
    /// By kind, then by key.
    counters: RwLock<[HashMap<String, Arc<Counter>>; KINDS]>,
    /// How often counters were dropped: a thread that holds one has to look it up again.
    forgotten: AtomicU64,
}

impl Statistics {
    /// The counter, made on first use.
    pub fn counter(&self, moved: Moved, key: &str) -> Arc<Counter> {
        if let Some(counter) = self.counters.read()[moved as usize].get(key) {
            return Arc::clone(counter);
        }
        Arc::clone(self.counters.write()[moved as usize].entry(key.to_owned()).or_default())
    }

    /// Counts one event.
    pub fn add(&self, moved: Moved, key: &str, messages: u64, bytes: u64) {
        // It usually exists, and is not cloned: shards that count the same would contend for its reference count.
        let counters = self.counters.read();
        if let Some(counter) = counters[moved as usize].get(key) {
            return counter.add(messages, bytes);
        }
        drop(counters);
        self.counter(moved, key).add(messages, bytes);
    }

    /// Samples the counters; called every 10 s with the time since the broker started.
    pub fn sample(&self, now: Duration) {
        for counter in self.counters.read().iter().flat_map(HashMap::values) {
            let sample = counter.sample(now);
            let mut windows = counter.windows.lock();
            MINUTE.push(&mut windows.minute, sample);
            HOUR.push(&mut windows.hour, sample);
            DAY.push(&mut windows.day, sample);
        }
    }

    /// The figures of one counter, if it exists.
    pub fn figures(&self, statistic: Statistic, key: &str, now: Duration) -> Option<BrokerStatsData> {
        let Statistic(moved, unit) = statistic;
        let counter = self.counters.read()[moved as usize].get(key).cloned()?;
        let sample = counter.sample(now);
        let windows = counter.windows.lock();
        Some(BrokerStatsData {
            stats_day: DAY.figures(&windows.day, sample, unit),
            stats_hour: HOUR.figures(&windows.hour, sample, unit),
            stats_minute: MINUTE.figures(&windows.minute, sample, unit),
        })
    }

    /// The rate per second over the last minute; 0 for a counter that was never used.
    pub fn rate(&self, statistic: Statistic, key: &str, now: Duration) -> f64 {
        self.figures(statistic, key, now).map_or(0.0, |figures| figures.stats_minute.tps)
    }

    /// Drops the counters of a topic. A new topic of its name begins at 0.
    pub fn forget_topic(&self, topic: &str) {
        self.forget(|moved, key| match moved {
            Moved::Puts => key == topic,
            Moved::Gets | Moved::SendBacks => key.split_once('@').is_some_and(|(of, _)| of == topic),
            Moved::BrokerPuts | Moved::BrokerGets => false,
        });
    }

    /// Drops the counters of a consumer group.
    pub fn forget_group(&self, group: &str) {
        self.forget(|moved, key| match moved {
            Moved::Gets | Moved::SendBacks => key.split_once('@').is_some_and(|(_, by)| by == group),
            Moved::Puts | Moved::BrokerPuts | Moved::BrokerGets => false,
        });
    }

    fn forget(&self, is_of_it: impl Fn(Moved, &str) -> bool) {
        let mut counters = self.counters.write();
        for (counters, moved) in counters.iter_mut().zip(Moved::ALL) {
            counters.retain(|key, _| !is_of_it(moved, key));
        }
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

    const SECOND: Duration = Duration::from_secs(1);

    fn sums(statistics: &Statistics, now: Duration) -> Option<(i64, i64, i64)> {
        let figures = statistics.figures(Statistic::TOPIC_PUT_NUMS, "t", now)?;
        Some((figures.stats_minute.sum, figures.stats_hour.sum, figures.stats_day.sum))
    }

    /// Samples as the service takes them, every 10 s up to this second.
    fn sample(statistics: &Statistics, seconds: std::ops::RangeInclusive<u32>) {
        seconds.filter(|second| second % 10 == 0).for_each(|second| statistics.sample(SECOND * second));
    }

    #[test]
    fn a_minute_of_steady_sends() {
        let statistics = Statistics::default();
        for second in 0..=120 {
            sample(&statistics, second..=second);
            statistics.add(Moved::Puts, "t", 3, 100);
        }
        for (name, minute, hour, average) in [("TOPIC_PUT_SIZE", 6100, 12_100, 100.0), ("TOPIC_PUT_NUMS", 183, 363, 3.0)] {
            let statistic = Statistic::named(name).unwrap();
            let figures = statistics.figures(statistic, "t", SECOND * 120).unwrap();
            assert_eq!((figures.stats_minute.sum, figures.stats_minute.avgpt), (minute, average), "{name}");
            assert_eq!((figures.stats_hour.sum, figures.stats_day.sum), (hour, hour), "{name}");
            assert!(statistics.figures(statistic, "u", Duration::ZERO).is_none());
        }
        assert!(statistics.figures(Statistic::GROUP_GET_NUMS, "t", Duration::ZERO).is_none());
    }

    #[test]
    fn events_before_the_first_sample_count() {
        // Right after the start, and long after it; before the first sample, at it, and when its span is over.
        for start in [0, 3, 100_000] {
            let statistics = Statistics::default();
            statistics.counter(Moved::Puts, "other").add(1, 1);
            sample(&statistics, 0..=start);
            (0..5).for_each(|_| statistics.add(Moved::Puts, "t", 1, 10));
            assert_eq!(sums(&statistics, SECOND * start), Some((5, 5, 5)), "{start}");
            sample(&statistics, start + 1..=start + 60);
            assert_eq!(sums(&statistics, SECOND * (start + 50)), Some((5, 5, 5)), "{start}");
            sample(&statistics, start + 61..=start + 90);
            assert_eq!(sums(&statistics, SECOND * (start + 90)), Some((0, 5, 5)), "{start}");
            sample(&statistics, start + 91..=start + 5000);
            assert_eq!(sums(&statistics, SECOND * (start + 5000)), Some((0, 0, 5)), "{start}");
            // A burst after a long pause.
            (0..600).for_each(|_| statistics.add(Moved::Puts, "t", 1, 10));
            sample(&statistics, start + 5001..=start + 5010);
            assert_eq!(sums(&statistics, SECOND * (start + 5010)), Some((600, 600, 605)), "{start}");
            let figures = statistics.figures(Statistic::TOPIC_PUT_NUMS, "t", SECOND * (start + 5010)).unwrap();
            assert!((600.0 / 70.0..=10.0).contains(&figures.stats_minute.tps), "{}", figures.stats_minute.tps);
        }
    }

    #[test]
    fn a_burst_is_no_rate_of_its_own() {
        let statistics = Statistics::default();
        (0..600).for_each(|_| statistics.add(Moved::Puts, "t", 1, 10));
        let rate = |at: Duration| statistics.rate(Statistic::TOPIC_PUT_NUMS, "t", at);
        assert_eq!((rate(SECOND / 10), rate(SECOND * 5)), (60.0, 60.0), "over ten seconds at least");
    }

    #[test]
    fn a_sampler_that_was_held_up_does_not_stretch_the_minute() {
        let statistics = Statistics::default();
        statistics.add(Moved::Puts, "t", 1, 10);
        sample(&statistics, 0..=100);
        statistics.add(Moved::Puts, "t", 1, 10);
        statistics.sample(SECOND * 400);
        statistics.sample(SECOND * 460);
        assert_eq!(sums(&statistics, SECOND * 460), Some((0, 2, 2)));
    }

    #[test]
    fn counters_of_deleted_topics_and_groups_begin_at_0() {
        let statistics = Statistics::default();
        let all = |key: &str| {
            let of = |statistic| statistics.figures(statistic, key, SECOND * 20).map(|figures| figures.stats_day.sum);
            [of(Statistic::TOPIC_PUT_NUMS), of(Statistic::GROUP_GET_NUMS), of(Statistic(Moved::SendBacks, Unit::Messages))]
        };
        let count = || {
            // A group may have a topic's name.
            ["t", "g"].iter().for_each(|key| statistics.add(Moved::Puts, key, 1, 1));
            for key in ["t@g", "t@h", "g@t"] {
                statistics.add(Moved::Gets, key, 2, 2);
                statistics.add(Moved::SendBacks, key, 3, 3);
            }
        };
        count();
        sample(&statistics, 0..=10);
        statistics.forget_group("g");
        assert_eq!((all("t@g"), all("t@h"), all("g@t")), ([None; 3], [None, Some(2), Some(3)], [None, Some(2), Some(3)]));
        assert_eq!((all("t"), all("g")), ([Some(1), None, None], [Some(1), None, None]));
        statistics.forget_topic("t");
        assert_eq!((all("t"), all("t@h"), all("g@t")), ([None; 3], [None; 3], [None, Some(2), Some(3)]));
        count();
        assert_eq!((all("t"), all("g"), all("g@t")), ([Some(1), None, None], [Some(2), None, None], [None, Some(4), Some(6)]));
    }
}
