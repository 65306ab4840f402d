//! Which handler answers which request? One line each. Those that say what there is, and so what there is not, need a complete table.

use roxmq_protocol::request::{self as ask, HeaderFields, Request};
use roxmq_remoting::Answer;

use crate::error::Refusal;
use crate::handlers::{config, keys, lists, registration, topics};
use crate::{Call, NameServer};

macro_rules! routes {
    ($($request:ident $(($needs:ident))? => $handler:path,)*) => {
        /// Answers one request.
        pub(crate) fn answer(server: &NameServer, call: &Call<'_>) -> Answer {
            if needs_all(call.header.code) && !server.is_complete() {
                return Refusal::NotReady.into();
            }
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

        fn needs_all(code: i32) -> bool {
            match code {
                $($(ask::$request::CODE => stringify!($needs) == "complete",)?)*
                _ => false,
            }
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
    RouteByTopic (complete)             => topics::route,
    RegisterTopic                       => topics::register,
    DeleteTopicInNameServer             => topics::delete,
    WipeWritePerm                       => topics::wipe_write_perm,
    AddWritePerm                        => topics::add_write_perm,

    RegisterBroker                      => registration::register,
    UnregisterBroker                    => registration::unregister,
    QueryDataVersion                    => registration::data_version,
    BrokerHeartbeat                     => registration::heartbeat,

    ClusterInfo (complete)              => lists::cluster_info,
    BrokerMemberGroup (complete)        => lists::member_group,
    TopicsOfNameServer (complete)       => lists::topics,
    TopicsByCluster (complete)          => lists::topics_of_cluster,
    SystemTopicsOfNameServer (complete) => lists::system_topics,
    UnitTopics (complete)               => lists::unit_topics,
    UnitSubTopics (complete)            => lists::unit_sub_topics,
    UnitSubUnunitTopics (complete)      => lists::unit_sub_ununit_topics,

    PutKv                               => keys::put,
    ReadKv                              => keys::read,
    DeleteKv                            => keys::delete,
    KvNamespace                         => keys::namespace,

    UpdateNameServerConfig              => config::update,
    NameServerConfig                    => config::read,
}
