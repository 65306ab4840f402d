//! Topics: made by hand (17, 18), by the first send, by the system; listed (21, 305, 351) and deleted (215, 316).
//!
//! Follows Java's `TopicConfigManager` and `AdminBrokerProcessor`.

use crate::changing::{self, Changed};
use crate::names::{self, AUTO_CREATE_TOPIC};
use crate::tables::topics::{PERM_INHERIT, PERM_READ, PERM_WRITE, Topics};
use crate::{Broker, Call, Refusal, send, services};
use roxmq_env::config::BrokerConfig;
use roxmq_protocol::body::{
    CreateTopicListRequestBody, KVTable, TopicConfig, TopicConfigAndMappingSerializeWrapper, TopicConfigAndQueueMapping, TopicFilterType,
    TopicList,
};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::light::is_light;
use roxmq_protocol::request;
use roxmq_remoting::{Answer, next_connection};
use roxmq_store::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tracing::info;

const READ_WRITE: i32 = PERM_READ | PERM_WRITE;
/// Queues a topic may have. Java has no limit, and dies of a typing error.
const QUEUES_MAX: i32 = 65_535;
/// Topics in one answer to 21 when the caller asks for pages.
const PAGE_MAX: i32 = 2000;
/// Attributes that topics can have (Java's `TopicAttributes`), and the values they allow.
const ATTRIBUTES: [(&str, &[&str]); 4] = [
    ("message.type", &["UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"]),
    ("cleanup.policy", &["DELETE", "COMPACTION"]),
    ("queue.type", &["SimpleCQ", "BatchCQ"]),
    ("reserve.time", &[]),
];

fn topic(name: &str, queues: i32, perm: i32) -> TopicConfig {
    TopicConfig { topic_name: name.to_owned(), read_queue_nums: queues, write_queue_nums: queues, perm, ..TopicConfig::default() }
}

