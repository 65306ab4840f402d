//! Which request goes to which handler, how is it run, and who may send it? One row each.
//!
//! - `Send` and `Pull` are the hot paths: see `shard/`.
//! - `Turn`: answered at once, on the shard. For handlers that look things up and never wait.
//! - `Pool`: copied to a small pool. For handlers that read the disk, walk whole tables or are rare.
//! - `Write`: as `Pool`, on threads that may wait until something is written.
//! - `Change`: as `Write`, and answered once the change is confirmed: see `announce/changing`.
//! - `Decide`: decisions about half messages, on the pool and many at a time.
//! - `Relay`: answered once a client or a NameServer has answered.

use crate::broker::Broker;
use crate::error::Refusal;
use crate::registration::pending::Changed;
use crate::requests::pull::PullForm;
use crate::requests::relay::FutureAnswer;
use crate::requests::{
    admin, assignment, consumers, groups, offsets, order, progress, query, relay, reply, resets, send_back, timers, topics, transactions,
};
use roxmq_remoting::{Answer, Call, Route, routes};
use std::sync::Arc;

pub use roxmq_protocol::request::SendForm;

/// A handler that answers itself.
pub type Handler = fn(&Broker, &Call<'_>) -> Result<Answer, Refusal>;
/// A handler that changes tables that are journaled.
pub type ChangeHandler = fn(&Broker, &Call<'_>) -> Result<Changed, Refusal>;
/// A handler whose answer comes from a client.
pub type RelayHandler = fn(&Arc<Broker>, &Call<'_>) -> Result<FutureAnswer, Refusal>;

/// How a request is run.
#[derive(Clone, Copy)]
pub enum Lane {
    /// Stores messages.
    Send(SendForm),
    /// Reads messages.
    Pull(PullForm),
    /// On the shard.
    Turn(Handler),
    /// On the pool.
    Pool(Handler),
    /// On the pool's threads that may wait for a write.
    Write(Handler),
    /// There too, answered once it is confirmed.
    Change(ChangeHandler),
    /// On the pool, many at a time.
    Decide,
    /// Through a client.
    Relay(RelayHandler),
}

/// How a request with this code is run, and who may send it; `None` is answered with "not supported".
pub fn route(code: i32) -> Option<&'static Route<Lane>> {
    #[cfg(test)]
    if let Some(route) = planted::find(code) {
        return Some(route);
    }
    find(code)
}

routes! {
    Lane;
    SendMessageV1           => Send(SendForm::Long), Publish;
    SendMessageV2           => Send(SendForm::Short), Publish;
    SendBatchMessage        => Send(SendForm::Short), Publish;
    PullMessage             => Pull(PullForm::Full), Subscribe;
    LitePullMessage         => Pull(PullForm::Lite), Subscribe;

    QueryConsumerOffset     => Turn,   Subscribe, offsets::committed;
    UpdateConsumerOffset    => Turn,   Subscribe, offsets::commit;
    MaxOffset               => Turn,   Subscribe, offsets::max;
    MinOffset               => Turn,   Subscribe, offsets::min;
    SearchOffsetByTimestamp => Pool,   Subscribe, offsets::by_time;
    EarliestStoreTime       => Pool,   Admin,     offsets::earliest_time;
    AllConsumerOffset       => Pool,   Internal,  offsets::all;
    CloneOffset             => Pool,   Admin,     offsets::copy;
    ResetOffset             => Pool,   Admin,     resets::reset;
    ConsumerStatus          => Relay,  Admin,     resets::status;

    SendReplyV1             => Relay,  Publish,   reply::long;
    SendReplyV2             => Relay,  Publish,   reply::short;
    ConsumerSendBack        => Write,  Subscribe, send_back::send_back;
    RecallMessage           => Write,  Publish,   timers::recall;
    EndTransaction          => Decide, Publish;
    ResumeTransaction       => Write,  Admin,     transactions::resume;

    Heartbeat               => Turn,   Any,       consumers::heartbeats::heartbeat;
    UnregisterClient        => Turn,   Any,       consumers::heartbeats::unregister;
    ConsumerList            => Turn,   Subscribe, consumers::connections::ids;
    CheckClientConfig       => Turn,   Subscribe, consumers::heartbeats::check;
    ConsumerConnections     => Pool,   Admin,     consumers::connections::connections;
    ProducerConnections     => Pool,   Admin,     consumers::connections::producers;
    AllProducers            => Pool,   Admin,     consumers::connections::all_producers;
    ConsumerRunningInfo     => Relay,  Admin,     relay::running_info;
    ConsumeDirectly         => Relay,  Admin,     relay::consume_directly;

    QueryAssignment         => Relay,  Subscribe, assignment::query;
    SetRequestMode          => Change, Admin,     assignment::set_mode;

    LockQueues              => Turn,   Subscribe, order::lock;
    UnlockQueues            => Turn,   Subscribe, order::unlock;

    QueryMessage            => Pool,   Subscribe, query::by_key;
    ViewMessageById         => Pool,   Subscribe, query::by_log_offset;
    QueryQueue              => Pool,   Admin,     query::queue_entries;

    UpdateTopic             => Change, Admin,     topics::update;
    UpdateTopics            => Change, Admin,     topics::update_many;
    AllTopicConfig          => Pool,   Internal,  topics::all;
    TopicConfig             => Pool,   Admin,     topics::one;
    SystemTopicsOfBroker    => Pool,   Admin,     topics::system;
    DeleteTopic             => Change, Admin,     topics::deleting::delete;
    CleanUnusedTopic        => Write,  Admin,     topics::deleting::clean_unused;
    CleanExpiredQueues      => Pool,   Admin,     topics::deleting::clean_expired;
    DeleteExpiredLog        => Write,  Admin,     topics::deleting::delete_expired;

    UpdateGroup             => Change, Admin,     groups::update;
    UpdateGroups            => Change, Admin,     groups::update_many;
    AllGroupConfig          => Pool,   Internal,  groups::all;
    GroupConfig             => Pool,   Admin,     groups::one;
    GroupReadable           => Change, Admin,     groups::readable;
    DeleteGroup             => Change, Admin,     groups::delete;

    TopicStats              => Pool,   Admin,     progress::of_topic;
    ConsumeStats            => Pool,   Admin,     progress::of_group;
    BrokerConsumeStats      => Pool,   Admin,     progress::of_all_groups;
    GroupsOfTopic           => Pool,   Admin,     progress::groups_of_topic;
    TopicsOfGroup           => Pool,   Admin,     progress::topics_of;
    SubscriptionOfGroup     => Pool,   Admin,     progress::subscription;
    ConsumeTimeSpan         => Pool,   Admin,     progress::time_span;

    BrokerConfig            => Pool,   Admin,     admin::settings::current;
    UpdateBrokerConfig      => Write,  Admin,     admin::settings::update;
    RuntimeInfo             => Pool,   Admin,     admin::figures::runtime_info;
    BrokerStats             => Pool,   Admin,     admin::figures::statistic;
    TimerMetrics            => Pool,   Internal,  timers::metrics;
    HaStatus                => Pool,   Admin,     admin::figures::replication;
}

/// Handlers that panic, one for each way in which a handler is run.
#[cfg(test)]
pub mod planted {
    use super::Lane;
    use roxmq_protocol::request::Subject;
    use roxmq_remoting::{Access, Route};

    pub const TURN: i32 = -1001;
    pub const POOL: i32 = -1002;
    pub const CHANGE: i32 = -1003;
    pub const RELAY: i32 = -1004;
    pub const RELAY_LATER: i32 = -1005;

    pub fn find(code: i32) -> Option<&'static Route<Lane>> {
        let lane = match code {
            TURN => Lane::Turn(|_, _| panic!("planted")),
            POOL => Lane::Pool(|_, _| panic!("planted")),
            CHANGE => Lane::Change(|_, _| panic!("planted")),
            RELAY => Lane::Relay(|_, _| panic!("planted")),
            RELAY_LATER => Lane::Relay(|_, _| Ok(Box::pin(async { panic!("planted") }))),
            _ => return None,
        };
        Some(Box::leak(Box::new(Route { lane, access: Access::Any, subject: Subject::Cluster, resources: |_, _| Ok(()) })))
    }
}
