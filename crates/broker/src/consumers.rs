//! Clients: heartbeats (34), leaving (35), who is there (38, 203, 204, 328), and telling groups that they changed (40).
//!
//! Follows Java's `ClientManageProcessor`, `ConsumerManageProcessor` and `DefaultConsumerIdsChangeListener`.

use crate::pull::checked;
use crate::tables::clients::{Audience, Departure, Member};
use crate::{Broker, Call, Refusal, topics};
use roxmq_protocol::body::{
    CheckClientRequestBody, Connection, ConsumerConnection, ConsumerData, GetConsumerListByGroupResponseBody, HeartbeatData, MessageModel,
    ProducerConnection, ProducerInfo, ProducerTableInfo,
};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request::{self, HeartbeatReply, NotifyConsumerIdsChanged};
use roxmq_remoting::{Answer, ConnectionId};

/// Groups that one heartbeat may name.
const GROUPS_PER_HEARTBEAT_MAX: usize = 4096;

/// Code 34.
pub fn heartbeat(broker: &Broker, call: &Call<'_>, _: request::Heartbeat) -> Result<Answer, Refusal> {
    if call.body.is_empty() {
        return Err(Refusal::BodyEmpty);
    }
    let data: HeartbeatData = json::from_slice(call.body)?;
    let groups = data.consumer_data_set.len() + data.producer_data_set.len();
    if groups > GROUPS_PER_HEARTBEAT_MAX {
        return Err(Refusal::Argument(format!("a heartbeat names at most {GROUPS_PER_HEARTBEAT_MAX} groups, not {groups}")));
    }
    // Not the wall clock: when that jumps, no client has been silent.
    let now = broker.clock.elapsed().as_millis() as i64;
    let member = Member {
        peer: call.peer.clone(),
        client_id: data.client_id.clone(),
        language: call.header.language,
        version: call.header.version,
        seen_ms: now,
        fingerprint: data.heartbeat_fingerprint,
    };
    for producer in &data.producer_data_set {
        broker.clients.producer_seen(&producer.group_name, member.clone());
    }
    if data.heartbeat_fingerprint != 0 && data.without_sub {
        let unchanged =
            |group: &ConsumerData| broker.clients.consumer_unchanged(&group.group_name, call.peer.id(), data.heartbeat_fingerprint, now);
        // Every group is visited: each visit also says that the client is alive.
        let changed = data.consumer_data_set.iter().filter(|group| !unchanged(group)).count() > 0;
        return Ok(Answer::with(HeartbeatReply { supports_v2: Some(true), subscription_changed: Some(changed) }));
    }
    for group in &data.consumer_data_set {
        consumer_seen(broker, group, member.clone());
    }
    Ok(Answer::with(HeartbeatReply { supports_v2: Some(true), subscription_changed: Some(true) }))
}

fn consumer_seen(broker: &Broker, data: &ConsumerData, member: Member) {
    // A group that may not be made is left out, as Java does: the client learns it from its pulls.
    let Ok(group) = broker.group(&broker.config(), &data.group_name) else { return };
    topics::add_retry_topic(broker, &data.group_name, group.retry_queue_nums);
    if let Some(audience) = broker.clients.consumer_seen(data, member) {
        notify(broker, &data.group_name, data.message_model, audience);
    }
}

/// Tells the members of a group to look at their queues again.
fn notify(broker: &Broker, group: &str, model: MessageModel, audience: Audience) {
    let wanted = broker.groups.find(group).is_none_or(|group| group.notify_consumer_ids_changed_enable);
    if !wanted || model == MessageModel::Broadcasting || !broker.config().notify_consumer_changes {
        return;
    }
    for peer in audience {
        peer.tell(&NotifyConsumerIdsChanged { consumer_group: group.into() }, b"");
    }
}

/// Code 35.
pub fn unregister(broker: &Broker, call: &Call<'_>, request: request::UnregisterClient<'_>) -> Result<Answer, Refusal> {
    if let Some(group) = request.producer_group.as_deref() {
        broker.clients.producer_left(group, call.peer.id());
    }
    if let Some(group) = request.consumer_group.as_deref()
        && let Some(departure) = broker.clients.consumer_left(group, call.peer.id())
    {
        left(broker, departure);
    }
    Ok(Answer::ok())
}

