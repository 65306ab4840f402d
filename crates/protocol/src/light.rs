//! Light queues (LMQ): which other queues is a message in, and at which offsets?
//!
//! A producer names them in `INNER_MULTI_DISPATCH`: `%LMQ%a,%LMQ%b`. Each is queue 0 of a topic that exists without being created. The
//! broker that stores the message writes their offsets, in the same order, into `INNER_MULTI_QUEUE_OFFSET`: `3,17`. Java:
//! `LmqDispatch`, `MultiDispatchUtils`.
//!
//! ```text
//! room for the offsets in two queues, at the end of the properties:   3,17\u{2}\u{2}\u{2}\u{2} ... \u{2}
//! ```
//! Offsets are known only once the record has its place, so its properties end with room for the longest ones. Unused room is filled
//! with U+0002: empty entries, which every reader skips.

use crate::properties::{NAME_END, Properties, name};
use crate::topic;
use thiserror::Error;

/// Prefix of every light queue's name.
pub const LIGHT_PREFIX: &str = "%LMQ%";
/// The one queue id of a light queue.
pub const LIGHT_QUEUE_ID: u32 = 0;
/// The most light queues that one message may name.
pub const LIGHT_QUEUES_MAX: usize = 128;
/// The longest name of a light queue in bytes, with its prefix.
pub const LIGHT_NAME_BYTES_MAX: usize = 255;

/// Why a message cannot go into the light queues that its producer names.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LightNamesError {
    /// More than [`LIGHT_QUEUES_MAX`].
    #[error("INNER_MULTI_DISPATCH names {0} queues, the limit is {LIGHT_QUEUES_MAX}")]
    TooMany(usize),
    /// Not the name of a light queue.
    #[error(
        "INNER_MULTI_DISPATCH names {0:?}: a light queue's name is {LIGHT_PREFIX} and at least one character, without '/' or control characters"
    )]
    Name(String),
    /// More than [`LIGHT_NAME_BYTES_MAX`].
    #[error("INNER_MULTI_DISPATCH has a name of {0} bytes, the limit is {LIGHT_NAME_BYTES_MAX}")]
    TooLong(usize),
    /// The same queue again; a message is in a queue once.
    #[error("INNER_MULTI_DISPATCH names {0} twice")]
    Twice(String),
}

/// Is it the name of a light queue, or of a group that exists without being created?
pub fn is_light(name: &str) -> bool {
    name.starts_with(LIGHT_PREFIX)
}

/// May messages of the topic be in light queues? Not those of retry, dead-letter and system topics, nor delayed ones. Java's
/// `MixAll.topicAllowsLMQ` also lets in half messages, which consumers must not see yet.
pub fn allows_light(name: &str) -> bool {
    const BARRED_PREFIXES: [&str; 4] = [topic::RETRY_PREFIX, topic::DEAD_LETTER_PREFIX, topic::SYSTEM_PREFIX, "RMQ_SYS_TRANS_"];
    const BARRED: [&str; 2] = [topic::DELAY_TOPIC, topic::UNDECIDED_TOPIC];
    !BARRED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !BARRED.contains(&name)
}

/// The light queues that an `INNER_MULTI_DISPATCH` value names. A blank value names none.
///
/// # Errors
/// When a name is not allowed, occurs twice, or there are too many.
pub fn light_names(value: &str) -> Result<impl Iterator<Item = &str> + Clone, LightNamesError> {
    let value = if value.trim().is_empty() { "" } else { value };
    let names = split(value);
    let count = names.clone().count();
    if count > LIGHT_QUEUES_MAX {
        return Err(LightNamesError::TooMany(count));
    }
    for (n, name) in names.clone().enumerate() {
        if name.len() > LIGHT_NAME_BYTES_MAX {
            return Err(LightNamesError::TooLong(name.len()));
        }
        let is_name =
            name.strip_prefix(LIGHT_PREFIX).is_some_and(|rest| !rest.is_empty() && !rest.contains(|c: char| c == '/' || c.is_control()));
        if !is_name {
            return Err(LightNamesError::Name(name.to_owned()));
        }
        if names.clone().take(n).any(|other| other == name) {
            return Err(LightNamesError::Twice(name.to_owned()));
        }
    }
    Ok(names)
}

