//! Which counters does GET_BROKER_RUNTIME_INFO (28) show? Java: `StoreStatsService`, `BrokerStats`.

use parking_lot::Mutex;
use roxmq_env::clock::Clock;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const DAY_MS: i64 = 24 * 3600 * 1000;
/// Ten minutes of a sample every ten seconds, and the one at their beginning.
const SAMPLES: usize = 61;

/// The counts.
#[derive(Default)]
pub struct Figures {
    put_messages: AtomicU64,
    put_bytes: AtomicU64,
    put_failures: AtomicU64,
    parked_messages: AtomicU64,
    got_messages: AtomicU64,
    gets_found: AtomicU64,
    gets_missed: AtomicU64,
    history: Mutex<History>,
}

#[derive(Default)]
struct History {
    samples: VecDeque<Totals>,
    day: i64,
    /// Totals of puts and gets at the last two midnights (UTC).
    mornings: [(u64, u64); 2],
}

/// All counts at one time.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Totals {
    pub at: Duration,
    pub put_messages: u64,
    pub put_bytes: u64,
    pub put_failures: u64,
    pub got_messages: u64,
    pub gets_found: u64,
    pub gets_missed: u64,
}

impl Figures {
    /// Counters at 0.
    pub fn new(clock: &Clock) -> Figures {
        let figures = Figures::default();
        figures.history.lock().day = clock.now_ms() / DAY_MS;
        figures.sample(clock);
        figures
    }

    /// Messages were stored.
    pub fn put(&self, messages: u64, bytes: u64) {
        self.put_messages.fetch_add(messages, Relaxed);
        self.put_bytes.fetch_add(bytes, Relaxed);
    }

    /// Messages could not be stored.
    pub fn put_failed(&self, messages: usize) {
        self.put_failures.fetch_add(messages as u64, Relaxed);
    }

    /// A message was parked.
    pub fn parked(&self) {
        self.parked_messages.fetch_add(1, Relaxed);
    }

    /// How many messages were parked.
    pub fn parked_messages(&self) -> u64 {
        self.parked_messages.load(Relaxed)
    }

    /// A pull found messages.
    pub fn got(&self, messages: u32) {
        self.got_messages.fetch_add(u64::from(messages), Relaxed);
        self.gets_found.fetch_add(1, Relaxed);
    }

    /// A pull found nothing.
    pub fn missed(&self) {
        self.gets_missed.fetch_add(1, Relaxed);
    }

    /// The counts now.
    pub fn totals(&self, at: Duration) -> Totals {
        Totals {
            at,
            put_messages: self.put_messages.load(Relaxed),
            put_bytes: self.put_bytes.load(Relaxed),
            put_failures: self.put_failures.load(Relaxed),
            got_messages: self.got_messages.load(Relaxed),
            gets_found: self.gets_found.load(Relaxed),
            gets_missed: self.gets_missed.load(Relaxed),
        }
    }

    /// Samples the counters; called every ten seconds.
    pub fn sample(&self, clock: &Clock) {
        let totals = self.totals(clock.elapsed());
        let mut history = self.history.lock();
        history.samples.push_back(totals);
        if history.samples.len() > SAMPLES {
            history.samples.pop_front();
        }
        let day = clock.now_ms() / DAY_MS;
        if day != history.day {
            history.day = day;
            history.mornings = [history.mornings[1], (totals.put_messages, totals.got_messages)];
        }
    }

    /// The rates per second over the last 10 s, 1 min and 10 min. Tools split the text at blanks.
    pub fn rates(&self, now: Duration, of: impl Fn(&Totals) -> u64) -> String {
        let totals = self.totals(now);
        let history = self.history.lock();
        let rate = |seconds: u64| {
            let from = now.saturating_sub(Duration::from_secs(seconds));
            let first = history.samples.iter().rev().find(|sample| sample.at <= from).or(history.samples.front());
            first.map_or(0.0, |first| {
                let span = now.saturating_sub(first.at).as_secs_f64();
                if span > 0.0 { (of(&totals) - of(first)) as f64 / span } else { 0.0 }
            })
        };
        // Always with a point: tools read them as decimals.
        format!("{:?} {:?} {:?}", rate(10), rate(60), rate(600))
    }

    /// Totals of puts and gets at the midnight before last and at the last one (UTC); 0 if the broker did not run then.
    pub fn mornings(&self) -> [(u64, u64); 2] {
        self.history.lock().mornings
    }
}
