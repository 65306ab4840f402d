//! How does a body name a queue?

use serde::{Deserialize, Serialize};

/// One queue of a topic on a broker. As the key of a map it is written whole: `{{"brokerName":"a","queueId":0,"topic":"T"}:12}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageQueue {
    /// The broker group that holds the queue.
    pub broker_name: String,
    /// Its number within the topic on that broker, from 0.
    pub queue_id: i32,
    /// The topic.
    pub topic: String,
}

impl MessageQueue {
    /// Queue `queue_id` of `topic` on `broker_name`.
    pub fn new(topic: impl Into<String>, broker_name: impl Into<String>, queue_id: i32) -> MessageQueue {
        MessageQueue { broker_name: broker_name.into(), queue_id, topic: topic.into() }
    }
}
