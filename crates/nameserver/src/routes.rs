//! Which handler answers which request? One row each. Requests that list things, and so deny others, need a complete table.

use roxmq_remoting::{Answer, Call, routes};

use crate::error::Refusal;
use crate::handlers::{Handled, config, keys, lists, registration, topics};
use crate::nameserver::NameServer;

type Handler = fn(&NameServer, &Call<'_>) -> Handled;

/// When a request is answered. All are answered at once, on the connection's shard.
enum Lane {
    /// From the start on.
    Always(Handler),
    /// Refused with "not ready" until the table is complete.
    Complete(Handler),
}

/// Answers one request.
pub(crate) fn answer(server: &NameServer, call: &Call<'_>) -> Answer {
    #[cfg(test)]
    assert_ne!(call.header.code, PANICS, "planted");
    let Some(route) = find(call.header.code) else {
        return Refusal::NotSupported(call.header.code).into();
    };
    let answer = match &route.lane {
        Lane::Complete(_) if !server.is_complete() => Err(Refusal::NotReady),
        Lane::Always(handler) | Lane::Complete(handler) => handler(server, call),
    };
    answer.unwrap_or_else(Answer::from)
}

/// The code of a handler that panics.
#[cfg(test)]
pub(crate) const PANICS: i32 = -1001;

routes! {
    Lane;
    RouteByTopic             => Complete, Any,      topics::route;
    RegisterTopic            => Always,   Internal, topics::register;
    DeleteTopicInNameServer  => Always,   Admin,    topics::delete;
    WipeWritePerm            => Always,   Admin,    topics::wipe_write_perm;
    AddWritePerm             => Always,   Admin,    topics::add_write_perm;

    RegisterBroker           => Always,   Internal, registration::register;
    UnregisterBroker         => Always,   Internal, registration::unregister;
    QueryDataVersion         => Always,   Internal, registration::data_version;
    BrokerHeartbeat          => Always,   Internal, registration::heartbeat;

    ClusterInfo              => Complete, Admin,    lists::cluster_info;
    BrokerMemberGroup        => Complete, Internal, lists::member_group;
    TopicsOfNameServer       => Complete, Admin,    lists::topics;
    TopicsByCluster          => Complete, Admin,    lists::topics_of_cluster;
    SystemTopicsOfNameServer => Complete, Admin,    lists::system_topics;
    UnitTopics               => Complete, Admin,    lists::unit_topics;
    UnitSubTopics            => Complete, Admin,    lists::unit_sub_topics;
    UnitSubUnunitTopics      => Complete, Admin,    lists::unit_sub_ununit_topics;

    PutKv                    => Always,   Admin,    keys::put;
    ReadKv                   => Always,   Admin,    keys::read;
    DeleteKv                 => Always,   Admin,    keys::delete;
    KvNamespace              => Always,   Internal, keys::namespace;

    UpdateNameServerConfig   => Always,   Admin,    config::update;
    NameServerConfig         => Always,   Admin,    config::read;
}
