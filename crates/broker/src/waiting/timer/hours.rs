//! In which queue of the timer topic does an hour wait?

/// Length of an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Hours that have a queue of their own. More hours ahead than this share queues with nearer ones, and are passed over until it is
/// their turn.
pub const HOURS: i64 = 16_384;
/// The queue of an hour.
pub fn queue_of_hour(hour: i64) -> u32 {
    1 + hour.rem_euclid(HOURS) as u32
}

/// The hour of a time, counted from 1970.
pub fn hour_of(time_ms: i64) -> i64 {
    time_ms.div_euclid(HOUR_MS)
}
