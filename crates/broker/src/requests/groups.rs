//! How are consumer groups set (200, 225, 353), listed (201, 352) and deleted (207)? Java: `SubscriptionGroupManager`.

use crate::broker::Broker;
use crate::error::Refusal;
use crate::names;
use crate::registration::pending::Changed;
use crate::requests::topics::deleting;
use crate::tables::attributes;
use roxmq_protocol::body::{GroupForbidden, SubscriptionGroupConfig, SubscriptionGroupList};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request;
use roxmq_remoting::{Answer, Call};
use tracing::info;

/// Groups in one answer to 201 when the caller asks for pages.
const PAGE_MAX: i32 = 2000;

/// Code 200.
pub fn update(broker: &Broker, call: &Call<'_>, _: request::UpdateGroup) -> Result<Changed, Refusal> {
    if call.body.is_empty() {
        return Err(Refusal::BodyEmpty);
    }
    put(broker, checked(broker, json::from_slice(call.body)?)?);
    Ok(Changed::answer(Answer::ok()))
}

/// Code 225.
pub fn update_many(broker: &Broker, call: &Call<'_>, _: request::UpdateGroups) -> Result<Changed, Refusal> {
    let sent: SubscriptionGroupList = json::from_slice(call.body)?;
    // All of them are valid, or none is set.
    let groups = sent.group_config_list.into_iter().map(|group| checked(broker, group)).collect::<Result<Vec<_>, _>>()?;
    groups.into_iter().for_each(|group| put(broker, group));
    Ok(Changed::answer(Answer::ok()))
}

/// The group after the request, which has only the changes of its attributes.
fn checked(broker: &Broker, sent: SubscriptionGroupConfig) -> Result<SubscriptionGroupConfig, Refusal> {
    broker.tables.groups.check_name(&sent.group_name)?;
    let known = broker.tables.groups.find(&sent.group_name);
    let attributes = attributes::changed(attributes::OF_GROUPS, known.as_deref().map(|group| &group.attributes), &sent.attributes)?;
    Ok(SubscriptionGroupConfig { attributes, ..sent })
}

fn put(broker: &Broker, group: SubscriptionGroupConfig) {
    broker.tables.groups.put(group);
    broker.shards.recheck();
}

/// Code 353. In Java allowing one topic again allows the group all others too.
pub fn readable(broker: &Broker, _: &Call<'_>, request: request::GroupReadable<'_>) -> Result<Changed, Refusal> {
    if let Some(readable) = request.readable {
        broker.tables.groups.check_name(&request.group)?;
        names::check_topic(&request.topic)?;
        broker.tables.groups.set_readable(&request.group, &request.topic, readable);
        broker.shards.recheck();
        info!(group = %request.group, topic = %request.topic, readable, "changed what a group may read");
    }
    let body = GroupForbidden {
        readable: Some(broker.tables.groups.may_read(&request.group, &request.topic)),
        group: request.group.into_owned(),
        topic: request.topic.into_owned(),
    };
    Ok(Changed::answer(Answer::body(json::to_vec(&body, Dialect::Fastjson))))
}

/// Code 201.
pub fn all(broker: &Broker, _: &Call<'_>, request: request::AllGroupConfig<'_>) -> Result<Answer, Refusal> {
    let mut all = broker.tables.groups.all();
    let total = all.subscription_group_table.len() as i32;
    if let Some(first) = request.group_seq {
        let count = request.max_group_num.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
        all.subscription_group_table = all.subscription_group_table.into_iter().skip(first.max(0) as usize).take(count as usize).collect();
    }
    Ok(Answer::body(json::to_vec(&all, Dialect::Fastjson)).fields(request::GroupTotalReply { total_group_num: Some(total) }))
}

/// Code 352.
pub fn one(broker: &Broker, _: &Call<'_>, request: request::GroupConfig<'_>) -> Result<Answer, Refusal> {
    let group = broker.tables.groups.find(&request.group).ok_or_else(|| Refusal::no_group(&request.group))?;
    Ok(Answer::body(json::to_vec(&*group, Dialect::Fastjson)))
}

/// Code 207.
pub fn delete(broker: &Broker, _: &Call<'_>, request: request::DeleteGroup<'_>) -> Result<Changed, Refusal> {
    forget(broker, &request.group_name, request.clean_offset == Some(true));
    info!(group = %request.group_name, "deleted group");
    Ok(Changed::answer(Answer::ok()))
}

/// Deletes everything about a group: its offsets and its retry topic only on request. Its dead letters stay.
fn forget(broker: &Broker, group: &str, with_offsets: bool) {
    broker.tables.groups.remove(group);
    broker.tables.request_modes.forget_group(group);
    match with_offsets {
        true => broker.tables.offsets.forget_group(group),
        false => broker.tables.offsets.forget_reader(group),
    }
    broker.tables.locks.forget_group(group, &broker.tables.clients.consumer_ids(group));
    broker.counts.statistics.forget_group(group);
    if with_offsets {
        deleting::forget(broker, &names::retry_topic(group));
    }
    broker.shards.recheck();
}
