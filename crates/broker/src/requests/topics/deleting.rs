//! How are topics (215), queues without a topic (316, 306) and expired segments (329) deleted by hand?
//!
//! Follows Java's `AdminBrokerProcessor`.

use crate::announce::elsewhere;
use crate::broker::Broker;
use crate::delivery::clearing;
use crate::error::Refusal;
use crate::names;
use crate::registration::pending::Changed;
use crate::saving;
use roxmq_protocol::light::is_light;
use roxmq_protocol::request;
use roxmq_remoting::{Answer, Call, next_connection};
use std::collections::BTreeSet;
use tracing::info;

/// Code 215.
pub fn delete(broker: &Broker, _: &Call<'_>, request: request::DeleteTopic<'_>) -> Result<Changed, Refusal> {
    if request.topic.trim().is_empty() {
        return Err(Refusal::Argument("The specified topic is blank.".into()));
    }
    if broker.config().guard_system_topics && names::is_system_topic(&request.topic) {
        return Err(Refusal::SystemTopic(request.topic.into_owned()));
    }
    // Noted before it goes, so that no send makes it again in between.
    if broker.tables.topics.find(&request.topic).is_some() {
        broker.tables.deleted.note(&request.topic);
    }
    let change = forget(broker, &request.topic);
    if change.is_some() {
        if elsewhere::may_be_elsewhere(broker, &request.topic) {
            info!(topic = %request.topic, "deleted topic; other brokers may have it, so sends do not create it again for 5 minutes");
        } else {
            broker.tables.deleted.forget(&request.topic);
            info!(topic = %request.topic, "deleted topic");
        }
    }
    // A client that asks a NameServer right after this answer must not be sent here.
    Ok(Changed::announced(change))
}

/// Deletes everything about a topic, on the disk too before it returns, but for changes that are journaled. Messages that wait for their
/// delivery to it are dropped when they are due, unless the topic is there again by then. Returns the number of the change to announce,
/// if the topic was there.
pub fn forget(broker: &Broker, topic: &str) -> Option<u64> {
    forget_all(broker, &[topic])
}

fn forget_all(broker: &Broker, topics: &[&str]) -> Option<u64> {
    let mut were_there = false;
    for topic in topics {
        let was_there = broker.tables.topics.remove(topic);
        if was_there || broker.tables.topics.is_light(topic) || !broker.store.queues_of(topic).is_empty() {
            // Before its offsets go: a commit checks whether a topic was deleted in between.
            broker.tables.incarnations.ended(topic, next_connection());
        }
        broker.tables.incarnations.was_read(topic, broker.tables.offsets.forget_topic(topic));
        broker.tables.request_modes.forget_topic(topic);
        broker.tables.groups.forget_topic(topic);
        broker.tables.locks.forget_topic(topic);
        were_there |= was_there;
    }
    // A topic that was made again in between keeps its messages.
    broker.store.delete_topics(
        topics.iter().copied().filter(|topic| broker.tables.topics.is_light(topic) || broker.tables.topics.find(topic).is_none()),
    );
    for topic in topics {
        broker.counts.statistics.forget_topic(topic);
        broker.shards.notify_topic(topic);
    }
    saving::save_offsets(broker);
    were_there.then(|| broker.announcements.registration.changed())
}

/// Code 316: deletes queues and offsets whose topic is in no table. A log may know more topics than the table.
pub fn clean_unused(broker: &Broker, _: &Call<'_>, _: request::CleanUnusedTopic) -> Result<Answer, Refusal> {
    let mut gone: BTreeSet<String> = broker.store.queues().into_iter().map(|(topic, _)| topic).collect();
    gone.extend(broker.tables.offsets.topics());
    gone.retain(|topic| topic != names::DELIVERY_MARKS_TOPIC && !is_light(topic) && broker.tables.topics.find(topic).is_none());
    if !gone.is_empty() {
        forget_all(broker, &gone.iter().map(String::as_str).collect::<Vec<_>>());
    }
    Ok(Answer::ok())
}

/// Code 306: index entries go with their segment, so there is nothing to clean.
pub fn clean_expired(_: &Broker, _: &Call<'_>, _: request::CleanExpiredQueues) -> Result<Answer, Refusal> {
    Ok(Answer::ok())
}

/// Code 329.
pub fn delete_expired(broker: &Broker, _: &Call<'_>, _: request::DeleteExpiredLog) -> Result<Answer, Refusal> {
    clearing::delete_expired(broker);
    Ok(Answer::ok())
}
