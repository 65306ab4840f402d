//! How do latency and memory change while a long run goes on?

use crate::measure::clock::{Clock, Nanos, Window};
use crate::measure::histogram::Histogram;
use crate::report::figures::{Latency, Slice};
use crate::run::meters::Meters;

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
        clock.sleep_until(window.slice_end(slice));
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
