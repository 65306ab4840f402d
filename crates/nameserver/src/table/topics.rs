//! Which queues does a topic have, on which brokers?

use roxmq_protocol::body::{QueueData, TopicConfig, TopicConfigAndMappingSerializeWrapper};
use roxmq_protocol::permission::Permission;

use super::state::{Heard, Name, Queues, RouteTable};

impl RouteTable {
    /// Adds one topic's queues on registered brokers; nothing if one of them is not known.
    pub fn register_topic(&mut self, topic: &str, queues: &[QueueData]) {
        let name_of = |data: &QueueData| self.groups.get_key_value(data.broker_name.as_str()).map(|(name, _)| name.clone());
        let Some(names) = queues.iter().map(name_of).collect::<Option<Vec<Name>>>() else { return };
        for (name, data) in names.into_iter().zip(queues) {
            let brokers = self.topics.entry(topic.to_owned()).or_default();
            let heard = brokers.get(&name).map_or(Heard::Alone, |known| known.heard);
            let queues =
                Queues { read: data.read_queue_nums, write: data.write_queue_nums, perm: data.perm, sys_flag: data.topic_sys_flag, heard };
            brokers.insert(name, queues);
        }
    }

    /// Forgets a topic, on the brokers of one cluster or everywhere.
    pub fn delete_topic(&mut self, topic: &str, cluster: Option<&str>) {
        let Some(queues) = self.topics.get_mut(topic) else { return };
        let groups = &self.groups;
        let goes = |name: &str| cluster.is_none_or(|cluster| groups.get(name).is_some_and(|group| group.is_in(cluster)));
        queues.retain(|name, _| !goes(name));
        if queues.is_empty() {
            self.topics.remove(topic);
            self.mappings.remove(topic);
        }
    }

    pub(super) fn take_topics(
        &mut self,
        name: &Name,
        topics: TopicConfigAndMappingSerializeWrapper,
        is_changed: bool,
        acts_as_master: bool,
    ) {
        for (topic, config) in &topics.topic_config_table {
            let known = self.topics.get_mut(topic).and_then(|queues| queues.get_mut(name));
            // An unchanged table still brings back topics that were deleted here.
            if let Some(known) = known.filter(|_| !is_changed) {
                known.heard = Heard::Listed;
                continue;
            }
            let mut queues = Queues::from(config);
            if acts_as_master {
                queues.perm = queues.perm.without(Permission::WRITE);
            }
            self.topics.entry(topic.clone()).or_default().insert(name.clone(), queues);
        }
        if is_changed {
            for (topic, mapping) in topics.topic_queue_mapping_info_map {
                let broker = mapping.bname.clone().unwrap_or_else(|| name.to_string());
                self.mappings.entry(topic).or_default().insert(broker, mapping);
            }
        }
    }

    pub(super) fn topics_on(&self, broker_name: &str) -> usize {
        self.topics.values().filter(|queues| queues.contains_key(broker_name)).count()
    }
}

impl From<&TopicConfig> for Queues {
    fn from(topic: &TopicConfig) -> Queues {
        Queues {
            read: topic.read_queue_nums,
            write: topic.write_queue_nums,
            perm: topic.perm,
            sys_flag: topic.topic_sys_flag,
            heard: Heard::Listed,
        }
    }
}
