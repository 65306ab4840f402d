//! Which messages does a pull want, and may its group read them?

use crate::broker::Broker;
use crate::error::Refusal;
use crate::settings::BrokerConfig;
use crate::tables::clients::{Subscription, Wanted, is_everything, is_tags};
use roxmq_protocol::body::{MessageModel, SubscriptionData, SubscriptionGroupConfig};
use roxmq_protocol::properties::{Properties, name};
use roxmq_protocol::record::Record;
use roxmq_protocol::request::{PULL_SUBSCRIPTION, Pull};
use std::sync::Arc;

/// The subscription that the pull brings, or that its group sent in a heartbeat.
pub(super) fn subscription(
    broker: &Broker,
    config: &BrokerConfig,
    request: &Pull<'_>,
    group: &SubscriptionGroupConfig,
) -> Result<Arc<Subscription>, Refusal> {
    if request.sys_flag & PULL_SUBSCRIPTION != 0 {
        check_reader(broker, group, &request.topic, None)?;
        let expression = request.subscription.as_deref().unwrap_or(SubscriptionData::ALL);
        let kind = request.expression_type.as_deref().unwrap_or(SubscriptionData::TAG);
        if is_tags(kind) && is_everything(expression) {
            return Ok(Subscription::everything());
        }
        let data = SubscriptionData {
            topic: request.topic.to_string(),
            sub_string: expression.to_owned(),
            expression_type: kind.to_owned(),
            sub_version: request.sub_version,
            ..SubscriptionData::default()
        };
        return checked(config, data).map(Arc::new);
    }
    let Some((model, subscription)) = broker.tables.clients.subscription(&request.consumer_group, &request.topic) else {
        return Err(Refusal::SubscriptionGroupOffline);
    };
    check_reader(broker, group, &request.topic, Some(model))?;
    let subscription = subscription.ok_or(Refusal::SubscriptionUnknown)?;
    if subscription.data.sub_version < request.sub_version {
        return Err(Refusal::SubscriptionOld);
    }
    check_kind(config, &subscription.data.expression_type)?;
    match &subscription.wanted {
        Wanted::Unreadable(why) => Err(Refusal::FilterUnreadable(why.to_string())),
        Wanted::All | Wanted::Tagged(_) | Wanted::Sql(_) => Ok(subscription),
    }
}

/// A client's subscription, if it is valid.
///
/// # Errors
/// When there is no such kind of filter here, or the expression cannot be read.
pub fn checked(config: &BrokerConfig, data: SubscriptionData) -> Result<Subscription, Refusal> {
    check_kind(config, &data.expression_type)?;
    let subscription = Subscription::new(data);
    match &subscription.wanted {
        Wanted::Unreadable(why) => Err(Refusal::Expression(why.to_string())),
        Wanted::Tagged(codes) if codes.is_empty() => Err(Refusal::Expression(format!("no tag in {:?}", subscription.data.sub_string))),
        Wanted::All | Wanted::Tagged(_) | Wanted::Sql(_) => Ok(subscription),
    }
}

fn check_kind(config: &BrokerConfig, kind: &str) -> Result<(), Refusal> {
    let is_known = is_tags(kind) || (kind == SubscriptionData::SQL92 && config.sql_filter);
    if is_known { Ok(()) } else { Err(Refusal::ExpressionKind(kind.to_owned())) }
}

/// May the group's members read the topic, and may they broadcast if they do?
pub(super) fn check_reader(
    broker: &Broker,
    group: &SubscriptionGroupConfig,
    topic: &str,
    model: Option<MessageModel>,
) -> Result<(), Refusal> {
    if model == Some(MessageModel::Broadcasting) && !group.consume_broadcast_enable {
        return Err(Refusal::BroadcastForbidden(group.group_name.clone()));
    }
    if !broker.tables.groups.may_read(&group.group_name, topic) {
        return Err(Refusal::GroupForbiddenForTopic { group: group.group_name.clone(), topic: topic.to_owned() });
    }
    Ok(())
}

/// With `filterSupportRetry`: does the group still want this retried message, by its SQL92 subscription to the topic it came from?
///
/// Java's `ExpressionForRetryMessageFilter` asks so only when the retry topic itself is subscribed to with SQL92, which no client does.
pub(super) fn is_still_wanted(broker: &Broker, group: &str, record: &Record<'_>) -> bool {
    let properties = Properties::new(record.properties);
    let Some(topic) = properties.find(name::RETRY_TOPIC) else { return true };
    let subscription = broker.tables.clients.subscription(group, topic).and_then(|(_, subscription)| subscription);
    match subscription.as_deref().map(|subscription| &subscription.wanted) {
        Some(Wanted::Sql(expression)) => expression.matches(&properties),
        _ => true,
    }
}
