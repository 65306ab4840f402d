//! How do clients say that they are there (34), and that they leave (35)? Groups are notified when they change (40).
//!
//! Follows Java's `ClientManageProcessor`, `ConsumerManageProcessor` and `DefaultConsumerIdsChangeListener`.

use crate::announce::topics;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names;
use crate::requests::pull::subscription::checked;
use crate::tables::clients::{Audience, Departure, Member};
use roxmq_protocol::body::{CheckClientRequestBody, ConsumerData, HeartbeatData, MessageModel};
use roxmq_protocol::json::{self};
use roxmq_protocol::request::{self, HeartbeatReply, NotifyConsumerIdsChanged};
use roxmq_remoting::{Answer, Call, ConnectionId};

/// Groups that one heartbeat may name.
const GROUPS_PER_HEARTBEAT_MAX: usize = 4096;

/// Code 34.
pub fn heartbeat(broker: &Broker, call: &Call<'_>, _: request::Heartbeat) -> Result<Answer, Refusal> {
    if call.body.is_empty() {
        return Err(Refusal::BodyEmpty);
    }
    let data: HeartbeatData = json::from_slice(call.body)?;
    let groups = data.consumer_data_set.len() + data.producer_data_set.len();
    if groups > GROUPS_PER_HEARTBEAT_MAX {
        return Err(Refusal::Argument(format!("a heartbeat names at most {GROUPS_PER_HEARTBEAT_MAX} groups, not {groups}")));
    }
    // Not the wall clock: it may jump, and then clients would seem to have been silent.
    let now = broker.clock.elapsed();
    let member = Member {
        peer: call.peer.clone(),
        client_id: data.client_id.clone(),
        language: call.header.language,
        version: call.header.version,
        seen: now,
        fingerprint: data.heartbeat_fingerprint,
        message_model: MessageModel::default(),
    };
    names::check_client(&data.client_id)?;
    let mut refused = None;
    for producer in &data.producer_data_set {
        let name = &producer.group_name;
        if let Err(refusal) = names::check_printable("producer group", name) {
            refused = Some(refusal);
            continue;
        }
        broker.tables.clients.producer_seen(&producer.group_name, member.clone());
    }
    if data.heartbeat_fingerprint != 0 && data.without_sub {
        let unchanged = |group: &ConsumerData| {
            broker.tables.clients.consumer_unchanged(&group.group_name, call.peer.id(), data.heartbeat_fingerprint, now)
        };
        // Every group is visited: each visit also notes that the client is alive.
        let changed = data.consumer_data_set.iter().filter(|group| !unchanged(group)).count() > 0;
        return refused.map_or_else(|| Ok(heartbeat_reply(changed)), Err);
    }
    for group in &data.consumer_data_set {
        let seen = consumer_seen(broker, group, Member { message_model: group.message_model, ..member.clone() });
        refused = seen.err().or(refused);
    }
    // A refused group does not affect the client's other groups.
    refused.map_or_else(|| Ok(heartbeat_reply(true)), Err)
}

fn heartbeat_reply(subscription_changed: bool) -> Answer {
    Answer::with(HeartbeatReply { supports_v2: Some(true), subscription_changed: Some(subscription_changed) })
}

/// Notes a member of a consumer group. Refuses a name that no group can have.
fn consumer_seen(broker: &Broker, data: &ConsumerData, member: Member) -> Result<(), Refusal> {
    let group = match broker.tables.groups.admit(&broker.config(), &data.group_name) {
        Ok(group) => group,
        Err(refusal @ Refusal::Name(_)) => return Err(refusal),
        // A group that may not be created is left out, as in Java: the client learns that from its pulls.
        Err(_) => return Ok(()),
    };
    topics::add_retry_topic(broker, &data.group_name, group.retry_queue_nums);
    if let Some(audience) = broker.tables.clients.consumer_seen(data, member) {
        notify(broker, &data.group_name, data.message_model, audience);
    }
    Ok(())
}

/// Notifies the members of a group that they have to share out its queues again.
fn notify(broker: &Broker, group: &str, model: MessageModel, audience: Audience) {
    let wanted = broker.tables.groups.find(group).is_none_or(|group| group.notify_consumer_ids_changed_enable);
    if !wanted || model == MessageModel::Broadcasting || !broker.config().notify_consumer_changes {
        return;
    }
    for peer in audience {
        peer.send_oneway(&NotifyConsumerIdsChanged { consumer_group: group.into() }, b"");
    }
}

/// Code 35.
pub fn unregister(broker: &Broker, call: &Call<'_>, request: request::UnregisterClient<'_>) -> Result<Answer, Refusal> {
    if let Some(group) = request.producer_group.as_deref() {
        broker.tables.clients.producer_left(group, call.peer.id());
    }
    if let Some(group) = request.consumer_group.as_deref()
        && let Some(departure) = broker.tables.clients.consumer_left(group, call.peer.id())
    {
        client_left(broker, departure);
    }
    Ok(Answer::ok())
}

/// A connection has ended, and with it the client.
pub fn connection_lost(broker: &Broker, connection: ConnectionId) {
    broker.tables.incarnations.connection_lost(connection);
    for departure in broker.tables.clients.connection_lost(connection) {
        client_left(broker, departure);
    }
}

/// Frees the locks of a client that has left, and notifies the others, which share out its queues.
fn client_left(broker: &Broker, departure: Departure) {
    broker.tables.locks.client_left(&departure.group, &departure.client_id);
    notify(broker, &departure.group, departure.message_model, departure.audience);
}

/// Code 46.
pub fn check(broker: &Broker, call: &Call<'_>, _: request::CheckClientConfig) -> Result<Answer, Refusal> {
    if !call.body.is_empty() {
        let sent: CheckClientRequestBody = json::from_slice(call.body)?;
        checked(&broker.config(), sent.subscription_data)?;
    }
    Ok(Answer::ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW_MS, QUEUE, close, open, put};
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;
    use roxmq_protocol::body::SubscriptionGroupConfig;

    #[test]
    fn a_group_with_a_long_name_that_is_there_already_is_served() {
        let (sim, clock) = (SimDisk::new(4), Clock::manual(NOW_MS));
        let broker = open(&sim.disk(), &clock);
        let [old, new] = ["o", "n"].map(|name| name.repeat(248));
        broker.tables.groups.put(SubscriptionGroupConfig { group_name: old.clone(), ..SubscriptionGroupConfig::default() });
        topics::add_retry_topic(&broker, &old, 1);
        close(broker);
        let broker = open(&sim.disk(), &clock);
        assert!(broker.tables.groups.admit(&broker.config(), &old).is_ok());
        assert!(broker.tables.groups.check_name(&old).is_ok() && broker.tables.groups.check_length(&old).is_ok());
        assert!(matches!(broker.tables.groups.admit(&broker.config(), &new), Err(Refusal::Name(_))));
        assert!(matches!(broker.tables.groups.check_length(&new), Err(Refusal::Name(_))));
        put(&broker, &names::retry_topic(&old), QUEUE, "", "again");
        assert!(broker.tables.topics.find(&names::retry_topic(&old)).is_some());
        topics::add_dead_letter_topic(&broker, &old);
        close(broker);
    }
}
