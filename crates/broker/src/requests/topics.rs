//! Topics: made by hand (17, 18), by the first send, by the system; listed (21, 305, 351) and deleted (215, 316).
//!
//! Follows Java's `TopicConfigManager` and `AdminBrokerProcessor`.

use crate::announce::changing::{self, Changed};
use crate::announce::elsewhere;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names::{self, AUTO_CREATE_TOPIC};
use crate::requests::attributes::{self, Attributes};
use crate::requests::send;
use crate::services;
use crate::settings::BrokerConfig;
use crate::tables::topics::Topics;
use crate::waiting::deletions;
use roxmq_protocol::body::{
    CreateTopicListRequestBody, KVTable, TopicConfig, TopicConfigAndMappingSerializeWrapper, TopicConfigAndQueueMapping, TopicFilterType,
    TopicList,
};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::light::is_light;
use roxmq_protocol::permission::Permission;
use roxmq_protocol::request;
use roxmq_remoting::{Answer, Call, next_connection};
use roxmq_store::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tracing::{info, warn};

const READ_WRITE: Permission = Permission::READ_WRITE;
/// Queues a topic may have. Java has no limit, and dies of a typing error.
const QUEUES_MAX: i32 = 65_535;
/// Topics in one answer to 21 when the caller asks for pages.
const PAGE_MAX: i32 = 2000;

fn topic(name: &str, queues: i32, perm: Permission) -> TopicConfig {
    TopicConfig { topic_name: name.to_owned(), read_queue_nums: queues, write_queue_nums: queues, perm, ..TopicConfig::default() }
}

