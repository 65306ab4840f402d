//! Which offsets do queues (29-32) and groups (14, 15, 43) have, and how are they committed and copied (314)?
//!
//! Follows Java's `ConsumerManageProcessor` and `AdminBrokerProcessor`.

use crate::broker::Broker;
use crate::error::Refusal;
use crate::tables::incarnations::Claim;
use roxmq_protocol::body::TopicConfig;
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::request::{self, OffsetReply, TimestampReply};
use roxmq_remoting::{Answer, Call};
use roxmq_store::Boundary;
use std::sync::Arc;

/// The offsets between which a queue's messages lie; an unknown queue is an empty one.
pub fn bounds(broker: &Broker, topic: &str, queue_id: i32) -> (QueueOffset, QueueOffset) {
    u32::try_from(queue_id).ok().and_then(|queue_id| broker.store.bounds(topic, queue_id)).unwrap_or_default()
}

/// Where a group begins with a queue: at its committed offset if that is still there, or else at the oldest message.
pub fn beginning(broker: &Broker, group: &str, topic: &str, queue_id: i32) -> QueueOffset {
    let (min, max) = bounds(broker, topic, queue_id);
    let committed = broker.tables.offsets.find(group, topic, queue_id);
    committed.filter(|offset| (min..=max).contains(offset)).unwrap_or(min)
}

/// Answers with an offset of a queue, for a group or without one, and remembers that its client has it from this topic.
fn answer(broker: &Broker, call: &Call<'_>, topic: &str, queue_id: i32, group: &str, offset: QueueOffset) -> Answer {
    broker.tables.incarnations.answered(Claim { topic, queue_id, group, connection: call.peer.id(), offset });
    Answer::with(OffsetReply { offset: offset.0 })
}

/// Code 30. An unknown queue is an empty one, as in Java.
pub fn max(broker: &Broker, call: &Call<'_>, request: request::MaxOffset<'_>) -> Result<Answer, Refusal> {
    let offset = bounds(broker, &request.topic, request.queue_id).1;
    Ok(answer(broker, call, &request.topic, request.queue_id, "", offset))
}

/// Code 31.
pub fn min(broker: &Broker, call: &Call<'_>, request: request::MinOffset<'_>) -> Result<Answer, Refusal> {
    let offset = bounds(broker, &request.topic, request.queue_id).0;
    Ok(answer(broker, call, &request.topic, request.queue_id, "", offset))
}

/// Code 29.
pub fn by_time(broker: &Broker, call: &Call<'_>, request: request::SearchOffsetByTimestamp<'_>) -> Result<Answer, Refusal> {
    let is_upper = request.boundary_type.as_deref().is_some_and(|boundary| boundary.eq_ignore_ascii_case("upper"));
    let boundary = if is_upper { Boundary::Upper } else { Boundary::Lower };
    let offset = match u32::try_from(request.queue_id) {
        Ok(queue_id) => broker.store.offset_by_time(&request.topic, queue_id, request.timestamp, boundary),
        Err(_) => QueueOffset(0),
    };
    Ok(answer(broker, call, &request.topic, request.queue_id, "", offset))
}

/// Code 32.
pub fn earliest_time(broker: &Broker, _: &Call<'_>, request: request::EarliestStoreTime<'_>) -> Result<Answer, Refusal> {
    let (min, max) = bounds(broker, &request.topic, request.queue_id);
    let timestamp = if min == max { None } else { broker.store.store_time(&request.topic, request.queue_id as u32, min) };
    Ok(Answer::with(TimestampReply { timestamp: timestamp.map_or(-1, |time| time.0) }))
}

