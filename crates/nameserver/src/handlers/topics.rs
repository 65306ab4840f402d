//! What is answered about single topics?

use std::collections::BTreeSet;

use roxmq_protocol::body::TopicRouteData;
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request::{
    AddWritePerm, AddWriteReply, DeleteTopicInNameServer, RegisterTopic, RouteByTopic, WipeWritePerm, WipeWriteReply,
};
use roxmq_remoting::{Answer, Call};

use super::{Handled, ZONE_MODE, ZONE_NAME, viewer};
use crate::error::Refusal;
use crate::kv::ORDER_TOPICS;
use crate::nameserver::NameServer;
use crate::table::{MASTER_ID, RouteTable};

/// Clients from this version on read strict JSON (`V4_9_4`).
const VERSION_WITH_STANDARD_JSON: i32 = 401;

/// Where is a topic?
pub(crate) fn route(server: &NameServer, call: &Call<'_>, request: RouteByTopic<'_>) -> Handled {
    let config = server.config();
    let route = server.table.read().route(&request.topic, &viewer(call), &server.policy());
    let mut route = route.ok_or_else(|| Refusal::NoRoute(request.topic.to_string()))?;
    if config.order_message {
        route.order_topic_conf = server.kv.lock().value(ORDER_TOPICS, &request.topic).map(str::to_owned);
    }
    if call.header.fields.text(ZONE_MODE).is_some_and(|mode| mode.eq_ignore_ascii_case("true"))
        && let Some(zone) = call.header.fields.text(ZONE_NAME).filter(|zone| !zone.is_empty())
    {
        keep_zone(&mut route, &zone);
    }
    let standard = call.header.version >= VERSION_WITH_STANDARD_JSON || request.accept_standard_json_only == Some(true);
    Ok(Answer::body(json::to_vec(&route, if standard { Dialect::Standard } else { Dialect::Fastjson })))
}

/// Leaves the brokers of the client's zone, and those without a master wherever they are (`ZoneRouteRPCHook`).
fn keep_zone(route: &mut TopicRouteData, zone: &str) {
    route.broker_datas.retain(|broker| {
        let in_zone = broker.zone_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(zone));
        in_zone || !broker.broker_addrs.contains_key(&MASTER_ID)
    });
    let names: BTreeSet<&str> = route.broker_datas.iter().map(|broker| broker.broker_name.as_str()).collect();
    let addrs: BTreeSet<&str> = route.broker_datas.iter().flat_map(|broker| broker.broker_addrs.values()).map(String::as_str).collect();
    route.queue_datas.retain(|queues| names.contains(queues.broker_name.as_str()));
    route.filter_server_table.retain(|addr, _| addrs.contains(addr.as_str()));
}

/// Adds a topic of registered brokers.
pub(crate) fn register(server: &NameServer, call: &Call<'_>, request: RegisterTopic<'_>) -> Handled {
    let route: TopicRouteData = json::from_slice(call.body)?;
    server.table.write().register_topic(&request.topic, &route.queue_datas);
    Ok(Answer::ok())
}

/// Takes a topic off the routes.
pub(crate) fn delete(server: &NameServer, _: &Call<'_>, request: DeleteTopicInNameServer<'_>) -> Handled {
    let cluster = request.cluster_name.as_deref().filter(|cluster| !cluster.is_empty());
    server.table.write().delete_topic(&request.topic, cluster);
    Ok(Answer::ok())
}

/// Stops sends to a broker, until an operator allows them again or its process is a new one. A restart here forgets neither.
pub(crate) fn wipe_write_perm(server: &NameServer, _: &Call<'_>, request: WipeWritePerm<'_>) -> Handled {
    let topics = changed_perms(server, &request.broker_name, |table| table.wipe_write_perm(&request.broker_name))?;
    Ok(Answer::with(WipeWriteReply { wipe_topic_count: topics }))
}

/// Lets a broker be sent to again.
pub(crate) fn add_write_perm(server: &NameServer, _: &Call<'_>, request: AddWritePerm<'_>) -> Handled {
    let topics = changed_perms(server, &request.broker_name, |table| Some(table.add_write_perm(&request.broker_name)))?;
    Ok(Answer::with(AddWriteReply { add_topic_count: topics }))
}

fn changed_perms(server: &NameServer, broker_name: &str, change: impl FnOnce(&mut RouteTable) -> Option<usize>) -> Result<i32, Refusal> {
    let is_known = server.table.read().has_group(broker_name);
    if !is_known && !server.is_complete() {
        return Err(Refusal::NotReady);
    }
    let topics = change(&mut server.table.write()).ok_or(Refusal::TooManyWiped)?;
    server.save_brokers()?;
    Ok(topics as i32)
}
