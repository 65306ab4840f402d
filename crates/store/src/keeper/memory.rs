//! When does memory that is free go back to the system?
//!
//! After a tail that was larger than usual its memory lies in pieces between those of younger entries.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// Memory that large tails have left.
#[derive(Debug)]
pub(crate) struct FreedMemory {
    /// See [`crate::config::StoreConfig::release_memory`].
    release: fn(),
    is_owed: AtomicBool,
    due_ms: AtomicI64,
}

impl FreedMemory {
    pub fn new(release: fn()) -> FreedMemory {
        FreedMemory { release, is_owed: AtomicBool::new(false), due_ms: AtomicI64::new(0) }
    }

    /// A large tail goes.
    pub fn owe(&self) {
        self.is_owed.store(true, Ordering::Relaxed);
    }

    /// Has it released, now and then. `now` is the time since the process started.
    pub fn release_if_due(&self, now: Duration) {
        let now_ms = now.as_millis() as i64;
        if self.is_owed.load(Ordering::Relaxed) && now_ms >= self.due_ms.load(Ordering::Relaxed) {
            self.is_owed.store(false, Ordering::Relaxed);
            self.due_ms.store(now_ms + RELEASE_EVERY_MS, Ordering::Relaxed);
            (self.release)();
        }
    }
}

const RELEASE_EVERY_MS: i64 = 5_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn is_released_after_a_large_tail_and_not_too_often() {
        static RELEASED: AtomicUsize = AtomicUsize::new(0);
        let memory = FreedMemory::new(|| {
            RELEASED.fetch_add(1, Ordering::Relaxed);
        });
        let released = |seconds| {
            memory.release_if_due(Duration::from_secs(seconds));
            RELEASED.load(Ordering::Relaxed)
        };
        assert_eq!(released(1), 0, "no large tail yet");
        memory.owe();
        assert_eq!(released(2), 1);
        assert_eq!(released(10), 1, "nothing new");
        memory.owe();
        assert_eq!(released(10), 2);
        memory.owe();
        assert_eq!(released(14), 2, "too soon");
        assert_eq!(released(15), 3);
    }
}
