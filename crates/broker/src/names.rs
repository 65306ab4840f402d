//! Which names may topics and groups have, and which of them are the system's own?
//!
//! Follows Java's `TopicValidator`, `Validators` and `MixAll`.

use crate::error::Refusal;
pub use roxmq_protocol::topic::{
    AUTO_CREATE_TOPIC, BENCHMARK_TOPIC, DEAD_LETTER_PREFIX, DELAY_TOPIC, HALF_TOPIC, OFFSET_MOVED_TOPIC, OP_TOPIC, RETRY_PREFIX,
    SELF_TEST_TOPIC, SYSTEM_PREFIX, UNDECIDED_TOPIC,
};

/// Where messages wait for a time of their own.
pub const TIMER_TOPIC: &str = "rmq_sys_wheel_timer";
/// Where the broker records how far deliveries and checks have come; never announced.
pub const DELIVERY_MARKS_TOPIC: &str = "rmq_sys_delivery_marks";
/// Where messages are parked.
pub const PARKING_TOPIC: &str = "rmq_sys_parked";

/// The longest name of a topic. In a record it has one byte for its length, and Java's newer form with two (V2) is read by Java alone.
pub const TOPIC_BYTES_MAX: usize = 127;
/// The longest name of a group: that of its retry topic is as long as a topic's may be. Java's clients refuse longer ones.
pub const GROUP_BYTES_MAX: usize = TOPIC_BYTES_MAX - RETRY_PREFIX.len();
/// The longest name of a retry or dead-letter topic that was made before these limits.
const OLD_DERIVED_BYTES_MAX: usize = 255;
/// The longest name of a group that was made before these limits.
const OLD_GROUP_BYTES_MAX: usize = OLD_DERIVED_BYTES_MAX - RETRY_PREFIX.len();
/// The longest name of a client: clients and tools name files after it.
const CLIENT_ID_BYTES_MAX: usize = 255;
const SYSTEM_GROUP_PREFIX: &str = "CID_RMQ_SYS_";

const SYSTEM_TOPICS: [&str; 10] = [
    AUTO_CREATE_TOPIC,
    DELAY_TOPIC,
    BENCHMARK_TOPIC,
    HALF_TOPIC,
    "RMQ_SYS_TRACE_TOPIC",
    OP_TOPIC,
    UNDECIDED_TOPIC,
    SELF_TEST_TOPIC,
    OFFSET_MOVED_TOPIC,
    "CHECKPOINT_TOPIC",
];

const NO_SEND_TOPICS: [&str; 9] = [
    DELAY_TOPIC,
    TIMER_TOPIC,
    DELIVERY_MARKS_TOPIC,
    PARKING_TOPIC,
    HALF_TOPIC,
    OP_TOPIC,
    UNDECIDED_TOPIC,
    SELF_TEST_TOPIC,
    OFFSET_MOVED_TOPIC,
];

/// Groups that exist from the start.
pub const SYSTEM_GROUPS: [&str; 8] = [
    "TOOLS_CONSUMER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
    "CID_RMQ_SYS_TRANS",
];

/// Is it one of the system's topics?
pub fn is_system_topic(topic: &str) -> bool {
    SYSTEM_TOPICS.contains(&topic) || topic.starts_with(SYSTEM_PREFIX)
}

/// Are clients forbidden to send to it?
pub fn is_send_forbidden(topic: &str) -> bool {
    NO_SEND_TOPICS.contains(&topic)
}

/// Is it a group of the system, which is created even if the settings forbid new groups?
pub fn is_system_group(group: &str) -> bool {
    SYSTEM_GROUPS.contains(&group) || group.starts_with(SYSTEM_GROUP_PREFIX)
}

/// The retry topic of a group.
pub fn retry_topic(group: &str) -> String {
    format!("{RETRY_PREFIX}{group}")
}

/// The dead-letter topic of a group.
pub fn dead_letter_topic(group: &str) -> String {
    format!("{DEAD_LETTER_PREFIX}{group}")
}

