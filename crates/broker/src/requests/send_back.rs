//! Messages that a consumer could not handle: given back (36), tried again later, and at last laid aside.
//!
//! ```text
//! topic --consume fails--> 36 --level 3 + times--> SCHEDULE_TOPIC_XXXX --due--> %RETRY%group --consume fails--> 36 ...
//!                                                                                  after retryMaxTimes --> %DLQ%group
//! ```
//! Follows Java's `AbstractSendMessageProcessor.consumerSendMsgBack` and `handleRetryAndDLQ`.

use crate::announce::topics;
use crate::broker::Broker;
use crate::counts::statistics::Moved;
use crate::error::Refusal;
use crate::message::room;
use crate::names;
use crate::tables::clients::Wanted;
use crate::waiting::delay::levels;
use crate::waiting::parking::{self, Parked};
use crate::waiting::redraft::redelivered;
use roxmq_protocol::body::SubscriptionGroupConfig;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, Properties, PropertiesBuf, name};
use roxmq_protocol::record::store_host::set_store_host;
use roxmq_protocol::record::{Draft, Record};
use roxmq_protocol::request::{self, SendMessage};
use roxmq_remoting::{Answer, Call};
use std::net::SocketAddr;
use std::sync::Arc;

/// Clients from this version on say themselves how often they want a message (`V3_4_9`).
const VERSION_WITH_LIMIT: i32 = 121;
/// The level of the first retry, unless the consumer says another one.
const FIRST_LEVEL: i32 = 3;

/// How often a message of the group may be tried.
fn limit(asked: Option<i32>, version: i32, group: &SubscriptionGroupConfig) -> i32 {
    match asked {
        Some(limit) if version >= VERSION_WITH_LIMIT && limit >= 0 => limit,
        _ => group.retry_max_times,
    }
}

/// The group that a message is retried for. Like every use of a group this makes it, where groups are made by their use.
fn group_of(broker: &Broker, name: &str) -> Result<Arc<SubscriptionGroupConfig>, Refusal> {
    broker.tables.groups.admit(&broker.config(), name).map_err(|_| Refusal::no_group(name))
}

/// Code 36.
pub fn send_back(broker: &Broker, call: &Call<'_>, request: request::ConsumerSendBack<'_>) -> Result<Answer, Refusal> {
    take_back(broker, &request, call.header.version, call.peer.met_as())?;
    Ok(Answer::ok())
}

/// Has a message come again later, or lays it aside. Who gives it back meets the broker as `met_as`.
///
/// # Errors
/// When the group or the message is unknown, or the store refuses; it may be stored all the same.
pub fn take_back(broker: &Broker, request: &request::ConsumerSendBack<'_>, version: i32, met_as: SocketAddr) -> Result<(), Refusal> {
    let config = broker.config();
    let group = group_of(broker, &request.group)?;
    if group.retry_queue_nums <= 0 {
        return Ok(());
    }
    let retry_topic = names::retry_topic(&request.group);
    if broker.tables.topics.find(&retry_topic).is_some_and(|topic| !topic.perm.is_writable()) {
        return Err(Refusal::TopicNotWritable(retry_topic));
    }
    let bytes = broker.store.message_at(LogOffset(request.offset));
    let mut bytes = bytes.ok_or_else(|| Refusal::Failed(format!("look message by offset failed, {}", request.offset)))?;
    // The id of its first copy, which it carries from now on, is the one that its consumers know.
    set_store_host(&mut bytes, met_as);
    let (record, _) = Record::parse(&bytes).map_err(|error| Refusal::Failed(error.to_string()))?;

    let mut properties = given_back(&record);
    let is_over = record.reconsume_times >= limit(request.max_reconsume_times, version, &group) || request.delay_level < 0;
    let mut batch = broker.store.batch();
    let mut parked = None;
    let retried = match is_over {
        true => Err("it was tried as often as allowed".to_owned()),
        false => {
            let asked = if request.delay_level == 0 { FIRST_LEVEL.saturating_add(record.reconsume_times) } else { request.delay_level };
            let level = asked.clamp(1, config.delay_ladder.levels_ms().len() as i32);
            // The group's settings may ask for more queues than the topic was made with: nobody would read those.
            let topic = topics::add_retry_topic(broker, &request.group, group.retry_queue_nums);
            let queues = group.retry_queue_nums.min(topic.read_queue_nums).max(1);
            topics::confirm(broker, &retry_topic)?;
            let mut waiting = properties.clone();
            waiting.set(name::REAL_TOPIC, &retry_topic);
            waiting.set(name::REAL_QID, &broker.randomness.below(queues as u32).to_string());
            waiting.set(name::DELAY, &level.to_string());
            let draft = redelivered(&record, broker.identity.advertised, names::DELAY_TOPIC, levels::queue_of(level), waiting.as_str());
            parking::try_push(broker, again(draft), &mut batch)
        }
    };
    if let Err(reason) = retried {
        properties.set(name::DELAY, "0");
        let dead_letters = topics::add_dead_letter_topic(broker, &request.group);
        let draft = redelivered(&record, broker.identity.advertised, &dead_letters, 0, properties.as_str());
        parked = match parking::try_push(broker, again(draft), &mut batch) {
            Ok(()) if is_over => None,
            Ok(()) => Some(Parked::new(&record, &dead_letters, &reason)),
            // What was stored once can be stored as it is.
            Err(_) => Some(parking::park(broker, &record, &dead_letters, &reason, &mut batch)),
        };
    }
    broker.append(&mut batch)?;
    parking::tell(broker, parked);
    broker.confirm(&batch).into_result()?;
    let key = format!("{}@{}", properties.find(name::RETRY_TOPIC).unwrap_or_default(), request.group);
    broker.counts.statistics.add(Moved::SendBacks, &key, 1, record.body.len() as u64);
    Ok(())
}

