//! Who holds which topic, and who of them is alive? The state of a NameServer as plain values.
//!
//! Nothing here waits, locks or looks at a clock: what happened comes in as a call with the time it happened at, and what others
//! should be told comes out as values. Follows Java's `RouteInfoManager`.
//!
//! ```text
//! groups    broker name -> id -> member                        one group is a master (id 0) and its replicas
//! topics    topic -> broker name -> queues                     as brokers tell them
//! wiped     broker name -> of which start                      an operator's word; it lies over what brokers tell
//! ```
//!
//! A member is one registration: of (cluster, name, id, address), made on a connection. It goes with its own goodbye, the end of its own
//! connection, or its own silence; nothing that another registration does removes it, except that its broker registers under another id
//! on the same connection, or somebody else under its id.
//!
//! Only the master of a group says what its topics are, or its lowest replica where replicas may act as master. What a master lists is the
//! truth: a topic that it lacks leaves the routes (see [`whole`] for which lists are lists of all topics).

mod lists;
mod reach;
mod route;
mod whole;

pub use lists::UnitTopics;
pub use reach::Viewer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use roxmq_protocol::body::{DataVersion, QueueData, TopicConfig, TopicConfigAndMappingSerializeWrapper, TopicQueueMappingInfo};
use roxmq_protocol::permission::Permission;
use roxmq_remoting::address::Registered as AddressIs;

use self::whole::Told;

/// A silent broker is taken off the routes after this time unless it asked for another one (`DEFAULT_BROKER_CHANNEL_EXPIRED_TIME`).
pub const SILENCE_MAX: Duration = Duration::from_secs(120);
/// Broker names whose write permission may be wiped.
pub const WIPED_MAX: usize = 10_000;
/// Connections of a broker that its newest one stands for, and whose goodbye therefore counts no more.
const SUPERSEDED_MAX: usize = 8;

/// Topics of this prefix are used by brokers to find each other and keep the true ids of replicas in their routes.
const SYNC_MEMBER_PREFIX: &str = "rmq_sys_SYNC_BROKER_MEMBER_";

/// The id of a group's master.
pub const MASTER_ID: i64 = 0;

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
    /// When its process started, if it says; Java's do not.
    pub started: Option<i64>,
}

/// What became of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It is in the table.
    Accepted {
        /// Whether nothing was registered under this name, id and address.
        is_new: bool,
        /// The address of another broker that is connected under the same name and id. It is said once.
        rival: Option<Box<str>>,
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

/// Brokers that went.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Which.
    pub brokers: Vec<BrokerRef>,
    /// Who of their groups should hear of a new lowest id.
    pub notices: Vec<MinIdChange>,
}

/// The state. See the module's doc.
#[derive(Debug, Default)]
pub struct RouteTable {
    groups: BTreeMap<Name, Group>,
    topics: BTreeMap<String, BTreeMap<Name, Queues>>,
    mappings: BTreeMap<String, BTreeMap<String, TopicQueueMappingInfo>>,
    wiped: BTreeMap<Name, Wiped>,
}

/// Broker names stand in every topic's entry, so they are shared.
type Name = Arc<str>;

#[derive(Debug, Default)]
struct Group {
    members: BTreeMap<i64, Member>,
    acting_master: bool,
    zone_name: Option<String>,
    /// It was said that two brokers take each other's place.
    has_rivals: bool,
}

/// One registration.
#[derive(Debug)]
struct Member {
    cluster: String,
    addr: String,
    seen: Duration,
    silence_max: Duration,
    version: DataVersion,
    channel: ChannelId,
    /// Where it had registered before.
    superseded: Vec<ChannelId>,
    ha_addr: Option<String>,
    filter_servers: Vec<String>,
    address_is: AddressIs,
    started: Option<i64>,
}

