//! What does a NameServer know of brokers and topics, and what have operators said of them?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use roxmq_protocol::body::{DataVersion, TopicQueueMappingInfo};
use roxmq_protocol::permission::Permission;
use roxmq_remoting::address::Registered as AddressIs;

/// The id of a group's master.
pub const MASTER_ID: i64 = 0;

/// Number of a connection.
pub type ChannelId = u64;

/// Settings that change the table's behaviour.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy {
    /// A registration that lacks a topic takes the broker out of that topic's route.
    pub delete_topic_with_registration: bool,
    /// The lowest living replica stands in routes as an acting master.
    pub support_acting_master: bool,
    /// Brokers are notified when the lowest living id of their group changes.
    pub notify_min_broker_id: bool,
}

/// Names one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerRef {
    /// The cluster.
    pub cluster: String,
    /// The group.
    pub broker_name: String,
    /// Its id within the group.
    pub broker_id: i64,
    /// Its address.
    pub addr: String,
}

/// The state. See the module's doc.
#[derive(Debug, Default)]
pub struct RouteTable {
    pub(super) groups: BTreeMap<Name, Group>,
    pub(super) topics: BTreeMap<String, BTreeMap<Name, Queues>>,
    pub(super) mappings: BTreeMap<String, BTreeMap<String, TopicQueueMappingInfo>>,
    pub(super) wiped: BTreeMap<Name, Wiped>,
}

/// Broker names stand in every topic's entry, so they are shared.
pub(super) type Name = Arc<str>;

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) members: BTreeMap<i64, Member>,
    pub(super) acting_master: bool,
    pub(super) zone_name: Option<String>,
    /// The log has said that two brokers take each other's place.
    pub(super) has_rivals: bool,
}

/// One registration.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) cluster: String,
    pub(super) addr: String,
    pub(super) seen: Duration,
    pub(super) silence_max: Duration,
    pub(super) version: DataVersion,
    pub(super) channel: ChannelId,
    /// Where it had registered before.
    pub(super) superseded: Vec<ChannelId>,
    /// Addresses that wanted its id, and whose registrations are ignored.
    pub(super) ignored: Vec<String>,
    pub(super) ha_addr: Option<String>,
    pub(super) filter_servers: Vec<String>,
    pub(super) address_is: AddressIs,
    pub(super) started: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Queues {
    pub(super) read: i32,
    pub(super) write: i32,
    pub(super) perm: Permission,
    pub(super) sys_flag: i32,
    pub(super) heard: Heard,
}

/// How a topic on a broker came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was in a list.
    Listed,
    /// It came by itself, and there has been no list of all topics since.
    Alone,
    /// It came by itself, and was not in the next list, which may be older.
    Missed,
}

/// An operator took the write permission off a group. That holds until the operator gives it back, or the group's master is a new process.
///
/// Ours say when they started. Of Java's, a start is known by the goodbye before it, by another address, or by an absence longer than any
/// silence that a broker is allowed: the end of a connection alone may be a mishap of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiped {
    /// When the master had started.
    pub started: Option<i64>,
    /// Where it was.
    pub addr: Option<String>,
    /// Since when it has been away.
    pub(super) away_since: Option<Duration>,
}

impl RouteTable {
    /// Has a broker registered on this connection, and on no newer one?
    pub fn is_on(&self, channel: ChannelId) -> bool {
        self.members().any(|(_, _, member)| member.channel == channel)
    }

    /// All registrations.
    pub fn brokers(&self) -> impl Iterator<Item = BrokerRef> {
        self.members().map(|(name, id, member)| reference(name, id, member))
    }

    /// Whether any broker of the name is registered.
    pub fn has_group(&self, broker_name: &str) -> bool {
        self.groups.contains_key(broker_name)
    }

    /// Whether a broker is registered, wherever it is.
    pub fn is_registered(&self, cluster: &str, broker_name: &str, broker_id: i64) -> bool {
        let member = self.groups.get(broker_name).and_then(|group| group.members.get(&broker_id));
        member.is_some_and(|member| member.cluster == cluster)
    }

    /// Which version of a broker's topics is known.
    pub fn topic_version(&self, broker: &BrokerRef) -> Option<DataVersion> {
        let member = self.groups.get(&*broker.broker_name)?.members.get(&broker.broker_id)?;
        member.is(broker).then_some(member.version)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&Name, i64, &Member)> {
        self.groups.iter().flat_map(|(name, group)| group.members.iter().map(move |(&id, member)| (name, id, member)))
    }

    pub(super) fn shared_name(&self, name: &str) -> Name {
        self.groups.get_key_value(name).map_or_else(|| Name::from(name), |(name, _)| name.clone())
    }
}

impl Group {
    /// The cluster that the group stands in, as its lowest member says.
    pub(super) fn cluster(&self) -> &str {
        self.members.values().next().map_or("", |member| &member.cluster)
    }

    pub(super) fn is_in(&self, cluster: &str) -> bool {
        self.members.values().any(|member| member.cluster == cluster)
    }
}

impl Member {
    pub(super) fn is(&self, broker: &BrokerRef) -> bool {
        self.cluster == broker.cluster && self.addr == broker.addr
    }
}

pub(super) fn reference(name: &Name, id: i64, member: &Member) -> BrokerRef {
    BrokerRef { cluster: member.cluster.clone(), broker_name: name.to_string(), broker_id: id, addr: member.addr.clone() }
}
