//! Which figures does a report have, and how are they written?

use crate::measure::histogram::Histogram;
use crate::report::words::duration;
use serde::Serialize;

/// Latencies in µs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Half are not above.
    pub p50_us: f64,
    /// 99 % are not above.
    pub p99_us: f64,
    /// 99.9 % are not above.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
}

impl Latency {
    /// Of the values of a histogram.
    pub fn of(histogram: &Histogram) -> Latency {
        let us = |nanos: u64| nanos as f64 / 1e3;
        Latency {
            p50_us: us(histogram.quantile(0.5)),
            p99_us: us(histogram.quantile(0.99)),
            p999_us: us(histogram.quantile(0.999)),
            max_us: us(histogram.max()),
        }
    }
}

/// How long after they were due messages came, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Lateness {
    /// Messages.
    pub messages: u64,
    /// Half are not above.
    pub p50_ms: f64,
    /// 99 % are not above.
    pub p99_ms: f64,
    /// 99.9 % are not above.
    pub p999_ms: f64,
    /// The latest.
    pub max_ms: f64,
}

impl Lateness {
    /// Of the values of a histogram.
    pub fn of(histogram: &Histogram) -> Lateness {
        let ms = |nanos: u64| nanos as f64 / 1e6;
        Lateness {
            messages: histogram.count(),
            p50_ms: ms(histogram.quantile(0.5)),
            p99_ms: ms(histogram.quantile(0.99)),
            p999_ms: ms(histogram.quantile(0.999)),
            max_ms: ms(histogram.max()),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let Lateness { p50_ms, p99_ms, p999_ms, max_ms, .. } = self;
        let [p50, p99, p999, max] = [p50_ms, p99_ms, p999_ms, max_ms].map(|ms| duration(ms * 1e3));
        format!("p50 {p50}   p99 {p99}   p99.9 {p999}   max {max}")
    }
}

/// What a process took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// Process id.
    pub process: u32,
    /// CPU for each counted message, in µs.
    pub cpu_us_per_message: f64,
    /// CPU while it was counted, in cores.
    pub cores: f64,
    /// Resident anonymous memory at the end, in MB.
    pub anonymous_mb: f64,
    /// Resident pages of mapped files at the end, in MB.
    pub file_mb: f64,
}

/// One part of the counted time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Slice {
    /// When it ended, in seconds since counting began.
    pub until_s: f64,
    /// Counted latencies.
    pub count: u64,
    /// What they were.
    pub latency: Latency,
    /// The broker's anonymous memory at its end, in MB, if it is on this machine.
    pub anonymous_mb: Option<f64>,
    /// The broker's CPU in it, in cores.
    pub cores: Option<f64>,
}

impl Slice {
    /// For people.
    pub fn text(&self) -> String {
        let Latency { p50_us, p99_us, p999_us, .. } = self.latency;
        let [p50, p99, p999] = [p50_us, p99_us, p999_us].map(duration);
        let memory = self.anonymous_mb.map_or_else(String::new, |mb| format!("   {mb:.1} MB anonymous"));
        format!("until {:.0} s   {} counted   p50 {p50}   p99 {p99}   p99.9 {p999}{memory}", self.until_s, self.count)
    }
}