impl Member {
    fn is(&self, broker: &BrokerRef) -> bool {
        self.cluster == broker.cluster && self.addr == broker.addr
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Queues {
    read: i32,
    write: i32,
    perm: Permission,
    sys_flag: i32,
    told: Told,
}

/// An operator took the write permission off a group. That holds until the operator gives it back, or the group's master starts anew.
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
    away_since: Option<Duration>,
}

impl Wiped {
    /// Of a master at `addr` that started at `started`, as far as is known.
    pub fn of(addr: Option<String>, started: Option<i64>) -> Wiped {
        Wiped { started, addr, away_since: None }
    }

    fn ends_with(&self, master: &Registration) -> bool {
        match (master.started, self.started) {
            (Some(now), before) => before != Some(now),
            (None, Some(_)) => true,
            (None, None) => self.addr.as_deref().is_some_and(|addr| addr != master.addr),
        }
    }
}

impl RouteTable {
    /// Takes a broker's registration, full or of some topics, at time `now`.
    pub fn register(&mut self, broker: Registration, policy: &Policy, now: Duration) -> Registered {
        let name = self.shared_name(&broker.broker_name);
        let (id, is_part) = (broker.broker_id, broker.topics.topic_config_table.len() == 1);
        let before = self.groups.get(&name).and_then(|group| group.members.get(&id));
        if before.is_none() && is_part {
            return Registered::NotRegisteredYet;
        }
        let version = broker.topics.data_version;
        let is_other = |member: &Member| member.cluster != broker.cluster || member.addr != broker.addr;
        if before.is_some_and(|member| is_other(member) && member.version.state_version > version.state_version) {
            return Registered::Outdated;
        }
        if id == MASTER_ID && self.wiped.get(&name).is_some_and(|wiped| wiped.ends_with(&broker)) {
            self.wiped.remove(&name);
        }

        let group = self.groups.entry(name.clone()).or_default();
        group.acting_master = broker.acting_master.unwrap_or(false);
        group.zone_name = broker.zone_name;
        let is_lower = group.members.first_key_value().is_some_and(|(&lowest, _)| id < lowest);
        // The same process under another id: a replica that became master, or the reverse.
        group.members.retain(|&known, member| known == id || is_other_process(member, &broker.addr, broker.channel));
        let before = group.members.remove(&id);
        // One that is still connected, at another address: two brokers that were given one name.
        let rival = before.as_ref().filter(|member| member.addr != broker.addr && member.channel != broker.channel);
        let rival = rival.filter(|_| !std::mem::replace(&mut group.has_rivals, true)).map(|member| member.addr.as_str().into());
        let is_new = before.as_ref().is_none_or(|member| member.cluster != broker.cluster || member.addr != broker.addr);
        let before = before.filter(|_| !is_new);
        let is_late = before.as_ref().is_some_and(|member| member.channel == broker.channel && is_older(version, member.version));
        let is_changed = before.as_ref().is_none_or(|member| member.version != version);
        let mut superseded = before.as_ref().map(|member| member.superseded.clone()).unwrap_or_default();
        superseded.extend(before.as_ref().map(|member| member.channel));
        superseded.retain(|&channel| channel != broker.channel);
        superseded.drain(..superseded.len().saturating_sub(SUPERSEDED_MAX));
        let member = Member {
            cluster: broker.cluster,
            addr: broker.addr,
            seen: now,
            silence_max: broker.silence_max.unwrap_or(SILENCE_MAX),
            version: before.as_ref().filter(|_| is_late).map_or(version, |member| member.version),
            channel: broker.channel,
            superseded,
            ha_addr: broker.ha_addr.clone(),
            filter_servers: broker.filter_servers,
            address_is: broker.address_is,
            started: broker.started,
        };
        group.members.insert(id, member);
        let is_lowest = group.members.first_key_value().is_some_and(|(&lowest, _)| lowest == id);
        let leads_as_replica = broker.acting_master.is_some() && id != MASTER_ID && is_lowest;
        let acts_as_master = leads_as_replica && group.acting_master;

        // A list that another one overtook on its way says nothing.
        if (id == MASTER_ID || leads_as_replica) && !is_late {
            // A replica's list may be behind its master's: it adds to the routes, and takes nothing off.
            let is_truth = id == MASTER_ID && policy.delete_topic_with_registration;
            if is_truth && let Some(doubts) = self.whole(&name, &broker.topics, broker.started) {
                self.drop_unlisted(&name, &broker.topics, doubts);
            }
            self.take_topics(&name, broker.topics, is_changed, acts_as_master);
        }
        let notice = (is_lower && policy.notify_min_broker_id).then(|| self.min_id_change(&name, None, broker.ha_addr)).flatten();
        let master = (id != MASTER_ID).then(|| self.master_of(&name)).flatten();
        Registered::Accepted { is_new, rival, master, notice }
    }

