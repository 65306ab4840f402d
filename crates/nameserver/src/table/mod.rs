//! Who holds which topic, and who of them is alive? The state of a NameServer as plain values.
//!
//! Nothing here waits, locks or looks at a clock: what happened comes in as a call with the time it happened at, and what others
//! should be told comes out as values. Follows Java's `RouteInfoManager`.
//!
//! ```text
//! clusters  cluster -> broker names
//! groups    broker name -> cluster, addresses by id            one group is a master (id 0) and its replicas
//! topics    topic -> broker name -> queues
//! live      cluster, address -> last sign of life, topic version, connection
//! ```
//!
//! Only the master of a group says what its topics are, or its lowest replica where replicas may act as master.

mod lists;
mod reach;
mod route;

pub use lists::UnitTopics;
pub use reach::Viewer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use roxmq_env::address::Registered as AddressIs;
use roxmq_protocol::body::{DataVersion, QueueData, TopicConfig, TopicConfigAndMappingSerializeWrapper, TopicQueueMappingInfo};

/// A silent broker is taken off the routes after this time unless it asked for another one (`DEFAULT_BROKER_CHANNEL_EXPIRED_TIME`).
pub const SILENCE_MAX: Duration = Duration::from_secs(120);

/// Topics of this prefix are used by brokers to find each other and keep the true ids of replicas in their routes.
const SYNC_MEMBER_PREFIX: &str = "rmq_sys_SYNC_BROKER_MEMBER_";

/// The id of a group's master.
pub const MASTER_ID: i64 = 0;

const PERM_WRITE: i32 = 2;
const PERM_READ_WRITE: i32 = 6;

/// Number of a connection.
pub type ChannelId = u64;

/// What settings change about the table's behaviour.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy {
    /// A registration that lacks a topic takes the broker out of that topic's route.
    pub delete_topic_with_registration: bool,
    /// The lowest living replica stands in routes as an acting master.
    pub support_acting_master: bool,
    /// Brokers are told when the lowest living id of their group changes.
    pub notify_min_broker_id: bool,
}

/// What a broker says of itself.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The cluster.
    pub cluster: String,
    /// The group.
    pub broker_name: String,
    /// Its id within the group, 0 for the master.
    pub broker_id: i64,
    /// Where clients reach it, `host:port`.
    pub addr: String,
    /// Where replicas reach it.
    pub ha_addr: Option<String>,
    /// The zone it stands in.
    pub zone_name: Option<String>,
    /// How long it may be silent; [`SILENCE_MAX`] if it does not say.
    pub silence_max: Option<Duration>,
    /// Whether its group may have an acting master; brokers before 5.0 do not say.
    pub acting_master: Option<bool>,
    /// Its topics, or the few that changed.
    pub topics: TopicConfigAndMappingSerializeWrapper,
    /// Its filter servers.
    pub filter_servers: Vec<String>,
    /// The connection it registered on.
    pub channel: ChannelId,
    /// Was its address configured, or found out, and where?
    pub address_is: AddressIs,
}

/// What became of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It is in the table.
    Accepted {
        /// The group's master, if it is another one and alive.
        master: Option<Master>,
        /// Who should hear of a new lowest id.
        notice: Option<MinIdChange>,
    },
    /// Another address holds the id and knows a newer state; the old entry stays. Answered like a success.
    Outdated,
    /// One topic only, of a broker that never registered in full.
    NotRegisteredYet,
}

/// A group's master, for its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Master {
    /// Its address.
    pub addr: String,
    /// Where replicas connect to it.
    pub ha_addr: Option<String>,
}

/// The lowest living id of a group is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinIdChange {
    /// The group.
    pub broker_name: String,
    /// The lowest id.
    pub min_id: i64,
    /// Its address.
    pub min_addr: String,
    /// The broker that went, if that is the reason.
    pub offline_addr: Option<String>,
    /// Where replicas reach the broker that came, if that is the reason.
    pub ha_addr: Option<String>,
    /// Addresses of the brokers to tell.
    pub tell: Vec<String>,
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
    clusters: BTreeMap<String, BTreeSet<Name>>,
    groups: BTreeMap<Name, Group>,
    topics: BTreeMap<String, BTreeMap<Name, Queues>>,
    mappings: BTreeMap<String, BTreeMap<String, TopicQueueMappingInfo>>,
    live: BTreeMap<Place, Live>,
}

