//! Which handler answers which request? One line each.

use roxmq_protocol::request::{self as ask, HeaderFields, Request};
use roxmq_remoting::Answer;

use crate::error::Refusal;
use crate::handlers::{config, keys, lists, registration, topics};
use crate::{Call, NameServer};

macro_rules! routes {
    ($($request:ident => $handler:path,)*) => {
        /// Answers one request.
        pub(crate) fn answer(server: &NameServer, call: &Call<'_>) -> Answer {
            let answer = match call.header.code {
                $(ask::$request::CODE => {
                    ask::$request::read(&call.header.fields).map_err(Refusal::from).and_then(|request| $handler(server, call, request))
                })*
                #[cfg(test)]
                PANICS => panic!("planted"),
                code => Err(Refusal::NotSupported(code)),
            };
            answer.unwrap_or_else(Answer::from)
        }

        /// The codes of the requests that a NameServer serves.
        pub fn served() -> Vec<i32> {
            vec![$(ask::$request::CODE),*]
        }
    };
}

/// What a handler would be asked for that panics.
#[cfg(test)]
pub(crate) const PANICS: i32 = -1001;

routes! {
    RouteByTopic             => topics::route,
    RegisterTopic            => topics::register,
    DeleteTopicInNameServer  => topics::delete,
    WipeWritePerm            => topics::wipe_write_perm,
    AddWritePerm             => topics::add_write_perm,

    RegisterBroker           => registration::register,
    UnregisterBroker         => registration::unregister,
    QueryDataVersion         => registration::data_version,
    BrokerHeartbeat          => registration::heartbeat,

    ClusterInfo              => lists::cluster_info,
    BrokerMemberGroup        => lists::member_group,
    TopicsOfNameServer       => lists::topics,
    TopicsByCluster          => lists::topics_of_cluster,
    SystemTopicsOfNameServer => lists::system_topics,
    UnitTopics               => lists::unit_topics,
    UnitSubTopics            => lists::unit_sub_topics,
    UnitSubUnunitTopics      => lists::unit_sub_ununit_topics,

    PutKv                    => keys::put,
    ReadKv                   => keys::read,
    DeleteKv                 => keys::delete,
    KvNamespace              => keys::namespace,

    UpdateNameServerConfig   => config::update,
    NameServerConfig         => config::read,
}
