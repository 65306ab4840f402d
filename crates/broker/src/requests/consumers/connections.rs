//! Who is connected? Members of consumer groups (38, 203) and producers (204, 328).
//!
//! Follows Java's `ConsumerManageProcessor` and `AdminBrokerProcessor`.

use crate::broker::Broker;
use crate::error::Refusal;
use crate::tables::clients::Member;
use roxmq_protocol::body::{
    Connection, ConsumerConnection, GetConsumerListByGroupResponseBody, ProducerConnection, ProducerInfo, ProducerTableInfo,
};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request;
use roxmq_protocol::time::Timestamp;
use roxmq_remoting::{Answer, Call};

/// The last version in Java's table, `HIGHER_VERSION`.
const VERSION_MAX: i32 = 612;

/// Code 38.
pub fn ids(broker: &Broker, _: &Call<'_>, request: request::ConsumerList<'_>) -> Result<Answer, Refusal> {
    let consumer_id_list = broker.tables.clients.consumer_ids(&request.consumer_group);
    if consumer_id_list.is_empty() {
        return Err(Refusal::Failed(format!("no consumer for this group, {}", request.consumer_group)));
    }
    Ok(Answer::body(json::to_vec(&GetConsumerListByGroupResponseBody { consumer_id_list }, Dialect::Fastjson)))
}

fn connection(member: &Member) -> Connection {
    Connection {
        client_addr: member.peer.remote().to_string(),
        client_id: member.client_id.clone(),
        language: member.language.name().to_owned(),
        version: version_shown(member),
    }
}

/// A client's version as a number that tools have a name for: Java's tools look it up in a table (`MQVersion`), and fail beyond its end.
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
    let (now, elapsed) = (Timestamp(broker.clock.now_ms()), broker.clock.elapsed());
    let info = |member: &Member| ProducerInfo {
        client_id: member.client_id.clone(),
        language: member.language.name().to_owned(),
        last_update_timestamp: (now - elapsed.saturating_sub(member.seen)).0,
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
