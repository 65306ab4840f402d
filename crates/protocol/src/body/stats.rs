//! What are the statistics of topics, groups and brokers (202, 208, 303, 315, 317, 321)?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::heartbeat::SubscriptionData;
use super::queue::MessageQueue;

/// The answer to `GET_TOPIC_STATS_INFO` (202).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicStatsTable {
    /// The offsets of each queue.
    pub offset_table: BTreeMap<MessageQueue, TopicOffset>,
    /// Messages per second over the last minute.
    pub topic_put_tps: f64,
}

/// The offsets of one queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicOffset {
    /// Store time of the last message, milliseconds since the epoch; 0 if the queue is empty.
    pub last_update_timestamp: i64,
    /// The offset of the next message.
    pub max_offset: i64,
    /// The offset of the first message.
    pub min_offset: i64,
}

/// The answer to `GET_CONSUME_STATS` (208).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeStats {
    /// Messages per second over the last minute.
    pub consume_tps: f64,
    /// The group's offsets in each queue.
    pub offset_table: BTreeMap<MessageQueue, OffsetWrapper>,
}

/// A group's offsets in one queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OffsetWrapper {
    /// The queue's end.
    pub broker_offset: i64,
    /// The committed offset.
    pub consumer_offset: i64,
    /// Store time of the last committed message, milliseconds since the epoch.
    pub last_timestamp: i64,
    /// The offset up to which the group has pulled.
    pub pull_offset: i64,
}

/// The answer to `GET_BROKER_CONSUME_STATS` (317).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeStatsList {
    /// The broker.
    pub broker_addr: Option<String>,
    /// One map for each group, with one entry for each topic.
    pub consume_stats_list: Vec<BTreeMap<String, Vec<ConsumeStats>>>,
    /// Messages not committed yet.
    pub total_diff: i64,
    /// Messages pulled and not committed yet.
    pub total_inflight_diff: i64,
}

/// The answer to `VIEW_BROKER_STATS_DATA` (315).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerStatsData {
    /// Over the last day.
    pub stats_day: BrokerStatsItem,
    /// Over the last hour.
    pub stats_hour: BrokerStatsItem,
    /// Over the last minute.
    pub stats_minute: BrokerStatsItem,
}

/// One statistic over one window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerStatsItem {
    /// Sum over count.
    pub avgpt: f64,
    /// The sum.
    pub sum: i64,
    /// Sum per second.
    pub tps: f64,
}

/// The answer to `QUERY_CONSUME_TIME_SPAN` (303).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryConsumeTimeSpanBody {
    /// One for each queue.
    pub consume_time_span_set: Vec<QueueTimeSpan>,
}

/// The time span of a queue, and where the group is in it. Milliseconds since the epoch unless noted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueTimeSpan {
    /// Store time of the group's next message.
    pub consume_time_stamp: i64,
    /// The lag behind the newest message, milliseconds.
    pub delay_time: i64,
    /// Store time of the newest message.
    pub max_time_stamp: i64,
    /// The queue.
    pub message_queue: MessageQueue,
    /// Store time of the oldest message.
    pub min_time_stamp: i64,
}

/// The answer to `QUERY_CONSUME_QUEUE` (321).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryConsumeQueueResponseBody {
    /// The group's filter.
    pub filter_data: Option<String>,
    /// The queue's end.
    pub max_queue_index: i64,
    /// The queue's first entry.
    pub min_queue_index: i64,
    /// The entries.
    pub queue_data: Vec<ConsumeQueueData>,
    /// The group's subscription.
    pub subscription_data: Option<SubscriptionData>,
}

/// One entry of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeQueueData {
    /// The filter bits stored with it.
    pub bit_map: Option<String>,
    /// Whether it matches the group's filter.
    pub eval: bool,
    /// The extension stored with it.
    pub extend_data_json: Option<String>,
    /// A remark.
    pub msg: Option<String>,
    /// The record's log offset.
    pub physic_offset: i64,
    /// The record's size in bytes.
    pub physic_size: i32,
    /// Java hash of the tag.
    pub tags_code: i64,
}
