//! How are timed messages recalled before they are due (370), and counted (61)?
//!
//! Follows Java's `RecallMessageProcessor`. Java answers that a message was recalled whether there is one or
//! not; here what cannot be recalled any more is refused.

use crate::broker::Broker;
use crate::error::Refusal;
use crate::names::TIMER_TOPIC;
use crate::settings::BrokerConfig;
use crate::waiting::system_queue::Reached;
use crate::waiting::timer::due_queue::{Entry, EntryKind, Timer};
use crate::waiting::timer::handle::Handle;
use crate::waiting::timer::times::ORIGIN;
use roxmq_protocol::body::{TimerCount, TimerMetricsBody};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::permission::Permission;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::properties::name;
use roxmq_protocol::record::{Draft, Record};
use roxmq_protocol::request::{self, RecallReply, SendStamp};
use roxmq_protocol::time::Timestamp;
use roxmq_remoting::{Answer, Call};
use roxmq_store::{KeyKind, KeyQuery};

/// Code 61.
pub fn metrics(broker: &Broker, _: &Call<'_>, _: request::TimerMetrics) -> Result<Answer, Refusal> {
    let time_stamp = broker.clock.now_ms();
    let waiting = broker.waiting.timers.counts().all().into_iter();
    let timing_count = waiting.map(|(topic, count)| (topic, TimerCount { count, time_stamp })).collect();
    Ok(Answer::body(json::to_vec(&TimerMetricsBody { timing_count, data_version: None }, Dialect::Fastjson)))
}

/// Code 370. Every answer names the region: Java's client writes no trace of a recall without.
pub fn recall(broker: &Broker, _: &Call<'_>, request: request::RecallMessage<'_>) -> Result<Answer, Refusal> {
    let config = broker.config();
    let region_id = Some(request::Text::Owned(config.region_id.clone()));
    Ok(match recalled(broker, &config, request) {
        Ok(unique_key) => Answer::with(RecallReply { msg_id: unique_key.into(), region_id }),
        Err(refusal) => refusal.answer().fields(SendStamp { region_id, trace_on: None }),
    })
}

/// Checks and recalls. The unique key of the message.
fn recalled(broker: &Broker, config: &BrokerConfig, request: request::RecallMessage<'_>) -> Result<String, Refusal> {
    if !config.recall_messages {
        return Err(Refusal::Forbidden("recall failed, operation is forbidden".into()));
    }
    let now = Timestamp(broker.clock.now_ms());
    if now.0 < config.accept_sends_from_ms as i64 {
        return Err(Refusal::RecallClosed);
    }
    if !Permission(config.broker_permission as i32).is_writable() && !config.recall_when_draining {
        return Err(Refusal::RecallClosed);
    }
    if broker.tables.topics.find(&request.topic).is_none() {
        return Err(Refusal::topic_not_found(&request.topic));
    }
    let illegal = |why: &str| Refusal::IllegalOperation(format!("recall failed, {why}"));
    let handle = Handle::parse(&request.recall_handle).ok_or_else(|| illegal("the recall handle cannot be read"))?;
    if handle.topic != request.topic {
        return Err(illegal("topic not match"));
    }
    if handle.broker != config.broker_name {
        return Err(illegal("the message is at another broker"));
    }
    let due_in_ms = handle.due.ms_since(now);
    if due_in_ms <= 0 || due_in_ms > (config.timer_max_delay_s as i64).saturating_mul(1000) {
        return Err(illegal("timestamp invalid: the message is due already, or further ahead than messages can be"));
    }
    recall_message(broker, &handle, now)?;
    Ok(handle.unique_key)
}

pub fn recall_message(broker: &Broker, handle: &Handle, now: Timestamp) -> Result<(), Refusal> {
    // Locked until the recall is in the log: a message is either delivered or recalled.
    let mut queue = broker.waiting.timers.queue();
    if queue.catch_up(&broker.store, now) == Reached::Unreadable {
        return Err(Refusal::Failed("recall failed, what was delivered cannot be read from the disk now".into()));
    }
    let timer = find(broker, handle).ok_or_else(|| Refusal::IllegalOperation("recall failed, no such message waits".into()))?;
    let (timer, log_offset) = timer;
    if !queue.is_open(timer, log_offset) {
        return Err(Refusal::IllegalOperation("recall failed, the message was delivered or recalled already".into()));
    }
    let mut batch = broker.store.batch();
    let properties = [
        (name::TIMER_DEL_UNIQKEY, &*handle.unique_key),
        (name::TIMER_OUT_MS, &timer.due.to_string()),
        (ORIGIN, &timer.origin.to_string()),
        (name::REAL_TOPIC, &handle.topic),
    ];
    let properties: String = properties.iter().map(|(name, value)| format!("{name}\u{1}{value}\u{2}")).collect();
    batch.push(Draft::own(
        TIMER_TOPIC,
        broker.waiting.timers.queue_of(timer.due, now),
        broker.identity.advertised,
        now,
        b"0",
        &properties,
    ))?;
    broker.append_atomic(&mut batch)?;
    queue.recall(timer);
    drop(queue);
    broker.waiting.timers.no_longer_waits(&handle.topic);
    broker.confirm(&batch).into_result()
}

/// The waiting message, and the log offset of its newest copy.
fn find(broker: &Broker, handle: &Handle) -> Option<(Timer, LogOffset)> {
    let stored = Timestamp(0)..=Timestamp::MAX;
    let query = KeyQuery { topic: TIMER_TOPIC, key: &handle.unique_key, kind: KeyKind::Unique, stored, max: COPIES_MAX };
    let found = broker.store.query(&query);
    found.iter().find_map(|bytes| {
        let (record, _) = Record::parse(bytes).ok()?;
        let entry = Entry::of(&record).filter(|entry| entry.kind == EntryKind::Message)?;
        let is_it = entry.timer.due == handle.due && record.properties().find(name::REAL_TOPIC) == Some(&*handle.topic);
        is_it.then_some((entry.timer, record.log_offset))
    })
}

/// Copies of one message that are read; there are two while it is stored again.
const COPIES_MAX: usize = 64;
