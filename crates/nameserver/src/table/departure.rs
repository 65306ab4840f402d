//! When is a broker gone (unregistered, disconnected or silent), and what is removed with it?

use std::collections::BTreeSet;
use std::time::Duration;

use roxmq_protocol::permission::Permission;

use super::min_id::MinIdChange;
use super::state::{BrokerRef, ChannelId, MASTER_ID, Member, Name, Policy, RouteTable, reference};

/// A silent broker is taken off the routes after this time unless it asked for another one (`DEFAULT_BROKER_CHANNEL_EXPIRED_TIME`).
pub const SILENCE_MAX: Duration = Duration::from_secs(120);

/// Brokers that went.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Which.
    pub brokers: Vec<BrokerRef>,
    /// Notices of new lowest ids in their groups.
    pub notices: Vec<MinIdChange>,
}

impl RouteTable {
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

    /// Takes off brokers that have been silent for too long at time `now`.
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

    /// Is there anything for [`RouteTable::expire`] to do?
    pub fn has_silent(&self, now: Duration) -> bool {
        !self.wiped.is_empty() || self.members().any(|(_, _, member)| member.is_silent(now))
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
}

impl Member {
    fn is_silent(&self, now: Duration) -> bool {
        self.seen + self.silence_max < now
    }
}
