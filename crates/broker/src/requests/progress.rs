//! How far are topics and groups (202, 208, 300, 303, 317, 343, 345)? Follows Java's `AdminBrokerProcessor`.

use crate::broker::Broker;
use crate::counts::statistics::Statistic;
use crate::error::Refusal;
use crate::names::RETRY_PREFIX;
use crate::requests::offsets::known_topic;
use roxmq_protocol::body::{
    ConsumeStats, ConsumeStatsList, GroupList, MessageQueue, OffsetWrapper, QueryConsumeTimeSpanBody, QuerySubscriptionResponseBody,
    QueueTimeSpan, TopicList, TopicOffset, TopicStatsTable,
};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::request;
use roxmq_remoting::{Answer, Call};
use std::collections::{BTreeMap, BTreeSet};

/// Code 202.
pub fn of_topic(broker: &Broker, _: &Call<'_>, request: request::TopicStats<'_>) -> Result<Answer, Refusal> {
    let topic = known_topic(broker, &request.topic)?;
    let broker_name = broker.config().broker_name.clone();
    let mut offset_table = BTreeMap::new();
    for queue_id in 0..topic.write_queue_nums {
        let (min, max) = broker.store.bounds(&request.topic, queue_id as u32).unwrap_or_default();
        let newest = (max > min).then(|| broker.store.store_time(&request.topic, queue_id as u32, QueueOffset(max.0 - 1))).flatten();
        let offset = TopicOffset { last_update_timestamp: newest.map_or(0, |time| time.0), max_offset: max.0, min_offset: min.0 };
        offset_table.insert(MessageQueue::new(&*request.topic, &*broker_name, queue_id), offset);
    }
    let topic_put_tps = broker.counts.statistics.rate(Statistic::TOPIC_PUT_NUMS, &request.topic, broker.clock.elapsed());
    Ok(Answer::body(json::to_vec(&TopicStatsTable { offset_table, topic_put_tps }, Dialect::Fastjson)))
}

/// Code 208.
pub fn of_group(broker: &Broker, _: &Call<'_>, request: request::ConsumeStats<'_>) -> Result<Answer, Refusal> {
    let listed = request.topic_list.as_deref().unwrap_or("").split(';').chain(request.topic.as_deref());
    let mut topics: Vec<String> = listed.map(str::trim).filter(|topic| !topic.is_empty()).map(str::to_owned).collect();
    if topics.is_empty() {
        topics = topics_of_group(broker, &request.consumer_group).into_iter().collect();
    }
    let stats = stats(broker, &request.consumer_group, &topics);
    Ok(Answer::body(json::to_vec(&stats, Dialect::Fastjson)))
}

fn stats(broker: &Broker, group: &str, topics: &[String]) -> ConsumeStats {
    let broker_name = broker.config().broker_name.clone();
    let now = broker.clock.elapsed();
    let online = broker.tables.clients.consumer_group(group);
    let mut stats = ConsumeStats::default();
    for name in topics {
        let Some(topic) = broker.tables.topics.find(name) else { continue };
        // A topic that a connected group does not subscribe to any more is no lag. Its retry topic always counts.
        let subscribed = online.as_ref().is_none_or(|group| group.subscriptions.contains_key(name));
        if !subscribed && !name.starts_with(RETRY_PREFIX) {
            continue;
        }
        for queue_id in 0..topic.read_queue_nums {
            let (_, max) = broker.store.bounds(name, queue_id as u32).unwrap_or_default();
            let committed = broker.tables.offsets.find(group, name, queue_id).unwrap_or_default().max(QueueOffset(0));
            let consumed = (committed > QueueOffset(0))
                .then(|| broker.store.store_time(name, queue_id as u32, QueueOffset(committed.0 - 1)))
                .flatten();
            let offsets = OffsetWrapper {
                broker_offset: max.0,
                consumer_offset: committed.0,
                last_timestamp: consumed.map_or(0, |time| time.0),
                pull_offset: broker.tables.offsets.pulled(group, name, queue_id).unwrap_or_default().max(committed).0,
            };
            stats.offset_table.insert(MessageQueue::new(&**name, &*broker_name, queue_id), offsets);
        }
        stats.consume_tps += broker.counts.statistics.rate(Statistic::GROUP_GET_NUMS, &format!("{name}@{group}"), now);
    }
    stats
}

