//! What is answered to brokers that come, live and go?

use std::time::Duration;

use roxmq_protocol::body::{DataVersion, RegisterBrokerBody, RegistrationForm, body_crc32};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request::{BrokerHeartbeat, ChangedReply, QueryDataVersion, RegisterBroker, RegisterBrokerReply, UnregisterBroker};
use roxmq_remoting::address::Registered as AddressIs;
use roxmq_remoting::{Answer, Call};
use tracing::{info, warn};

use super::{Handled, viewer};
use crate::error::Refusal;
use crate::kv::ORDER_TOPICS;
use crate::nameserver::NameServer;
use crate::table::{BrokerRef, Registered, Registration};

/// Brokers before this version register with a bare table of topics (`V3_0_11`).
const VERSION_WITH_BODY: i32 = 37;
/// Brokers from this version on append static topics to a compressed body (`V5_0_0`).
const VERSION_WITH_MAPPING: i32 = 413;
/// First byte of every zlib stream with the usual window.
const ZLIB: u8 = 0x78;

/// Takes a registration and tells a replica who its master is.
pub(crate) fn register(server: &NameServer, call: &Call<'_>, request: RegisterBroker<'_>) -> Handled {
    if request.body_crc32 != 0 && body_crc32(call.body) != request.body_crc32 {
        return Err(Refusal::Checksum);
    }
    let body = match call.body {
        [] => RegisterBrokerBody::default(),
        body => RegisterBrokerBody::decode(body, form(call, request.compressed))?,
    };
    let cluster = request.cluster_name.into_owned();
    let (broker_name, addr) = (request.broker_name.into_owned(), request.broker_addr.into_owned());
    let registration = Registration {
        cluster: cluster.clone(),
        broker_name: broker_name.clone(),
        broker_id: request.broker_id,
        addr: addr.clone(),
        ha_addr: request.ha_server_addr.map(|addr| addr.into_owned()),
        zone_name: request.zone_name.map(|zone| zone.into_owned()),
        silence_max: request.heartbeat_timeout_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
        acting_master: request.enable_acting_master,
        topics: body.topic_config_serialize_wrapper,
        filter_servers: body.filter_server_list,
        channel: call.peer.id(),
        address_is: AddressIs::from_connection(request.auto_address == Some(true), call.peer.remote().ip(), call.peer.met_as().ip()),
        started: request.started_ms,
    };
    let registered = server.table.write().register(registration, &server.policy(), server.now());
    match registered {
        Registered::Accepted { is_new, rival, master, notice } => {
            if let Some(other) = rival {
                warn!(
                    cluster,
                    broker_name,
                    broker_id = request.broker_id,
                    addr,
                    other,
                    "two brokers register under one name and id: each takes the other's place"
                );
            }
            if is_new {
                info!(cluster, broker_name, broker_id = request.broker_id, addr, "registered a broker");
                server.readiness.changed();
            }
            server.notify(notice);
            Ok(accepted(server, call, &broker_name, master.is_some()))
        }
        Registered::Outdated { holder } => {
            if let Some(holder) = holder {
                let broker_id = request.broker_id;
                warn!(
                    cluster,
                    broker_name, broker_id, addr, holder, "ignoring a broker's registrations: another with a newer state has its id"
                );
            }
            Ok(accepted(server, call, &broker_name, false))
        }
        Registered::NotRegisteredYet => Err(Refusal::NotRegisteredYet),
    }
}

/// Java's brokers of 5.x announce a compressed body as plain, so the bytes decide too.
fn form(call: &Call<'_>, compressed: bool) -> RegistrationForm {
    if call.header.version < VERSION_WITH_BODY {
        RegistrationForm::TopicsOnly
    } else if compressed || call.body.first() == Some(&ZLIB) {
        RegistrationForm::Compressed { with_mapping: call.header.version >= VERSION_WITH_MAPPING }
    } else {
        RegistrationForm::Plain
    }
}

fn accepted(server: &NameServer, call: &Call<'_>, broker_name: &str, is_replica: bool) -> Answer {
    let master = is_replica.then(|| server.table.read().master_for(broker_name, &viewer(call))).flatten();
    let (master_addr, ha_addr) = master.map(|master| (master.addr, master.ha_addr)).unzip();
    let reply = RegisterBrokerReply { ha_server_addr: ha_addr.flatten().map(Into::into), master_addr: master_addr.map(Into::into) };
    let order = server.config().return_order_config.then(|| server.kv.lock().namespace(ORDER_TOPICS)).flatten();
    let body = order.map(|table| json::to_vec(&table, Dialect::Fastjson)).unwrap_or_default();
    Answer::body(body).fields(reply)
}

/// Takes a broker off the routes.
pub(crate) fn unregister(server: &NameServer, call: &Call<'_>, request: UnregisterBroker<'_>) -> Handled {
    let broker = BrokerRef {
        cluster: request.cluster_name.into_owned(),
        broker_name: request.broker_name.into_owned(),
        broker_id: request.broker_id,
        addr: request.broker_addr.into_owned(),
    };
    let BrokerRef { cluster, broker_name, broker_id, addr } = &broker;
    match server.remove_brokers(|table, policy| table.unregister(&broker, call.peer.id(), policy)) {
        true => info!(cluster, broker_name, broker_id, addr, "unregistered a broker"),
        false => info!(cluster, broker_name, broker_id, addr, "ignoring a goodbye: no broker is registered so"),
    }
    Ok(Answer::ok())
}

/// Did the broker's topics change? The question is a sign of life too.
pub(crate) fn data_version(server: &NameServer, call: &Call<'_>, request: QueryDataVersion<'_>) -> Handled {
    let asked: DataVersion = json::from_slice(call.body)?;
    let broker = BrokerRef {
        cluster: request.cluster_name.into_owned(),
        broker_name: request.broker_name.into_owned(),
        broker_id: request.broker_id,
        addr: request.broker_addr.into_owned(),
    };
    let mut table = server.table.write();
    let known = table.topic_version(&broker);
    table.heartbeat(&broker.cluster, &broker.broker_name, Some(broker.broker_id), &broker.addr, server.now());
    let body = known.map(|version| json::to_vec(&version, Dialect::Fastjson)).unwrap_or_default();
    Ok(Answer::body(body).fields(ChangedReply { changed: known != Some(asked) }))
}

/// A sign of life.
pub(crate) fn heartbeat(server: &NameServer, _: &Call<'_>, request: BrokerHeartbeat<'_>) -> Handled {
    let mut table = server.table.write();
    table.heartbeat(&request.cluster_name, &request.broker_name, request.broker_id, &request.broker_addr, server.now());
    Ok(Answer::ok())
}