/// Adds the topics that are there from the start.
pub fn add_system_topics(topics: &Topics, config: &BrokerConfig) {
    let (cluster, broker) = (&config.broker_cluster_name, &config.broker_name);
    let inherit = |enabled: bool| PERM_INHERIT | if enabled { READ_WRITE } else { 0 };
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
        topic(&format!("rmq_sys_SYNC_BROKER_MEMBER_{broker}"), 1, PERM_INHERIT),
        topic(names::HALF_TOPIC, 1, READ_WRITE),
        topic(names::OP_TOPIC, 1, READ_WRITE),
    ];
    if config.auto_create_topic {
        wanted.push(topic(AUTO_CREATE_TOPIC, queues, PERM_INHERIT | READ_WRITE));
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

/// Has a crash keep the topic. What waits for its delivery names its topic where nobody finds it who takes up topics from the log, so its
/// topic has to be durable before it is stored. Waits for the disk only if the topic is new.
///
/// # Errors
/// When the disk refuses.
pub fn keep(broker: &Broker, topic: &str) -> Result<(), Refusal> {
    broker.topics.made_by(topic).map_or(Ok(()), |change| changing::settle_to(broker, change))
}

/// Makes a group's dead-letter topic if there is none. Its name.
pub fn add_dead_letter_topic(broker: &Broker, group: &str) -> String {
    let name = names::dead_letter_topic(group);
    if broker.topics.find(&name).is_none() && broker.topics.add(topic(&name, 1, READ_WRITE)).1 {
        made(broker, &name);
    }
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
    let change = put(broker, sent, request.attributes.as_deref().unwrap_or(""))?;
    // A client that asks a NameServer right after this answer finds the topic.
    Ok(Changed::told(change))
}

/// Code 18.
pub fn update_many(broker: &Broker, call: &Call<'_>, _: request::UpdateTopics) -> Result<Changed, Refusal> {
    let sent: CreateTopicListRequestBody = json::from_slice(call.body)?;
    let mut last_change = None;
    for mut topic in sent.topic_config_list {
        let attributes: Vec<String> = std::mem::take(&mut topic.attributes).iter().map(|(key, value)| format!("{key}={value}")).collect();
        last_change = put(broker, topic, &attributes.join(","))?.or(last_change);
    }
    Ok(Changed::told(last_change))
}

/// The number of the change, if it was one.
fn put(broker: &Broker, sent: TopicConfig, attributes: &str) -> Result<Option<u64>, Refusal> {
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
    if !(0..16).contains(&sent.perm) {
        return Err(Refusal::Argument(format!("the permission {} is none: 2 is write, 4 is read, 6 is both", sent.perm)));
    }
    let known = broker.topics.find(&sent.topic_name);
    let attributes = changed_attributes(known.as_deref(), attributes, config.mixed_message_type)?;
    // What only the NameServer's order configuration says is kept.
    let name = sent.topic_name.clone();
    let changed = broker.topics.put(TopicConfig { attributes, ..sent });
    if !changed {
        return Ok(None);
    }
    if known.is_none() {
        return Ok(Some(made(broker, &name)));
    }
    broker.reading_changed();
    Ok(Some(broker.registration.topic_changed(&name)))
}

/// The attributes after `+key=value` and `-key` were applied. Java: `AttributeUtil.alterCurrentAttributes`.
fn changed_attributes(known: Option<&TopicConfig>, changes: &str, mixed: bool) -> Result<BTreeMap<String, String>, Refusal> {
    let mut attributes = known.map(|topic| topic.attributes.clone()).unwrap_or_default();
    let failed = |what: String| Err(Refusal::Failed(what));
    for change in changes.split(',').map(str::trim).filter(|change| !change.is_empty()) {
        if let Some(key) = change.strip_prefix('-') {
            if attributes.remove(key).is_none() {
                return failed(format!("attempt to delete a nonexistent key: {key}"));
            }
            continue;
        }
        let Some((key, value)) = change.trim_start_matches('+').split_once('=') else {
            return failed(format!("the attribute {change:?} is not +key=value or -key"));
        };
        let Some((_, allowed)) = ATTRIBUTES.iter().find(|(name, _)| *name == key) else {
            return failed(format!("unsupported key: {key}"));
        };
        if !allowed.is_empty() && !allowed.contains(&value) {
            return failed(format!("value is not in set: {value}, only [{}] are allowed", allowed.join(", ")));
        }
        if allowed.is_empty() && value.parse::<i64>().is_err() {
            return failed(format!("value is not in range: {value}"));
        }
        if key == "message.type" && value == "MIXED" && !mixed {
            return Err(Refusal::Argument("MIXED message type is not supported.".into()));
        }
        // What decides how a topic is stored stays as it was made; unset means the first value.
        let fixed = match key {
            "cleanup.policy" => Some("DELETE"),
            "queue.type" => Some("SimpleCQ"),
            _ => None,
        };
        if let (Some(_), Some(default)) = (known, fixed)
            && attributes.get(key).map_or(default, String::as_str) != value
        {
            return failed(format!("attempt to update an unchangeable attribute. key: {key}"));
        }
        attributes.insert(key.to_owned(), value.to_owned());
    }
    Ok(attributes)
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
    forget(broker, &request.topic);
    info!(topic = %request.topic, "deleted a topic");
    Ok(Changed::answer(Answer::ok()))
}

/// Takes everything about a topic away; on the disk too before it returns, but for what is in the journal of changes. What waits under
/// another topic to be delivered to it stays: whoever sent it was told that it will be.
pub fn forget(broker: &Broker, topic: &str) {
    let was_there = broker.topics.remove(topic);
    if was_there || broker.topics.is_light(topic) || !broker.store.queues_of(topic).is_empty() {
        // Before its offsets go: whoever commits one looks whether a topic was deleted meanwhile.
        broker.lives.ended(topic, next_connection());
    }
    broker.lives.was_read(topic, broker.offsets.forget_topic(topic));
    broker.request_modes.forget_topic(topic);
    broker.groups.forget_topic(topic);
    broker.locks.forget_topic(topic);
    broker.store.delete_topic(topic);
    broker.statistics.forget_topic(topic);
    broker.look_again_at_all(topic);
    services::save_offsets(broker);
    if was_there {
        broker.registration.changed();
    }
}

/// Code 316: forgets topics that are in no table but have queues, which can only come from a log that knows more than the table, or offsets.
pub fn clean_unused(broker: &Broker, _: &Call<'_>, _: request::CleanUnusedTopic) -> Result<Answer, Refusal> {
    let mut gone: BTreeSet<String> = broker.store.queues().into_iter().map(|(topic, _)| topic).collect();
    gone.extend(broker.offsets.topics());
    gone.retain(|topic| topic != names::MARKS_TOPIC && !is_light(topic) && broker.topics.find(topic).is_none());
    gone.iter().for_each(|topic| forget(broker, topic));
    Ok(Answer::ok())
}

/// Code 306: index entries go with their segment, so that there is never one too many.
pub fn clean_expired(_: &Broker, _: &Call<'_>, _: request::CleanExpiredQueues) -> Result<Answer, Refusal> {
    Ok(Answer::ok())
}

/// Code 329.
pub fn delete_expired(broker: &Broker, _: &Call<'_>, _: request::DeleteExpiredLog) -> Result<Answer, Refusal> {
    broker.store.delete_expired();
    Ok(Answer::ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(known: &[(&str, &str)], changes: &str) -> Result<String, String> {
        let attributes = known.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let known = TopicConfig { attributes, ..TopicConfig::default() };
        changed_attributes(Some(&known), changes, false)
            .map(|all| all.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","))
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn attributes_change_as_asked() {
        assert_eq!(changed(&[], "+message.type=FIFO"), Ok("message.type=FIFO".into()));
        assert_eq!(changed(&[("message.type", "FIFO")], "-message.type"), Ok(String::new()));
        assert_eq!(changed(&[], "-message.type"), Err("attempt to delete a nonexistent key: message.type".into()));
        assert_eq!(changed(&[], "+nonsense=1"), Err("unsupported key: nonsense".into()));
        assert_eq!(
            changed(&[], "+message.type=X"),
            Err("value is not in set: X, only [UNSPECIFIED, NORMAL, FIFO, DELAY, TRANSACTION, MIXED] are allowed".into())
        );
        assert_eq!(changed(&[], "+message.type=MIXED"), Err("MIXED message type is not supported.".into()));
        assert!(changed(&[("queue.type", "SimpleCQ")], "+queue.type=BatchCQ").is_err());
    }
}
