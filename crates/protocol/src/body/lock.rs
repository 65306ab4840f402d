//! Which client may consume a queue in order (41, 42)?

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::queue::MessageQueue;

/// The body of `LOCK_BATCH_MQ` (41) and `UNLOCK_BATCH_MQ` (42), which Java has twice under different names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockBatchRequestBody {
    /// The client that locks or unlocks the queues.
    pub client_id: String,
    /// Its group.
    pub consumer_group: String,
    /// The queues.
    pub mq_set: BTreeSet<MessageQueue>,
    /// Set between brokers: do not ask the other members of the broker group.
    pub only_this_broker: bool,
}

/// The answer to `LOCK_BATCH_MQ`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LockBatchResponseBody {
    /// The queues that the client has locked.
    #[serde(rename = "lockOKMQSet")]
    pub lock_ok_mq_set: BTreeSet<MessageQueue>,
}
