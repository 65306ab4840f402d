//! Which properties does the broker write into every stored message?

use crate::settings::BrokerConfig;
use roxmq_protocol::properties::{NAME_END, Properties, VALUE_END, name};
use std::net::{Ipv4Addr, SocketAddr};

/// Properties that the broker writes into every stored message, and repeats in every answer to a send.
pub struct Stamp {
    pub region: String,
    pub trace_on: &'static str,
    /// They and the cluster's name, in the form in which they stand in each message.
    pub properties: String,
}

impl Stamp {
    /// As these settings have it.
    pub fn of(config: &BrokerConfig) -> Stamp {
        let (region, trace_on) = (config.region_id.clone(), shown(config.trace_on));
        let mut properties = String::new();
        append_property(&mut properties, name::MSG_REGION, &region);
        append_property(&mut properties, name::TRACE_ON, trace_on);
        append_property(&mut properties, name::CLUSTER, &config.broker_cluster_name);
        Stamp { region, trace_on, properties }
    }

    /// Writes the properties to store into `out`: the producer's without `POP_CK`, its unique key, or `or_key` if it has none,
    /// and the broker's stamp.
    ///
    /// Returns whether there is any property that a message of a batch may not have.
    pub fn write_stored(&self, out: &mut String, config: &BrokerConfig, client: SocketAddr, given: Properties<'_>, or_key: &str) -> bool {
        out.clear();
        let (mut own_key, mut may_ask) = (None, false);
        for (name, value) in given.iter() {
            match name {
                name::UNIQ_KEY => own_key = Some(value),
                name::POP_CK | name::MSG_REGION | name::TRACE_ON | name::CLUSTER | name::ROXMQ_BORN_HOST => {}
                _ => {
                    may_ask |= matches!(name.as_bytes(), [b'D' | b'I' | b'T', ..]) && MAY_ASK.contains(&name);
                    append_property(out, name, value);
                }
            }
        }
        append_property(out, name::UNIQ_KEY, own_key.unwrap_or(or_key));
        out.push_str(&self.properties);
        append_born_host(out, config, client);
        may_ask
    }
}

/// A switch as properties show it.
pub fn shown(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

/// The address of a client as it stands in its messages.
///
/// Readers without IPv6 take sixteen bytes for four and read nonsense behind them: the Node.js client gets no more messages of the topic,
/// the C++ client crashes. So IPv6 addresses are left out here, and stand in a property.
pub fn born_host(config: &BrokerConfig, client: SocketAddr) -> SocketAddr {
    if is_hidden(config, client) { SocketAddr::from((Ipv4Addr::UNSPECIFIED, client.port())) } else { client }
}

/// The property that has the address which [`born_host`] leaves out.
pub fn append_born_host(out: &mut String, config: &BrokerConfig, client: SocketAddr) {
    if is_hidden(config, client) {
        append_property(out, name::ROXMQ_BORN_HOST, &client.to_string());
    }
}

fn is_hidden(config: &BrokerConfig, client: SocketAddr) -> bool {
    client.is_ipv6() && !config.ipv6_born_hosts
}

/// Properties that may ask for a message to wait, or to be an inner batch.
const MAY_ASK: [&str; 7] = [
    name::DELAY,
    name::TRAN_MSG,
    name::TIMER_DELAY_SEC,
    name::TIMER_DELAY_MS,
    name::TIMER_DELIVER_MS,
    name::TIMER_DEL_UNIQKEY,
    name::INNER_NUM,
];

/// Appends a property to those of a message that is being stored.
pub fn append_property(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push(NAME_END);
    out.push_str(value);
    out.push(VALUE_END);
}
