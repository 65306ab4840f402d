//! What becomes of a broker's registration, and of its signs of life?

use std::time::Duration;

use roxmq_protocol::body::{DataVersion, TopicConfigAndMappingSerializeWrapper};
use roxmq_remoting::address::Registered as AddressIs;

use super::departure::SILENCE_MAX;
use super::min_id::MinIdChange;
use super::state::{ChannelId, MASTER_ID, Member, Name, Policy, RouteTable};

/// Connections of a broker that its newest one stands for, and whose goodbye therefore counts no more.
const SUPERSEDED_MAX: usize = 8;
/// Addresses of which is remembered that their registrations are ignored; more than two brokers under one id are rare.
const IGNORED_MAX: usize = 8;

/// A broker's description of itself.
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

/// The outcome of a registration.
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
        /// The notice of a new lowest id, if there is one.
        notice: Option<MinIdChange>,
    },
    /// Another address holds the id and knows a newer state; the old entry stays. Answered like a success.
    Outdated {
        /// That address. It is said once of each address that is ignored, until another broker holds the id.
        holder: Option<Box<str>>,
    },
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
            return Registered::Outdated { holder: self.note_ignored(&name, id, &broker.addr) };
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
            ignored: before.as_ref().map(|member| member.ignored.clone()).unwrap_or_default(),
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

    /// A registration from `addr` is not taken. Returns the address that holds its id, the first time `addr` is ignored.
    fn note_ignored(&mut self, name: &Name, id: i64, addr: &str) -> Option<Box<str>> {
        let holder = self.groups.get_mut(name)?.members.get_mut(&id)?;
        if holder.ignored.iter().any(|ignored| ignored == addr) {
            return None;
        }
        holder.ignored.truncate(IGNORED_MAX - 1);
        holder.ignored.push(addr.to_owned());
        Some(holder.addr.as_str().into())
    }

    /// A broker gave a sign of life. Java's older ones do not say which of a name they are.
    pub fn heartbeat(&mut self, cluster: &str, broker_name: &str, broker_id: Option<i64>, addr: &str, now: Duration) {
        let Some(group) = self.groups.get_mut(broker_name) else { return };
        let is_meant = |id: i64, member: &Member| {
            member.cluster == cluster && member.addr == addr && broker_id.is_none_or(|broker_id| broker_id == id)
        };
        group.members.iter_mut().filter(|(id, member)| is_meant(**id, member)).for_each(|(_, member)| member.seen = now);
    }

    fn master_of(&self, name: &Name) -> Option<Master> {
        let master = self.groups.get(name)?.members.get(&MASTER_ID)?;
        Some(Master { addr: master.addr.clone(), ha_addr: master.ha_addr.clone() })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(addr: &str, state_version: i64) -> Registration {
        let mut topics = TopicConfigAndMappingSerializeWrapper::default();
        topics.data_version.state_version = state_version;
        Registration {
            cluster: "c".into(),
            broker_name: "a".into(),
            broker_id: MASTER_ID,
            addr: addr.into(),
            ha_addr: None,
            zone_name: None,
            silence_max: None,
            acting_master: None,
            topics,
            filter_servers: Vec::new(),
            channel: 1,
            address_is: AddressIs::from_connection(false, [10, 0, 0, 1].into(), [10, 0, 0, 2].into()),
            started: None,
        }
    }

    #[test]
    fn ignored_registrations_are_said_once_for_each_address_and_holder() {
        let mut table = RouteTable::default();
        let mut holders = |steps: &[(&str, i64)]| -> Vec<Option<String>> {
            let mut register =
                |addr: &str, state_version| table.register(registration(addr, state_version), &Policy::default(), Duration::ZERO);
            let one = |(addr, state_version): &(&str, i64)| match register(addr, *state_version) {
                Registered::Outdated { holder } => holder.map(String::from),
                Registered::Accepted { .. } => Some("taken".into()),
                Registered::NotRegisteredYet => None,
            };
            steps.iter().map(one).collect()
        };
        let said = |text: &str| Some(text.to_owned());
        // The holder may register meanwhile.
        assert_eq!(
            holders(&[("x", 2), ("y", 1), ("x", 2), ("y", 1), ("z", 1), ("y", 1)]),
            [said("taken"), said("x"), said("taken"), None, said("x"), None]
        );
        // Another one has it.
        assert_eq!(holders(&[("z", 3), ("y", 1), ("x", 2), ("y", 1)]), [said("taken"), said("z"), said("z"), None]);
    }
}
