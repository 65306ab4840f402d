//! How are lists and tables of names written (38, 206, 219, 300, 343, 345)?

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::heartbeat::SubscriptionData;

/// Settings by name: the answers to 28 and 219, and order topics in the answer to 103.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KVTable {
    /// Values by key.
    pub table: BTreeMap<String, String>,
}

/// Topic names: the answer to 206, 224, 304, 305, 311-313 and 343.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicList {
    /// The broker to ask next (304), or the one that answered (343).
    pub broker_addr: Option<String>,
    /// The names.
    pub topic_list: BTreeSet<String>,
}

/// The answer to `QUERY_TOPIC_CONSUME_BY_WHO` (300).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupList {
    /// The groups.
    pub group_list: BTreeSet<String>,
}

/// The answer to `GET_CONSUMER_LIST_BY_GROUP` (38).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetConsumerListByGroupResponseBody {
    /// Client ids.
    pub consumer_id_list: Vec<String>,
}

/// The answer to `QUERY_SUBSCRIPTION_BY_CONSUMER` (345).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuerySubscriptionResponseBody {
    /// The group.
    pub group: String,
    /// Its subscription, if it has one.
    pub subscription_data: Option<SubscriptionData>,
    /// The topic.
    pub topic: String,
}