/// The light queues of a stored message, with its offset in each; none if the numbers of names and offsets differ.
pub fn light_places<'a>(topic: &str, properties: Properties<'a>) -> impl Iterator<Item = (&'a str, i64)> + use<'a> {
    let (mut names, mut offsets) = ("", "");
    for (found, value) in properties.iter() {
        match found {
            name::INNER_MULTI_DISPATCH => names = value,
            name::INNER_MULTI_QUEUE_OFFSET => offsets = value,
            _ => {}
        }
    }
    let is_whole = !offsets.is_empty() && allows_light(topic) && split(names).count() == split(offsets).count();
    let (names, offsets) = if is_whole { (split(names), split(offsets)) } else { (split(""), split("")) };
    let places = names.clone().zip(offsets).enumerate().take(LIGHT_QUEUES_READ_MAX);
    // Java allows the same name twice, with the same offset.
    let places = places.filter(move |(n, (name, _))| !names.clone().take(*n).any(|other| other == *name));
    places.filter_map(|(_, (name, offset))| {
        let offset: i64 = offset.parse().ok()?;
        (is_light(name) && name.len() <= LIGHT_NAME_BYTES_MAX && offset >= 0).then_some((name, offset))
    })
}

/// Size in bytes of the property that holds the offsets in `queues` light queues.
pub const fn light_property_bytes(queues: usize) -> usize {
    name::INNER_MULTI_QUEUE_OFFSET.len() + NAME_END.len_utf8() + light_room(queues)
}

/// Size in bytes of the longest offsets in `queues` light queues, each with its separator.
pub const fn light_room(queues: usize) -> usize {
    queues * (OFFSET_DIGITS_MAX + 1)
}

/// How many bytes the store adds to these properties for the offsets in the light queues that they name.
pub fn light_room_of(properties: Properties<'_>) -> usize {
    let names = properties.find(name::INNER_MULTI_DISPATCH).and_then(|names| light_names(names).ok());
    match names.map_or(0, Iterator::count) {
        0 => 0,
        count => light_property_bytes(count),
    }
}

/// As Java's `String.split`: empty parts at the end are dropped.
fn split(value: &str) -> impl Iterator<Item = &str> + Clone {
    let value = value.trim_end_matches(SEPARATOR);
    value.split(SEPARATOR).take(if value.is_empty() { 0 } else { usize::MAX })
}

pub(crate) const SEPARATOR: char = ',';
/// Digits of `i64::MAX`.
pub(crate) const OFFSET_DIGITS_MAX: usize = 19;
/// Records of another broker may name more light queues than this one accepts.
const LIGHT_QUEUES_READ_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(value: &str) -> Result<Vec<&str>, LightNamesError> {
        light_names(value).map(Iterator::collect)
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(names("%LMQ%a,%LMQ%b"), Ok(vec!["%LMQ%a", "%LMQ%b"]));
        assert_eq!(names("%LMQ%a,,"), Ok(vec!["%LMQ%a"]));
        assert_eq!(names("  "), Ok(vec![]));
        for bad in ["a", ",%LMQ%a", "%LMQ%a,,%LMQ%b", "%LMQ%", "%LMQ%a/b", "%LMQ%a\n", "%LMQ%a, %LMQ%b"] {
            assert!(matches!(names(bad), Err(LightNamesError::Name(_))), "{bad:?}");
        }
        assert_eq!(names("%LMQ%a,%LMQ%b,%LMQ%a"), Err(LightNamesError::Twice("%LMQ%a".into())));
        let long = format!("%LMQ%{}", "x".repeat(LIGHT_NAME_BYTES_MAX));
        assert_eq!(names(&long), Err(LightNamesError::TooLong(long.len())));
        let many = |count: usize| (0..count).map(|n| format!("%LMQ%{n}")).collect::<Vec<_>>().join(",");
        assert_eq!(names(&many(LIGHT_QUEUES_MAX)).map(|all| all.len()), Ok(LIGHT_QUEUES_MAX));
        assert_eq!(names(&many(LIGHT_QUEUES_MAX + 1)), Err(LightNamesError::TooMany(LIGHT_QUEUES_MAX + 1)));
    }

    #[test]
    fn places_are_only_where_names_and_offsets_fit() {
        let places = |topic: &str, names: &str, offsets: &str| {
            let text = format!("INNER_MULTI_DISPATCH\u{1}{names}\u{2}INNER_MULTI_QUEUE_OFFSET\u{1}{offsets}\u{2}");
            light_places(topic, Properties::new(&text)).map(|(name, offset)| format!("{name}:{offset}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(places("T", "%LMQ%a,%LMQ%b", "1,2"), "%LMQ%a:1 %LMQ%b:2");
        assert_eq!(places("T", "%LMQ%a,%LMQ%a", "1,1"), "%LMQ%a:1");
        assert_eq!(places("T", "%LMQ%a,x,%LMQ%b", "1,5,-2"), "%LMQ%a:1");
        assert_eq!(places("T", "%LMQ%a,%LMQ%b", "1"), "");
        assert_eq!(places("T", "%LMQ%a", ""), "");
        assert_eq!(places("T", "%LMQ%a", "1x"), "");
        for barred in ["%RETRY%g", "%DLQ%g", "rmq_sys_x", "SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC"] {
            assert_eq!(places(barred, "%LMQ%a", "1"), "", "{barred}");
        }
    }
}