    /// A broker says goodbye on a connection.
    pub fn unregister(&mut self, broker: &BrokerRef, channel: ChannelId, policy: &Policy) -> Gone {
        // It may come late, on a connection that the broker has left for a newer one.
        let says = |name: &str, id: i64, member: &Member| {
            name == broker.broker_name && id == broker.broker_id && member.is(broker) && !member.superseded.contains(&channel)
        };
        let gone = self.remove(says, policy);
        if broker.broker_id == MASTER_ID
            && !gone.brokers.is_empty()
            && self.wiped.get(&*broker.broker_name).is_some_and(|wiped| wiped.started.is_none())
        {
            self.wiped.remove(&*broker.broker_name);
        }
        gone
    }

    /// A connection has ended.
    pub fn close(&mut self, channel: ChannelId, policy: &Policy) -> Gone {
        self.remove(|_, _, member| member.channel == channel, policy)
    }

    /// Takes off who has been silent for too long at time `now`.
    pub fn expire(&mut self, now: Duration, policy: &Policy) -> Gone {
        let gone = self.remove(|_, _, member| member.is_silent(now), policy);
        let groups = &self.groups;
        self.wiped.retain(|name, wiped| {
            if groups.get(name).is_some_and(|group| group.members.contains_key(&MASTER_ID)) {
                wiped.away_since = None;
                return true;
            }
            let since = *wiped.away_since.get_or_insert(now);
            wiped.started.is_some() || now.saturating_sub(since) <= SILENCE_MAX
        });
        gone
    }

    /// Has a broker registered on this connection, and on no newer one?
    pub fn is_on(&self, channel: ChannelId) -> bool {
        self.members().any(|(_, _, member)| member.channel == channel)
    }

