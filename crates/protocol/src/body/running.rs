//! What is a consumer doing, as relayed by the broker (307, 309)?
//!
//! The broker relays these bodies unchanged; the types are for our own clients and tools.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::heartbeat::SubscriptionData;
use super::queue::MessageQueue;

/// The answer to `GET_CONSUMER_RUNNING_INFO` (307).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerRunningInfo {
    /// Stack traces of its threads, if requested.
    pub jstack: Option<String>,
    /// Queues it reads by POP.
    pub mq_pop_table: BTreeMap<MessageQueue, PopProcessQueueInfo>,
    /// Queues it pulls.
    pub mq_table: BTreeMap<MessageQueue, ProcessQueueInfo>,
    /// `PROP_CONSUME_TYPE`, `PROP_CLIENT_VERSION` and others.
    pub properties: BTreeMap<String, String>,
    /// Statistics by topic.
    pub status_table: BTreeMap<String, ConsumeStatus>,
    /// Its subscriptions.
    pub subscription_set: Vec<SubscriptionData>,
    /// Added by the application.
    pub user_consumer_info: BTreeMap<String, String>,
}

/// A client's state of one queue. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProcessQueueInfo {
    /// Messages it holds.
    pub cached_msg_count: i32,
    /// The last of them.
    pub cached_msg_max_offset: i64,
    /// The first of them.
    pub cached_msg_min_offset: i64,
    /// Their size, MiB.
    #[serde(rename = "cachedMsgSizeInMiB")]
    pub cached_msg_size_in_mib: i32,
    /// The offset it has committed.
    pub commit_offset: i64,
    /// The queue went to another client. Java's spelling; Go writes `dropped`.
    pub droped: bool,
    /// When it last consumed.
    pub last_consume_timestamp: i64,
    /// When it last held the queue's lock.
    pub last_lock_timestamp: i64,
    /// When it last pulled.
    pub last_pull_timestamp: i64,
    /// It holds the queue's lock.
    pub locked: bool,
    /// Messages being consumed in order.
    pub transaction_msg_count: i32,
    /// The last of them.
    pub transaction_msg_max_offset: i64,
    /// The first of them.
    pub transaction_msg_min_offset: i64,
    /// Attempts to unlock the queue.
    pub try_unlock_times: i64,
}

/// A client's state of one queue it reads by POP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PopProcessQueueInfo {
    /// The queue went to another client.
    pub droped: bool,
    /// When it last asked, milliseconds since the epoch.
    pub last_pop_timestamp: i64,
    /// Messages it has not acknowledged.
    pub wait_ack_count: i32,
}

/// A client's statistics for one topic. Times in milliseconds, rates per second.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeStatus {
    /// Failures over the last hour.
    pub consume_failed_msgs: i64,
    /// Failures.
    #[serde(rename = "consumeFailedTPS")]
    pub consume_failed_tps: f64,
    /// Successes.
    #[serde(rename = "consumeOKTPS")]
    pub consume_ok_tps: f64,
    /// Time to consume one.
    #[serde(rename = "consumeRT")]
    pub consume_rt: f64,
    /// Time of a pull.
    #[serde(rename = "pullRT")]
    pub pull_rt: f64,
    /// Messages pulled.
    #[serde(rename = "pullTPS")]
    pub pull_tps: f64,
}

/// A client's answer to `CONSUME_MESSAGE_DIRECTLY` (309).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeMessageDirectlyResult {
    /// Whether offsets are committed automatically.
    pub auto_commit: bool,
    /// The application's result.
    pub consume_result: Option<CMResult>,
    /// The group consumes in order.
    pub order: bool,
    /// The error.
    pub remark: Option<String>,
    /// How long it took, milliseconds.
    pub spent_time_mills: i64,
}

/// The result of consuming a message. The order of the variants is their ordinal on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CMResult {
    /// Consumed.
    CrSuccess,
    /// Retry later.
    CrLater,
    /// Rolled back.
    CrRollback,
    /// Committed.
    CrCommit,
    /// An exception was thrown.
    CrThrowException,
    /// The application returned nothing.
    CrReturnNull,
}
