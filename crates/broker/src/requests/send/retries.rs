//! How often may a message be retried, and is one that its consumer sends to the retry topic itself dead-lettered? For messages that are
//! sent back (36) `requests/send_back.rs` decides.

use crate::announce::topics;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::message::room;
use crate::names;
use roxmq_protocol::body::SubscriptionGroupConfig;
use roxmq_protocol::properties::PROPERTIES_BYTES_MAX;
use roxmq_protocol::request::SendMessage;
use std::sync::Arc;

/// Clients from this version on say how often they want a message (`V3_4_9`).
const VERSION_WITH_LIMIT: i32 = 121;
/// How often a message of the group may be tried.
pub fn limit(asked: Option<i32>, version: i32, group: &SubscriptionGroupConfig) -> i32 {
    match asked {
        Some(limit) if version >= VERSION_WITH_LIMIT && limit >= 0 => limit,
        _ => group.retry_max_times,
    }
}

/// The group that a message is retried for. It is made if the settings allow that.
pub fn group_of(broker: &Broker, name: &str) -> Result<Arc<SubscriptionGroupConfig>, Refusal> {
    broker.tables.groups.admit(&broker.config(), name).map_err(|_| Refusal::no_group(name))
}

/// A consumer that fails to send a message back sends it to its retry topic itself. If it was tried too often, or its group consumes in
/// order, it is dead-lettered instead: the dead-letter topic in that case.
pub fn dead_letter_instead(broker: &Broker, request: &SendMessage<'_>, version: i32) -> Result<Option<String>, Refusal> {
    let Some(name) = request.topic.strip_prefix(names::RETRY_PREFIX) else { return Ok(None) };
    let group = group_of(broker, name)?;
    let is_over = request.reconsume_times > limit(request.max_reconsume_times, version, &group);
    // There is no room for the properties of a message that waits for its next try.
    let is_over = is_over || request.properties.len() + room::RETRY_BYTES > PROPERTIES_BYTES_MAX;
    if is_over || broker.tables.locks.is_ordered(name, broker.clock.elapsed()) {
        return Ok(Some(topics::add_dead_letter_topic(broker, name)));
    }
    topics::add_retry_topic(broker, name, group.retry_queue_nums);
    Ok(None)
}
