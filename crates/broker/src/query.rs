//! Finding messages: by key (12), by their place in the log (33), by their place in a queue (321).
//!
//! Follows Java's `QueryMessageProcessor`.

use crate::offsets::known_topic;
use crate::{Broker, Call, Refusal};
use roxmq_protocol::body::{ConsumeQueueData, QueryConsumeQueueResponseBody};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::record::{LogOffset, QueueOffset, Record};
use roxmq_protocol::request::{self, QueryMessageReply};
use roxmq_remoting::Answer;

/// Bytes of records in one answer; the newest are kept.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Queue entries in one answer to 321.
const ENTRIES_MAX: i32 = 1000;

/// Code 12.
pub fn by_key(broker: &Broker, _: &Call<'_>, request: request::QueryMessage<'_>) -> Result<Answer, Refusal> {
    let config = broker.config();
    let unique = request.unique_key == Some(true);
    // Java takes its own limit for a unique key, whatever is asked for.
    let asked = if unique { config.query_messages_default as i32 } else { request.max_num };
    let max = asked.clamp(1, config.query_messages_max as i32) as usize;
    let found = broker.store.query(&request.topic, &request.key, request.begin_timestamp, request.end_timestamp, max, unique);
    let mut body = Vec::new();
    for record in found {
        if body.len() + record.len() > ANSWER_BYTES_MAX {
            break;
        }
        body.extend_from_slice(&record);
    }
    if body.is_empty() {
        return Err(Refusal::NotFound("can not find message, maybe time range not correct".into()));
    }
    let reply = QueryMessageReply {
        index_last_update_timestamp: broker.clock.now_ms(),
        index_last_update_log_offset: broker.store.watermarks().dispatched().0,
    };
    Ok(Answer::body(body).fields(reply))
}

/// Code 33.
pub fn by_log_offset(broker: &Broker, _: &Call<'_>, request: request::ViewMessageById<'_>) -> Result<Answer, Refusal> {
    let record = broker.store.message_at(LogOffset(request.offset));
    record.map(Answer::body).ok_or_else(|| Refusal::Failed(format!("can not find message by the offset, {}", request.offset)))
}

/// Code 321.
pub fn queue_entries(broker: &Broker, _: &Call<'_>, request: request::QueryQueue<'_>) -> Result<Answer, Refusal> {
    let topic = known_topic(broker, &request.topic)?;
    let queue_id = match u32::try_from(request.queue_id) {
        Ok(queue_id) if request.queue_id < topic.read_queue_nums.max(topic.write_queue_nums) => queue_id,
        _ => return Err(Refusal::Failed(format!("{} {} not exist", request.topic, request.queue_id))),
    };
    let (min, max) = broker.store.bounds(&request.topic, queue_id).unwrap_or_default();
    let subscription = request
        .consumer_group
        .as_deref()
        .and_then(|group| broker.clients.subscription(group, &request.topic))
        .and_then(|(_, subscription)| subscription);
    let first = request.index.clamp(min.0, max.0);
    let count = i64::from(request.count.clamp(0, ENTRIES_MAX));
    let mut queue_data = Vec::new();
    for offset in first..max.0.min(first.saturating_add(count)) {
        let Some(entry) = broker.store.index_entry(&request.topic, queue_id, QueueOffset(offset)) else { continue };
        queue_data.push(ConsumeQueueData {
            eval: subscription.as_ref().is_none_or(|subscription| subscription.wants(entry.tags_code)),
            msg: broker.store.message_at(entry.log_offset).and_then(|bytes| shown(&bytes)),
            physic_offset: entry.log_offset.0,
            physic_size: entry.size as i32,
            tags_code: entry.tags_code,
            ..ConsumeQueueData::default()
        });
    }
    let body = QueryConsumeQueueResponseBody {
        filter_data: None,
        max_queue_index: max.0,
        min_queue_index: min.0,
        queue_data,
        subscription_data: subscription.map(|subscription| subscription.data.clone()),
    };
    Ok(Answer::body(json::to_vec(&body, Dialect::Fastjson)))
}

/// A record in one line, for people.
fn shown(bytes: &[u8]) -> Option<String> {
    let (record, _) = Record::parse(bytes).ok()?;
    let keys: Vec<&str> = record.properties().keys().collect();
    Some(format!(
        "queueOffset={}, physicOffset={}, storeTime={}, born={}, keys={keys:?}, bodyBytes={}",
        record.queue_offset,
        record.log_offset,
        record.store_timestamp,
        record.born_host,
        record.body.len()
    ))
}