    /// Is there anything for [`RouteTable::expire`] to do?
    pub fn has_silent(&self, now: Duration) -> bool {
        !self.wiped.is_empty() || self.members().any(|(_, _, member)| member.is_silent(now))
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

    /// A broker gave a sign of life. Java's older ones do not say which of a name they are.
    pub fn heartbeat(&mut self, cluster: &str, broker_name: &str, broker_id: Option<i64>, addr: &str, now: Duration) {
        let Some(group) = self.groups.get_mut(broker_name) else { return };
        let is_meant = |id: i64, member: &Member| {
            member.cluster == cluster && member.addr == addr && broker_id.is_none_or(|broker_id| broker_id == id)
        };
        group.members.iter_mut().filter(|(id, member)| is_meant(**id, member)).for_each(|(_, member)| member.seen = now);
    }

    /// Which version of a broker's topics is known.
    pub fn topic_version(&self, broker: &BrokerRef) -> Option<DataVersion> {
        let member = self.groups.get(&*broker.broker_name)?.members.get(&broker.broker_id)?;
        member.is(broker).then_some(member.version)
    }

    /// Adds one topic's queues on registered brokers; nothing if one of them is not known.
    pub fn register_topic(&mut self, topic: &str, queues: &[QueueData]) {
        let name_of = |data: &QueueData| self.groups.get_key_value(data.broker_name.as_str()).map(|(name, _)| name.clone());
        let Some(names) = queues.iter().map(name_of).collect::<Option<Vec<Name>>>() else { return };
        for (name, data) in names.into_iter().zip(queues) {
            let brokers = self.topics.entry(topic.to_owned()).or_default();
            let told = brokers.get(&name).map_or(Told::Alone, |known| known.told);
            let queues =
                Queues { read: data.read_queue_nums, write: data.write_queue_nums, perm: data.perm, sys_flag: data.topic_sys_flag, told };
            brokers.insert(name, queues);
        }
    }

    /// Forgets a topic, on the brokers of one cluster or everywhere.
    pub fn delete_topic(&mut self, topic: &str, cluster: Option<&str>) {
        let Some(queues) = self.topics.get_mut(topic) else { return };
        let groups = &self.groups;
        let goes = |name: &str| cluster.is_none_or(|cluster| groups.get(name).is_some_and(|group| group.is_in(cluster)));
        queues.retain(|name, _| !goes(name));
        if queues.is_empty() {
            self.topics.remove(topic);
            self.mappings.remove(topic);
        }
    }

    /// Takes the write permission off all queues of a group, those to come too; says of how many topics. `None` if too many are wiped.
    pub fn wipe_write_perm(&mut self, broker_name: &str) -> Option<usize> {
        let Some((name, group)) = self.groups.get_key_value(broker_name) else { return Some(0) };
        if self.wiped.len() >= WIPED_MAX && !self.wiped.contains_key(broker_name) {
            return None;
        }
        let master = group.members.get(&MASTER_ID);
        let wiped = Wiped::of(master.map(|master| master.addr.clone()), master.and_then(|master| master.started));
        self.wiped.insert(name.clone(), wiped);
        Some(self.topics_on(broker_name))
    }

    /// Lets all queues of a group be written again as its broker says; says of how many topics.
    pub fn add_write_perm(&mut self, broker_name: &str) -> usize {
        self.wiped.remove(broker_name);
        self.topics_on(broker_name)
    }

    /// The groups whose write permission was taken off.
    pub fn wiped(&self) -> impl Iterator<Item = (&str, &Wiped)> {
        self.wiped.iter().map(|(name, wiped)| (&**name, wiped))
    }

    /// Takes up what an operator had said before a restart.
    pub fn restore_wiped(&mut self, broker_name: &str, wiped: Wiped) {
        let name = self.shared_name(broker_name);
        self.wiped.insert(name, wiped);
    }

    fn take_topics(&mut self, name: &Name, topics: TopicConfigAndMappingSerializeWrapper, is_changed: bool, acts_as_master: bool) {
        for (topic, config) in &topics.topic_config_table {
            let known = self.topics.get_mut(topic).and_then(|queues| queues.get_mut(name));
            // An unchanged table still brings back topics that were deleted here.
            if let Some(known) = known.filter(|_| !is_changed) {
                known.told = Told::Listed;
                continue;
            }
            let mut queues = Queues::from(config);
            if acts_as_master {
                queues.perm = queues.perm.without(Permission::WRITE);
            }
            self.topics.entry(topic.clone()).or_default().insert(name.clone(), queues);
        }
        if is_changed {
            for (topic, mapping) in topics.topic_queue_mapping_info_map {
                let broker = mapping.bname.clone().unwrap_or_else(|| name.to_string());
                self.mappings.entry(topic).or_default().insert(broker, mapping);
            }
        }
    }

    fn remove(&mut self, goes: impl Fn(&str, i64, &Member) -> bool, policy: &Policy) -> Gone {
        let mut gone = Gone::default();
        let (mut left, mut reduced) = (BTreeSet::new(), Vec::new());
        for (name, group) in &mut self.groups {
            let lowest = group.members.first_key_value().map(|(&id, _)| id);
            let go: Vec<i64> = group.members.iter().filter(|(id, member)| goes(name, **id, member)).map(|(&id, _)| id).collect();
            let removed: Vec<(i64, Member)> = go.into_iter().filter_map(|id| group.members.remove_entry(&id)).collect();
            gone.brokers.extend(removed.iter().map(|(id, member)| reference(name, *id, member)));
            match removed.into_iter().next() {
                Some(_) if group.members.is_empty() => drop(left.insert(name.clone())),
                Some((first, member)) => reduced.push((name.clone(), (lowest == Some(first)).then_some(member.addr))),
                None => {}
            }
        }
        for name in &left {
            self.groups.remove(name);
        }
        for (name, lowest_went) in reduced.iter().filter(|_| policy.notify_min_broker_id) {
            gone.notices.extend(lowest_went.clone().and_then(|addr| self.min_id_change(name, Some(addr), None)));
        }
        self.clean_topics(&left, &reduced.into_iter().map(|(name, _)| name).collect());
        gone
    }

    fn clean_topics(&mut self, gone: &BTreeSet<Name>, reduced: &BTreeSet<Name>) {
        let without_master: Vec<&Name> = reduced
            .iter()
            .filter(|name| self.groups.get(&***name).is_some_and(|group| group.acting_master && !group.members.contains_key(&MASTER_ID)))
            .collect();
        if gone.is_empty() && without_master.is_empty() {
            return;
        }
        self.topics.retain(|_, queues| {
            queues.retain(|name, _| !gone.contains(name));
            for name in &without_master {
                if let Some(queues) = queues.get_mut(&***name) {
                    queues.perm = queues.perm.without(Permission::WRITE);
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

    fn topics_on(&self, broker_name: &str) -> usize {
        self.topics.values().filter(|queues| queues.contains_key(broker_name)).count()
    }

    fn min_id_change(&self, name: &Name, offline_addr: Option<String>, ha_addr: Option<String>) -> Option<MinIdChange> {
        let members = &self.groups.get(name)?.members;
        let (&min_id, lowest) = members.first_key_value()?;
        // The broker that came knows itself; everybody hears of one that went.
        let skip = (offline_addr.is_none() && members.len() > 1).then_some(&lowest.addr);
        Some(MinIdChange {
            broker_name: name.to_string(),
            min_id,
            min_addr: lowest.addr.clone(),
            offline_addr,
            ha_addr,
            tell: members.values().map(|member| &member.addr).filter(|addr| Some(*addr) != skip).cloned().collect(),
        })
    }

    fn master_of(&self, name: &Name) -> Option<Master> {
        let master = self.groups.get(name)?.members.get(&MASTER_ID)?;
        Some(Master { addr: master.addr.clone(), ha_addr: master.ha_addr.clone() })
    }

    fn members(&self) -> impl Iterator<Item = (&Name, i64, &Member)> {
        self.groups.iter().flat_map(|(name, group)| group.members.iter().map(move |(&id, member)| (name, id, member)))
    }

    fn shared_name(&self, name: &str) -> Name {
        self.groups.get_key_value(name).map_or_else(|| Name::from(name), |(name, _)| name.clone())
    }
}

impl Member {
    fn is_silent(&self, now: Duration) -> bool {
        self.seen + self.silence_max < now
    }
}

impl Group {
    /// The cluster that the group stands in, as its lowest member says.
    fn cluster(&self) -> &str {
        self.members.values().next().map_or("", |member| &member.cluster)
    }

    fn is_in(&self, cluster: &str) -> bool {
        self.members.values().any(|member| member.cluster == cluster)
    }
}

/// Two brokers may have been given one address; one broker has one connection.
fn is_other_process(member: &Member, addr: &str, channel: ChannelId) -> bool {
    member.addr != addr || member.channel != channel
}

/// Did another list overtake this one? Within a process the counter only rises.
fn is_older(version: DataVersion, known: DataVersion) -> bool {
    version.state_version == known.state_version && version.counter < known.counter
}

fn reference(name: &Name, id: i64, member: &Member) -> BrokerRef {
    BrokerRef { cluster: member.cluster.clone(), broker_name: name.to_string(), broker_id: id, addr: member.addr.clone() }
}

impl From<&TopicConfig> for Queues {
    fn from(topic: &TopicConfig) -> Queues {
        Queues {
            read: topic.read_queue_nums,
            write: topic.write_queue_nums,
            perm: topic.perm,
            sys_flag: topic.topic_sys_flag,
            told: Told::Listed,
        }
    }
}
