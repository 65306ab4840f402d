//! What time is it?
//!
//! One value, handed down from `main`. The manual clock stands still until a test moves it, so that no test sleeps.

#![expect(clippy::disallowed_methods, reason = "the system clock is handed out here")]

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock; clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { started: Instant },
    Manual { start_ms: i64, hands: Arc<Hands> },
}

/// What all clones of a manual clock share.
#[derive(Default)]
struct Hands {
    now_ms: AtomicI64,
    waiting: Mutex<Vec<Box<dyn Fn() + Send>>>,
}

impl fmt::Debug for Hands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.now_ms.load(Ordering::SeqCst))
    }
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        Clock(Source::System { started: Instant::now() })
    }

    /// A clock that shows `start_ms` (ms since 1970) until it is advanced.
    pub fn manual(start_ms: i64) -> Clock {
        Clock(Source::Manual { start_ms, hands: Arc::new(Hands { now_ms: AtomicI64::new(start_ms), ..Hands::default() }) })
    }

    /// Wall time, ms since 1970. The machine's can jump, also backwards.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System { .. } => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => since.as_millis() as i64,
                Err(before) => -(before.duration().as_millis() as i64),
            },
            Source::Manual { hands, .. } => hands.now_ms.load(Ordering::SeqCst),
        }
    }

    /// Time since this clock was made; never goes back.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual { start_ms, hands } => {
                Duration::from_millis(hands.now_ms.load(Ordering::SeqCst).saturating_sub(*start_ms).max(0) as u64)
            }
        }
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    /// If this is the machine's clock.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::System { .. } => panic!("the system clock cannot be advanced"),
            Source::Manual { hands, .. } => {
                hands.now_ms.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
                hands.waiting.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|look| look());
            }
        }
    }

    /// Has `look` called whenever a manual clock has moved: for work that sleeps in the machine's time until a time of this clock.
    pub fn when_advanced(&self, look: impl Fn() + Send + 'static) {
        if let Source::Manual { hands, .. } = &self.0 {
            hands.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(look));
        }
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::system()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(1_000);
        let same = clock.clone();
        assert_eq!((clock.now_ms(), clock.elapsed()), (1_000, Duration::ZERO));
        same.advance(Duration::from_millis(250));
        assert_eq!((clock.now_ms(), clock.elapsed()), (1_250, Duration::from_millis(250)));
        let seen = Arc::new(AtomicI64::new(0));
        let (saw, shown) = (Arc::clone(&seen), clock.clone());
        clock.when_advanced(move || saw.store(shown.now_ms(), Ordering::SeqCst));
        same.advance(Duration::from_millis(50));
        assert_eq!(seen.load(Ordering::SeqCst), 1_300);
    }

    #[test]
    fn the_system_clock_counts_milliseconds_since_1970() {
        let ms = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        // The machine's clock may be set between two looks at it, which is rare: one of a few tries is between two readings.
        let is_between = (0..3).any(|_| {
            let (before, now, after) = (ms(), Clock::system().now_ms(), ms());
            before <= now && now <= after
        });
        assert!(is_between);
    }

    #[test]
    fn the_system_clock_goes_on() {
        let clock = Clock::system();
        let before = clock.elapsed();
        while clock.elapsed() == before {}
        assert!(clock.elapsed() > before);
    }
}
