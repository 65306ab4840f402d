//! Which member of a group reads which queue when the broker decides it (400-402).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::heartbeat::MessageModel;
use super::queue::MessageQueue;

/// The body of `QUERY_ASSIGNMENT` (400).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryAssignmentRequestBody {
    /// The member that asks.
    pub client_id: String,
    /// Its group.
    pub consumer_group: String,
    /// Whether members share the queues.
    pub message_model: MessageModel,
    /// `AVG`, `AVG_BY_CIRCLE` ..
    pub strategy_name: String,
    /// The topic.
    pub topic: String,
}

/// The answer to `QUERY_ASSIGNMENT`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryAssignmentResponseBody {
    /// The queues of the member; `None` when it shall keep what it has.
    pub message_queue_assignments: Option<Vec<MessageQueueAssignment>>,
}

/// One queue and how to read it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageQueueAssignment {
    /// More, by name.
    pub attachments: Option<BTreeMap<String, String>>,
    /// The queue; -1 as its number means any.
    pub message_queue: MessageQueue,
    /// How.
    pub mode: MessageRequestMode,
}

/// How a group gets its messages. The order of the variants is their ordinal on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MessageRequestMode {
    /// By pulling.
    #[default]
    Pull,
    /// By POP.
    Pop,
}

/// The body of `SET_MESSAGE_REQUEST_MODE` (401).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SetMessageRequestModeRequestBody {
    /// The group.
    pub consumer_group: String,
    /// How it is to get its messages.
    pub mode: MessageRequestMode,
    /// Members that share a queue, 0 for all.
    pub pop_share_queue_num: i32,
    /// The topic.
    pub topic: String,
}

/// The answer to `GET_ALL_MESSAGE_REQUEST_MODE` (402), and `messageRequestMode.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageRequestModeSerializeWrapper {
    /// By topic, then by group.
    pub message_request_mode_map: BTreeMap<String, BTreeMap<String, SetMessageRequestModeRequestBody>>,
}
