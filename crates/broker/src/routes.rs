//! Which request goes to which handler, and how it is run: one line each.
//!
//! - `send` and `pull` are the hot paths: see `shard/`.
//! - `turn`: answered at once, on the shard. For handlers that look things up and wait for nothing.
//! - `pool`: copied to a small pool. For handlers that read the disk, walk whole tables or are rare.
//! - `write`: as `pool`, on threads that may wait until something is written.
//! - `change`: as `write`, and answered once the change is durable: see `announce/changing.rs`.
//! - `decide`: decisions about half messages, on the pool and many at a time.
//! - `relay`: a client, or a NameServer, has to answer first.

use crate::announce::changing::Changed;
use crate::broker::Broker;
use crate::broker::Call;
use crate::error::Refusal;
use crate::requests::admin;
use crate::requests::assignment;
use crate::requests::consumers;
use crate::requests::groups;
use crate::requests::offsets;
use crate::requests::order;
use crate::requests::progress;
use crate::requests::query;
use crate::requests::relay;
use crate::requests::relay::Later;
use crate::requests::reply;
use crate::requests::resets;
use crate::requests::send_back;
use crate::requests::topics;
use crate::waiting::timer;
use crate::waiting::transaction;
use roxmq_protocol::request::{self, HeaderFields, Request};
use roxmq_remoting::Answer;
use std::sync::Arc;

pub use roxmq_protocol::request::SendForm;

