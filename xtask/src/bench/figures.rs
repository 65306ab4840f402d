//! What was measured, in which unit, and how is it summed up over several runs?

use serde_json::Value;

/// Something that is measured. The unit follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Messages a second.
    Rate,
    /// The broker's CPU for each message, in µs.
    Cpu,
    /// Half of the latencies are not above, in µs.
    P50,
    /// 99 % are not above, in µs.
    P99,
    /// 99.9 % are not above, in µs.
    P999,
    /// The broker's CPU, in cores.
    Cores,
    /// Resident anonymous memory of the broker, in MB.
    Anonymous,
    /// Resident pages of mapped files, in MB.
    FilePages,
    /// Time to make a topic, many at a time, in ms.
    TopicMs,
    /// Files outside the log and its index.
    Files,
    /// Share of the throughput that is left, in percent.
    Kept,
    /// From the start of the process to the first acknowledged message, in ms.
    StartMs,
    /// The same after `kill -9`.
    KilledMs,
    /// What was stored before, in GB.
    Stored,
    /// Refusals with the documented code, in percent of what was sent.
    Refused,
    /// One figure as a multiple of another.
    Ratio,
    /// Change of the anonymous memory, in MB.
    Growth,
    /// Time that a virtual machine's host did not let it run though it would have, in percent of all cores' time.
    Stolen,
}

impl Metric {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Rate => "msg/s",
            Metric::Cpu => "CPU per msg",
            Metric::P50 => "p50",
            Metric::P99 => "p99",
            Metric::P999 => "p99.9",
            Metric::Cores => "CPU",
            Metric::Anonymous => "anonymous memory",
            Metric::FilePages => "mapped file pages",
            Metric::TopicMs => "making a topic",
            Metric::Files => "more files",
            Metric::Kept => "throughput kept",
            Metric::StartMs => "start",
            Metric::KilledMs => "start after kill -9",
            Metric::Stored => "stored before",
            Metric::Refused => "refused",
            Metric::Ratio => "ratio",
            Metric::Growth => "growth",
            Metric::Stolen => "taken by the host",
        }
    }

    /// A value for people.
    pub fn text(self, value: f64) -> String {
        match self {
            Metric::Rate if value >= 999_500.0 => format!("{:.2}M", value / 1e6),
            Metric::Rate if value >= 99_950.0 => format!("{:.0}k", value / 1e3),
            Metric::Rate if value >= 10_000.0 => format!("{:.1}k", value / 1e3),
            Metric::Rate | Metric::Files => format!("{value:.0}"),
            Metric::Cpu => format!("{value:.2} us"),
            Metric::P50 | Metric::P99 | Metric::P999 if value < 100.0 => format!("{:.3} ms", value / 1e3),
            Metric::P50 | Metric::P99 | Metric::P999 => format!("{:.2} ms", value / 1e3),
            Metric::Cores => format!("{:.1} % of a core", value * 100.0),
            Metric::Anonymous | Metric::FilePages | Metric::Growth => format!("{value:.1} MB"),
            Metric::TopicMs => format!("{value:.2} ms"),
            Metric::StartMs | Metric::KilledMs => format!("{value:.0} ms"),
            Metric::Kept | Metric::Refused | Metric::Stolen => format!("{value:.1} %"),
            Metric::Stored => format!("{value:.1} GB"),
            Metric::Ratio => format!("{value:.2}x"),
        }
    }
}

/// What one run gave.
pub type Figures = Vec<(Metric, f64)>;

/// One figure of a run.
pub fn of(figures: &Figures, metric: Metric) -> Option<f64> {
    figures.iter().find(|(found, _)| *found == metric).map(|(_, value)| *value)
}

/// The figures of one report of `roxmq bench --json`.
pub fn read(report: &Value) -> Figures {
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64);
    let pairs = [
        (Metric::Rate, number("/messages_per_second")),
        (Metric::Cpu, number("/broker/cpu_us_per_message")),
        (Metric::P50, number("/latency/p50_us")),
        (Metric::P99, number("/latency/p99_us")),
        (Metric::P999, number("/latency/p999_us")),
        (Metric::Cores, number("/broker/cores")),
        (Metric::Anonymous, number("/broker/anonymous_mb")),
        (Metric::FilePages, number("/broker/file_mb")),
        (Metric::TopicMs, number("/topic_ms")),
    ];
    pairs.into_iter().filter_map(|(metric, value)| Some((metric, value?))).collect()
}

/// Several runs of the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The one in the middle; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of these values; none when there are none.
    pub fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Spread { median, min, max })
    }

    /// Of one figure of several runs.
    pub fn of_runs(runs: &[Figures], metric: Metric) -> Option<Spread> {
        Spread::of(&runs.iter().filter_map(|figures| of(figures, metric)).collect::<Vec<f64>>())
    }

    /// For people.
    pub fn text(&self, metric: Metric) -> String {
        let [median, min, max] = [self.median, self.min, self.max].map(|value| metric.text(value));
        if min == max { median } else { format!("{median} [{min} .. {max}]") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let text = |values: &[f64], metric| Spread::of(values).map(|spread| spread.text(metric));
        assert_eq!(text(&[3e5, 1e5, 2e5], Metric::Rate).as_deref(), Some("200k [100k .. 300k]"));
        assert_eq!(text(&[1.0, 2.0], Metric::Cpu).as_deref(), Some("1.50 us [1.00 us .. 2.00 us]"));
        assert_eq!(text(&[0.004], Metric::Cores).as_deref(), Some("0.4 % of a core"));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn reads_a_report() {
        let report = serde_json::json!({"messages_per_second": 5.0, "broker": {"cpu_us_per_message": 2.5}, "latency": {"p50_us": 7}});
        assert_eq!(read(&report), [(Metric::Rate, 5.0), (Metric::Cpu, 2.5), (Metric::P50, 7.0)]);
    }
}
