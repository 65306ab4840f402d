//! Which clients are connected, to which groups do they belong, and what do the groups subscribe to?
//!
//! A client is a connection: when it ends, or is silent for `channelExpiredTimeout`, the client is gone. All members of a group should
//! subscribe alike: the subscription with the highest version counts, and members that differ are reported. Follows Java's
//! `ConsumerManager` and `ProducerManager`.

mod agreement;
mod subscription;

use agreement::Interests;
use parking_lot::RwLock;
use roxmq_protocol::body::{ConsumeFromWhere, ConsumeType, ConsumerData, MessageModel, SubscriptionData};
use roxmq_protocol::header::Language;
use roxmq_remoting::{ConnectionId, Peer};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub use subscription::{Subscription, Wanted, is_everything, is_tags};

/// One connected client as a member of a group.
#[derive(Clone)]
pub struct Member {
    /// Its connection.
    pub peer: Peer,
    /// Its client id.
    pub client_id: String,
    /// Its language.
    pub language: Language,
    /// Its version.
    pub version: i32,
    /// When it was last heard of, by [`Clock::elapsed`](roxmq_env::clock::Clock::elapsed): no client is silent because the wall clock jumps.
    pub seen: Duration,
    /// Fingerprint of its last full heartbeat.
    pub fingerprint: i32,
    /// How this member consumes, even if the others of its group do not.
    pub message_model: MessageModel,
}

/// A consumer group with at least one member.
#[derive(Clone)]
pub struct ConsumerGroup {
    /// How it consumes.
    pub consume_type: ConsumeType,
    /// Does one member get each message, or do all?
    pub message_model: MessageModel,
    /// Where it begins on a queue without a committed offset.
    pub from_where: ConsumeFromWhere,
    /// Its subscriptions by topic.
    pub subscriptions: BTreeMap<String, Arc<Subscription>>,
    /// Its members.
    pub members: HashMap<ConnectionId, Member>,
    interests: Interests,
}

/// The tables of connected clients.
#[derive(Default)]
pub struct Clients {
    consumers: RwLock<HashMap<String, ConsumerGroup>>,
    producers: RwLock<HashMap<String, HashMap<ConnectionId, Member>>>,
}

/// The members to notify of a change of their group.
pub type Audience = Vec<Peer>;

/// A client that is no longer a member of a group.
pub struct Departure {
    /// The group.
    pub group: String,
    /// The client that left.
    pub client_id: String,
    /// How the group consumes.
    pub message_model: MessageModel,
    /// The remaining members.
    pub audience: Audience,
}

impl Clients {
    /// A producer has sent a heartbeat.
    pub fn producer_seen(&self, group: &str, member: Member) {
        self.producers.write().entry(group.to_owned()).or_default().insert(member.peer.id(), member);
    }

    /// A consumer has sent a heartbeat with its subscriptions. Returns the members to notify if anything changed.
    pub fn consumer_seen(&self, data: &ConsumerData, member: Member) -> Option<Audience> {
        let mut consumers = self.consumers.write();
        let group = consumers.entry(data.group_name.clone()).or_insert_with(|| ConsumerGroup {
            consume_type: data.consume_type,
            message_model: data.message_model,
            from_where: data.consume_from_where,
            subscriptions: BTreeMap::new(),
            members: HashMap::new(),
            interests: Interests::default(),
        });
        group.consume_type = data.consume_type;
        group.message_model = data.message_model;
        group.from_where = data.consume_from_where;
        // A client that reconnects has one connection: the new one.
        group.members.retain(|id, known| *id == member.peer.id() || known.client_id != member.client_id);
        report_disagreements(group, data, &member.client_id);
        let joined = group.members.insert(member.peer.id(), member).is_none();
        let subscribed = group.subscribe(&data.subscription_data_set);
        (joined || subscribed).then(|| group.audience())
    }

    /// A member has sent a light heartbeat. Is its fingerprint that of the last full one?
    pub fn consumer_unchanged(&self, group: &str, connection: ConnectionId, fingerprint: i32, now: Duration) -> bool {
        let mut consumers = self.consumers.write();
        let Some(member) = consumers.get_mut(group).and_then(|group| group.members.get_mut(&connection)) else {
            return false;
        };
        member.seen = now;
        member.fingerprint == fingerprint
    }

    /// A client leaves a consumer group.
    pub fn consumer_left(&self, group: &str, connection: ConnectionId) -> Option<Departure> {
        let mut consumers = self.consumers.write();
        let left = consumers.get_mut(group)?;
        let client_id = left.members.remove(&connection)?.client_id;
        left.interests.remove(&client_id);
        let departure = Departure { group: group.to_owned(), client_id, message_model: left.message_model, audience: left.audience() };
        if left.members.is_empty() {
            consumers.remove(group);
        }
        Some(departure)
    }

    /// A client leaves a producer group.
    pub fn producer_left(&self, group: &str, connection: ConnectionId) {
        let mut producers = self.producers.write();
        if let Some(members) = producers.get_mut(group) {
            members.remove(&connection);
            if members.is_empty() {
                producers.remove(group);
            }
        }
    }

