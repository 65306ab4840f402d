//! Which names topics and groups may have, and which of them are the system's own.
//!
//! Follows Java's `TopicValidator`, `Validators` and `MixAll`.

use crate::error::Refusal;

/// Prefix of a group's retry topic.
pub const RETRY_PREFIX: &str = "%RETRY%";
/// Prefix of a group's dead-letter topic.
pub const DEAD_LETTER_PREFIX: &str = "%DLQ%";
/// Topic whose settings auto-created topics take over.
pub const AUTO_CREATE_TOPIC: &str = "TBW102";

/// Where messages wait for their delay level.
pub const DELAY_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// Where messages wait for a time of their own.
pub const TIMER_TOPIC: &str = "rmq_sys_wheel_timer";
/// Where half messages wait for a decision.
pub const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// Where it is said which half messages are closed.
pub const OP_TOPIC: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// Where it is said how far delivery has come; never told to anybody.
pub const MARKS_TOPIC: &str = "rmq_sys_delivery_marks";
/// Where messages go that waited and cannot be carried on.
pub const PARKING_TOPIC: &str = "rmq_sys_parked";
/// Where half messages go that nobody would decide.
pub const PARKED_TOPIC: &str = "TRANS_CHECK_MAX_TIME_TOPIC";

const TOPIC_BYTES_MAX: usize = 127;
const RETRY_TOPIC_BYTES_MAX: usize = 255;
const GROUP_BYTES_MAX: usize = 255;
const SYSTEM_TOPIC_PREFIX: &str = "rmq_sys_";
const SYSTEM_GROUP_PREFIX: &str = "CID_RMQ_SYS_";

const SYSTEM_TOPICS: [&str; 10] = [
    AUTO_CREATE_TOPIC,
    DELAY_TOPIC,
    "BenchmarkTest",
    HALF_TOPIC,
    "RMQ_SYS_TRACE_TOPIC",
    OP_TOPIC,
    PARKED_TOPIC,
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "CHECKPOINT_TOPIC",
];

const NO_SEND_TOPICS: [&str; 9] =
    [DELAY_TOPIC, TIMER_TOPIC, MARKS_TOPIC, PARKING_TOPIC, HALF_TOPIC, OP_TOPIC, PARKED_TOPIC, "SELF_TEST_TOPIC", "OFFSET_MOVED_EVENT"];

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

/// Is it one of the system's own topics?
pub fn is_system_topic(topic: &str) -> bool {
    SYSTEM_TOPICS.contains(&topic) || topic.starts_with(SYSTEM_TOPIC_PREFIX)
}

/// May clients not send to it?
pub fn is_send_forbidden(topic: &str) -> bool {
    NO_SEND_TOPICS.contains(&topic)
}

/// Is it created whatever the settings say?
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

/// Checks the name of a topic.
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
    let max = if is_derived { RETRY_TOPIC_BYTES_MAX } else { TOPIC_BYTES_MAX };
    if topic.len() > max {
        return Err(Refusal::Name(format!("The specified topic: {topic}, is longer than topic max length: {max}")));
    }
    Ok(())
}

/// Checks the name of a group. Longer than the clients' own limit of 120 is let in, as old clients have no such check.
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
    let max = GROUP_BYTES_MAX - RETRY_PREFIX.len();
    if group.len() > max {
        return Err(Refusal::Name(format!("The specified group: {group}, is longer than group max length: {max}")));
    }
    Ok(())
}

fn illegal_characters(kind: &str, name: &str) -> Refusal {
    let shown: String = name.chars().take(RETRY_TOPIC_BYTES_MAX).collect();
    Refusal::Name(format!("The specified {kind}: {shown}, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"))
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
        assert!(is_system_topic("rmq_sys_x") && !is_system_topic("x"));
    }
}
