//! Which queues does a consumer get that leaves the choice to the broker (400), and does it pull (401)?
//!
//! A member of a group asks one broker for its queues of a topic on all brokers; which ones there are the broker asks the NameServers.
//! The shares of all members fit together, since every broker knows all members and sorts both lists. Follows Java's
//! `QueryAssignmentProcessor`, `TopicRouteInfoManager` and `AllocateMessageQueueAveragely`.

use crate::announce::route::{self, Found};
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names::RETRY_PREFIX;
use crate::registration::pending::Changed;
use crate::requests::relay::FutureAnswer;
use roxmq_protocol::body::{
    MessageModel, MessageQueue, MessageQueueAssignment, MessageRequestMode, QueryAssignmentRequestBody, QueryAssignmentResponseBody,
    QueueData, SetMessageRequestModeRequestBody,
};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::light;
use roxmq_protocol::request;
use roxmq_remoting::{Answer, Call};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// How long a route is taken for the present one. The members of a group ask one after the other, and should hear of the same queues.
const ROUTE_LIFE: Duration = Duration::from_secs(2);
/// Code 400.
pub fn query(broker: &Arc<Broker>, call: &Call<'_>, _: request::QueryAssignment) -> Result<FutureAnswer, Refusal> {
    let asked: QueryAssignmentRequestBody = json::from_slice(call.body)?;
    let broker = Arc::clone(broker);
    Ok(Box::pin(async move {
        let queues = assigned(&broker, &asked).await;
        let assignment = |message_queue| MessageQueueAssignment { attachments: None, message_queue, mode: mode(&broker, &asked) };
        let message_queue_assignments = queues.map(|queues| queues.into_iter().map(assignment).collect());
        Ok(Answer::body(json::to_vec(&QueryAssignmentResponseBody { message_queue_assignments }, Dialect::Fastjson)))
    }))
}

/// A table that Java wrote may say POP; such a group reads on by pulling, from the same offsets.
fn mode(broker: &Broker, asked: &QueryAssignmentRequestBody) -> MessageRequestMode {
    if let Some(MessageRequestMode::Pop) = broker.tables.request_modes.find(&asked.topic, &asked.consumer_group).map(|set| set.mode) {
        warn!(
            group = asked.consumer_group,
            topic = asked.topic,
            "POP is not supported by this version of RoxMQ; the group is told to pull"
        );
    }
    MessageRequestMode::Pull
}

/// The queues of one member; `None` when they are not known, and the member should go on with those it has.
async fn assigned(broker: &Broker, asked: &QueryAssignmentRequestBody) -> Option<Vec<MessageQueue>> {
    let queues = queues_of(broker, &asked.topic).await?;
    if asked.message_model == MessageModel::Broadcasting || !broker.config().assign_queues {
        return Some(queues);
    }
    let mut members = broker.tables.clients.consumer_ids(&asked.consumer_group);
    members.sort();
    share(&asked.strategy_name, &asked.client_id, &queues, &members)
}

/// One member's share; `None` for an unknown strategy, and without members or queues.
fn share(strategy: &str, member: &str, queues: &[MessageQueue], members: &[String]) -> Option<Vec<MessageQueue>> {
    if member.trim().is_empty() || queues.is_empty() || members.is_empty() {
        return None;
    }
    let place = members.iter().position(|id| id == member);
    match strategy {
        "AVG" => Some(place.map_or(Vec::new(), |place| average(place, queues, members.len()))),
        "AVG_BY_CIRCLE" => Some(place.map_or(Vec::new(), |place| queues.iter().skip(place).step_by(members.len()).cloned().collect())),
        _ => None,
    }
}

/// Neighbouring queues; the first members get one more if the number does not divide evenly.
fn average(place: usize, queues: &[MessageQueue], members: usize) -> Vec<MessageQueue> {
    let (each, over) = (queues.len() / members, queues.len() % members);
    let first = place * each + place.min(over);
    queues[first..first + each + usize::from(place < over)].to_vec()
}