/// A connection is gone, and with it the client.
pub fn connection_lost(broker: &Broker, connection: ConnectionId) {
    for departure in broker.clients.connection_lost(connection) {
        left(broker, departure);
    }
}

/// What a client held in order is free at once, and the others share its queues.
fn left(broker: &Broker, departure: Departure) {
    broker.locks.client_left(&departure.group, &departure.client_id);
    notify(broker, &departure.group, departure.message_model, departure.audience);
}

/// Code 38.
pub fn ids(broker: &Broker, _: &Call<'_>, request: request::ConsumerList<'_>) -> Result<Answer, Refusal> {
    let consumer_id_list = broker.clients.consumer_ids(&request.consumer_group);
    if consumer_id_list.is_empty() {
        return Err(Refusal::Failed(format!("no consumer for this group, {}", request.consumer_group)));
    }
    Ok(Answer::body(json::to_vec(&GetConsumerListByGroupResponseBody { consumer_id_list }, Dialect::Fastjson)))
}

/// Code 46.
pub fn check(broker: &Broker, call: &Call<'_>, _: request::CheckClientConfig) -> Result<Answer, Refusal> {
    if !call.body.is_empty() {
        let sent: CheckClientRequestBody = json::from_slice(call.body)?;
        checked(&broker.config(), sent.subscription_data)?;
    }
    Ok(Answer::ok())
}

fn connection(member: &Member) -> Connection {
    Connection {
        client_addr: member.peer.remote().to_string(),
        client_id: member.client_id.clone(),
        language: member.language.name().to_owned(),
        version: member.version,
    }
}

/// Code 203.
pub fn connections(broker: &Broker, _: &Call<'_>, request: request::ConsumerConnections<'_>) -> Result<Answer, Refusal> {
    let group = broker
        .clients
        .consumer_group(&request.consumer_group)
        .ok_or_else(|| Refusal::NotOnline(format!("the consumer group[{}] not online", request.consumer_group)))?;
    let mut connection_set: Vec<Connection> = group.members.values().map(connection).collect();
    connection_set.sort();
    let body = ConsumerConnection {
        connection_set,
        consume_from_where: Some(group.from_where),
        consume_type: Some(group.consume_type),
        message_model: Some(group.message_model),
        subscription_table: group.subscriptions.into_iter().map(|(topic, known)| (topic, known.data.clone())).collect(),
    };
    Ok(Answer::body(json::to_vec(&body, Dialect::Fastjson)))
}

/// Code 204.
pub fn producers(broker: &Broker, _: &Call<'_>, request: request::ProducerConnections<'_>) -> Result<Answer, Refusal> {
    let mut connection_set: Vec<Connection> = broker.clients.producers(&request.producer_group).iter().map(connection).collect();
    if connection_set.is_empty() {
        return Err(Refusal::Failed(format!("the producer group[{}] not exist", request.producer_group)));
    }
    connection_set.sort();
    Ok(Answer::body(json::to_vec(&ProducerConnection { connection_set }, Dialect::Fastjson)))
}

/// Code 328.
pub fn all_producers(broker: &Broker, _: &Call<'_>, _: request::AllProducers) -> Result<Answer, Refusal> {
    let (now_ms, elapsed_ms) = (broker.clock.now_ms(), broker.clock.elapsed().as_millis() as i64);
    let info = |member: &Member| ProducerInfo {
        client_id: member.client_id.clone(),
        language: member.language.name().to_owned(),
        last_update_timestamp: now_ms - (elapsed_ms - member.seen_ms),
        remote_ip: member.peer.remote().to_string(),
        version: member.version,
    };
    let data = broker.clients.all_producers().into_iter().map(|(group, members)| (group, members.iter().map(info).collect())).collect();
    Ok(Answer::body(json::to_vec(&ProducerTableInfo { data }, Dialect::Fastjson)))
}