/// A handler that answers itself.
pub type Handler = fn(&Broker, &Call<'_>) -> Result<Answer, Refusal>;
/// A handler that changes what is in the journal of changes.
pub type ChangeHandler = fn(&Broker, &Call<'_>) -> Result<Changed, Refusal>;
/// A handler whose answer comes from a client.
pub type RelayHandler = fn(&Arc<Broker>, &Call<'_>) -> Result<Later, Refusal>;

/// How a request is run.
#[derive(Clone, Copy)]
pub enum Route {
    /// Stores messages.
    Send(SendForm),
    /// Reads messages.
    Pull {
        /// From a lite pull consumer.
        lite: bool,
    },
    /// On the shard.
    Turn(Handler),
    /// On the pool.
    Pool(Handler),
    /// On the pool's threads that may wait for a write.
    Write(Handler),
    /// There too, answered when it is durable.
    Change(ChangeHandler),
    /// On the pool, many at a time.
    Decide,
    /// Through a client.
    Relay(RelayHandler),
}

/// A row of the documentation.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// Request code.
    pub code: i32,
    /// Java's name for it.
    pub name: &'static str,
    /// `send`, `pull`, `turn`, `pool`, `write`, `change`, `decide` or `relay`.
    pub lane: &'static str,
}

macro_rules! routes {
    ($($type:ident => $lane:ident $(($argument:expr))? $(, $handler:path)?;)*) => {
        /// How a request with this code is run; `None` is answered with "not supported".
        pub fn find(code: i32) -> Option<Route> {
            Some(match code {
                #[cfg(test)]
                ..0 => planted::find(code)?,
                $(<request::$type as Request>::CODE => routes!(@route $lane $type $(($argument))? $(, $handler)?),)*
                _ => return None,
            })
        }

        /// The requests that a broker serves.
        pub fn served() -> Vec<Served> {
            vec![$(Served {
                code: <request::$type as Request>::CODE,
                name: <request::$type as Request>::NAME,
                lane: stringify!($lane),
            }),*]
        }
    };
    (@route send $type:ident ($form:expr)) => { Route::Send($form) };
    (@route pull $type:ident ($lite:expr)) => { Route::Pull { lite: $lite } };
    (@route turn $type:ident, $handler:path) => {
        Route::Turn(|broker, call| $handler(broker, call, request::$type::read(&call.header.fields)?))
    };
    (@route pool $type:ident, $handler:path) => {
        Route::Pool(|broker, call| $handler(broker, call, request::$type::read(&call.header.fields)?))
    };
    (@route write $type:ident, $handler:path) => {
        Route::Write(|broker, call| $handler(broker, call, request::$type::read(&call.header.fields)?))
    };
    (@route change $type:ident, $handler:path) => {
        Route::Change(|broker, call| $handler(broker, call, request::$type::read(&call.header.fields)?))
    };
    (@route decide $type:ident) => { Route::Decide };
    (@route relay $type:ident, $handler:path) => {
        Route::Relay(|broker, call| $handler(broker, call, request::$type::read(&call.header.fields)?))
    };
}

routes! {
    SendMessageV1           => send(SendForm::Long);
    SendMessageV2           => send(SendForm::Short);
    SendBatchMessage        => send(SendForm::Short);
    PullMessage             => pull(false);
    LitePullMessage         => pull(true);

    QueryConsumerOffset     => turn, offsets::committed;
    UpdateConsumerOffset    => turn, offsets::commit;
    MaxOffset               => turn, offsets::max;
    MinOffset               => turn, offsets::min;
    SearchOffsetByTimestamp => pool, offsets::by_time;
    EarliestStoreTime       => pool, offsets::earliest_time;
    AllConsumerOffset       => pool, offsets::all;
    CloneOffset             => pool, offsets::copy;
    ResetOffset             => pool, resets::reset;
    ConsumerStatus          => relay, resets::status;

    SendReplyV1             => relay, reply::long;
    SendReplyV2             => relay, reply::short;
    ConsumerSendBack        => write, send_back::send_back;
    RecallMessage           => write, timer::recall;
    EndTransaction          => decide;
    ResumeTransaction       => write, transaction::resume;

    Heartbeat               => turn, consumers::heartbeat;
    UnregisterClient        => turn, consumers::unregister;
    ConsumerList            => turn, consumers::ids;
    CheckClientConfig       => turn, consumers::check;
    ConsumerConnections     => pool, consumers::connections;
    ProducerConnections     => pool, consumers::producers;
    AllProducers            => pool, consumers::all_producers;
    ConsumerRunningInfo     => relay, relay::running_info;
    ConsumeDirectly         => relay, relay::consume_directly;

    QueryAssignment         => relay, assignment::query;
    SetRequestMode          => change, assignment::set_mode;

    LockQueues              => turn, order::lock;
    UnlockQueues            => turn, order::unlock;

    QueryMessage            => pool, query::by_key;
    ViewMessageById         => pool, query::by_log_offset;
    QueryQueue              => pool, query::queue_entries;

    UpdateTopic             => change, topics::update;
    UpdateTopics            => change, topics::update_many;
    AllTopicConfig          => pool, topics::all;
    TopicConfig             => pool, topics::one;
    SystemTopicsOfBroker    => pool, topics::system;
    DeleteTopic             => change, topics::delete;
    CleanUnusedTopic        => write, topics::clean_unused;
    CleanExpiredQueues      => pool, topics::clean_expired;
    DeleteExpiredLog        => write, topics::delete_expired;

    UpdateGroup             => change, groups::update;
    UpdateGroups            => change, groups::update_many;
    AllGroupConfig          => pool, groups::all;
    GroupConfig             => pool, groups::one;
    GroupReadable           => change, groups::readable;
    DeleteGroup             => change, groups::delete;

    TopicStats              => pool, progress::of_topic;
    ConsumeStats            => pool, progress::of_group;
    BrokerConsumeStats      => pool, progress::of_all_groups;
    GroupsOfTopic           => pool, progress::groups_of_topic;
    TopicsOfGroup           => pool, progress::topics_of;
    SubscriptionOfGroup     => pool, progress::subscription;
    ConsumeTimeSpan         => pool, progress::time_span;

    BrokerConfig            => pool, admin::config;
    UpdateBrokerConfig      => write, admin::update_config;
    RuntimeInfo             => pool, admin::runtime_info;
    BrokerStats             => pool, admin::statistic;
    TimerMetrics            => pool, timer::metrics;
    HaStatus                => pool, admin::replication;
}

/// Handlers that panic, one for each way in which a handler is run.
#[cfg(test)]
pub mod planted {
    use super::Route;

    pub const TURN: i32 = -1001;
    pub const POOL: i32 = -1002;
    pub const CHANGE: i32 = -1003;
    pub const RELAY: i32 = -1004;
    pub const RELAY_LATER: i32 = -1005;

    pub fn find(code: i32) -> Option<Route> {
        Some(match code {
            TURN => Route::Turn(|_, _| panic!("planted")),
            POOL => Route::Pool(|_, _| panic!("planted")),
            CHANGE => Route::Change(|_, _| panic!("planted")),
            RELAY => Route::Relay(|_, _| panic!("planted")),
            RELAY_LATER => Route::Relay(|_, _| Ok(Box::pin(async { panic!("planted") }))),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_found_by_its_code() {
        for row in served() {
            assert!(find(row.code).is_some(), "{}", row.name);
        }
        assert!(find(-1).is_none() && find(105).is_none());
    }
}
