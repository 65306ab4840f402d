//! How are a group's offsets moved (222, and 220 to its clients), and how far are its clients (223, 221)?
//!
//! ```text
//!                       useServerSideResetOffset=true             =false
//! tool --222--> broker: offset set; the next pull of the queue    220 to every client, which sleeps 10 s, moves its own offset,
//!               is answered with 21 and the new offset            commits it and pulls from there
//! ```
//! Follows Java's `AdminBrokerProcessor.resetOffset` and `Broker2Client`. A pull that is held when its group's offset moves is
//! answered at once; in Java it waits on.

use crate::broker::Broker;
use crate::error::Refusal;
use crate::requests::offsets::bounds;
use crate::requests::relay::FutureAnswer;
use crate::tables::clients::Member;
use crate::tables::incarnations::Claim;
use roxmq_protocol::body::{GetConsumerStatusBody, MessageQueue, MessageQueueForC, ResetOffsetBody, ResetOffsetBodyForC, TopicConfig};
use roxmq_protocol::header::Language;
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::request::{self, ConsumerStatusFromClient, ResetClientOffset};
use roxmq_protocol::time::Timestamp;
use roxmq_remoting::{Answer, Call};
use roxmq_store::Boundary;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tracing::info;

/// How long each client may take to say how far it is.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);
/// Clients before this version know neither 220 nor 221 (`V3_0_7_SNAPSHOT`).
const VERSION_WITH_RESETS: i32 = 28;

type OffsetTable = BTreeMap<MessageQueue, i64>;

/// Code 222.
pub fn reset(broker: &Broker, _: &Call<'_>, request: request::ResetOffset<'_>) -> Result<Answer, Refusal> {
    let unknown = || Refusal::NoTopic(format!("Topic {} does not exist", request.topic));
    let topic = broker.tables.topics.find(&request.topic).ok_or_else(unknown)?;
    let offset_table = match broker.config().server_side_reset {
        true => move_here(broker, &request, &topic)?,
        false => move_at_clients(broker, &request, &topic)?,
    };
    info!(group = %request.group, topic = %request.topic, ?offset_table, "reset offsets");
    Ok(Answer::body(json::to_vec(&ResetOffsetBody { offset_table }, Dialect::Fastjson)))
}

/// Sets the offsets in the table; the group's next pulls are answered with them.
fn move_here(broker: &Broker, request: &request::ResetOffset<'_>, topic: &TopicConfig) -> Result<OffsetTable, Refusal> {
    if broker.tables.groups.find(&request.group).is_none() {
        return Err(Refusal::NoGroup(format!("Group {} does not exist", request.group)));
    }
    let offsets = targets(broker, request, queues(request, topic)?)?;
    for (queue, offset) in &offsets {
        broker.tables.offsets.reset(&request.group, &request.topic, queue.queue_id, QueueOffset(*offset));
        broker.shards.notify(&request.topic, queue.queue_id as u32);
    }
    Ok(offsets)
}

fn queues(request: &request::ResetOffset<'_>, topic: &TopicConfig) -> Result<Range<i32>, Refusal> {
    match request.queue_id {
        ..0 => Ok(0..topic.read_queue_nums),
        one if one < topic.read_queue_nums.max(topic.write_queue_nums) => Ok(one..one + 1),
        other => Err(Refusal::Failed(format!("queue {other} of topic[{}] does not exist", request.topic))),
    }
}

fn targets(broker: &Broker, request: &request::ResetOffset<'_>, queues: Range<i32>) -> Result<OffsetTable, Refusal> {
    let broker_name = broker.config().broker_name.clone();
    let target = |queue_id| Ok((MessageQueue::new(&*request.topic, &*broker_name, queue_id), target(broker, request, queue_id)?.0));
    queues.map(target).collect()
}

/// The new offset of one queue.
fn target(broker: &Broker, request: &request::ResetOffset<'_>, queue_id: i32) -> Result<QueueOffset, Refusal> {
    let (min, max) = bounds(broker, &request.topic, queue_id);
    if let Some(offset) = request.offset.map(QueueOffset).filter(|offset| offset.0 >= 0 && request.queue_id >= 0) {
        if !(min..=max).contains(&offset) {
            let text = format!("Target offset {offset} not in consume queue range [{min}-{max}]");
            return Err(Refusal::Failed(text));
        }
        return Ok(offset);
    }
    let wanted = match request.timestamp {
        ..0 => max,
        time => broker.store.offset_by_time(&request.topic, queue_id as u32, Timestamp(time), Boundary::Lower),
    };
    // Without force a group only moves back.
    let committed = broker.tables.offsets.find(&request.group, &request.topic, queue_id);
    Ok(match committed {
        Some(committed) if !request.is_force && committed < wanted => committed,
        _ => wanted,
    })
}

