//! Which topics have names that every broker, NameServer and client knows?
//!
//! Follows Java's `TopicValidator` and `MixAll`.

/// Prefix of a group's retry topic.
pub const RETRY_PREFIX: &str = "%RETRY%";
/// Prefix of a group's dead-letter topic.
pub const DEAD_LETTER_PREFIX: &str = "%DLQ%";
/// Prefix of the system topics since 5.x.
pub const SYSTEM_PREFIX: &str = "rmq_sys_";
/// Topic whose settings auto-created topics inherit.
pub const AUTO_CREATE_TOPIC: &str = "TBW102";
/// Where messages wait for their delay level, each level in queue `level - 1`.
pub const DELAY_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// Where half messages wait for a decision.
pub const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// Where op records say which half messages are decided.
pub const OP_TOPIC: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// Where half messages go that no producer decides.
pub const UNDECIDED_TOPIC: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
/// A topic that every broker has, for tests of itself.
pub const SELF_TEST_TOPIC: &str = "SELF_TEST_TOPIC";
/// A topic that every broker has, for measuring.
pub const BENCHMARK_TOPIC: &str = "BenchmarkTest";
/// A topic that every broker has, for news of moved offsets.
pub const OFFSET_MOVED_TOPIC: &str = "OFFSET_MOVED_EVENT";
