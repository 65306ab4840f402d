//! Why a request is refused, and what is answered then.

use roxmq_protocol::code;
use roxmq_protocol::json::JsonError;
use roxmq_protocol::record::DraftError;
use roxmq_protocol::request::FieldError;
use roxmq_remoting::{Answer, CallError, Panicked, guarded};
use roxmq_store::AppendError;
use thiserror::Error;

/// A refusal: what happened, not what it is called on the wire.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refusal {
    /// A field is missing or unreadable.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The body is not the JSON that is expected.
    #[error("the body cannot be read: {0}")]
    Body(#[from] JsonError),
    /// The body is empty and must not be.
    #[error("the body is empty")]
    BodyEmpty,
    /// A name that no topic or group can have.
    #[error("{0}")]
    Name(String),
    /// The broker's own topic.
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
    /// The topic has fewer queues.
    #[error("request queueId[{queue_id}] is illegal, topic:[{topic}] has {queues} queues")]
    QueueUnknown {
        /// Topic asked for.
        topic: String,
        /// Queue asked for.
        queue_id: i32,
        /// How many it has.
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
        /// Group that reads.
        group: String,
        /// What it may not read.
        topic: String,
    },
    /// There is no such topic. Java has other words for each request.
    #[error("{0}")]
    NoTopic(String),
    /// There is no such group. Java has other words for each request.
    #[error("{0}")]
    NoGroup(String),
    /// Something to be set up that RoxMQ does not have yet.
    #[error("{0} is not supported by this version of RoxMQ")]
    NotYetHere(&'static str),
    /// Lite pull is switched off.
    #[error("the broker[{0}] for lite pull consumer is forbidden")]
    LitePullForbidden(String),
    /// Nobody of the group is connected.
    #[error("the consumer's group info not exist")]
    SubscriptionGroupOffline,
    /// The group does not subscribe to the topic.
    #[error("the consumer's subscription not exist")]
    SubscriptionUnknown,
    /// The broker knows an older subscription.
    #[error("the consumer's subscription not latest")]
    SubscriptionOld,
    /// The expression cannot be read.
    #[error("parse the consumer's subscription failed: {0}")]
    Expression(String),
    /// The group subscribed with an SQL92 expression that cannot be read.
    #[error("The broker's consumer filter data is not exist!Your expression may be wrong! {0}")]
    FilterUnreadable(String),
    /// There is no such filter here, or it is switched off.
    #[error("The broker does not support consumer to filter message by {0}")]
    ExpressionKind(String),
    /// The message is too large or breaks another rule.
    #[error("the message is illegal, maybe msg body or properties length not matched. {0}")]
    Message(String),
    /// A message's time is none, or too far ahead.
    #[error(
        "timer message illegal, the delay time should not be bigger than the max delay {max_ms}ms; or if set del msg, the delay time \
         should be bigger than the current time (asked for: {asked})"
    )]
    TimerIllegal {
        /// The furthest allowed.
        max_ms: i64,
        /// What was asked for.
        asked: String,
    },
    /// What is asked for makes no sense, for the reason given.
    #[error("{0}")]
    IllegalOperation(String),
    /// No recalls now.
    #[error("recall failed, broker service not available")]
    RecallClosed,
    /// The disk is full.
    #[error("service not available now. The broker's disk is full: {0}")]
    DiskFull(String),
    /// A write or a flush failed once; nothing more is taken.
    #[error("service not available now. The store was closed for writing after an error: {0}")]
    Fenced(String),
    /// Too much is waiting already.
    #[error("[OVERLOAD]system busy, start flow control for a while: {0}")]
    Busy(&'static str),
    /// Before the time from which sends are accepted.
    #[error("broker unable to service, until {0}")]
    NotYet(i64),
    /// Nothing was found.
    #[error("{0}")]
    NotFound(String),
    /// An argument makes no sense.
    #[error("{0}")]
    Argument(String),
    /// Not allowed, for the reason given.
    #[error("{0}")]
    Forbidden(String),
    /// Nobody of the group, or not this client, is connected.
    #[error("{0}")]
    NotOnline(String),
    /// A relayed request had no answer.
    #[error("the client did not answer: {0}")]
    Relay(#[from] CallError),
    /// The handler has panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// Anything else, in words.
    #[error("{0}")]
    Failed(String),
}

/// Where users read what to do about a topic or group that is not there.
const FAQ: &str = "See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";

impl Refusal {
    /// There is no such topic, and none may be made, as clients are told.
    pub fn no_topic(topic: &str) -> Refusal {
        Refusal::NoTopic(format!("topic[{topic}] not exist, apply first please! {FAQ}"))
    }

    /// There is no such group, and none may be made, as clients are told.
    pub fn no_group(group: &str) -> Refusal {
        Refusal::NoGroup(format!("subscription group [{group}] does not exist, {FAQ}"))
    }

    /// There is no such topic, as tools are told.
    pub fn topic_not_found(topic: &str) -> Refusal {
        Refusal::NoTopic(format!("topic[{topic}] not exist"))
    }

    /// The response code.
    pub fn code(&self) -> i32 {
        match self {
            Refusal::Field(_) | Refusal::Body(_) | Refusal::BodyEmpty | Refusal::NotYet(_) | Refusal::Failed(_) => code::SYSTEM_ERROR,
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
            Refusal::NotYetHere(_) => code::REQUEST_CODE_NOT_SUPPORTED,
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

    /// What kind of ban it is, which answers to pulls say (Java's `ForbiddenType`).
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
            | Refusal::NotYetHere(_)
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
            | Refusal::NotYet(_)
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
/// What a handler answers, whatever becomes of it.
pub fn answered(handler: impl FnOnce() -> Result<Answer, Refusal>) -> Answer {
    taken(handler).unwrap_or_else(|refusal| refusal.answer())
}

/// What a handler says; a panic in it is a failure of this request alone.
pub fn taken<T>(handler: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    guarded(handler).unwrap_or_else(|panicked| Err(panicked.into()))
}
