//! What are the settings of a consumer group (200, 201, 225, 352)?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::version::DataVersion;

/// One group's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupConfig {
    /// Attributes, as for topics.
    pub attributes: BTreeMap<String, String>,
    /// The broker to read from.
    pub broker_id: i64,
    /// Members may broadcast.
    pub consume_broadcast_enable: bool,
    /// Members may consume.
    pub consume_enable: bool,
    /// A new group may begin at the first message.
    pub consume_from_min_enable: bool,
    /// POP in order.
    pub consume_message_orderly: bool,
    /// Minutes after which consuming a message has timed out.
    pub consume_timeout_minute: i32,
    /// The group.
    pub group_name: String,
    /// Delays between attempts.
    pub group_retry_policy: GroupRetryPolicy,
    /// 1: unit group.
    pub group_sys_flag: i32,
    /// Notify members at once when one joins or leaves.
    pub notify_consumer_ids_changed_enable: bool,
    /// Attempts before a message goes to the dead-letter topic.
    pub retry_max_times: i32,
    /// Queues of the retry topic.
    pub retry_queue_nums: i32,
    /// Subscriptions stored on the broker, for clients without any.
    pub subscription_data_set: Option<Vec<SimpleSubscriptionData>>,
    /// The broker to read from when the master is slow.
    pub which_broker_when_consume_slowly: i64,
}

impl Default for SubscriptionGroupConfig {
    fn default() -> Self {
        SubscriptionGroupConfig {
            attributes: BTreeMap::new(),
            broker_id: 0,
            consume_broadcast_enable: true,
            consume_enable: true,
            consume_from_min_enable: true,
            consume_message_orderly: false,
            consume_timeout_minute: 15,
            group_name: String::new(),
            group_retry_policy: GroupRetryPolicy::default(),
            group_sys_flag: 0,
            notify_consumer_ids_changed_enable: true,
            retry_max_times: 16,
            retry_queue_nums: 1,
            subscription_data_set: None,
            which_broker_when_consume_slowly: 1,
        }
    }
}

/// Which policy decides the delay before the next attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupRetryPolicy {
    /// Delays from a list.
    pub customized_retry_policy: Option<CustomizedRetryPolicy>,
    /// Growing delays.
    pub exponential_retry_policy: Option<ExponentialRetryPolicy>,
    /// Which of the two applies.
    #[serde(rename = "type")]
    pub kind: GroupRetryPolicyType,
}

/// The kinds of retry policy. The order of the variants is their ordinal on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum GroupRetryPolicyType {
    /// Growing delays.
    Exponential,
    /// Delays from a list.
    #[default]
    Customized,
}

/// Delays that grow by a factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExponentialRetryPolicy {
    /// The first delay, milliseconds.
    pub initial: i64,
    /// The longest delay, milliseconds.
    pub max: i64,
    /// The factor.
    pub multiplier: i64,
}

impl Default for ExponentialRetryPolicy {
    fn default() -> Self {
        ExponentialRetryPolicy { initial: 5_000, max: 7_200_000, multiplier: 2 }
    }
}

/// Delays from a list; further attempts use the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomizedRetryPolicy {
    /// The delays, milliseconds.
    pub next: Vec<i64>,
}

impl Default for CustomizedRetryPolicy {
    fn default() -> Self {
        let seconds = [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200];
        CustomizedRetryPolicy { next: seconds.map(|seconds| seconds * 1_000).into() }
    }
}

/// A subscription stored on the broker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SimpleSubscriptionData {
    /// The expression.
    pub expression: String,
    /// `TAG` or `SQL92`.
    pub expression_type: String,
    /// The topic.
    pub topic: String,
    /// When it was made, milliseconds since the epoch.
    pub version: i64,
}

/// The body of `UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST` (225).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupList {
    /// The groups to create or change.
    pub group_config_list: Vec<SubscriptionGroupConfig>,
}

/// The answer to `GET_ALL_SUBSCRIPTIONGROUP_CONFIG` (201).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupWrapper {
    /// The table's version.
    pub data_version: DataVersion,
    /// By group and topic: bit 2 (4) is set when the group may not read the topic.
    pub forbidden_table: BTreeMap<String, BTreeMap<String, i32>>,
    /// Groups by name.
    pub subscription_group_table: BTreeMap<String, SubscriptionGroupConfig>,
}

/// The answer to `UPDATE_AND_GET_GROUP_FORBIDDEN` (353).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupForbidden {
    /// The group.
    pub group: String,
    /// Whether it may read the topic.
    pub readable: Option<bool>,
    /// The topic.
    pub topic: String,
}