/// Broker names stand in every topic's entry, so they are shared.
type Name = Arc<str>;

/// Cluster and address.
type Place = (String, String);

#[derive(Debug)]
struct Group {
    cluster: String,
    addrs: BTreeMap<i64, String>,
    acting_master: bool,
    zone_name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Queues {
    read: i32,
    write: i32,
    perm: i32,
    sys_flag: i32,
}

#[derive(Debug)]
struct Live {
    seen: Duration,
    silence_max: Duration,
    version: DataVersion,
    channel: ChannelId,
    ha_addr: Option<String>,
    filter_servers: Vec<String>,
    address_is: AddressIs,
}

impl RouteTable {
    /// Takes a broker's registration, full or of some topics, at time `now`.
    pub fn register(&mut self, broker: Registration, policy: &Policy, now: Duration) -> Registered {
        let Registration { cluster, broker_name, broker_id, addr, ha_addr, zone_name, topics, .. } = broker;
        let place = (cluster, addr);
        let name = self.shared_name(&broker_name);

        let is_new_group = !self.groups.contains_key(&name);
        if is_new_group && topics.topic_config_table.len() == 1 {
            return Registered::NotRegisteredYet;
        }
        self.clusters.entry(place.0.clone()).or_default().insert(name.clone());
        let group = self.groups.entry(name.clone()).or_insert_with(|| Group {
            cluster: place.0.clone(),
            addrs: BTreeMap::new(),
            acting_master: false,
            zone_name: None,
        });
        group.acting_master = broker.acting_master.unwrap_or(false);
        group.zone_name = zone_name;
        let is_lower = group.addrs.first_key_value().is_some_and(|(&lowest, _)| broker_id < lowest);
        // The same process under another id: a replica that became master, or the reverse.
        group.addrs.retain(|&id, known| *known != place.1 || id == broker_id);

        if let Some(holder) = group.addrs.get(&broker_id).filter(|&holder| *holder != place.1) {
            let known = self.live.get(&(place.0.clone(), holder.clone()));
            if known.is_some_and(|known| known.version.state_version > topics.data_version.state_version) {
                self.live.remove(&place);
                return Registered::Outdated;
            }
        }
        if !group.addrs.contains_key(&broker_id) && topics.topic_config_table.len() == 1 {
            return Registered::NotRegisteredYet;
        }
        let is_first = group.addrs.insert(broker_id, place.1.clone()).is_none() || is_new_group;
        let is_lowest = group.addrs.first_key_value().is_some_and(|(&lowest, _)| lowest == broker_id);
        let leads_as_replica = broker.acting_master.is_some() && broker_id != MASTER_ID && is_lowest;
        let acts_as_master = leads_as_replica && group.acting_master;

        let version = topics.data_version;
        if broker_id == MASTER_ID || leads_as_replica {
            let changed = is_first || self.version_of(&place) != Some(version);
            self.take_topics(&name, topics, policy, changed, acts_as_master);
        }
        let live = Live {
            seen: now,
            silence_max: broker.silence_max.unwrap_or(SILENCE_MAX),
            version,
            channel: broker.channel,
            ha_addr: ha_addr.clone(),
            filter_servers: broker.filter_servers,
            address_is: broker.address_is,
        };
        self.live.insert(place, live);

        let notice = (is_lower && policy.notify_min_broker_id).then(|| self.min_id_change(&name, None, ha_addr)).flatten();
        let master = (broker_id != MASTER_ID).then(|| self.master_of(&name)).flatten();
        Registered::Accepted { master, notice }
    }

