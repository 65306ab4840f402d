//! Which queues does the broker assign to a member of a group (400-402)?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::heartbeat::MessageModel;
use super::queue::MessageQueue;

/// The body of `QUERY_ASSIGNMENT` (400).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryAssignmentRequestBody {
    /// The member's client id.
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
    /// The queues of the member; `None` if it should keep those it has.
    pub message_queue_assignments: Option<Vec<MessageQueueAssignment>>,
}

/// One queue and how to read it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageQueueAssignment {
    /// Further settings.
    pub attachments: Option<BTreeMap<String, String>>,
    /// The queue; number -1 means any.
    pub message_queue: MessageQueue,
    /// How to read it.
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
    /// How the group gets its messages.
    pub mode: MessageRequestMode,
    /// How many members share a queue; 0 means all.
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