/// Checks the name of a topic that may be older than today's limit.
///
/// # Errors
/// [`Refusal::Name`] with Java's words.
pub fn check_topic(topic: &str) -> Result<(), Refusal> {
    if topic.trim().is_empty() {
        return Err(Refusal::Name("The specified topic is blank.".into()));
    }
    if !topic.bytes().all(is_name_byte) {
        return Err(illegal_characters("topic", topic));
    }
    let is_derived = topic.starts_with(RETRY_PREFIX) || topic.starts_with(DEAD_LETTER_PREFIX);
    check_topic_length(topic, if is_derived { OLD_DERIVED_BYTES_MAX } else { TOPIC_BYTES_MAX })
}

/// Checks the name of a new topic.
///
/// # Errors
/// As [`check_topic`].
pub fn check_new_topic(topic: &str) -> Result<(), Refusal> {
    check_topic(topic)?;
    check_topic_length(topic, TOPIC_BYTES_MAX)
}

fn check_topic_length(topic: &str, max: usize) -> Result<(), Refusal> {
    if topic.len() > max {
        return Err(Refusal::Name(format!("The specified topic: {}, is longer than topic max length: {max}", shown(topic))));
    }
    Ok(())
}

/// Checks the name of a group that may be older than today's limit.
///
/// # Errors
/// [`Refusal::Name`].
pub fn check_group(group: &str) -> Result<(), Refusal> {
    if group.trim().is_empty() {
        return Err(Refusal::Name("The specified group is blank.".into()));
    }
    if !group.bytes().all(is_name_byte) {
        return Err(illegal_characters("group", group));
    }
    if group.len() > OLD_GROUP_BYTES_MAX { Err(group_too_long(group)) } else { Ok(()) }
}

/// The refusal of a new group whose retry topic would have too long a name.
pub fn group_too_long(group: &str) -> Refusal {
    Refusal::Name(format!("The specified group: {}, is longer than group max length: {GROUP_BYTES_MAX}", shown(group)))
}

/// Checks a client id.
///
/// # Errors
/// [`Refusal::Name`].
pub fn check_client(client_id: &str) -> Result<(), Refusal> {
    if client_id.len() > CLIENT_ID_BYTES_MAX {
        let shown = shown(client_id);
        return Err(Refusal::Name(format!("The client id: {shown}, is longer than client id max length: {CLIENT_ID_BYTES_MAX}")));
    }
    check_printable("client id", client_id)
}

/// Checks a name that tools print as it is: a line break or an escape in it would write to an operator's screen.
///
/// # Errors
/// [`Refusal::Name`].
pub fn check_printable(kind: &str, name: &str) -> Result<(), Refusal> {
    if name.chars().any(char::is_control) {
        return Err(Refusal::Name(format!("The {kind}: {:?}, contains control characters", shown(name))));
    }
    Ok(())
}

fn illegal_characters(kind: &str, name: &str) -> Refusal {
    Refusal::Name(format!("The specified {kind}: {}, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$", shown(name)))
}

/// As much of a name as an answer shows.
fn shown(name: &str) -> String {
    name.chars().take(OLD_DERIVED_BYTES_MAX).collect()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'%' | b'|' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["T", "a-b_c|d%9", &"x".repeat(127), &retry_topic(&"g".repeat(200))] {
            assert_eq!(check_topic(good), Ok(()), "{good}");
        }
        for bad in ["", " ", "a b", "主题", "a/b", &"x".repeat(128), &retry_topic(&"g".repeat(249))] {
            assert!(check_topic(bad).is_err(), "{bad}");
        }
        assert!(check_group("").is_err() && check_group("g.x").is_err() && check_group("g").is_ok());
        let group = "g".repeat(GROUP_BYTES_MAX);
        assert_eq!(
            (group.len(), check_new_topic(&retry_topic(&group)), check_new_topic(&dead_letter_topic(&group))),
            (120, Ok(()), Ok(()))
        );
        assert!(check_new_topic(&retry_topic(&"g".repeat(121))).is_err() && check_new_topic(&"x".repeat(128)).is_err());
        assert!(check_group(&"g".repeat(248)).is_ok() && check_group(&"g".repeat(249)).is_err());
        assert!(check_client(&"c".repeat(255)).is_ok() && check_client(&"c".repeat(256)).is_err());
        assert!(check_client("10.0.0.1@a/b %s#\u{4e3b}").is_ok() && check_client("a\nb").is_err() && check_client("\u{1b}[2J").is_err());
        assert!(is_system_topic("rmq_sys_x") && !is_system_topic("x"));
    }
}
