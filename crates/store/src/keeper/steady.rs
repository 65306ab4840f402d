//! What time is it, when the clock may jump? For deletion by age, which cannot be undone.
//!
//! ```text
//! wall clock   10:00  10:01 | 4 days later ...          | believed
//! steady       10:00  10:01   10:02  10:03 ... 11:01    | 4 days later
//! ```
//! A wall clock that has jumped ahead is believed only after an hour, in which it can be put right; so is the one that a start
//! finds. One that goes back is believed at once, as nothing is deleted by that.

use roxmq_protocol::time::Timestamp;
use std::time::Duration;

/// A wall time that goes no faster than time does.
#[derive(Debug)]
pub(crate) struct SteadyClock {
    wall: Timestamp,
    elapsed: Duration,
    doubted_since: Option<Duration>,
}

impl SteadyClock {
    /// At the start of a process, when `elapsed` has passed by the monotonic clock: whether the wall clock is right is not known yet.
    pub fn unsure(elapsed: Duration) -> SteadyClock {
        SteadyClock { wall: Timestamp(0), elapsed, doubted_since: Some(elapsed) }
    }

    fn sure(wall: Timestamp, elapsed: Duration) -> SteadyClock {
        SteadyClock { wall, elapsed, doubted_since: None }
    }

    /// The wall time to go by.
    pub fn now(&mut self, wall: Timestamp, elapsed: Duration) -> Timestamp {
        let steady = self.wall + elapsed.saturating_sub(self.elapsed);
        if wall > steady + TOLERANCE {
            if self.doubted_since.is_none() {
                tracing::warn!(
                    ahead_ms = wall.ms_since(steady),
                    "the clock is ahead of the newest message or of itself; nothing expires for an hour"
                );
            }
            let since = *self.doubted_since.get_or_insert(elapsed);
            if elapsed.saturating_sub(since) < BELIEVED_AFTER {
                return steady;
            }
        }
        *self = SteadyClock::sure(wall, elapsed);
        wall
    }
}

/// A correction of this much is believed at once.
const TOLERANCE: Duration = Duration::from_secs(60);
const BELIEVED_AFTER: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_ahead_is_believed_after_an_hour_and_one_back_at_once() {
        const START: i64 = 1_700_000_000_000;
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let start = Timestamp(START);
        let days = |days: u64| start + Duration::from_secs(24 * 3600 * days);
        let mut clock = SteadyClock::unsure(minutes(0));
        assert_eq!(clock.now(start, minutes(59)), Timestamp(0) + minutes(59), "nothing is that old");
        assert_eq!(clock.now(start, minutes(60)), start);
        let mut clock = SteadyClock::sure(start, minutes(0));
        assert_eq!(clock.now(start + minutes(1), minutes(1)), start + minutes(1));
        let corrected = start + minutes(2) + Duration::from_secs(59);
        assert_eq!(clock.now(corrected, minutes(2)), corrected, "put right a little");
        assert_eq!(clock.now(days(4), minutes(3)), corrected + minutes(1));
        assert_eq!(clock.now(days(4) + minutes(59), minutes(62)), corrected + minutes(60));
        assert_eq!(clock.now(days(4) + minutes(60), minutes(63)), days(4) + minutes(60));
        assert_eq!(clock.now(start, minutes(64)), start);
        assert_eq!(clock.now(days(4), minutes(65)), start + minutes(1), "doubted again");
        assert_eq!(clock.now(start + minutes(1), minutes(66)), start + minutes(1), "put right");
    }
}