    /// Takes brokers off the table; says who of their groups should hear of a new lowest id.
    pub fn unregister(&mut self, brokers: &[BrokerRef], policy: &Policy) -> Vec<MinIdChange> {
        let mut gone = BTreeSet::new();
        let mut reduced = BTreeSet::new();
        let mut notices = Vec::new();
        for broker in brokers {
            self.live.remove(&(broker.cluster.clone(), broker.addr.clone()));
            let name = self.shared_name(&broker.broker_name);
            let Some(group) = self.groups.get_mut(&name) else { continue };
            let was_lowest = group.addrs.first_key_value().is_some_and(|(&lowest, _)| lowest == broker.broker_id);
            group.addrs.retain(|_, addr| *addr != broker.addr);
            if group.addrs.is_empty() {
                self.groups.remove(&name);
                gone.insert(name);
                self.leave_cluster(&broker.cluster, &broker.broker_name);
            } else {
                if was_lowest && policy.notify_min_broker_id {
                    notices.extend(self.min_id_change(&name, Some(broker.addr.clone()), None));
                }
                reduced.insert(name);
            }
        }
        self.clean_topics(&gone, &reduced);
        notices
    }

    /// The brokers that registered on a connection which is gone now.
    pub fn brokers_on(&self, channel: ChannelId) -> Vec<BrokerRef> {
        self.brokers_where(|live| live.channel == channel)
    }

    /// The brokers that have been silent for too long at time `now`.
    pub fn silent(&self, now: Duration) -> Vec<BrokerRef> {
        self.brokers_where(|live| live.seen + live.silence_max < now)
    }

    /// A broker gave a sign of life.
    pub fn heartbeat(&mut self, cluster: &str, addr: &str, now: Duration) {
        if let Some(live) = self.live.get_mut(&(cluster.to_owned(), addr.to_owned())) {
            live.seen = now;
        }
    }

    /// Which version of a broker's topics is known.
    pub fn topic_version(&self, cluster: &str, addr: &str) -> Option<DataVersion> {
        self.version_of(&(cluster.to_owned(), addr.to_owned()))
    }

    /// Adds one topic's queues on registered brokers; nothing if one of them is not known.
    pub fn register_topic(&mut self, topic: &str, queues: &[QueueData]) {
        let name_of = |data: &QueueData| self.groups.get_key_value(data.broker_name.as_str()).map(|(name, _)| name.clone());
        let Some(names) = queues.iter().map(name_of).collect::<Option<Vec<Name>>>() else { return };
        for (name, data) in names.into_iter().zip(queues) {
            let queues =
                Queues { read: data.read_queue_nums, write: data.write_queue_nums, perm: data.perm, sys_flag: data.topic_sys_flag };
            self.topics.entry(topic.to_owned()).or_default().insert(name, queues);
        }
    }

    /// Forgets a topic, on the brokers of one cluster or everywhere.
    pub fn delete_topic(&mut self, topic: &str, cluster: Option<&str>) {
        let Some(cluster) = cluster else {
            self.topics.remove(topic);
            return;
        };
        if let (Some(queues), Some(names)) = (self.topics.get_mut(topic), self.clusters.get(cluster)) {
            queues.retain(|name, _| !names.contains(name));
            if queues.is_empty() {
                self.topics.remove(topic);
            }
        }
    }

    /// Takes the write permission off all queues of a group until it registers a change; says of how many topics.
    pub fn wipe_write_perm(&mut self, broker_name: &str) -> usize {
        self.change_perms(broker_name, |perm| perm & !PERM_WRITE)
    }

    /// Lets all queues of a group be read and written until it registers a change; says of how many topics.
    pub fn add_write_perm(&mut self, broker_name: &str) -> usize {
        self.change_perms(broker_name, |_| PERM_READ_WRITE)
    }

    fn take_topics(
        &mut self,
        name: &Name,
        topics: TopicConfigAndMappingSerializeWrapper,
        policy: &Policy,
        changed: bool,
        acts_as_master: bool,
    ) {
        if policy.delete_topic_with_registration && topics.topic_queue_mapping_info_map.is_empty() {
            self.topics.retain(|topic, queues| {
                if !topics.topic_config_table.contains_key(topic) {
                    queues.remove(name);
                }
                !queues.is_empty()
            });
        }
        for (topic, config) in &topics.topic_config_table {
            // An unchanged table still brings back topics that were deleted here.
            if changed || !self.topics.get(topic).is_some_and(|queues| queues.contains_key(name)) {
                let mut queues = Queues::from(config);
                if acts_as_master {
                    queues.perm &= !PERM_WRITE;
                }
                self.topics.entry(topic.clone()).or_default().insert(name.clone(), queues);
            }
        }
        if changed {
            for (topic, mapping) in topics.topic_queue_mapping_info_map {
                let broker = mapping.bname.clone().unwrap_or_else(|| name.to_string());
                self.mappings.entry(topic).or_default().insert(broker, mapping);
            }
        }
    }

