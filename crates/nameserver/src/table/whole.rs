//! Which registrations list all topics of their broker, so that a topic that they lack is gone?
//!
//! | from | list | is |
//! |---|---|---|
//! | ours, Java's every 30 s | all topics, and so the system topics that each broker has from its start and that cannot be deleted | whole |
//! | Java's on a change of topics | those that changed, one or several (`registerIncrementBrokerData`) | a part: it has one topic, or lacks system topics that the broker had |
//! | Java's with `enableSplitRegistration` | 800 topics each | a part, for the same reason |
//! | Java's on a change of one topic (217) | no list | no registration |
//! | any without a body | nothing | a sign of life |
//!
//! A Java broker announces a new topic (217) while a list that it made before may still be under way. So a topic that came alone goes
//! when the second whole list lacks it: a broker has only one under way. Ours announces one thing after the other.

use roxmq_protocol::body::{TopicConfig, TopicConfigAndMappingSerializeWrapper};
use roxmq_protocol::topic;
use std::collections::BTreeMap;

use super::state::{Heard, Name, RouteTable};

/// Topics that every broker of 3.x to 5.x has from its start, besides those of its own and its cluster's name.
const SYSTEM_TOPICS: [&str; 6] =
    [topic::SELF_TEST_TOPIC, topic::BENCHMARK_TOPIC, topic::OFFSET_MOVED_TOPIC, topic::DELAY_TOPIC, topic::HALF_TOPIC, topic::OP_TOPIC];

/// How a whole list treats topics that came alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubts {
    /// It may have been made before.
    May,
    /// It was made after.
    None,
}

impl RouteTable {
    /// Is this a list of all topics?
    pub(super) fn whole(&self, name: &Name, sent: &TopicConfigAndMappingSerializeWrapper, started: Option<i64>) -> Option<Doubts> {
        let listed = &sent.topic_config_table;
        let own = [&**name, self.groups.get(name).map_or("", |group| group.cluster())];
        let lacks_none = SYSTEM_TOPICS.into_iter().chain(own).all(|topic| listed.contains_key(topic) || !self.has(topic, name));
        // As in Java, nothing is known of the topics of a broker with static topics.
        let is_whole = listed.len() > 1 && lacks_none && sent.topic_queue_mapping_info_map.is_empty();
        is_whole.then_some(if started.is_some() { Doubts::None } else { Doubts::May })
    }

    /// Takes the topics that a whole list lacks off the broker.
    pub(super) fn drop_unlisted(&mut self, name: &Name, sent: &TopicConfigAndMappingSerializeWrapper, doubts: Doubts) {
        let listed: &BTreeMap<String, TopicConfig> = &sent.topic_config_table;
        // Both are in order, so one walk along them is enough.
        let mut names = listed.keys().peekable();
        let mappings = &mut self.mappings;
        self.topics.retain(|topic, brokers| {
            while names.next_if(|name| *name < topic).is_some() {}
            if names.peek() == Some(&topic) {
                return true;
            }
            match brokers.get_mut(name) {
                None => {}
                Some(queues) if queues.heard == Heard::Alone && doubts == Doubts::May => queues.heard = Heard::Missed,
                Some(_) => {
                    brokers.remove(name);
                    if let Some(mapped) = mappings.get_mut(topic) {
                        mapped.remove(&**name);
                    }
                }
            }
            !brokers.is_empty()
        });
        let topics = &self.topics;
        mappings.retain(|topic, mapped| !mapped.is_empty() && topics.contains_key(topic));
    }

    fn has(&self, topic: &str, name: &Name) -> bool {
        self.topics.get(topic).is_some_and(|brokers| brokers.contains_key(name))
    }
}
