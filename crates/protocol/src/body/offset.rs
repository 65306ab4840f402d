//! What are the offsets of groups, and what are they reset to (43, 45, 220-223, 308)?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::queue::MessageQueue;
use super::version::DataVersion;

/// The answer to `GET_ALL_CONSUMER_OFFSET` (43), and `consumerOffset.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerOffsetSerializeWrapper {
    /// The table's version.
    pub data_version: Option<DataVersion>,
    /// By `topic@group`, then by queue.
    pub offset_table: BTreeMap<String, BTreeMap<i32, i64>>,
}

/// The answer to `GET_ALL_DELAY_OFFSET` (45), and `delayOffset.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DelayOffsetSerializeWrapper {
    /// The table's version.
    pub data_version: Option<DataVersion>,
    /// By delay level.
    pub offset_table: BTreeMap<i32, i64>,
}

/// The body of `RESET_CONSUMER_CLIENT_OFFSET` (220) and the answer to 222.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResetOffsetBody {
    /// The new offsets.
    pub offset_table: BTreeMap<MessageQueue, i64>,
}

/// [`ResetOffsetBody`] for clients in C++, which cannot read objects as keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResetOffsetBodyForC {
    /// The new offsets.
    pub offset_table: Vec<MessageQueueForC>,
}

/// A queue and its new offset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageQueueForC {
    /// The broker group.
    pub broker_name: String,
    /// The offset.
    pub offset: i64,
    /// The queue.
    pub queue_id: i32,
    /// The topic.
    pub topic: String,
}

/// A client's answer to 221, and the broker's collection of them for 223.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetConsumerStatusBody {
    /// Offsets by client.
    pub consumer_table: BTreeMap<String, BTreeMap<MessageQueue, i64>>,
    /// One client's offsets.
    pub message_queue_table: BTreeMap<MessageQueue, i64>,
}

/// The answer to `QUERY_CORRECTION_OFFSET` (308).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryCorrectionOffsetBody {
    /// Offsets by queue.
    pub correction_offsets: BTreeMap<i32, i64>,
}
