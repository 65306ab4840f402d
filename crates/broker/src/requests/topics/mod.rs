//! Which topics are there (21, 305, 351), and how are they set by hand (17, 18)?
//!
//! Follows Java's `TopicConfigManager` and `AdminBrokerProcessor`.

pub mod deleting;

use crate::announce::topics;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names;
use crate::registration::pending::Changed;
use crate::tables::attributes::{self, Attributes};
use roxmq_protocol::body::{
    CreateTopicListRequestBody, TopicConfig, TopicConfigAndMappingSerializeWrapper, TopicConfigAndQueueMapping, TopicFilterType, TopicList,
};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request;
use roxmq_remoting::{Answer, Call};
use std::collections::BTreeMap;

/// Queues that a topic may have. Java has no limit, and dies of a typing error.
const QUEUES_MAX: i32 = 65_535;
/// Topics in one answer to 21 when the caller asks for pages.
const PAGE_MAX: i32 = 2000;

/// Code 17.
pub fn update(broker: &Broker, _: &Call<'_>, request: request::UpdateTopic<'_>) -> Result<Changed, Refusal> {
    let sent = TopicConfig {
        topic_name: request.topic.to_string(),
        read_queue_nums: request.read_queue_nums,
        write_queue_nums: request.write_queue_nums,
        perm: request.perm,
        topic_filter_type: match request.topic_filter_type.as_deref() {
            Some("MULTI_TAG") => TopicFilterType::MultiTag,
            _ => TopicFilterType::SingleTag,
        },
        topic_sys_flag: request.topic_sys_flag.unwrap_or(0),
        order: request.order.unwrap_or(false),
        attributes: BTreeMap::new(),
    };
    let attributes = attributes::parse(request.attributes.as_deref().unwrap_or(""))?;
    let change = put(broker, checked(broker, sent, &attributes)?);
    // A client that asks a NameServer right after this answer finds the topic.
    Ok(Changed::announced(change))
}

/// Code 18.
pub fn update_many(broker: &Broker, call: &Call<'_>, _: request::UpdateTopics) -> Result<Changed, Refusal> {
    let sent: CreateTopicListRequestBody = json::from_slice(call.body)?;
    // All of them are valid, or none is set.
    let checked = sent.topic_config_list.into_iter().map(|mut topic| {
        let attributes = std::mem::take(&mut topic.attributes);
        checked(broker, topic, &attributes)
    });
    let topics = checked.collect::<Result<Vec<_>, _>>()?;
    Ok(Changed::announced(topics.into_iter().filter_map(|topic| put(broker, topic)).last()))
}

/// The topic after the request.
fn checked(broker: &Broker, sent: TopicConfig, changes: &Attributes) -> Result<TopicConfig, Refusal> {
    let config = broker.config();
    match broker.tables.topics.find(&sent.topic_name) {
        Some(_) => names::check_topic(&sent.topic_name)?,
        None => names::check_new_topic(&sent.topic_name)?,
    }
    if config.guard_system_topics && names::is_system_topic(&sent.topic_name) {
        return Err(Refusal::SystemTopic(sent.topic_name));
    }
    if ![sent.read_queue_nums, sent.write_queue_nums].iter().all(|queues| (0..=QUEUES_MAX).contains(queues)) {
        let (read, write) = (sent.read_queue_nums, sent.write_queue_nums);
        return Err(Refusal::Argument(format!("a topic has 0 to {QUEUES_MAX} queues, not {read} to read and {write} to write")));
    }
    if !(0..16).contains(&sent.perm.0) {
        return Err(Refusal::Argument(format!("the permission {} is none: 2 is write, 4 is read, 6 is both", sent.perm)));
    }
    let known = broker.tables.topics.find(&sent.topic_name);
    if changes.get("+message.type").is_some_and(|kind| kind == "MIXED") && !config.mixed_message_type {
        return Err(Refusal::Argument("MIXED message type is not supported.".into()));
    }
    let attributes = attributes::changed(attributes::OF_TOPICS, known.as_deref().map(|topic| &topic.attributes), changes)?;
    Ok(TopicConfig { attributes, ..sent })
}

/// The number of the change, if it was one.
fn put(broker: &Broker, topic: TopicConfig) -> Option<u64> {
    let name = topic.topic_name.clone();
    broker.tables.deleted.forget(&name);
    let is_known = broker.tables.topics.find(&name).is_some();
    if !broker.tables.topics.put(topic) {
        return None;
    }
    if !is_known {
        return Some(topics::announce_new(broker, &name));
    }
    broker.shards.recheck();
    Some(broker.announcements.registration.topic_changed(&name))
}

/// Code 21.
pub fn all(broker: &Broker, _: &Call<'_>, request: request::AllTopicConfig<'_>) -> Result<Answer, Refusal> {
    let all = broker.tables.topics.all();
    let total = all.len() as i32;
    let table = match request.topic_seq {
        Some(first) => {
            let count = request.max_topic_num.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
            all.into_iter().skip(first.max(0) as usize).take(count as usize).collect()
        }
        None => all,
    };
    let body = TopicConfigAndMappingSerializeWrapper {
        data_version: broker.tables.topics.version(),
        topic_config_table: table,
        ..TopicConfigAndMappingSerializeWrapper::default()
    };
    Ok(Answer::body(json::to_vec(&body, Dialect::Fastjson)).fields(request::TopicTotalReply { total_topic_num: Some(total) }))
}

/// Code 351.
pub fn one(broker: &Broker, _: &Call<'_>, request: request::TopicConfig<'_>) -> Result<Answer, Refusal> {
    let topic = broker
        .tables
        .topics
        .find(&request.topic)
        .ok_or_else(|| Refusal::NoTopic(format!("No topic in this broker. topic: {}", request.topic)))?;
    let body = TopicConfigAndQueueMapping::from(TopicConfig::clone(&topic));
    Ok(Answer::body(json::to_vec(&body, Dialect::Fastjson)))
}

/// Code 305.
pub fn system(broker: &Broker, _: &Call<'_>, _: request::SystemTopicsOfBroker) -> Result<Answer, Refusal> {
    let config = broker.config();
    let own = [config.broker_cluster_name.clone(), config.broker_name.clone(), format!("{}_REPLY_TOPIC", config.broker_cluster_name)];
    let topic_list = broker.tables.topics.names().into_iter().filter(|name| names::is_system_topic(name) || own.contains(name)).collect();
    Ok(Answer::body(json::to_vec(&TopicList { broker_addr: None, topic_list }, Dialect::Fastjson)))
}
