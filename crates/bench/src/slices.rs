//! How do latency and memory change while a long run goes on?

use crate::clock::{Clock, Nanos, Window};
use crate::histogram::Histogram;
use crate::meters::Meters;
use crate::report::{Latency, duration};
use crate::run::sleep_until;
use serde::Serialize;

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

/// A look at the broker's process.
pub struct Look {
    at: Nanos,
    cpu: Option<u64>,
    anonymous: Option<u64>,
}

/// Waits for the end of the window and looks at the broker when it begins to count and at the end of each slice.
pub fn look(clock: &Clock, window: &Window, meters: &Meters) -> Vec<Look> {
    let look = || {
        let anonymous = meters.memory()[0].map(|[anonymous, _]| anonymous);
        Look { at: clock.now(), cpu: meters.cpu()[0], anonymous }
    };
    let mut looks = vec![look()];
    for slice in 0..window.slices {
        sleep_until(clock, window.slice_end(slice));
        looks.push(look());
    }
    looks
}

/// The slices, if there are several.
pub fn of(looks: &[Look], latencies: &[Histogram], window: &Window) -> Vec<Slice> {
    if window.slices < 2 {
        return Vec::new();
    }
    let nothing = Histogram::default();
    let slice = |(at, pair): (usize, &[Look])| {
        let latency = latencies.get(at).unwrap_or(&nothing);
        let nanos = pair[1].at.saturating_sub(pair[0].at).max(1);
        Slice {
            until_s: window.slice_end(at as u32).saturating_sub(window.counted_from) as f64 / 1e9,
            count: latency.count(),
            latency: Latency::of(latency),
            anonymous_mb: pair[1].anonymous.map(|bytes| bytes as f64 / 1e6),
            cores: pair[1].cpu.zip(pair[0].cpu).map(|(until, from)| until.saturating_sub(from) as f64 / nanos as f64),
        }
    };
    looks.windows(2).enumerate().map(slice).collect()
}