/// Code 14. Without a committed offset a group begins at 0 if the queue still has its first message, or is empty: that skips no message.
/// Otherwise the client decides by its own `consumeFromWhere`.
pub fn committed(broker: &Broker, call: &Call<'_>, request: request::QueryConsumerOffset<'_>) -> Result<Answer, Refusal> {
    let answer = |offset| Ok(answer(broker, call, &request.topic, request.queue_id, &request.consumer_group, offset));
    if let Some(offset) = broker.tables.offsets.find(&request.consumer_group, &request.topic, request.queue_id) {
        return answer(offset);
    }
    if request.set_zero_if_not_found == Some(false) {
        return Err(Refusal::NotFound("Not found, do not set to zero, maybe this group boot first".into()));
    }
    let (min, _) = bounds(broker, &request.topic, request.queue_id);
    if min.0 <= 0 && broker.tables.topics.find(&request.topic).is_some() {
        return answer(QueueOffset(0));
    }
    Err(Refusal::NotFound("Not found, maybe this group consumer boot first".into()))
}

/// Code 15. No group can have consumed messages that the queue does not have yet: an offset beyond its end is from before its topic was
/// deleted and made again, or from before a crash, and would make the group skip messages.
pub fn commit(broker: &Broker, call: &Call<'_>, request: request::UpdateConsumerOffset<'_>) -> Result<Answer, Refusal> {
    let request::UpdateConsumerOffset { consumer_group: group, topic, queue_id, commit_offset } = request;
    let offset = QueueOffset(commit_offset);
    loop {
        let deletions = broker.tables.incarnations.deletions();
        if broker.tables.groups.find(&group).is_none() {
            return Err(Refusal::NoGroup(format!("Group {group} not exist!")));
        }
        let Some(config) = broker.tables.topics.find(&topic) else { return Err(Refusal::no_topic(&topic)) };
        let (_, max) = bounds(broker, &topic, queue_id);
        let has_queue = (0..config.read_queue_nums.max(config.write_queue_nums)).contains(&queue_id) || (queue_id >= 0 && max.0 > 0);
        if !has_queue || !(QueueOffset(0)..=max).contains(&offset) {
            let text = format!("queue {queue_id} of {topic} cannot be committed at offset {offset}: it ends at {max}");
            return Err(Refusal::Argument(text));
        }
        let claim = Claim { topic: &topic, queue_id, group: &group, connection: call.peer.id(), offset };
        if !broker.tables.incarnations.may_commit(claim, beginning(broker, &group, &topic, queue_id)) {
            return Err(Refusal::Argument(format!(
                "offset {offset} of queue {queue_id} is from before {topic} was deleted and made again"
            )));
        }
        // It fails if a topic, perhaps this one, has just been deleted; then all is checked again.
        if broker.tables.offsets.commit(&group, &topic, queue_id, offset, || broker.tables.incarnations.deletions() == deletions) {
            return Ok(Answer::ok());
        }
    }
}

/// Code 43.
pub fn all(broker: &Broker, _: &Call<'_>, _: request::AllConsumerOffset) -> Result<Answer, Refusal> {
    Ok(Answer::body(json::to_vec(&broker.tables.offsets.all(), Dialect::Fastjson)))
}

/// Code 314.
pub fn copy(broker: &Broker, _: &Call<'_>, request: request::CloneOffset<'_>) -> Result<Answer, Refusal> {
    broker.tables.groups.check_name(&request.dest_group)?;
    let topics = match request.topic.as_deref().filter(|topic| !topic.trim().is_empty()) {
        Some(topic) => vec![topic.to_owned()],
        None => broker.tables.offsets.topics_of(&request.src_group),
    };
    // Topics that a connected group does not subscribe to are left out, unless the tool says that it is offline.
    let connected = broker.tables.clients.consumer_group(&request.src_group).filter(|_| request.offline != Some(true));
    let is_read = |topic: &str| connected.as_ref().is_none_or(|group| group.subscriptions.contains_key(topic));
    for topic in topics.iter().filter(|topic| broker.tables.topics.find(topic).is_some() && is_read(topic)) {
        broker.tables.offsets.copy(&request.src_group, &request.dest_group, topic);
    }
    Ok(Answer::ok())
}

/// The topic, or the refusal that it is unknown.
pub fn known_topic(broker: &Broker, topic: &str) -> Result<Arc<TopicConfig>, Refusal> {
    broker.tables.topics.find(topic).ok_or_else(|| Refusal::topic_not_found(topic))
}
