//! What time is it, in the run and outside?

use std::time::{Duration, Instant, SystemTime};

/// Nanoseconds since the run's clock was started.
pub type Nanos = u64;

/// Started before the first connection; all threads share it.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts it.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Now.
    pub fn now(&self) -> Nanos {
        self.0.elapsed().as_nanos() as Nanos
    }

    /// Waits until `at`.
    pub fn sleep_until(&self, at: Nanos) {
        std::thread::sleep(Duration::from_nanos(at.saturating_sub(self.now())));
    }

    /// When `at` is, for timers.
    pub fn instant(&self, at: Nanos) -> Instant {
        self.0 + Duration::from_nanos(at)
    }
}

/// The machine's clock, in ns since 1970.
pub fn wall_nanos() -> Nanos {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as Nanos
}

/// The machine's clock, in ms since 1970.
pub fn wall_ms() -> i64 {
    (wall_nanos() / 1_000_000) as i64
}

/// From when to when something is asked, and what of it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The first request.
    pub start: Nanos,
    /// The end of the warm-up: answers from here on count.
    pub counted_from: Nanos,
    /// No request after this.
    pub end: Nanos,
    /// Parts of the counted time that are reported one by one.
    pub slices: u32,
}

impl Window {
    /// A window that opens at `start`, with its counted time cut into slices.
    pub fn new(start: Nanos, warm_up: Duration, duration: Duration, slices: u32) -> Window {
        let counted_from = start + warm_up.as_nanos() as Nanos;
        Window { start, counted_from, end: counted_from + duration.as_nanos() as Nanos, slices }
    }

    /// Whether an answer that comes at `now` counts.
    pub fn counts(&self, now: Nanos) -> bool {
        (self.counted_from..self.end).contains(&now)
    }

    /// The slice of an answer that counts.
    pub fn slice(&self, now: Nanos) -> usize {
        let counted = (self.end - self.counted_from).max(1);
        let share = now.saturating_sub(self.counted_from) as f64 / counted as f64;
        ((share * f64::from(self.slices)) as usize).min(self.slices as usize - 1)
    }

    /// When a slice ends.
    pub fn slice_end(&self, slice: u32) -> Nanos {
        self.counted_from + (self.end - self.counted_from) * u64::from(slice + 1) / u64::from(self.slices.max(1))
    }
}
