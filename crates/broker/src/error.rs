//! Why is a request refused, and with which code is it answered?

use roxmq_protocol::code;
use roxmq_protocol::json::JsonError;
use roxmq_protocol::record::DraftError;
use roxmq_protocol::request::FieldError;
use roxmq_protocol::time::Timestamp;
use roxmq_remoting::{Answer, CallError, Panicked, guarded};
use roxmq_store::AppendError;
use thiserror::Error;

/// The fact behind a refusal; [`Refusal::code`] has its code on the wire.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refusal {
    /// A field is missing or unreadable.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The body is not the expected JSON.
    #[error("the body cannot be read: {0}")]
    Body(#[from] JsonError),
    /// The body must not be empty.
    #[error("the body is empty")]
    BodyEmpty,
    /// No topic, group or client can have this name.
    #[error("{0}")]
    Name(String),
    /// Clients cannot send to this topic of the system.
    #[error("Sending message to topic[{0}] is forbidden.")]
    SendForbidden(String),
    /// A system topic cannot be changed or deleted.
    #[error("The topic[{0}] is conflict with system topic.")]
    SystemTopic(String),
    /// The broker takes no messages.
    #[error("the broker[{0}] sending message is forbidden")]
    BrokerNotWritable(String),
    /// The broker answers no pulls.
    #[error("the broker[{0}] pulling message is forbidden")]
    BrokerNotReadable(String),
    /// The topic takes no messages.
    #[error("the topic[{0}] sending message is forbidden")]
    TopicNotWritable(String),
    /// The topic is not read.
    #[error("the topic[{0}] pulling message is forbidden")]
    TopicNotReadable(String),
    /// The topic has no such queue.
    #[error("request queueId[{queue_id}] is illegal, topic:[{topic}] has {queues} queues")]
    QueueUnknown {
        /// The topic.
        topic: String,
        /// The queue.
        queue_id: i32,
        /// How many queues the topic has.
        queues: i32,
    },
    /// The group may not consume.
    #[error("subscription group no permission, {0}")]
    GroupForbidden(String),
    /// The group may not broadcast.
    #[error("the consumer group[{0}] can not consume by broadcast way")]
    BroadcastForbidden(String),
    /// The group may not read the topic.
    #[error("the consumer group[{group}] is forbidden for topic[{topic}]")]
    GroupForbiddenForTopic {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
    },
    /// There is no such topic. Java's text differs by request.
    #[error("{0}")]
    NoTopic(String),
    /// There is no such group. Java's text differs by request.
    #[error("{0}")]
    NoGroup(String),
    /// RoxMQ does not have this feature.
    #[error("{0} is not supported by this version of RoxMQ")]
    Unsupported(&'static str),
    /// Lite pull is switched off.
    #[error("the broker[{0}] for lite pull consumer is forbidden")]
    LitePullForbidden(String),
    /// No member of the group is connected, so its subscription is unknown.
    #[error("the consumer's group info not exist")]
    SubscriptionGroupOffline,
    /// The group does not subscribe to the topic.
    #[error("the consumer's subscription not exist")]
    SubscriptionUnknown,
    /// The broker knows an older subscription.
    #[error("the consumer's subscription not latest")]
    SubscriptionOld,
    /// The expression in the request cannot be read.
    #[error("parse the consumer's subscription failed: {0}")]
    Expression(String),
    /// The SQL92 expression of the group's subscription cannot be read.
    #[error("The broker's consumer filter data is not exist!Your expression may be wrong! {0}")]
    FilterUnreadable(String),
    /// There is no filter of this type, or it is switched off.
    #[error("The broker does not support consumer to filter message by {0}")]
    ExpressionKind(String),
    /// The message is too large or breaks another rule.
    #[error("the message is illegal, maybe msg body or properties length not matched. {0}")]
    Message(String),
    /// The time of a timed message cannot be read, or is too far ahead.
    #[error(
        "timer message illegal, the delay time should not be bigger than the max delay {max_ms}ms; or if set del msg, the delay time \
         should be bigger than the current time (asked for: {asked})"
    )]
    TimerIllegal {
        /// The longest delay allowed.
        max_ms: i64,
        /// The message's time.
        asked: String,
    },
    /// The request makes no sense, for this reason.
    #[error("{0}")]
    IllegalOperation(String),
    /// Recalls are switched off, or not possible now.
    #[error("recall failed, broker service not available")]
    RecallClosed,
    /// The disk is full.
    #[error("service not available now. The broker's disk is full: {0}")]
    DiskFull(String),
    /// The store is fenced, for this reason.
    #[error("service not available now. The store was closed for writing after an error: {0}")]
    Fenced(String),
    /// Too many requests wait already.
    #[error("[OVERLOAD]system busy, start flow control for a while: {0}")]
    Busy(&'static str),
    /// Sends are accepted only from this time on.
    #[error("broker unable to service, until {0}")]
    SendsNotYetAccepted(Timestamp),
    /// There is no such message, offset or setting.
    #[error("{0}")]
    NotFound(String),
    /// An argument is out of range, for this reason.
    #[error("{0}")]
    Argument(String),
    /// Not allowed, for this reason.
    #[error("{0}")]
    Forbidden(String),
    /// The client, or every member of the group, is offline.
    #[error("{0}")]
    NotOnline(String),
    /// The client did not answer a relayed request.
    #[error("the client did not answer: {0}")]
    Relay(#[from] CallError),
    /// The handler panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// Another failure, for which Java has no code either.
    #[error("{0}")]
    Failed(String),
}

/// Where users read what to do about a missing topic or group.
const FAQ: &str = "See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";

impl Refusal {
    /// There is no such topic, and it may not be created: the text for clients.
    pub fn no_topic(topic: &str) -> Refusal {
        Refusal::NoTopic(format!("topic[{topic}] not exist, apply first please! {FAQ}"))
    }

    /// There is no such group, and it may not be created: the text for clients.
    pub fn no_group(group: &str) -> Refusal {
        Refusal::NoGroup(format!("subscription group [{group}] does not exist, {FAQ}"))
    }

    /// There is no such topic: the text for tools.
    pub fn topic_not_found(topic: &str) -> Refusal {
        Refusal::NoTopic(format!("topic[{topic}] not exist"))
    }

    /// The response code.
    pub fn code(&self) -> i32 {
        match self {
            Refusal::Field(_) | Refusal::Body(_) | Refusal::BodyEmpty | Refusal::SendsNotYetAccepted(_) | Refusal::Failed(_) => {
                code::SYSTEM_ERROR
            }
            Refusal::ExpressionKind(_) | Refusal::Panicked(_) => code::SYSTEM_ERROR,
            Refusal::Name(_) | Refusal::SystemTopic(_) | Refusal::QueueUnknown { .. } | Refusal::Argument(_) => code::INVALID_PARAMETER,
            Refusal::SendForbidden(_)
            | Refusal::BrokerNotWritable(_)
            | Refusal::BrokerNotReadable(_)
            | Refusal::TopicNotWritable(_)
            | Refusal::TopicNotReadable(_)
            | Refusal::LitePullForbidden(_)
            | Refusal::Forbidden(_)
            | Refusal::BroadcastForbidden(_)
            | Refusal::GroupForbiddenForTopic { .. }
            | Refusal::GroupForbidden(_) => code::NO_PERMISSION,
            Refusal::NoTopic(_) => code::TOPIC_NOT_EXIST,
            Refusal::NoGroup(_) => code::SUBSCRIPTION_GROUP_NOT_EXIST,
            Refusal::Unsupported(_) => code::REQUEST_CODE_NOT_SUPPORTED,
            Refusal::SubscriptionGroupOffline | Refusal::SubscriptionUnknown => code::SUBSCRIPTION_NOT_EXIST,
            Refusal::SubscriptionOld => code::SUBSCRIPTION_NOT_LATEST,
            Refusal::Expression(_) => code::SUBSCRIPTION_PARSE_FAILED,
            Refusal::FilterUnreadable(_) => code::FILTER_DATA_NOT_EXIST,
            Refusal::Message(_) | Refusal::TimerIllegal { .. } => code::MESSAGE_ILLEGAL,
            Refusal::IllegalOperation(_) => code::ILLEGAL_OPERATION,
            Refusal::DiskFull(_) | Refusal::Fenced(_) | Refusal::RecallClosed => code::SERVICE_NOT_AVAILABLE,
            Refusal::Busy(_) => code::SYSTEM_BUSY,
            Refusal::NotFound(_) => code::QUERY_NOT_FOUND,
            Refusal::NotOnline(_) => code::CONSUMER_NOT_ONLINE,
            Refusal::Relay(_) => code::CONSUME_MSG_TIMEOUT,
        }
    }

    /// The kind of ban, for answers to pulls (Java's `ForbiddenType`).
    pub fn forbidden_type(&self) -> Option<i32> {
        match self {
            Refusal::BrokerNotReadable(_) | Refusal::LitePullForbidden(_) => Some(1),
            Refusal::GroupForbidden(_) => Some(2),
            Refusal::TopicNotReadable(_) => Some(3),
            Refusal::BroadcastForbidden(_) => Some(4),
            Refusal::GroupForbiddenForTopic { .. } => Some(5),
            Refusal::Field(_)
            | Refusal::Body(_)
            | Refusal::BodyEmpty
            | Refusal::Name(_)
            | Refusal::SendForbidden(_)
            | Refusal::SystemTopic(_)
            | Refusal::BrokerNotWritable(_)
            | Refusal::TopicNotWritable(_)
            | Refusal::QueueUnknown { .. }
            | Refusal::NoTopic(_)
            | Refusal::NoGroup(_)
            | Refusal::Unsupported(_)
            | Refusal::SubscriptionGroupOffline
            | Refusal::SubscriptionUnknown
            | Refusal::SubscriptionOld
            | Refusal::Expression(_)
            | Refusal::FilterUnreadable(_)
            | Refusal::ExpressionKind(_)
            | Refusal::Message(_)
            | Refusal::TimerIllegal { .. }
            | Refusal::IllegalOperation(_)
            | Refusal::RecallClosed
            | Refusal::DiskFull(_)
            | Refusal::Fenced(_)
            | Refusal::Busy(_)
            | Refusal::SendsNotYetAccepted(_)
            | Refusal::NotFound(_)
            | Refusal::Argument(_)
            | Refusal::Forbidden(_)
            | Refusal::NotOnline(_)
            | Refusal::Relay(_)
            | Refusal::Panicked(_)
            | Refusal::Failed(_) => None,
        }
    }

    /// The answer.
    pub fn answer(&self) -> Answer {
        Answer::refused(self.code(), self.to_string())
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Refusal {
        match error {
            AppendError::DiskFull => Refusal::DiskFull(error.to_string()),
            AppendError::Behind => Refusal::Busy("the disk does not keep up"),
            AppendError::Fenced(why) => Refusal::Fenced(why.to_string()),
            other => Refusal::Failed(other.to_string()),
        }
    }
}

impl From<DraftError> for Refusal {
    fn from(error: DraftError) -> Refusal {
        Refusal::Message(error.to_string())
    }
}

/// The answer of a handler, also if it refuses or panics.
pub fn answer_of(handler: impl FnOnce() -> Result<Answer, Refusal>) -> Answer {
    outcome_of(handler).unwrap_or_else(|refusal| refusal.answer())
}

/// The outcome of a handler; a panic in it fails this request alone.
pub fn outcome_of<T>(handler: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    guarded(handler).unwrap_or_else(|panicked| Err(panicked.into()))
}