    fn clean_topics(&mut self, gone: &BTreeSet<Name>, reduced: &BTreeSet<Name>) {
        let without_master: Vec<&Name> = reduced
            .iter()
            .filter(|name| self.groups.get(&***name).is_some_and(|group| group.acting_master && !group.addrs.contains_key(&MASTER_ID)))
            .collect();
        if gone.is_empty() && without_master.is_empty() {
            return;
        }
        self.topics.retain(|_, queues| {
            queues.retain(|name, _| !gone.contains(name));
            for name in &without_master {
                if let Some(queues) = queues.get_mut(&***name) {
                    queues.perm &= !PERM_WRITE;
                }
            }
            !queues.is_empty()
        });
        let topics = &self.topics;
        self.mappings.retain(|topic, brokers| {
            brokers.retain(|broker, _| !gone.contains(broker.as_str()));
            !brokers.is_empty() && topics.contains_key(topic)
        });
    }

    fn leave_cluster(&mut self, cluster: &str, broker_name: &str) {
        if let Some(names) = self.clusters.get_mut(cluster) {
            names.remove(broker_name);
            if names.is_empty() {
                self.clusters.remove(cluster);
            }
        }
    }

    fn change_perms(&mut self, broker_name: &str, change: impl Fn(i32) -> i32) -> usize {
        let of_group = self.topics.values_mut().filter_map(|queues| queues.get_mut(broker_name));
        of_group.map(|queues| queues.perm = change(queues.perm)).count()
    }

    fn min_id_change(&self, name: &Name, offline_addr: Option<String>, ha_addr: Option<String>) -> Option<MinIdChange> {
        let addrs = &self.groups.get(name)?.addrs;
        let (&min_id, min_addr) = addrs.first_key_value()?;
        // The broker that came knows itself; everybody hears of one that went.
        let skip = if offline_addr.is_none() && addrs.len() > 1 { Some(min_addr) } else { None };
        Some(MinIdChange {
            broker_name: name.to_string(),
            min_id,
            min_addr: min_addr.clone(),
            offline_addr,
            ha_addr,
            tell: addrs.values().filter(|addr| Some(*addr) != skip).cloned().collect(),
        })
    }

    fn master_of(&self, name: &Name) -> Option<Master> {
        let group = self.groups.get(name)?;
        let addr = group.addrs.get(&MASTER_ID)?.clone();
        let live = self.live.get(&(group.cluster.clone(), addr.clone()))?;
        Some(Master { addr, ha_addr: live.ha_addr.clone() })
    }

    fn version_of(&self, place: &Place) -> Option<DataVersion> {
        self.live.get(place).map(|live| live.version)
    }

    fn brokers_where(&self, wanted: impl Fn(&Live) -> bool) -> Vec<BrokerRef> {
        let places = self.live.iter().filter(|(_, live)| wanted(live)).map(|(place, _)| place);
        places.map(|(cluster, addr)| self.broker_at(cluster, addr)).collect()
    }

    fn broker_at(&self, cluster: &str, addr: &str) -> BrokerRef {
        let holds = |group: &Group| group.addrs.iter().find(|(_, known)| *known == addr).map(|(&id, _)| id);
        let found = self
            .groups
            .iter()
            .filter(|(_, group)| group.cluster == cluster)
            .find_map(|(name, group)| holds(group).map(|id| (name.to_string(), id)));
        // A broker that was replaced under its id has a connection but no group any more.
        let (broker_name, broker_id) = found.unwrap_or_default();
        BrokerRef { cluster: cluster.to_owned(), broker_name, broker_id, addr: addr.to_owned() }
    }

    fn shared_name(&self, name: &str) -> Name {
        self.groups.get_key_value(name).map_or_else(|| Name::from(name), |(name, _)| name.clone())
    }
}

impl From<&TopicConfig> for Queues {
    fn from(topic: &TopicConfig) -> Queues {
        Queues { read: topic.read_queue_nums, write: topic.write_queue_nums, perm: topic.perm, sys_flag: topic.topic_sys_flag }
    }
}
