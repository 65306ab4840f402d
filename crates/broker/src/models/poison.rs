//! What waits and cannot be delivered?
//!
//! No send is let in that would: its topic is too long for a record. Older brokers had other limits, and left such messages in the log.
//! So they are stored here as those did, and not by the wire.

use crate::broker::Broker;
use crate::error::Refusal;
use crate::names;
use proptest::prelude::*;

/// Whether messages are such; most are not.
pub fn poison() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.15)
}

/// The topic that they are for, which no record can name.
pub fn topic() -> String {
    names::retry_topic(&"g".repeat(300))
}

/// Stores messages in a queue of those that wait. Where each is in the log.
pub fn store(broker: &Broker, topic: &str, queue_id: u32, messages: &[(String, String)]) -> Result<Vec<i64>, Refusal> {
    let mut batch = broker.store.batch();
    for (body, properties) in messages {
        batch.push(broker.system_draft(topic, queue_id, body.as_bytes(), properties))?;
    }
    broker.append_and_confirm(&mut batch)?;
    Ok((0..batch.len()).map(|n| batch.placed(n).log_offset.0).collect())
}