    /// A connection is gone. Returns the consumer groups that lose a member by it.
    pub fn connection_lost(&self, connection: ConnectionId) -> Vec<Departure> {
        let in_producers: Vec<String> = {
            let producers = self.producers.read();
            producers.iter().filter(|(_, members)| members.contains_key(&connection)).map(|(group, _)| group.clone()).collect()
        };
        in_producers.iter().for_each(|group| self.producer_left(group, connection));
        let in_consumers: Vec<String> = {
            let consumers = self.consumers.read();
            consumers.iter().filter(|(_, group)| group.members.contains_key(&connection)).map(|(group, _)| group.clone()).collect()
        };
        in_consumers.into_iter().filter_map(|group| self.consumer_left(&group, connection)).collect()
    }

    /// Connections that were silent for longer than `patience`.
    pub fn silent_for(&self, patience: Duration, now: Duration) -> Vec<Peer> {
        let mut silent = Vec::new();
        let mut look = |member: &Member| {
            if now.saturating_sub(member.seen) > patience {
                silent.push(member.peer.clone());
            }
        };
        self.producers.read().values().flat_map(HashMap::values).for_each(&mut look);
        self.consumers.read().values().flat_map(|group| group.members.values()).for_each(&mut look);
        silent
    }

    /// A group's subscription to a topic; the outer `None` if no member is connected.
    pub fn subscription(&self, group: &str, topic: &str) -> Option<(MessageModel, Option<Arc<Subscription>>)> {
        let consumers = self.consumers.read();
        let group = consumers.get(group)?;
        Some((group.message_model, group.subscriptions.get(topic).cloned()))
    }

    /// How a connected group consumes.
    pub fn message_model(&self, group: &str) -> Option<MessageModel> {
        self.consumers.read().get(group).map(|group| group.message_model)
    }

    /// How a member of a group consumes; an unknown one consumes like the group.
    pub fn message_model_of(&self, group: &str, client_id: &str) -> Option<MessageModel> {
        let consumers = self.consumers.read();
        let group = consumers.get(group)?;
        let member = group.members.values().find(|member| member.client_id == client_id);
        Some(member.map_or(group.message_model, |member| member.message_model))
    }

    /// A consumer group with its members.
    pub fn consumer_group(&self, group: &str) -> Option<ConsumerGroup> {
        self.consumers.read().get(group).cloned()
    }

    /// The names of the connected consumer groups that subscribe to a topic.
    pub fn groups_subscribed(&self, topic: &str) -> Vec<String> {
        let consumers = self.consumers.read();
        consumers.iter().filter(|(_, group)| group.subscriptions.contains_key(topic)).map(|(name, _)| name.clone()).collect()
    }

    /// The connected consumer groups whose members subscribe differently.
    pub fn groups_at_odds(&self) -> usize {
        self.consumers.read().values().filter(|group| !group.interests.agree(group.consume_type)).count()
    }

    /// The client ids of a group.
    pub fn consumer_ids(&self, group: &str) -> Vec<String> {
        let consumers = self.consumers.read();
        consumers.get(group).map(|group| group.members.values().map(|member| member.client_id.clone()).collect()).unwrap_or_default()
    }

    /// The member of a group that has this client id.
    pub fn consumer(&self, group: &str, client_id: &str) -> Option<Member> {
        let consumers = self.consumers.read();
        consumers.get(group)?.members.values().find(|member| member.client_id == client_id).cloned()
    }

    /// The producer that has this client id.
    pub fn producer(&self, client_id: &str) -> Option<Member> {
        self.producers.read().values().flat_map(HashMap::values).find(|member| member.client_id == client_id).cloned()
    }

    /// The members of a producer group.
    pub fn producers(&self, group: &str) -> Vec<Member> {
        self.producers.read().get(group).map(|members| members.values().cloned().collect()).unwrap_or_default()
    }

    /// All producer groups with their members.
    pub fn all_producers(&self) -> BTreeMap<String, Vec<Member>> {
        let producers = self.producers.read();
        producers.iter().map(|(group, members)| (group.clone(), members.values().cloned().collect())).collect()
    }
}

impl ConsumerGroup {
    fn audience(&self) -> Audience {
        self.members.values().map(|member| member.peer.clone()).collect()
    }

    /// Stores newer subscriptions and drops missing ones. Did the set of topics or an expression change?
    fn subscribe(&mut self, sent: &[SubscriptionData]) -> bool {
        let mut changed = false;
        for data in sent {
            match self.subscriptions.get(&data.topic) {
                Some(known) if known.data.sub_version >= data.sub_version => {}
                known => {
                    changed |= known
                        .is_none_or(|known| known.data.sub_string != data.sub_string || known.data.expression_type != data.expression_type);
                    self.subscriptions.insert(data.topic.clone(), Arc::new(Subscription::new(data.clone())));
                }
            }
        }
        let before = self.subscriptions.len();
        self.subscriptions.retain(|topic, _| sent.iter().any(|data| data.topic == *topic));
        changed || self.subscriptions.len() != before
    }
}

/// Warns of members that subscribe differently: they take messages from each other.
fn report_disagreements(group: &mut ConsumerGroup, data: &ConsumerData, client_id: &str) {
    for found in group.interests.update(client_id, &data.subscription_data_set, data.consume_type) {
        tracing::warn!(
            group = data.group_name,
            topic = found.topic,
            client = found.client_id,
            wants = found.expression,
            other_client = found.other_client_id,
            other_wants = found.other_expression,
            "two members of a consumer group subscribe differently; messages that only one of them wants may reach neither"
        );
    }
}
