//! Which topic does the first send to a new name make?

use crate::announce::topics;
use crate::broker::Broker;
use roxmq_protocol::body::TopicConfig;
use roxmq_protocol::permission::Permission;
use roxmq_protocol::request::SendMessage;
use std::sync::Arc;
use tracing::info;

/// The topic of a send, made if its name is new and the settings allow that. With the number of the change to announce if it is new.
pub fn create(broker: &Broker, request: &SendMessage<'_>) -> Option<(Arc<TopicConfig>, Option<u64>)> {
    if !broker.config().auto_create_topic {
        return None;
    }
    let default = broker.tables.topics.find(&request.default_topic)?;
    if broker.tables.deleted.holds(&request.topic) {
        return None;
    }
    let (topic, is_new) = broker.tables.topics.add(auto_created(request, &default)?);
    if !is_new {
        return Some((topic, None));
    }
    info!(topic = topic.topic_name, queues = topic.write_queue_nums, "auto-created topic");
    let change = topics::announce_new(broker, &topic.topic_name);
    Some((topic, Some(change)))
}

/// The topic that the first send to it makes, from the settings of the topic that the producer names.
/// Java: `TopicConfigManager.createTopicInSendMessageMethod`.
fn auto_created(request: &SendMessage<'_>, default: &TopicConfig) -> Option<TopicConfig> {
    if !default.perm.is_inherited() {
        return None;
    }
    let queues = request.default_topic_queue_nums.min(default.write_queue_nums).max(1);
    Some(TopicConfig {
        topic_name: request.topic.to_string(),
        read_queue_nums: queues,
        write_queue_nums: queues,
        perm: default.perm.limited_to(Permission::READ_WRITE),
        topic_filter_type: default.topic_filter_type,
        topic_sys_flag: i32::from(request.unit_mode),
        ..TopicConfig::default()
    })
}