/// Sends the new offsets to the group's clients. Java: `Broker2Client.resetOffset`.
fn move_at_clients(broker: &Broker, request: &request::ResetOffset<'_>, topic: &TopicConfig) -> Result<OffsetTable, Refusal> {
    let queues = 0..topic.write_queue_nums;
    if queues.clone().any(|queue_id| broker.tables.offsets.find(&request.group, &request.topic, queue_id).is_none()) {
        return Err(Refusal::Failed(format!("THe consumer group <{}> not exist", request.group)));
    }
    let all = request::ResetOffset { queue_id: -1, offset: None, ..request.clone() };
    let offsets = targets(broker, &all, queues)?;
    let members = members(broker, &request.group).ok_or_else(|| {
        let (group, topic, time) = (&request.group, &request.topic, request.timestamp);
        Refusal::NotOnline(format!("Consumer not online, so can not reset offset, Group: {group} Topic: {topic} Timestamp: {time}"))
    })?;
    check_versions(&members)?;
    let (plain, list) = bodies(&offsets);
    for member in members {
        for (queue, offset) in &offsets {
            let claim = Claim {
                topic: &request.topic,
                queue_id: queue.queue_id,
                group: &request.group,
                connection: member.peer.id(),
                offset: QueueOffset(*offset),
            };
            broker.tables.incarnations.answered(claim);
        }
        let push = ResetClientOffset {
            topic: (&*request.topic).into(),
            group: (&*request.group).into(),
            timestamp: request.timestamp,
            is_force: request.is_force,
        };
        // Java looks at the tool's language instead: its clients may get a list that they cannot read.
        member.peer.send_oneway(&push, if member.language == Language::Cpp { &list } else { &plain });
    }
    Ok(offsets)
}

/// The new offsets as a map, and as the list that C++ clients read.
fn bodies(offsets: &OffsetTable) -> (Vec<u8>, Vec<u8>) {
    let entry = |(queue, offset): (&MessageQueue, &i64)| MessageQueueForC {
        broker_name: queue.broker_name.clone(),
        offset: *offset,
        queue_id: queue.queue_id,
        topic: queue.topic.clone(),
    };
    let list = ResetOffsetBodyForC { offset_table: offsets.iter().map(entry).collect() };
    let plain = ResetOffsetBody { offset_table: offsets.clone() };
    (json::to_vec(&plain, Dialect::Fastjson), json::to_vec(&list, Dialect::Fastjson))
}

/// The group's members; `None` when none is connected.
fn members(broker: &Broker, group: &str) -> Option<Vec<Member>> {
    broker.tables.clients.consumer_group(group).map(|group| group.members.into_values().collect())
}

fn check_versions(members: &[Member]) -> Result<(), Refusal> {
    match members.iter().find(|member| member.version < VERSION_WITH_RESETS) {
        Some(old) => Err(Refusal::Failed(format!("the client does not support this feature. version={}", old.version))),
        None => Ok(()),
    }
}

/// Code 223. Clients that do not answer are left out, as in Java.
pub fn status(broker: &Arc<Broker>, _: &Call<'_>, request: request::ConsumerStatus<'_>) -> Result<FutureAnswer, Refusal> {
    let offline = || Refusal::Failed(format!("No Any Consumer online in the consumer group: [{}]", request.group));
    let members = members(broker, &request.group).ok_or_else(offline)?;
    check_versions(&members)?;
    let only = request.client_addr.as_deref().filter(|id| !id.trim().is_empty());
    let asked: Vec<Member> = members.into_iter().filter(|member| only.is_none_or(|id| id == member.client_id)).collect();
    let (topic, group) = (request.topic.to_string(), request.group.to_string());
    Ok(Box::pin(async move {
        let calls: JoinSet<_> = asked.into_iter().map(|member| status_of(member, topic.clone(), group.clone())).collect();
        let consumer_table = calls.join_all().await.into_iter().flatten().collect();
        let body = GetConsumerStatusBody { consumer_table, ..GetConsumerStatusBody::default() };
        Ok(Answer::body(json::to_vec(&body, Dialect::Fastjson)))
    }))
}

/// How far one client is with the topic.
async fn status_of(member: Member, topic: String, group: String) -> Option<(String, OffsetTable)> {
    let question = ConsumerStatusFromClient { topic: topic.into(), group: group.into(), client_addr: None };
    let answer = member.peer.call(question, Vec::new(), STATUS_TIMEOUT).await.ok().filter(|answer| answer.header().code == 0)?;
    let body: GetConsumerStatusBody = json::from_slice(answer.body()).ok()?;
    Some((member.client_id, body.message_queue_table))
}
