//! What time is it, when the clock may jump? For deletion by age, which cannot be undone.
//!
//! ```text
//! wall clock   10:00  10:01 | 4 days later ...          | believed
//! steady       10:00  10:01   10:02  10:03 ... 11:01    | 4 days later
//! ```
//! A wall clock that has jumped ahead is believed only after an hour, in which it can be put right; so is the one that a start
//! finds. One that goes back is believed at once, as nothing is deleted by that.

/// A wall time that goes no faster than time does.
#[derive(Debug)]
pub(crate) struct SteadyClock {
    wall_ms: i64,
    elapsed_ms: i64,
    doubted_since_ms: Option<i64>,
}

impl SteadyClock {
    /// At the start of a process, when `elapsed_ms` have passed by the monotonic clock: whether the wall clock is right is not known yet.
    pub fn unsure(elapsed_ms: i64) -> SteadyClock {
        SteadyClock { wall_ms: 0, elapsed_ms, doubted_since_ms: Some(elapsed_ms) }
    }

    fn sure(wall_ms: i64, elapsed_ms: i64) -> SteadyClock {
        SteadyClock { wall_ms, elapsed_ms, doubted_since_ms: None }
    }

    /// The wall time to go by.
    pub fn now_ms(&mut self, wall_ms: i64, elapsed_ms: i64) -> i64 {
        let steady_ms = self.wall_ms.saturating_add(elapsed_ms - self.elapsed_ms);
        if wall_ms > steady_ms.saturating_add(TOLERANCE_MS) {
            if self.doubted_since_ms.is_none() {
                tracing::warn!(
                    ahead_ms = wall_ms - steady_ms,
                    "the clock is ahead of the newest message or of itself; nothing expires for an hour"
                );
            }
            let since_ms = *self.doubted_since_ms.get_or_insert(elapsed_ms);
            if elapsed_ms - since_ms < BELIEVED_AFTER_MS {
                return steady_ms;
            }
        }
        *self = SteadyClock::sure(wall_ms, elapsed_ms);
        wall_ms
    }
}

/// A correction of this much is believed at once.
const TOLERANCE_MS: i64 = 60_000;
const BELIEVED_AFTER_MS: i64 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_ahead_is_believed_after_an_hour_and_one_back_at_once() {
        const MINUTE: i64 = 60_000;
        let day = 24 * 60 * MINUTE;
        let start = 1_700_000_000_000;
        let mut clock = SteadyClock::unsure(0);
        assert_eq!(clock.now_ms(start, 59 * MINUTE), 59 * MINUTE, "nothing is that old");
        assert_eq!(clock.now_ms(start, 60 * MINUTE), start);
        let mut clock = SteadyClock::sure(start, 0);
        assert_eq!(clock.now_ms(start + MINUTE, MINUTE), start + MINUTE);
        assert_eq!(clock.now_ms(start + 2 * MINUTE + 59_000, 2 * MINUTE), start + 2 * MINUTE + 59_000, "put right a little");
        let before = start + 2 * MINUTE + 59_000;
        assert_eq!(clock.now_ms(start + 4 * day, 3 * MINUTE), before + MINUTE);
        assert_eq!(clock.now_ms(start + 4 * day + 59 * MINUTE, 62 * MINUTE), before + 60 * MINUTE);
        assert_eq!(clock.now_ms(start + 4 * day + 60 * MINUTE, 63 * MINUTE), start + 4 * day + 60 * MINUTE);
        assert_eq!(clock.now_ms(start, 64 * MINUTE), start);
        assert_eq!(clock.now_ms(start + 4 * day, 65 * MINUTE), start + MINUTE, "doubted again");
        assert_eq!(clock.now_ms(start + MINUTE, 66 * MINUTE), start + MINUTE, "put right");
    }
}
