//! Which groups does a client belong to, and what do they subscribe to (34, 46)?

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

/// The body of `HEART_BEAT` (34). Both sets may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeartbeatData {
    /// Unique for each client instance, `ip@instanceName`.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Groups the client consumes for.
    pub consumer_data_set: Vec<ConsumerData>,
    /// A hash of all subscriptions; 0 in version 1 of the heartbeat.
    pub heartbeat_fingerprint: i32,
    /// Groups the client produces for.
    pub producer_data_set: Vec<ProducerData>,
    /// True if the subscriptions are left out because the fingerprint has not changed.
    pub without_sub: bool,
}

/// A producer group in a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerData {
    /// The group.
    pub group_name: String,
}

/// A consumer group in a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerData {
    /// Where a group without offsets begins. `UNKNOWN`, from Go clients, is read as the default.
    #[serde(deserialize_with = "known_or_default")]
    pub consume_from_where: ConsumeFromWhere,
    /// How the client gets its messages.
    pub consume_type: ConsumeType,
    /// The group.
    pub group_name: String,
    /// Whether members share the queues.
    pub message_model: MessageModel,
    /// The group's subscriptions, one for each topic.
    pub subscription_data_set: Vec<SubscriptionData>,
    /// The group is of a unit of Alibaba's multi-site set-up; stored, without effect.
    pub unit_mode: bool,
}

/// A filter on one topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionData {
    /// Filtering by an uploaded Java class, which brokers no longer support.
    pub class_filter_mode: bool,
    /// Java hash codes of the tags, computed by the client.
    pub code_set: BTreeSet<i32>,
    /// `TAG` or `SQL92`.
    pub expression_type: String,
    /// The expression: `*`, `A || B`, or SQL.
    pub sub_string: String,
    /// When the subscription was made, milliseconds since the epoch; the newer one wins.
    pub sub_version: i64,
    /// The tags of a tag expression.
    pub tags_set: BTreeSet<String>,
    /// The topic.
    pub topic: String,
}

impl SubscriptionData {
    /// The expression that matches every message.
    pub const ALL: &'static str = "*";
    /// Expressions are tags.
    pub const TAG: &'static str = "TAG";
    /// Expressions are SQL.
    pub const SQL92: &'static str = "SQL92";
}

impl Default for SubscriptionData {
    fn default() -> Self {
        SubscriptionData {
            class_filter_mode: false,
            code_set: BTreeSet::new(),
            expression_type: SubscriptionData::TAG.into(),
            sub_string: String::new(),
            sub_version: 0,
            tags_set: BTreeSet::new(),
            topic: String::new(),
        }
    }
}

/// How a consumer gets its messages. The order of the variants is their ordinal on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsumeType {
    /// The application asks (pull consumer).
    ConsumeActively,
    /// The client asks in the background (push consumer).
    #[default]
    ConsumePassively,
    /// By POP.
    ConsumePop,
}

/// Whether the members of a group share the queues. The order of the variants is their ordinal on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MessageModel {
    /// Every member gets every message and stores its own offsets.
    Broadcasting,
    /// Members share the queues; the broker stores the offsets.
    #[default]
    Clustering,
}

/// Where a group without offsets begins. The order of the variants is their ordinal on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsumeFromWhere {
    /// At the end.
    #[default]
    ConsumeFromLastOffset,
    /// Old name of the above.
    ConsumeFromLastOffsetAndFromMinWhenBootFirst,
    /// Old name of the first offset.
    ConsumeFromMinOffset,
    /// Old name of the last offset.
    ConsumeFromMaxOffset,
    /// At the first message.
    ConsumeFromFirstOffset,
    /// At a time the client chose.
    ConsumeFromTimestamp,
}

fn known_or_default<'de, D: Deserializer<'de>>(from: D) -> Result<ConsumeFromWhere, D::Error> {
    Ok(ConsumeFromWhere::deserialize(from).unwrap_or_default())
}

/// The body of `CHECK_CLIENT_CONFIG` (46): can the broker serve this subscription?
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckClientRequestBody {
    /// The client.
    pub client_id: String,
    /// Its group.
    pub group: String,
    /// Its namespace, if it uses one.
    pub namespace: Option<String>,
    /// The subscription to check.
    pub subscription_data: SubscriptionData,
}
