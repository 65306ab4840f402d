//! In which queue of the timer topic do the messages of an hour wait?

use roxmq_protocol::time::Timestamp;

pub const HOUR_MS: i64 = 3_600_000;
/// Hours that have queues of their own. Later hours share queues with nearer ones; their messages are skipped until then.
pub const HOURS: i64 = 16_384;

/// The queue of an hour.
pub fn queue_of_hour(hour: i64) -> u32 {
    1 + hour.rem_euclid(HOURS) as u32
}

/// The hour of a time, counted from 1970.
pub fn hour_of(time: Timestamp) -> i64 {
    time.0.div_euclid(HOUR_MS)
}

/// When an hour begins.
pub fn start_of(hour: i64) -> Timestamp {
    Timestamp(hour.saturating_mul(HOUR_MS))
}
