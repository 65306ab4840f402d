//! How does RocketMQ write a point in time?

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time by the wall clock, in milliseconds since 1970 (UTC).
///
/// A client may claim any time, so arithmetic stops at the ends of the range instead of overflowing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The last time there is: later than every other.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// The time `ms` milliseconds later, or earlier if `ms` is negative.
    pub fn plus_ms(self, ms: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }

    /// How many milliseconds this time is after `earlier`; negative if it is before.
    pub fn ms_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// How long this time is after `earlier`; zero if it is not after.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.ms_since(earlier)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, later: Duration) -> Timestamp {
        self.plus_ms(whole_ms(later))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, earlier: Duration) -> Timestamp {
        self.plus_ms(-whole_ms(earlier))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Fractions of a millisecond are dropped.
fn whole_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_by_durations_and_milliseconds() {
        let noon = Timestamp(1_700_000_000_000);
        assert_eq!(noon + Duration::from_micros(2_999), Timestamp(1_700_000_000_002));
        assert_eq!(noon - Duration::from_secs(1), noon.plus_ms(-1_000));
        assert!(noon < noon.plus_ms(1) && noon > noon.plus_ms(-1));
        assert_eq!(noon.to_string(), "1700000000000");
    }

    #[test]
    fn a_difference_has_a_sign_only_in_milliseconds() {
        let (early, late) = (Timestamp(1_000), Timestamp(4_500));
        assert_eq!((late.ms_since(early), early.ms_since(late)), (3_500, -3_500));
        assert_eq!((late.since(early), early.since(late)), (Duration::from_millis(3_500), Duration::ZERO));
    }

    #[test]
    fn a_claimed_time_overflows_nothing() {
        let (first, last) = (Timestamp(i64::MIN), Timestamp::MAX);
        assert_eq!((last.plus_ms(1), first.plus_ms(-1)), (last, first));
        assert_eq!((last + Duration::MAX, first - Duration::MAX), (last, first));
        assert_eq!((last.ms_since(first), first.ms_since(last)), (i64::MAX, i64::MIN));
    }

    #[test]
    fn is_a_number_in_json() {
        let written = serde_json::to_string(&Timestamp(7)).expect("writes");
        assert_eq!((written.as_str(), serde_json::from_str::<Timestamp>("7").expect("reads")), ("7", Timestamp(7)));
    }
}