/// Adds the topics that are there from the start.
pub fn add_system_topics(topics: &Topics, config: &BrokerConfig) {
    let (cluster, broker) = (&config.broker_cluster_name, &config.broker_name);
    let inherit = |enabled: bool| Permission::INHERIT.with(if enabled { READ_WRITE } else { Permission::NONE });
    let queues = config.default_topic_queues as i32;
    let mut wanted = vec![
        topic("SELF_TEST_TOPIC", 1, READ_WRITE),
        topic("BenchmarkTest", 1024, READ_WRITE),
        topic(cluster, 16, inherit(config.cluster_topic)),
        topic(broker, 1, inherit(config.broker_topic)),
        topic("OFFSET_MOVED_EVENT", 1, READ_WRITE),
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

/// Says which topics, made by somebody else or an older version, have attributes that ask for what is not served.
pub fn tell_unserved(topics: &Topics) {
    for (topic, settings) in topics.all() {
        if let Some(why) = attributes::unserved(attributes::OF_TOPICS, &settings.attributes) {
            warn!(topic, "an attribute has no effect: {why}");
        }
    }
}

/// Takes up topics of which the log has messages but the table knows nothing: it was written after the last save before a crash.
pub fn adopt_from_log(topics: &Topics, store: &Store) {
    let mut queues: BTreeMap<String, i32> = BTreeMap::new();
    // A light queue belongs to no topic of the table.
    for (topic, queue_id) in store.queues().into_iter().filter(|(topic, _)| topic != names::MARKS_TOPIC && !is_light(topic)) {
        let count = queues.entry(topic).or_default();
        *count = (*count).max(queue_id as i32 + 1);
    }
    for (name, queues) in queues {
        // Producers were told of four queues or of more; fewer in the log only means that the others are still empty.
        let queues = if name.starts_with('%') { queues } else { queues.max(4) };
        let (_, is_new) = topics.add(topic(&name, queues, READ_WRITE));
        if is_new {
            info!(topic = name, queues, "took up a topic that only the log knew");
        }
    }
}

/// The topic of a send, made if its name is new and the settings allow it.
///
/// With the number of the change that NameServers have to be told of, when it is new.
pub fn create_for_send(broker: &Broker, request: &request::SendMessage<'_>) -> Option<(Arc<TopicConfig>, Option<u64>)> {
    if !broker.config().auto_create_topic {
        return None;
    }
    let default = broker.topics.find(&request.default_topic)?;
    if broker.deleted.holds(&request.topic) {
        return None;
    }
    let (topic, is_new) = broker.topics.add(send::auto_created(request, &default)?);
    if !is_new {
        return Some((topic, None));
    }
    info!(topic = topic.topic_name, queues = topic.write_queue_nums, "made a topic on its first send");
    let change = made(broker, &topic.topic_name);
    Some((topic, Some(change)))
}

/// A topic is new: the number of the change that NameServers are told of.
fn made(broker: &Broker, topic: &str) -> u64 {
    broker.lives.began(topic, broker.store.was_deleted(topic), next_connection());
    broker.registration.topic_changed(topic)
}

/// A group's retry topic, made if there is none.
pub fn add_retry_topic(broker: &Broker, group: &str, queues: i32) -> Arc<TopicConfig> {
    let name = names::retry_topic(group);
    if let Some(topic) = broker.topics.find(&name) {
        return topic;
    }
    let (topic, is_new) = broker.topics.add(topic(&name, queues.max(1), READ_WRITE));
    if is_new {
        made(broker, &name);
    }
    topic
}

/// The change that has to become durable before something is stored that waits for its delivery to the topic: it names its topic where
/// nobody finds it who takes up topics from the log.
pub fn owed(broker: &Broker, topic: &str) -> Option<u64> {
    broker.topics.made_by(topic).filter(|change| broker.journal.durable() < *change)
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
    if broker.topics.find(name).is_none() && broker.topics.add(topic(name, 1, READ_WRITE)).1 {
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
    for topic in ordered.table.keys().filter_map(|name| broker.topics.find(name)) {
        if !topic.order {
            broker.topics.put(TopicConfig { order: true, ..TopicConfig::clone(&topic) });
        }
    }
}

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
    Ok(Changed::told(change))
}

/// Code 18.
pub fn update_many(broker: &Broker, call: &Call<'_>, _: request::UpdateTopics) -> Result<Changed, Refusal> {
    let sent: CreateTopicListRequestBody = json::from_slice(call.body)?;
    // All of them are taken, or none.
    let checked = sent.topic_config_list.into_iter().map(|mut topic| {
        let attributes = std::mem::take(&mut topic.attributes);
        checked(broker, topic, &attributes)
    });
    let topics = checked.collect::<Result<Vec<_>, _>>()?;
    Ok(Changed::told(topics.into_iter().filter_map(|topic| put(broker, topic)).last()))
}

/// The topic as it will be.
fn checked(broker: &Broker, sent: TopicConfig, changes: &Attributes) -> Result<TopicConfig, Refusal> {
    let config = broker.config();
    match broker.topics.find(&sent.topic_name) {
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
    let known = broker.topics.find(&sent.topic_name);
    if changes.get("+message.type").is_some_and(|kind| kind == "MIXED") && !config.mixed_message_type {
        return Err(Refusal::Argument("MIXED message type is not supported.".into()));
    }
    let attributes = attributes::changed(attributes::OF_TOPICS, known.as_deref().map(|topic| &topic.attributes), changes)?;
    Ok(TopicConfig { attributes, ..sent })
}

/// The number of the change, if it was one.
fn put(broker: &Broker, topic: TopicConfig) -> Option<u64> {
    let name = topic.topic_name.clone();
    broker.deleted.forget(&name);
    let is_known = broker.topics.find(&name).is_some();
    if !broker.topics.put(topic) {
        return None;
    }
    if !is_known {
        return Some(made(broker, &name));
    }
    broker.reading_changed();
    Some(broker.registration.topic_changed(&name))
}

/// Code 21.
pub fn all(broker: &Broker, _: &Call<'_>, request: request::AllTopicConfig<'_>) -> Result<Answer, Refusal> {
    let all = broker.topics.all();
    let total = all.len() as i32;
    let table = match request.topic_seq {
        Some(first) => {
            let count = request.max_topic_num.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
            all.into_iter().skip(first.max(0) as usize).take(count as usize).collect()
        }
        None => all,
    };
    let body = TopicConfigAndMappingSerializeWrapper {
        data_version: broker.topics.version(),
        topic_config_table: table,
        ..TopicConfigAndMappingSerializeWrapper::default()
    };
    Ok(Answer::body(json::to_vec(&body, Dialect::Fastjson)).fields(request::TopicTotalReply { total_topic_num: Some(total) }))
}

/// Code 351.
pub fn one(broker: &Broker, _: &Call<'_>, request: request::TopicConfig<'_>) -> Result<Answer, Refusal> {
    let topic = broker.topics.find(&request.topic).ok_or_else(|| Refusal::NoTopicHere(request.topic.to_string()))?;
    let body = TopicConfigAndQueueMapping::from(TopicConfig::clone(&topic));
    Ok(Answer::body(json::to_vec(&body, Dialect::Fastjson)))
}

/// Code 305.
pub fn system(broker: &Broker, _: &Call<'_>, _: request::SystemTopicsOfBroker) -> Result<Answer, Refusal> {
    let config = broker.config();
    let own = [config.broker_cluster_name.clone(), config.broker_name.clone(), format!("{}_REPLY_TOPIC", config.broker_cluster_name)];
    let topic_list = broker.topics.names().into_iter().filter(|name| names::is_system_topic(name) || own.contains(name)).collect();
    Ok(Answer::body(json::to_vec(&TopicList { broker_addr: None, topic_list }, Dialect::Fastjson)))
}

/// Code 215.
pub fn delete(broker: &Broker, _: &Call<'_>, request: request::DeleteTopic<'_>) -> Result<Changed, Refusal> {
    if request.topic.trim().is_empty() {
        return Err(Refusal::Argument("The specified topic is blank.".into()));
    }
    if broker.config().guard_system_topics && names::is_system_topic(&request.topic) {
        return Err(Refusal::SystemTopic(request.topic.into_owned()));
    }
    // Before it goes, so that no send makes it again in between.
    if broker.topics.find(&request.topic).is_some() {
        broker.deleted.note(&request.topic);
    }
    let change = forget(broker, &request.topic);
    if change.is_some() {
        if elsewhere::may_be_elsewhere(broker, &request.topic) {
            info!(topic = %request.topic, "deleted a topic; others may have it, so sends do not make it again for 5 minutes");
        } else {
            broker.deleted.forget(&request.topic);
            info!(topic = %request.topic, "deleted a topic");
        }
    }
    // A client that asks a NameServer right after this answer is not sent here.
    Ok(Changed::told(change))
}

/// Takes everything about a topic away; on the disk too before it returns, but for what is in the journal of changes. What waits under
/// another topic to be delivered to it is dropped when it is due, unless the topic is there again by then. The number of the change that
/// NameServers are told of, if it was there.
pub fn forget(broker: &Broker, topic: &str) -> Option<u64> {
    forget_all(broker, &[topic])
}

fn forget_all(broker: &Broker, topics: &[&str]) -> Option<u64> {
    let mut were_there = false;
    for topic in topics {
        let was_there = broker.topics.remove(topic);
        if was_there || broker.topics.is_light(topic) || !broker.store.queues_of(topic).is_empty() {
            // Before its offsets go: whoever commits one looks whether a topic was deleted meanwhile.
            broker.lives.ended(topic, next_connection());
        }
        broker.lives.was_read(topic, broker.offsets.forget_topic(topic));
        broker.request_modes.forget_topic(topic);
        broker.groups.forget_topic(topic);
        broker.locks.forget_topic(topic);
        were_there |= was_there;
    }
    // Who was made again meanwhile has its messages.
    broker.store.delete_topics(topics.iter().copied().filter(|topic| broker.topics.is_light(topic) || broker.topics.find(topic).is_none()));
    for topic in topics {
        broker.statistics.forget_topic(topic);
        broker.look_again_at_all(topic);
    }
    services::save_offsets(broker);
    were_there.then(|| broker.registration.changed())
}

/// Code 316: forgets topics that are in no table but have queues, which can only come from a log that knows more than the table, or offsets.
pub fn clean_unused(broker: &Broker, _: &Call<'_>, _: request::CleanUnusedTopic) -> Result<Answer, Refusal> {
    let mut gone: BTreeSet<String> = broker.store.queues().into_iter().map(|(topic, _)| topic).collect();
    gone.extend(broker.offsets.topics());
    gone.retain(|topic| topic != names::MARKS_TOPIC && !is_light(topic) && broker.topics.find(topic).is_none());
    if !gone.is_empty() {
        forget_all(broker, &gone.iter().map(String::as_str).collect::<Vec<_>>());
    }
    Ok(Answer::ok())
}

/// Code 306: index entries go with their segment, so that there is never one too many.
pub fn clean_expired(_: &Broker, _: &Call<'_>, _: request::CleanExpiredQueues) -> Result<Answer, Refusal> {
    Ok(Answer::ok())
}

/// Code 329.
pub fn delete_expired(broker: &Broker, _: &Call<'_>, _: request::DeleteExpiredLog) -> Result<Answer, Refusal> {
    deletions::delete_expired(broker);
    Ok(Answer::ok())
}
