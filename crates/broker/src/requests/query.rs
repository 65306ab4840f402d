//! How are messages found by key (12), by log offset (33), and by their place in a queue (321)?
//!
//! Follows Java's `QueryMessageProcessor`.

use crate::broker::Broker;
use crate::error::Refusal;
use roxmq_protocol::body::{ConsumeQueueData, QueryConsumeQueueResponseBody};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::{name, tags_code};
use roxmq_protocol::record::Record;
use roxmq_protocol::record::store_host::set_store_host;
use roxmq_protocol::request::{self, QueryMessageReply};
use roxmq_remoting::{Answer, Call};
use roxmq_store::{KeyKind, KeyQuery};

/// Bytes of records in one answer; the newest come first.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What `indexType` says when the key is a tag (Java's `MessageConst.INDEX_TAG_TYPE`).
const TAG_INDEX: &str = "T";
/// Queue entries that one query by tag reads; it does not find older messages.
const TAG_ENTRIES_MAX: usize = 1_000_000;
/// Queue entries in one answer to 321.
const ENTRIES_MAX: i32 = 1000;

/// Code 12.
pub fn by_key(broker: &Broker, call: &Call<'_>, request: request::QueryMessage<'_>) -> Result<Answer, Refusal> {
    let config = broker.config();
    let kind = if request.unique_key == Some(true) { KeyKind::Unique } else { KeyKind::Any };
    // Java has a fixed limit for unique keys, whatever the request says.
    let asked = match kind {
        KeyKind::Unique => config.query_messages_default as i32,
        KeyKind::Any => request.max_num,
    };
    let max = asked.clamp(1, config.query_messages_max as i32) as usize;
    let found = if request.index_type.as_deref() == Some(TAG_INDEX) {
        by_tag(broker, &request, max)
    } else {
        let stored = request.begin_timestamp..=request.end_timestamp;
        broker.store.query(&KeyQuery { topic: &request.topic, key: &request.key, kind, stored, max })
    };
    let mut body = Vec::new();
    for record in found {
        if body.len() + record.len() > ANSWER_BYTES_MAX {
            break;
        }
        body.extend_from_slice(&record);
    }
    set_store_host(&mut body, call.peer.met_as());
    if body.is_empty() {
        return Err(Refusal::NotFound("can not find message, maybe time range not correct".into()));
    }
    let reply = QueryMessageReply {
        index_last_update_timestamp: broker.clock.now_ms(),
        index_last_update_log_offset: broker.store.watermarks().written().0,
    };
    Ok(Answer::body(body).fields(reply))
}

/// The newest messages with a tag, oldest first. Index entries have its hash, records the tag itself.
fn by_tag(broker: &Broker, request: &request::QueryMessage<'_>, max: usize) -> Vec<Vec<u8>> {
    let wanted = tags_code(&request.key);
    let queues = broker.tables.topics.find(&request.topic).map_or(0, |topic| topic.read_queue_nums.max(topic.write_queue_nums)) as u32;
    let mut found = Vec::new();
    let mut looked_at = 0;
    for queue_id in 0..queues {
        let Some((min, max_offset)) = broker.store.bounds(&request.topic, queue_id) else { continue };
        for offset in (min.0..max_offset.0).rev() {
            looked_at += 1;
            if looked_at > TAG_ENTRIES_MAX || found.len() == max {
                break;
            }
            let entry = broker.store.index_entry(&request.topic, queue_id, QueueOffset(offset));
            let Some(entry) = entry.filter(|entry| entry.tags_code == wanted) else { continue };
            let Some(bytes) = broker.store.message_at(entry.log_offset) else { continue };
            let Ok((record, _)) = Record::parse(&bytes) else { continue };
            let in_time = (request.begin_timestamp..=request.end_timestamp).contains(&record.store_timestamp);
            if in_time && record.properties().find(name::TAGS) == Some(&*request.key) {
                let log_offset = record.log_offset;
                found.push((log_offset, bytes));
            }
        }
    }
    found.sort_unstable_by_key(|(log_offset, _)| *log_offset);
    found.into_iter().map(|(_, bytes)| bytes).collect()
}

/// Code 33.
pub fn by_log_offset(broker: &Broker, call: &Call<'_>, request: request::ViewMessageById<'_>) -> Result<Answer, Refusal> {
    let unknown = || Refusal::Failed(format!("can not find message by the offset, {}", request.offset));
    let mut record = broker.store.message_at(LogOffset(request.offset)).ok_or_else(unknown)?;
    set_store_host(&mut record, call.peer.met_as());
    Ok(Answer::body(record))
}

/// Code 321.
pub fn queue_entries(broker: &Broker, _: &Call<'_>, request: request::QueryQueue<'_>) -> Result<Answer, Refusal> {
    let (topic, group) = (&*request.topic, request.consumer_group.as_deref().unwrap_or_default());
    let bounds = u32::try_from(request.queue_id).ok().and_then(|queue_id| Some((queue_id, broker.store.bounds(topic, queue_id)?)));
    let Some((queue_id, (min, max))) = bounds else {
        return Err(Refusal::Failed(format!("{}@{topic} is not exist!", request.queue_id)));
    };
    // As in Java, entries are judged and messages shown only for a subscription of connected members.
    let subscription = broker.tables.clients.subscription(group, topic).and_then(|(_, subscription)| subscription);
    let is_offline = !group.is_empty() && subscription.is_none();
    let first = request.index.clamp(min.0, max.0);
    let count = i64::from(request.count.clamp(0, ENTRIES_MAX));
    let mut queue_data = Vec::new();
    for offset in first..max.0.min(first.saturating_add(count)) {
        let Some(entry) = broker.store.index_entry(topic, queue_id, QueueOffset(offset)) else { continue };
        queue_data.push(ConsumeQueueData {
            eval: subscription.as_ref().is_some_and(|subscription| subscription.wants(entry.tags_code)),
            msg: subscription.as_ref().and_then(|_| shown(&broker.store.message_at(entry.log_offset)?)),
            physic_offset: entry.log_offset.0,
            physic_size: entry.size as i32,
            tags_code: entry.tags_code,
            ..ConsumeQueueData::default()
        });
    }
    let body = QueryConsumeQueueResponseBody {
        filter_data: is_offline.then(|| format!("{group}@{topic} is not online!")),
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
    let born = record.properties().find(name::ROXMQ_BORN_HOST).map_or_else(|| record.born_host.to_string(), str::to_owned);
    Some(format!(
        "queueOffset={}, physicOffset={}, storeTime={}, born={born}, keys={keys:?}, bodyBytes={}",
        record.queue_offset,
        record.log_offset,
        record.store_timestamp.0,
        record.body.len()
    ))
}
