//! Clients: heartbeats (34), leaving (35), who is there (38, 203, 204, 328), and telling groups that they changed (40).
//!
//! Follows Java's `ClientManageProcessor`, `ConsumerManageProcessor` and `DefaultConsumerIdsChangeListener`.

use crate::announce::topics;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names;
use crate::requests::pull::subscription::checked;
use crate::tables::clients::{Audience, Departure, Member};
use roxmq_protocol::body::{
    CheckClientRequestBody, Connection, ConsumerConnection, ConsumerData, GetConsumerListByGroupResponseBody, HeartbeatData, MessageModel,
    ProducerConnection, ProducerInfo, ProducerTableInfo,
};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request::{self, HeartbeatReply, NotifyConsumerIdsChanged};
use roxmq_remoting::{Answer, Call, ConnectionId};

/// Groups that one heartbeat may name.
const GROUPS_PER_HEARTBEAT_MAX: usize = 4096;

/// The last version in Java's table, `HIGHER_VERSION`.
const VERSION_MAX: i32 = 612;

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
        message_model: MessageModel::default(),
    };
    names::check_client(&data.client_id)?;
    let mut refused = None;
    for producer in &data.producer_data_set {
        let name = &producer.group_name;
        if let Err(refusal) = names::check_printable("producer group", name) {
            refused = Some(refusal);
            continue;
        }
        broker.tables.clients.producer_seen(&producer.group_name, member.clone());
    }
    if data.heartbeat_fingerprint != 0 && data.without_sub {
        let unchanged = |group: &ConsumerData| {
            broker.tables.clients.consumer_unchanged(&group.group_name, call.peer.id(), data.heartbeat_fingerprint, now)
        };
        // Every group is visited: each visit also says that the client is alive.
        let changed = data.consumer_data_set.iter().filter(|group| !unchanged(group)).count() > 0;
        return refused.map_or_else(|| Ok(heartbeat_reply(changed)), Err);
    }
    for group in &data.consumer_data_set {
        let seen = consumer_seen(broker, group, Member { message_model: group.message_model, ..member.clone() });
        refused = seen.err().or(refused);
    }
    // The client's other groups are there all the same.
    refused.map_or_else(|| Ok(heartbeat_reply(true)), Err)
}

fn heartbeat_reply(subscription_changed: bool) -> Answer {
    Answer::with(HeartbeatReply { supports_v2: Some(true), subscription_changed: Some(subscription_changed) })
}

/// Refuses a name that no group can have.
fn consumer_seen(broker: &Broker, data: &ConsumerData, member: Member) -> Result<(), Refusal> {
    let group = match broker.tables.groups.admit(&broker.config(), &data.group_name) {
        Ok(group) => group,
        Err(refusal @ Refusal::Name(_)) => return Err(refusal),
        // A group that may not be made is left out, as Java does: the client learns it from its pulls.
        Err(_) => return Ok(()),
    };
    topics::add_retry_topic(broker, &data.group_name, group.retry_queue_nums);
    if let Some(audience) = broker.tables.clients.consumer_seen(data, member) {
        notify(broker, &data.group_name, data.message_model, audience);
    }
    Ok(())
}

/// Tells the members of a group to look at their queues again.
fn notify(broker: &Broker, group: &str, model: MessageModel, audience: Audience) {
    let wanted = broker.tables.groups.find(group).is_none_or(|group| group.notify_consumer_ids_changed_enable);
    if !wanted || model == MessageModel::Broadcasting || !broker.config().notify_consumer_changes {
        return;
    }
    for peer in audience {
        peer.send_oneway(&NotifyConsumerIdsChanged { consumer_group: group.into() }, b"");
    }
}

/// Code 35.
pub fn unregister(broker: &Broker, call: &Call<'_>, request: request::UnregisterClient<'_>) -> Result<Answer, Refusal> {
    if let Some(group) = request.producer_group.as_deref() {
        broker.tables.clients.producer_left(group, call.peer.id());
    }
    if let Some(group) = request.consumer_group.as_deref()
        && let Some(departure) = broker.tables.clients.consumer_left(group, call.peer.id())
    {
        left(broker, departure);
    }
    Ok(Answer::ok())
}

/// A connection is gone, and with it the client.
pub fn connection_lost(broker: &Broker, connection: ConnectionId) {
    broker.tables.incarnations.connection_lost(connection);
    for departure in broker.tables.clients.connection_lost(connection) {
        left(broker, departure);
    }
}

/// What a client held in order is free at once, and the others share its queues.
fn left(broker: &Broker, departure: Departure) {
    broker.tables.locks.client_left(&departure.group, &departure.client_id);
    notify(broker, &departure.group, departure.message_model, departure.audience);
}

/// Code 38.
pub fn ids(broker: &Broker, _: &Call<'_>, request: request::ConsumerList<'_>) -> Result<Answer, Refusal> {
    let consumer_id_list = broker.tables.clients.consumer_ids(&request.consumer_group);
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
        version: version_shown(member),
    }
}

/// A client's version as a number that tools have a name for: Java's look it up in a table (`MQVersion`), and end where there is none.
fn version_shown(member: &Member) -> i32 {
    member.version.clamp(0, VERSION_MAX)
}

/// Code 203.
pub fn connections(broker: &Broker, _: &Call<'_>, request: request::ConsumerConnections<'_>) -> Result<Answer, Refusal> {
    let group = broker
        .tables
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
    let mut connection_set: Vec<Connection> = broker.tables.clients.producers(&request.producer_group).iter().map(connection).collect();
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
        version: version_shown(member),
    };
    let infos = |mut members: Vec<Member>| {
        members.sort_by(|a, b| a.client_id.cmp(&b.client_id));
        members.iter().map(info).collect()
    };
    let data = broker.tables.clients.all_producers().into_iter().map(|(group, members)| (group, infos(members))).collect();
    Ok(Answer::body(json::to_vec(&ProducerTableInfo { data }, Dialect::Fastjson)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW_MS, QUEUE, close, open, put};
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;
    use roxmq_protocol::body::SubscriptionGroupConfig;

    #[test]
    fn a_group_with_a_long_name_that_is_there_already_is_served() {
        let (sim, clock) = (SimDisk::new(4), Clock::manual(NOW_MS));
        let broker = open(&sim.disk(), &clock);
        let [old, new] = ["o", "n"].map(|name| name.repeat(248));
        broker.tables.groups.put(SubscriptionGroupConfig { group_name: old.clone(), ..SubscriptionGroupConfig::default() });
        topics::add_retry_topic(&broker, &old, 1);
        close(broker);
        let broker = open(&sim.disk(), &clock);
        assert!(broker.tables.groups.admit(&broker.config(), &old).is_ok());
        assert!(broker.tables.groups.check_name(&old).is_ok() && broker.tables.groups.check_length(&old).is_ok());
        assert!(matches!(broker.tables.groups.admit(&broker.config(), &new), Err(Refusal::Name(_))));
        assert!(matches!(broker.tables.groups.check_length(&new), Err(Refusal::Name(_))));
        put(&broker, &names::retry_topic(&old), QUEUE, "", "again");
        assert!(broker.tables.topics.find(&names::retry_topic(&old)).is_some());
        topics::add_dead_letter_topic(&broker, &old);
        close(broker);
    }
}
