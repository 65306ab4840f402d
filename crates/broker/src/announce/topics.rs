//! Which topics does the broker make itself, and who hears of them?

use crate::announce::changing;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names;
use crate::tables::topics::topic;
use roxmq_protocol::body::{KVTable, TopicConfig};
use roxmq_protocol::permission::Permission;
use roxmq_remoting::next_connection;
use std::sync::Arc;

/// A topic is new: the number of the change that NameServers are told of.
pub fn made(broker: &Broker, topic: &str) -> u64 {
    broker.tables.incarnations.began(topic, broker.store.was_deleted(topic), next_connection());
    broker.announce.registration.topic_changed(topic)
}

/// A group's retry topic, made if there is none.
pub fn add_retry_topic(broker: &Broker, group: &str, queues: i32) -> Arc<TopicConfig> {
    let name = names::retry_topic(group);
    if let Some(topic) = broker.tables.topics.find(&name) {
        return topic;
    }
    let (topic, is_new) = broker.tables.topics.add(topic(&name, queues.max(1), Permission::READ_WRITE));
    if is_new {
        made(broker, &name);
    }
    topic
}

/// The change that has to become durable before something is stored that waits for its delivery to the topic: it names its topic where
/// nobody finds it who takes up topics from the log.
pub fn owed(broker: &Broker, topic: &str) -> Option<u64> {
    broker.tables.topics.made_by(topic).filter(|change| broker.tables.journal.durable() < *change)
}

/// Has a crash keep the topic, see [`owed`]. Waits for the disk only if the topic is new. Not for a shard's thread.
///
/// # Errors
/// When the disk refuses.
pub fn keep(broker: &Broker, topic: &str) -> Result<(), Refusal> {
    owed(broker, topic).map_or(Ok(()), |change| changing::settle_to(broker, change))
}

/// Makes a topic of the broker's own, in which messages are laid aside, if there is none.
pub fn add_parking_topic(broker: &Broker, name: &str) {
    if broker.tables.topics.find(name).is_none() && broker.tables.topics.add(topic(name, 1, Permission::READ_WRITE)).1 {
        made(broker, name);
    }
}

/// Makes a group's dead-letter topic if there is none. Its name.
pub fn add_dead_letter_topic(broker: &Broker, group: &str) -> String {
    let name = names::dead_letter_topic(group);
    add_parking_topic(broker, &name);
    name
}

/// Marks the topics that a NameServer keeps in its order configuration. Java: `updateOrderTopicConfig`.
pub fn keep_order_configuration(broker: &Broker, ordered: &KVTable) {
    for topic in ordered.table.keys().filter_map(|name| broker.tables.topics.find(name)) {
        if !topic.order {
            broker.tables.topics.put(TopicConfig { order: true, ..TopicConfig::clone(&topic) });
        }
    }
}