/// The queues of a topic that can be read, on all brokers, sorted; `None` when there is no such topic.
async fn queues_of(broker: &Broker, topic: &str) -> Option<Vec<MessageQueue>> {
    let config = broker.config();
    // A light queue exists where it was made, with the one number 0.
    if light::is_light(topic) {
        return Some(vec![MessageQueue::new(topic, &*config.broker_name, 0)]);
    }
    if config.namesrv_addr.is_empty() {
        let here = broker.tables.topics.find(topic)?;
        let here = QueueData {
            broker_name: config.broker_name.clone(),
            perm: here.perm,
            read_queue_nums: here.read_queue_nums,
            ..QueueData::default()
        };
        return Some(readable(topic, &[here]));
    }
    let now = broker.clock.elapsed();
    if let Some(queues) = broker.announcements.routes.known(topic, now.saturating_sub(ROUTE_LIFE)) {
        return Some(queues);
    }
    match route::ask(broker, topic).await {
        Found::Route(route) => {
            let queues = readable(topic, &route.queue_datas);
            broker.announcements.routes.note(topic, queues.clone(), now);
            Some(queues)
        }
        Found::Nowhere => {
            broker.announcements.routes.forget(topic);
            None
        }
        Found::NoAnswer => broker.announcements.routes.known(topic, Duration::ZERO),
    }
}

fn readable(topic: &str, brokers: &[QueueData]) -> Vec<MessageQueue> {
    let readable = brokers.iter().filter(|broker| broker.perm.is_readable());
    let mut queues: Vec<MessageQueue> = readable
        .flat_map(|broker| (0..broker.read_queue_nums).map(|queue_id| MessageQueue::new(topic, &*broker.broker_name, queue_id)))
        .collect();
    queues.sort();
    queues
}

/// Code 401.
pub fn set_mode(broker: &Broker, call: &Call<'_>, _: request::SetRequestMode) -> Result<Changed, Refusal> {
    let mode: SetMessageRequestModeRequestBody = json::from_slice(call.body)?;
    if mode.topic.starts_with(RETRY_PREFIX) {
        return Err(Refusal::Forbidden("retry topic is not allowed to set mode".into()));
    }
    if broker.tables.topics.find(&mode.topic).is_none() {
        return Err(Refusal::topic_not_found(&mode.topic));
    }
    // Java makes a group that is new.
    broker.tables.groups.admit(&broker.config(), &mode.consumer_group).map_err(|refusal| match refusal {
        Refusal::NoGroup(_) => Refusal::NoGroup("subscription group does not exist".into()),
        other => other,
    })?;
    if mode.mode == MessageRequestMode::Pop {
        return Err(Refusal::Unsupported("POP"));
    }
    info!(group = mode.consumer_group, topic = mode.topic, mode = ?mode.mode, "changed request mode");
    broker.tables.request_modes.put(mode);
    Ok(Changed::answer(Answer::ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_protocol::permission::Permission;

    /// `strategy queues members: shares`, a share for each member and for one that is not there.
    #[test]
    fn shares_fit_together() {
        let check = |strategy: &str, queues: i32, members: usize| {
            let queues: Vec<MessageQueue> = (0..queues).map(|id| MessageQueue::new("T", "a", id)).collect();
            let members: Vec<String> = (0..members).map(|id| format!("m{id}")).collect();
            let of = |member: &str| share(strategy, member, &queues, &members);
            let ids = |share: Option<Vec<MessageQueue>>| share.map(|share| share.iter().map(|queue| queue.queue_id).collect::<Vec<_>>());
            let shares: Vec<_> = members.iter().map(|member| ids(of(member))).collect();
            format!("{shares:?} {:?}", ids(of("stranger"))).replace("Some(", "(")
        };
        assert_eq!(check("AVG", 8, 2), "[([0, 1, 2, 3]), ([4, 5, 6, 7])] ([])");
        assert_eq!(check("AVG", 8, 3), "[([0, 1, 2]), ([3, 4, 5]), ([6, 7])] ([])");
        assert_eq!(check("AVG", 2, 3), "[([0]), ([1]), ([])] ([])");
        assert_eq!(check("AVG_BY_CIRCLE", 8, 3), "[([0, 3, 6]), ([1, 4, 7]), ([2, 5])] ([])");
        assert_eq!(check("AVG_BY_CIRCLE", 1, 2), "[([0]), ([])] ([])");
        assert_eq!(check("CONSISTENT_HASH", 1, 1), "[None] None");
        assert_eq!(check("AVG", 0, 1), "[None] None");
        assert_eq!(check("AVG", 1, 0), "[] None");
    }

    #[test]
    fn queues_are_those_that_can_be_read() {
        let queues = |broker_name: &str, perm, read_queue_nums| QueueData {
            broker_name: broker_name.into(),
            perm: Permission(perm),
            read_queue_nums,
            ..QueueData::default()
        };
        let all = readable("T", &[queues("b", 6, 1), queues("c", 2, 4), queues("a", 4, 2)]);
        let shown: Vec<String> = all.iter().map(|queue| format!("{}{}", queue.broker_name, queue.queue_id)).collect();
        assert_eq!(shown, ["a0", "a1", "b0"]);
    }
}
