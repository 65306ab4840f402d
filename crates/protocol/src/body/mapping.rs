//! Static topics: which physical queue is behind a logical one?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The mapping on one broker, as the NameServer passes it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicQueueMappingInfo {
    /// The broker group.
    pub bname: Option<String>,
    /// Physical queue by logical queue.
    pub curr_id_map: BTreeMap<i32, i32>,
    /// Set while a mapping is being changed.
    pub dirty: bool,
    /// Grows with every change.
    pub epoch: i64,
    /// Queues are unique within this scope.
    pub scope: String,
    /// The topic.
    pub topic: Option<String>,
    /// Logical queues of the topic.
    pub total_queues: i32,
}

impl Default for TopicQueueMappingInfo {
    fn default() -> Self {
        TopicQueueMappingInfo {
            bname: None,
            curr_id_map: BTreeMap::new(),
            dirty: false,
            epoch: 0,
            scope: GLOBAL_SCOPE.into(),
            topic: None,
            total_queues: 0,
        }
    }
}

/// The mapping on one broker with the history of each queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicQueueMappingDetail {
    /// The broker group.
    pub bname: Option<String>,
    /// Physical queue by logical queue.
    pub curr_id_map: BTreeMap<i32, i32>,
    /// Set while a mapping is being changed.
    pub dirty: bool,
    /// Grows with every change.
    pub epoch: i64,
    /// The history of each logical queue.
    pub hosted_queues: BTreeMap<i32, Vec<LogicQueueMappingItem>>,
    /// Queues are unique within this scope.
    pub scope: String,
    /// The topic.
    pub topic: Option<String>,
    /// Logical queues of the topic.
    pub total_queues: i32,
}

impl Default for TopicQueueMappingDetail {
    fn default() -> Self {
        TopicQueueMappingDetail {
            bname: None,
            curr_id_map: BTreeMap::new(),
            dirty: false,
            epoch: 0,
            hosted_queues: BTreeMap::new(),
            scope: GLOBAL_SCOPE.into(),
            topic: None,
            total_queues: 0,
        }
    }
}

/// A stretch of a logical queue on one physical queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogicQueueMappingItem {
    /// The broker group.
    pub bname: Option<String>,
    /// Physical offset behind the stretch, -1 while it is open.
    pub end_offset: i64,
    /// Number of the stretch.
    pub r#gen: i32,
    /// Logical offset of its first message.
    pub logic_offset: i64,
    /// The physical queue.
    pub queue_id: i32,
    /// Physical offset of its first message.
    pub start_offset: i64,
    /// Milliseconds since the epoch; -1 if unknown.
    pub time_of_end: i64,
    /// Milliseconds since the epoch; -1 if unknown.
    pub time_of_start: i64,
}

impl Default for LogicQueueMappingItem {
    fn default() -> Self {
        LogicQueueMappingItem {
            bname: None,
            end_offset: -1,
            r#gen: 0,
            logic_offset: 0,
            queue_id: 0,
            start_offset: 0,
            time_of_end: -1,
            time_of_start: -1,
        }
    }
}

const GLOBAL_SCOPE: &str = "__global__";