/// Code 317.
pub fn of_all_groups(broker: &Broker, call: &Call<'_>, request: request::BrokerConsumeStats) -> Result<Answer, Refusal> {
    let broker_addr = Some(broker.identity.address_to(call.peer.met_as()));
    let mut list = ConsumeStatsList { broker_addr, ..ConsumeStatsList::default() };
    for group in broker.tables.groups.all().subscription_group_table.into_keys() {
        let mut of_group = Vec::new();
        for topic in topics_of_group(broker, &group) {
            let ordered = broker.tables.topics.find(&topic).is_some_and(|topic| topic.order);
            if request.is_order && !ordered {
                continue;
            }
            let stats = stats(broker, &group, std::slice::from_ref(&topic));
            list.total_diff += stats.offset_table.values().map(|queue| queue.broker_offset - queue.consumer_offset).sum::<i64>();
            list.total_inflight_diff += stats.offset_table.values().map(|queue| queue.pull_offset - queue.consumer_offset).sum::<i64>();
            of_group.push(stats);
        }
        list.consume_stats_list.push(BTreeMap::from([(group, of_group)]));
    }
    Ok(Answer::body(json::to_vec(&list, Dialect::Fastjson)))
}

fn topics_of_group(broker: &Broker, group: &str) -> BTreeSet<String> {
    broker.tables.offsets.topics_of(group).into_iter().collect()
}

/// Code 300.
pub fn groups_of_topic(broker: &Broker, _: &Call<'_>, request: request::GroupsOfTopic<'_>) -> Result<Answer, Refusal> {
    let mut group_list: BTreeSet<String> = broker.tables.clients.groups_subscribed(&request.topic).into_iter().collect();
    group_list.extend(broker.tables.offsets.groups_of(&request.topic));
    Ok(Answer::body(json::to_vec(&GroupList { group_list }, Dialect::Fastjson)))
}

/// Code 343.
pub fn topics_of(broker: &Broker, call: &Call<'_>, request: request::TopicsOfGroup<'_>) -> Result<Answer, Refusal> {
    let topic_list = topics_of_group(broker, &request.group);
    let body = TopicList { broker_addr: Some(broker.identity.address_to(call.peer.met_as())), topic_list };
    Ok(Answer::body(json::to_vec(&body, Dialect::Fastjson)))
}

/// Code 345.
pub fn subscription(broker: &Broker, _: &Call<'_>, request: request::SubscriptionOfGroup<'_>) -> Result<Answer, Refusal> {
    let known = broker.tables.clients.subscription(&request.group, &request.topic).and_then(|(_, subscription)| subscription);
    let body = QuerySubscriptionResponseBody {
        group: request.group.into_owned(),
        subscription_data: known.map(|subscription| subscription.data.clone()),
        topic: request.topic.into_owned(),
    };
    Ok(Answer::body(json::to_vec(&body, Dialect::Fastjson)))
}

/// Code 303.
pub fn time_span(broker: &Broker, _: &Call<'_>, request: request::ConsumeTimeSpan<'_>) -> Result<Answer, Refusal> {
    let topic = known_topic(broker, &request.topic)?;
    let broker_name = broker.config().broker_name.clone();
    let now = broker.clock.now_ms();
    let mut consume_time_span_set = Vec::new();
    for queue_id in 0..topic.write_queue_nums {
        let (min, max) = broker.store.bounds(&request.topic, queue_id as u32).unwrap_or_default();
        let at = |offset| broker.store.store_time(&request.topic, queue_id as u32, offset).map(|time| time.0);
        let committed = broker.tables.offsets.find(&request.group, &request.topic, queue_id).unwrap_or_default();
        let min_time_stamp = at(min).unwrap_or(-1);
        let consume_time_stamp = if committed > QueueOffset(0) { at(QueueOffset(committed.0 - 1)).unwrap_or(-1) } else { min_time_stamp };
        let next = at(committed).filter(|_| committed < max);
        consume_time_span_set.push(QueueTimeSpan {
            consume_time_stamp,
            delay_time: next.map_or(0, |next| now - next),
            max_time_stamp: at(QueueOffset(max.0 - 1)).unwrap_or(-1),
            message_queue: MessageQueue::new(&*request.topic, &*broker_name, queue_id),
            min_time_stamp,
        });
    }
    Ok(Answer::body(json::to_vec(&QueryConsumeTimeSpanBody { consume_time_span_set }, Dialect::Fastjson)))
}
