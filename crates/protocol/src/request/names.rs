//! Requests to a NameServer, from clients, brokers and tools.

use super::declare::{header, requests};
use super::field::Text;

header! {
    /// Answer to a registration: the master of the broker's group.
    RegisterBrokerReply<'a> {
        ha_server_addr: Option<Text<'a>> = "haServerAddr",
        master_addr: Option<Text<'a>> = "masterAddr",
    }
}

header! {
    /// Answer that is a KV value.
    KvValueReply<'a> { value: Text<'a> = "value" }
}

header! {
    /// Answer: has the broker's table of topics changed?
    ChangedReply { changed: bool = "changed" }
}

header! {
    /// Answer: how many topics lost the write permission.
    WipeWriteReply { wipe_topic_count: i32 = "wipeTopicCount" }
}

header! {
    /// Answer: how many topics got the write permission back.
    AddWriteReply { add_topic_count: i32 = "addTopicCount" }
}

requests! {
    /// Stores a value.
    PutKv<'a> = 100 "PUT_KV_CONFIG" {
        namespace: Text<'a> = "namespace",
        key: Text<'a> = "key",
        value: Text<'a> = "value",
    } -> (), about Cluster;

    /// Reads a value.
    ReadKv<'a> = 101 "GET_KV_CONFIG" {
        namespace: Text<'a> = "namespace",
        key: Text<'a> = "key",
    } -> KvValueReply<'a>, about Cluster;

    /// Removes a value.
    DeleteKv<'a> = 102 "DELETE_KV_CONFIG" {
        namespace: Text<'a> = "namespace",
        key: Text<'a> = "key",
    } -> (), about Cluster;

    /// A broker announces itself and its topics. Body: `RegisterBrokerBody`, plain or compressed.
    RegisterBroker<'a> = 103 "REGISTER_BROKER" {
        broker_name: Text<'a> = "brokerName",
        broker_addr: Text<'a> = "brokerAddr",
        cluster_name: Text<'a> = "clusterName",
        ha_server_addr: Option<Text<'a>> = "haServerAddr",
        broker_id: i64 = "brokerId",
        heartbeat_timeout_ms: Option<i64> = "heartbeatTimeoutMillis",
        enable_acting_master: Option<bool> = "enableActingMaster",
        compressed: bool = "compressed" or false,
        body_crc32: i32 = "bodyCrc32" or 0,
        zone_name: Option<Text<'a>> = "__ZONE_NAME",
        auto_address: Option<bool> = "roxmqAutoAddress",
        started_ms: Option<i64> = "roxmqStarted",
    } -> RegisterBrokerReply<'a>, about Cluster;

    /// A broker leaves.
    UnregisterBroker<'a> = 104 "UNREGISTER_BROKER" {
        broker_name: Text<'a> = "brokerName",
        broker_addr: Text<'a> = "brokerAddr",
        cluster_name: Text<'a> = "clusterName",
        broker_id: i64 = "brokerId",
    } -> (), about Cluster;

    /// Which brokers hold a topic. Answer body: `TopicRouteData`.
    RouteByTopic<'a> = 105 "GET_ROUTEINFO_BY_TOPIC" {
        topic: Text<'a> = "topic",
        accept_standard_json_only: Option<bool> = "acceptStandardJsonOnly",
    } -> (), about Topic(topic);

    /// Clusters and brokers. Answer body: `ClusterInfo`.
    ClusterInfo = 106 "GET_BROKER_CLUSTER_INFO" {} -> (), about Cluster;

    /// Removes the write permission of a broker's queues from routes.
    WipeWritePerm<'a> = 205 "WIPE_WRITE_PERM_OF_BROKER" {
        broker_name: Text<'a> = "brokerName",
    } -> WipeWriteReply, about Cluster;

    /// All topics.
    TopicsOfNameServer = 206 "GET_ALL_TOPIC_LIST_FROM_NAMESERVER" {} -> (), about Cluster;

    /// Removes a topic, of one cluster or of all.
    DeleteTopicInNameServer<'a> = 216 "DELETE_TOPIC_IN_NAMESRV" {
        topic: Text<'a> = "topic",
        cluster_name: Option<Text<'a>> = "clusterName",
    } -> (), about Topic(topic);

    /// Adds one topic of a broker. Body: `TopicRouteData`.
    RegisterTopic<'a> = 217 "REGISTER_TOPIC_IN_NAMESRV" {
        topic: Text<'a> = "topic",
    } -> (), about Topic(topic);

    /// All values of a namespace. Answer body: `KVTable`.
    KvNamespace<'a> = 219 "GET_KVLIST_BY_NAMESPACE" {
        namespace: Text<'a> = "namespace",
    } -> (), about Cluster;

    /// The topics of a cluster.
    TopicsByCluster<'a> = 224 "GET_TOPICS_BY_CLUSTER" {
        cluster: Text<'a> = "cluster",
    } -> (), about Cluster;

    /// The names of clusters and brokers, which are topics too.
    SystemTopicsOfNameServer = 304 "GET_SYSTEM_TOPIC_LIST_FROM_NS" {} -> (), about Cluster;

    /// Topics of units.
    UnitTopics = 311 "GET_UNIT_TOPIC_LIST" {} -> (), about Cluster;

    /// Topics with subscriptions of units.
    UnitSubTopics = 312 "GET_HAS_UNIT_SUB_TOPIC_LIST" {} -> (), about Cluster;

    /// Topics of no unit with subscriptions of units.
    UnitSubUnunitTopics = 313 "GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST" {} -> (), about Cluster;

    /// Changes settings of the NameServer. Body: properties text.
    UpdateNameServerConfig = 318 "UPDATE_NAMESRV_CONFIG" {} -> (), about Cluster;

    /// The settings of the NameServer. Answer body: properties text.
    NameServerConfig = 319 "GET_NAMESRV_CONFIG" {} -> (), about Cluster;

    /// Whether a broker's topics changed since the version in the body. Body: `DataVersion`.
    QueryDataVersion<'a> = 322 "QUERY_DATA_VERSION" {
        broker_name: Text<'a> = "brokerName",
        broker_addr: Text<'a> = "brokerAddr",
        cluster_name: Text<'a> = "clusterName",
        broker_id: i64 = "brokerId",
    } -> ChangedReply, about Cluster;

    /// Restores the write permission of a broker's queues in routes.
    AddWritePerm<'a> = 327 "ADD_WRITE_PERM_OF_BROKER" {
        broker_name: Text<'a> = "brokerName",
    } -> AddWriteReply, about Cluster;

    /// The registered brokers of one name. Answer body: `{"brokerMemberGroup":{..}}`.
    BrokerMemberGroup<'a> = 901 "GET_BROKER_MEMBER_GROUP" {
        cluster_name: Text<'a> = "clusterName",
        broker_name: Text<'a> = "brokerName",
    } -> (), about Cluster;

    /// A broker's sign of life.
    BrokerHeartbeat<'a> = 904 "BROKER_HEARTBEAT" {
        cluster_name: Text<'a> = "clusterName",
        broker_addr: Text<'a> = "brokerAddr",
        broker_name: Text<'a> = "brokerName",
        broker_id: Option<i64> = "brokerId",
        heartbeat_timeout_ms: Option<i64> = "heartbeatTimeoutMills",
    } -> (), about Cluster;

    /// NameServer to broker: the lowest registered broker id of the name has changed.
    NotifyMinBrokerIdChange<'a> = 905 "NOTIFY_MIN_BROKER_ID_CHANGE" {
        min_broker_id: i64 = "minBrokerId" or 0,
        broker_name: Option<Text<'a>> = "brokerName",
        min_broker_addr: Option<Text<'a>> = "minBrokerAddr",
        offline_broker_addr: Option<Text<'a>> = "offlineBrokerAddr",
        ha_broker_addr: Option<Text<'a>> = "haBrokerAddr",
    } -> (), about Cluster;
}
