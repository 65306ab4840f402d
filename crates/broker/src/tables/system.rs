//! Which topics and groups does every broker have from its start on?

use super::attributes;
use super::groups::Groups;
use super::topics::{Topics, topic};
use crate::names::{self, AUTO_CREATE_TOPIC};
use crate::settings::BrokerConfig;
use roxmq_protocol::body::SubscriptionGroupConfig;
use roxmq_protocol::light::is_light;
use roxmq_protocol::permission::Permission;
use roxmq_store::Store;
use std::collections::BTreeMap;
use tracing::{info, warn};

const READ_WRITE: Permission = Permission::READ_WRITE;

/// Adds the topics that exist from the start.
pub fn add_system_topics(topics: &Topics, config: &BrokerConfig) {
    let (cluster, broker) = (&config.broker_cluster_name, &config.broker_name);
    let inherit = |enabled: bool| Permission::INHERIT.with(if enabled { READ_WRITE } else { Permission::NONE });
    let queues = config.default_topic_queues as i32;
    let mut wanted = vec![
        topic(names::SELF_TEST_TOPIC, 1, READ_WRITE),
        topic(names::BENCHMARK_TOPIC, 1024, READ_WRITE),
        topic(cluster, 16, inherit(config.cluster_topic)),
        topic(broker, 1, inherit(config.broker_topic)),
        topic(names::OFFSET_MOVED_TOPIC, 1, READ_WRITE),
        topic(names::DELAY_TOPIC, 18, READ_WRITE),
        topic(&format!("{cluster}_REPLY_TOPIC"), 1, READ_WRITE),
        topic(&format!("rmq_sys_REVIVE_LOG_{cluster}"), 8, READ_WRITE),
        topic(&format!("rmq_sys_SYNC_BROKER_MEMBER_{broker}"), 1, Permission::INHERIT),
        topic(names::HALF_TOPIC, 1, READ_WRITE),
        topic(names::OP_TOPIC, 1, READ_WRITE),
    ];
    if config.auto_create_topic {
        wanted.push(topic(AUTO_CREATE_TOPIC, queues, READ_WRITE.with(Permission::INHERIT)));
    }
    if config.trace_topic {
        wanted.push(topic(&config.trace_topic_name, 1, READ_WRITE));
    }
    if config.timer {
        wanted.push(topic(names::TIMER_TOPIC, 1, READ_WRITE));
    }
    for topic in wanted {
        topics.add(topic);
    }
}

/// Warns of topics from Java or from older versions with attributes that have no effect here.
pub fn warn_of_unserved(topics: &Topics) {
    for (topic, settings) in topics.all() {
        if let Some(why) = attributes::unserved(attributes::OF_TOPICS, &settings.attributes) {
            warn!(topic, "an attribute has no effect: {why}");
        }
    }
}

/// Recovers topics that have messages in the log and are not in the table: after a crash it may be older than the log.
pub fn recover_from_log(topics: &Topics, store: &Store) {
    let mut queues: BTreeMap<String, i32> = BTreeMap::new();
    // A light queue belongs to no topic of the table.
    for (topic, queue_id) in store.queues().into_iter().filter(|(topic, _)| topic != names::DELIVERY_MARKS_TOPIC && !is_light(topic)) {
        let count = queues.entry(topic).or_default();
        *count = (*count).max(queue_id as i32 + 1);
    }
    for (name, queues) in queues {
        // Producers were given a route of four queues or more; fewer in the log only means that the others are still empty.
        let queues = if name.starts_with('%') { queues } else { queues.max(4) };
        let (_, is_new) = topics.add(topic(&name, queues, READ_WRITE));
        if is_new {
            info!(topic = name, queues, "recovered topic that only the log has");
        }
    }
}

/// Adds the groups that exist from the start.
pub fn add_system_groups(groups: &Groups) {
    for group in names::SYSTEM_GROUPS {
        if groups.find(group).is_none() {
            let broadcast = group.starts_with("CID_ONS");
            groups.put(SubscriptionGroupConfig {
                group_name: group.to_owned(),
                consume_broadcast_enable: true,
                consume_from_min_enable: !broadcast,
                ..SubscriptionGroupConfig::default()
            });
        }
    }
}
