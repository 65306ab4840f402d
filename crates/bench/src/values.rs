//! Which values do flags take? Numbers within a range, and times.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Reads a number that lies in a range.
pub fn within<T: FromStr + PartialOrd + Display>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    RangeInclusive<T>: Clone,
{
    move |value| value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| wanted(range.start(), range.end(), ""))
}

/// Reads a time in seconds, which may have a fraction.
pub fn seconds(min: f64) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    let range = min..=SECONDS_MAX;
    move |value| {
        let seconds = value.parse().ok().filter(|seconds| range.contains(seconds));
        seconds.map(Duration::from_secs_f64).ok_or_else(|| wanted(range.start(), range.end(), " seconds"))
    }
}

/// Reads a time in whole units, such as milliseconds or days.
pub fn whole(unit: Duration, range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    let count = within(range);
    move |value| count(value).map(|count| unit * count)
}

fn wanted(min: impl Display, max: impl Display, unit: &str) -> String {
    format!("it must be {min} to {max}{unit}")
}

/// Ten days.
const SECONDS_MAX: f64 = 864_000.0;
