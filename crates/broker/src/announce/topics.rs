//! Which topics does the broker make itself?

use crate::announce::changing;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names;
use crate::tables::topics::topic;
use roxmq_protocol::body::{KVTable, TopicConfig};
use roxmq_protocol::permission::Permission;
use roxmq_remoting::next_connection;
use std::sync::Arc;

/// A topic is new: announces it. The number of the change.
pub fn announce_new(broker: &Broker, topic: &str) -> u64 {
    broker.tables.incarnations.began(topic, broker.store.was_deleted(topic), next_connection());
    broker.announcements.registration.topic_changed(topic)
}

/// A group's retry topic, made if there is none.
pub fn add_retry_topic(broker: &Broker, group: &str, queues: i32) -> Arc<TopicConfig> {
    let name = names::retry_topic(group);
    if let Some(topic) = broker.tables.topics.find(&name) {
        return topic;
    }
    let (topic, is_new) = broker.tables.topics.add(topic(&name, queues.max(1), Permission::READ_WRITE));
    if is_new {
        announce_new(broker, &name);
    }
    topic
}

/// The change that must be durable before a message is stored that waits for its delivery to the topic. Until it is due the message
/// lies in a system topic, from which a start does not recover its own topic.
pub fn unconfirmed(broker: &Broker, topic: &str) -> Option<u64> {
    broker.tables.topics.made_by(topic).filter(|change| broker.tables.journal.durable() < *change)
}

/// Makes the topic durable, see [`unconfirmed`]. Blocks on the disk if the topic is new, so it is not for a shard's thread.
///
/// # Errors
/// When the disk refuses.
pub fn confirm(broker: &Broker, topic: &str) -> Result<(), Refusal> {
    unconfirmed(broker, topic).map_or(Ok(()), |change| changing::sync_to(broker, change))
}

/// Makes a topic in which messages are parked, if there is none.
pub fn add_parking_topic(broker: &Broker, name: &str) {
    if broker.tables.topics.find(name).is_none() && broker.tables.topics.add(topic(name, 1, Permission::READ_WRITE)).1 {
        announce_new(broker, name);
    }
}

/// Makes a group's dead-letter topic if there is none. Its name.
pub fn add_dead_letter_topic(broker: &Broker, group: &str) -> String {
    let name = names::dead_letter_topic(group);
    add_parking_topic(broker, &name);
    name
}

/// Marks as ordered the topics in a NameServer's order configuration. Java: `updateOrderTopicConfig`.
pub fn adopt_order_configuration(broker: &Broker, ordered: &KVTable) {
    for topic in ordered.table.keys().filter_map(|name| broker.tables.topics.find(name)) {
        if !topic.order {
            broker.tables.topics.put(TopicConfig { order: true, ..TopicConfig::clone(&topic) });
        }
    }
}
