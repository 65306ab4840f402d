//! What a producer says of its half message: commit or rollback (37).

use crate::Broker;
use crate::delay::redelivered;
use crate::names::{self, HALF_TOPIC, OP_TOPIC};
use crate::{Call, Refusal, delay, timer};
use roxmq_protocol::properties::{PropertiesBuf, name};
use roxmq_protocol::record::{Draft, LogOffset, Record, sys_flag};
use roxmq_protocol::request;
use roxmq_remoting::Answer;
use roxmq_store::Batch;

/// Tag of an op record that closes half messages (`TransactionalMessageUtil.REMOVE_TAG`).
const OP_TAG: &str = "d";
/// How the request spells that the message is to be delivered.
pub const COMMIT: i32 = 8;
/// The half message is to be forgotten.
pub const ROLLBACK: i32 = 12;

/// Code 37.
pub fn end(broker: &Broker, _: &Call<'_>, request: request::EndTransaction<'_>) -> Result<Answer, Refusal> {
    decide(broker, &request)?;
    Ok(Answer::ok())
}

/// Closes a half message as its producer wants it. One that is closed stays as it is, and that is no error.
///
/// # Errors
/// When there is no such half message of the group, or the store refuses.
pub fn decide(broker: &Broker, request: &request::EndTransaction<'_>) -> Result<(), Refusal> {
    if !matches!(request.commit_or_rollback, COMMIT | ROLLBACK) {
        // The producer does not know yet; it will be asked.
        return Ok(());
    }
    let bytes = broker.store.message_at(LogOffset(request.commit_log_offset));
    let bytes = bytes.ok_or_else(|| Refusal::Failed("Find prepared transaction message failed".into()))?;
    let (record, _) = Record::parse(&bytes).map_err(|error| Refusal::Failed(error.to_string()))?;
    let properties = record.properties();
    if record.topic != HALF_TOPIC || properties.find(name::PGROUP) != Some(&*request.producer_group) {
        return Err(Refusal::Failed("The producer group wrong".into()));
    }
    if record.queue_offset.0 != request.tran_state_table_offset {
        return Err(Refusal::Failed("The transaction state table offset wrong".into()));
    }
    // Held to the end: two decisions about one half message come one after the other, and the second finds it closed.
    let mut state = broker.transactions.state.lock();
    state.catch_up(broker);
    let offset = record.queue_offset.0;
    if offset < state.half_read && !state.open.contains_key(&offset) {
        return Ok(());
    }
    let mut batch = broker.store.batch();
    push_op(broker, offset, &mut batch)?;
    let mut timed = None;
    if request.commit_or_rollback == COMMIT {
        timed = push_committed(broker, &record, &mut batch)?;
    }
    let kept = broker.append_whole(&mut batch)?;
    // Decided, even if it is not yet durable: a second decision must find it so.
    state.open.remove(&offset);
    if let Some((topic, due_ms)) = timed {
        broker.timers.arrived(&topic, due_ms);
    }
    kept.in_time()
}

/// The message as consumers will see it, or as it waits for its delay level.
///
/// Its topic and when it is due, if it waits for a time of its own.
fn push_committed(broker: &Broker, half: &Record<'_>, batch: &mut Batch) -> Result<Option<(String, i64)>, Refusal> {
    let mut properties = PropertiesBuf::from_text(half.properties);
    let topic = properties.find(name::REAL_TOPIC).unwrap_or_default().to_owned();
    let queue_id: u32 = properties.find(name::REAL_QID).and_then(|queue_id| queue_id.parse().ok()).unwrap_or(0);
    if broker.topics.find(&topic).is_none() {
        return Err(Refusal::TopicUnknown(topic));
    }
    let config = broker.config();
    let now_ms = broker.clock.now_ms();
    // Refused when it was sent, if it was no number.
    let level = delay::level_asked(properties.find(name::DELAY), config.delay_ladder.levels_ms().len()).unwrap_or_default();
    let times = timer::Times::of(half.properties());
    let due_ms = if level.is_none() { times.due(now_ms, &config)? } else { None };
    let (to, queue) = match (level, due_ms) {
        (Some(level), _) => (names::DELAY_TOPIC, delay::queue_of(level)),
        (None, Some(due_ms)) => {
            properties.set(name::TIMER_OUT_MS, &due_ms.to_string());
            (names::TIMER_TOPIC, timer::queue_of(broker, due_ms, now_ms))
        }
        (None, None) => {
            properties.remove(name::REAL_TOPIC).remove(name::REAL_QID);
            (&*topic, queue_id)
        }
    };
    let mut draft = redelivered(half, broker.advertised, to, queue, properties.as_str());
    draft.sys_flag = sys_flag::with_transaction(half.sys_flag, sys_flag::TRANSACTION_COMMIT);
    draft.prepared_transaction_offset = half.log_offset.0;
    batch.push(draft)?;
    Ok(due_ms.map(|due_ms| (topic.clone(), due_ms)))
}

/// The record that closes a half message.
pub fn push_op(broker: &Broker, half_offset: i64, batch: &mut Batch) -> Result<(), Refusal> {
    let properties = format!("{}\u{1}{OP_TAG}\u{2}", name::TAGS);
    batch.push(Draft {
        topic: OP_TOPIC,
        queue_id: 0,
        flag: 0,
        sys_flag: 0,
        born_timestamp: broker.clock.now_ms(),
        born_host: broker.advertised,
        store_host: broker.advertised,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: half_offset.to_string().as_bytes(),
        properties: &properties,
    })?;
    Ok(())
}