/// Tried once more.
fn again(draft: Draft<'_>) -> Draft<'_> {
    Draft { reconsume_times: draft.reconsume_times.saturating_add(1), ..draft }
}

/// What a message says of itself once it was given back: where it came from first, and that nobody waits for its store.
fn given_back(record: &Record<'_>) -> PropertiesBuf {
    let mut properties = PropertiesBuf::from_text(record.properties);
    properties.set_if_absent(name::RETRY_TOPIC, record.topic);
    properties.set_if_absent(name::ORIGIN_MESSAGE_ID, &record.message_id().to_string());
    properties.set(name::WAIT, "false");
    properties
}

/// Properties of a message that is laid aside while its consumer means it for the retry topic, after a delay.
///
/// What clients and brokers have written into them since goes first, where there is no room for all.
pub fn dead_letter_properties(stored: &str) -> String {
    let mut properties = PropertiesBuf::from_text(stored);
    properties.set(name::DELAY, "-1");
    let added = [name::WAIT, name::RECONSUME_TIME, name::MAX_RECONSUME_TIMES, name::TRACE_ON, name::MSG_REGION, name::CLUSTER, name::DELAY];
    for name in added {
        if properties.as_str().len() > PROPERTIES_BYTES_MAX {
            properties.remove(name);
        }
    }
    properties.into_string()
}

/// A consumer that could not give a message back sends it to its retry topic itself; when it was tried too often, or its group keeps
/// order, it is laid aside instead. The dead-letter topic in that case.
pub fn dead_letter_instead(broker: &Broker, request: &SendMessage<'_>, version: i32) -> Result<Option<String>, Refusal> {
    let Some(name) = request.topic.strip_prefix(names::RETRY_PREFIX) else { return Ok(None) };
    let group = group_of(broker, name)?;
    let is_over = request.reconsume_times > limit(request.max_reconsume_times, version, &group);
    // It could not wait for its next turn.
    let is_over = is_over || request.properties.len() + room::AGAIN_BYTES > PROPERTIES_BYTES_MAX;
    if is_over || broker.tables.locks.is_ordered(name, broker.clock.elapsed()) {
        return Ok(Some(topics::add_dead_letter_topic(broker, name)));
    }
    topics::add_retry_topic(broker, name, group.retry_queue_nums);
    Ok(None)
}

/// With `filterSupportRetry`: does the group still want this retried message, by its SQL92 subscription to the topic it came from?
///
/// Java's `ExpressionForRetryMessageFilter` asks so only when the retry topic itself is subscribed to with SQL92, which no client does.
pub fn is_still_wanted(broker: &Broker, group: &str, record: &Record<'_>) -> bool {
    let properties = Properties::new(record.properties);
    let Some(topic) = properties.find(name::RETRY_TOPIC) else { return true };
    let subscription = broker.tables.clients.subscription(group, topic).and_then(|(_, subscription)| subscription);
    match subscription.as_deref().map(|subscription| &subscription.wanted) {
        Some(Wanted::Sql(expression)) => expression.matches(&properties),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW_MS, QUEUE, TOPIC, close, open, put};
    use crate::waiting::delay;
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;

    #[test]
    fn what_is_given_back_names_its_first_place_whatever_happened_to_it_since() {
        let broker = open(&SimDisk::new(5).disk(), &Clock::manual(NOW_MS));
        let first = put(&broker, TOPIC, QUEUE, "WAIT\u{1}true\u{2}colour\u{1}red\u{2}", "body");
        let bytes = broker.store.message_at(first.log_offset).unwrap();
        let (record, _) = Record::parse(&bytes).unwrap();
        let once = given_back(&record);
        let id = record.message_id().to_string();
        let seen = [name::RETRY_TOPIC, name::ORIGIN_MESSAGE_ID, name::WAIT, "colour"].map(|name| once.find(name).map(str::to_owned));
        let expected = [TOPIC, &id, "false", "red"].map(|value| Some(value.to_owned()));
        assert_eq!(seen, expected);

        let second = put(&broker, "%RETRY%group", 0, once.as_str(), "body");
        let bytes = broker.store.message_at(second.log_offset).unwrap();
        let (record, _) = Record::parse(&bytes).unwrap();
        assert_ne!(record.message_id().to_string(), id);
        assert_eq!(given_back(&record).as_str(), once.as_str());
        close(broker);
    }

    #[test]
    fn a_group_is_made_by_giving_back_a_message_unless_its_name_is_none() {
        let broker = open(&SimDisk::new(6).disk(), &Clock::manual(NOW_MS));
        assert_eq!(group_of(&broker, "fresh").unwrap().retry_max_times, 16);
        assert!(broker.tables.groups.find("fresh").is_some());
        for none in ["", "a b", "a$b"] {
            assert_eq!(group_of(&broker, none).unwrap_err().code(), 26, "{none}");
        }
        close(broker);
    }

    #[test]
    fn a_retry_goes_to_a_queue_that_its_topic_has_also_after_a_crash() {
        let (sim, clock) = (SimDisk::new(6), Clock::manual(NOW_MS));
        let broker = open(&sim.disk(), &clock);
        let group = |queues: i32| SubscriptionGroupConfig {
            group_name: "group".into(),
            retry_queue_nums: queues,
            ..SubscriptionGroupConfig::default()
        };
        let offset = put(&broker, TOPIC, QUEUE, "", "body").log_offset.0;
        let request = request::ConsumerSendBack {
            offset,
            group: "group".into(),
            delay_level: 1,
            origin_msg_id: None,
            origin_topic: None,
            unit_mode: None,
            max_reconsume_times: None,
        };
        broker.tables.groups.put(group(3));
        take_back(&broker, &request, 0, broker.identity.advertised).unwrap();
        drop(broker);
        sim.crash();
        let broker = open(&sim.disk(), &clock);
        assert_eq!(broker.tables.topics.find("%RETRY%group").map(|topic| topic.read_queue_nums), Some(3));
        broker.tables.groups.put(group(9));
        for _ in 0..20 {
            take_back(&broker, &request, 0, broker.identity.advertised).unwrap();
        }
        clock.advance(std::time::Duration::from_secs(1));
        delay::deliver::deliver_due(&broker);
        assert!(broker.store.queues().iter().all(|(topic, queue_id)| topic != "%RETRY%group" || *queue_id < 3));
        close(broker);
    }

    #[test]
    fn a_dead_letter_waits_for_no_level() {
        let laid = dead_letter_properties("UNIQ_KEY\u{1}id\u{2}DELAY\u{1}5\u{2}");
        assert_eq!(Properties::new(&laid).find(name::DELAY), Some("-1"));
        assert_eq!(Properties::new(&laid).find(name::UNIQ_KEY), Some("id"));
    }
}
