//! What is answered when clusters, brokers and topics are listed?

use roxmq_protocol::body::{GetBrokerMemberGroupResponseBody, TopicList};
use roxmq_protocol::request::{
    BrokerMemberGroup, ClusterInfo, SystemTopicsOfNameServer, TopicsByCluster, TopicsOfNameServer, UnitSubTopics, UnitSubUnunitTopics,
    UnitTopics,
};

use roxmq_remoting::Call;

use super::{Handled, viewer, with_body};
use crate::error::Refusal;
use crate::nameserver::NameServer;
use crate::table::{self, RouteTable};

/// All clusters and brokers.
pub(crate) fn cluster_info(server: &NameServer, call: &Call<'_>, _: ClusterInfo) -> Handled {
    with_body(&server.table.read().cluster_info(&viewer(call)))
}

/// The living brokers of one group.
pub(crate) fn member_group(server: &NameServer, call: &Call<'_>, request: BrokerMemberGroup<'_>) -> Handled {
    let group = server.table.read().member_group(&request.cluster_name, &request.broker_name, &viewer(call));
    with_body(&GetBrokerMemberGroupResponseBody { broker_member_group: group })
}

/// All topics.
pub(crate) fn topics(server: &NameServer, _: &Call<'_>, _: TopicsOfNameServer) -> Handled {
    if !server.config().all_topic_list {
        return Err(Refusal::ListForbidden);
    }
    with_body(&server.table.read().topics())
}

/// The topics of one cluster.
pub(crate) fn topics_of_cluster(server: &NameServer, _: &Call<'_>, request: TopicsByCluster<'_>) -> Handled {
    list(server, |table| table.topics_of_cluster(&request.cluster))
}

/// Names of clusters and brokers.
pub(crate) fn system_topics(server: &NameServer, call: &Call<'_>, _: SystemTopicsOfNameServer) -> Handled {
    with_body(&server.table.read().system_topics(&viewer(call)))
}

/// Topics of units.
pub(crate) fn unit_topics(server: &NameServer, _: &Call<'_>, _: UnitTopics) -> Handled {
    list(server, |table| table.unit_topics(table::UnitTopics::Unit))
}

/// Topics that units subscribe to.
pub(crate) fn unit_sub_topics(server: &NameServer, _: &Call<'_>, _: UnitSubTopics) -> Handled {
    list(server, |table| table.unit_topics(table::UnitTopics::WithUnitSubscription))
}

/// Topics of no unit that units subscribe to.
pub(crate) fn unit_sub_ununit_topics(server: &NameServer, _: &Call<'_>, _: UnitSubUnunitTopics) -> Handled {
    list(server, |table| table.unit_topics(table::UnitTopics::OutsideWithUnitSubscription))
}

fn list(server: &NameServer, topics: impl FnOnce(&RouteTable) -> TopicList) -> Handled {
    if !server.config().topic_list {
        return Err(Refusal::ListForbidden);
    }
    with_body(&topics(&server.table.read()))
}
