//! Requests of tools to a broker.

use super::declare::{header, requests};
use super::field::Text;
use crate::permission::Permission;

header! {
    /// Answer to a query of the topic table: the number of topics in all.
    TopicTotalReply { total_topic_num: Option<i32> = "totalTopicNum" }
}

header! {
    /// Answer to a query of the group table: the number of groups in all.
    GroupTotalReply { total_group_num: Option<i32> = "totalGroupNum" }
}

header! {
    /// Version of the configuration, a `DataVersion` as JSON.
    VersionReply<'a> { version: Text<'a> = "version" }
}

requests! {
    /// Creates a topic or changes its settings.
    UpdateTopic<'a> = 17 "UPDATE_AND_CREATE_TOPIC" {
        topic: Text<'a> = "topic",
        default_topic: Option<Text<'a>> = "defaultTopic",
        read_queue_nums: i32 = "readQueueNums",
        write_queue_nums: i32 = "writeQueueNums",
        perm: Permission = "perm",
        topic_filter_type: Option<Text<'a>> = "topicFilterType",
        topic_sys_flag: Option<i32> = "topicSysFlag",
        order: Option<bool> = "order",
        attributes: Option<Text<'a>> = "attributes",
        force: Option<bool> = "force",
    } -> (), about Topic(topic);

    /// Creates or changes several topics. Body: `{"topicConfigList":[TopicConfig]}`.
    UpdateTopics = 18 "UPDATE_AND_CREATE_TOPIC_LIST" {} -> (), about Body;

    /// The topic table, in pages when `topicSeq` is given. Answer body: `TopicConfigAndMappingSerializeWrapper`.
    AllTopicConfig<'a> = 21 "GET_ALL_TOPIC_CONFIG" {
        topic_seq: Option<i32> = "topicSeq",
        data_version: Option<Text<'a>> = "dataVersion",
        max_topic_num: Option<i32> = "maxTopicNum",
    } -> TopicTotalReply, about Cluster;

    /// Changes settings at run time. Body: properties text.
    UpdateBrokerConfig = 25 "UPDATE_BROKER_CONFIG" {} -> (), about Cluster;

    /// All settings. Answer body: properties text.
    BrokerConfig = 26 "GET_BROKER_CONFIG" {} -> VersionReply<'a>, about Cluster;

    /// Statistics and state of the running broker. Answer body: `KVTable`.
    RuntimeInfo = 28 "GET_BROKER_RUNTIME_INFO" {} -> (), about Cluster;

    /// All committed offsets. Answer body: `ConsumerOffsetSerializeWrapper`.
    AllConsumerOffset = 43 "GET_ALL_CONSUMER_OFFSET" {} -> (), about Cluster;

    /// How many timed messages wait, by topic. Answer body: `TimerMetricsBody`.
    TimerMetrics = 61 "GET_TIMER_METRICS" {} -> (), about Cluster;

    /// Creates a group or changes its settings. Body: `SubscriptionGroupConfig`.
    UpdateGroup = 200 "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP" {} -> (), about Body;

    /// The group table, in pages when `groupSeq` is given. Answer body: `SubscriptionGroupWrapper`.
    AllGroupConfig<'a> = 201 "GET_ALL_SUBSCRIPTIONGROUP_CONFIG" {
        group_seq: Option<i32> = "groupSeq",
        data_version: Option<Text<'a>> = "dataVersion",
        max_group_num: Option<i32> = "maxGroupNum",
    } -> GroupTotalReply, about Cluster;

    /// Offsets of every queue of a topic. Answer body: `TopicStatsTable`.
    TopicStats<'a> = 202 "GET_TOPIC_STATS_INFO" {
        topic: Text<'a> = "topic",
    } -> (), about Topic(topic);

    /// Connected consumers of a group. Answer body: `ConsumerConnection`.
    ConsumerConnections<'a> = 203 "GET_CONSUMER_CONNECTION_LIST" {
        consumer_group: Text<'a> = "consumerGroup",
    } -> (), about Group(consumer_group);

    /// Connected producers of a group. Answer body: `ProducerConnection`.
    ProducerConnections<'a> = 204 "GET_PRODUCER_CONNECTION_LIST" {
        producer_group: Text<'a> = "producerGroup",
    } -> (), about Cluster;

    /// Deletes a group.
    DeleteGroup<'a> = 207 "DELETE_SUBSCRIPTIONGROUP" {
        group_name: Text<'a> = "groupName",
        clean_offset: Option<bool> = "cleanOffset",
    } -> (), about Group(group_name);

    /// A group's offsets and lag. Answer body: `ConsumeStats`.
    ConsumeStats<'a> = 208 "GET_CONSUME_STATS" {
        consumer_group: Text<'a> = "consumerGroup",
        topic: Option<Text<'a>> = "topic",
        topic_list: Option<Text<'a>> = "topicList",
    } -> (), about Group(consumer_group), Topic(topic), TopicList(topic_list);

    /// Deletes a topic and its groups' offsets.
    DeleteTopic<'a> = 215 "DELETE_TOPIC_IN_BROKER" {
        topic: Text<'a> = "topic",
    } -> (), about Topic(topic);

    /// Moves a group's offsets. Answer body: `{"offsetTable":{MQ:offset}}`.
    ResetOffset<'a> = 222 "INVOKE_BROKER_TO_RESET_OFFSET" {
        group: Text<'a> = "group",
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId" or -1,
        offset: Option<i64> = "offset",
        timestamp: i64 = "timestamp" or -1,
        is_force: bool = "isForce" or true,
    } -> (), about Topic(topic), Group(group);

    /// The offsets of a group's clients in a topic; of one client if `clientAddr` is its id. Answer body:
    /// `{"consumerTable":{client:{MQ:offset}}}`.
    ConsumerStatus<'a> = 223 "INVOKE_BROKER_TO_GET_CONSUMER_STATUS" {
        topic: Text<'a> = "topic",
        group: Text<'a> = "group",
        client_addr: Option<Text<'a>> = "clientAddr",
    } -> (), about Topic(topic), Group(group);

    /// Creates or changes several groups. Body: `{"groupConfigList":[..]}`.
    UpdateGroups = 225 "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST" {} -> (), about Body;

    /// The groups that consume a topic. Answer body: `{"groupList":[..]}`.
    GroupsOfTopic<'a> = 300 "QUERY_TOPIC_CONSUME_BY_WHO" {
        topic: Text<'a> = "topic",
    } -> (), about Topic(topic);

    /// The time span of a topic's messages, and where a group is in it. Answer body: `{"consumeTimeSpanSet":[..]}`.
    ConsumeTimeSpan<'a> = 303 "QUERY_CONSUME_TIME_SPAN" {
        topic: Text<'a> = "topic",
        group: Text<'a> = "group",
    } -> (), about Topic(topic), Group(group);

    /// System topics. Answer body: `TopicList`.
    SystemTopicsOfBroker = 305 "GET_SYSTEM_TOPIC_LIST_FROM_BROKER" {} -> (), about Cluster;

    /// Deletes index entries whose messages are gone. Here nothing to do: they go with their segment.
    CleanExpiredQueues = 306 "CLEAN_EXPIRED_CONSUMEQUEUE" {} -> (), about Cluster;

    /// Copies a group's offsets to another group.
    CloneOffset<'a> = 314 "CLONE_GROUP_OFFSET" {
        src_group: Text<'a> = "srcGroup",
        dest_group: Text<'a> = "destGroup",
        topic: Option<Text<'a>> = "topic",
        offline: Option<bool> = "offline",
    } -> (), about Group(src_group), Group(dest_group), Topic(topic);

    /// One statistic. Answer body: `BrokerStatsData`.
    BrokerStats<'a> = 315 "VIEW_BROKER_STATS_DATA" {
        stats_name: Text<'a> = "statsName",
        stats_key: Text<'a> = "statsKey",
    } -> (), about Cluster;

    /// Deletes the queues of deleted topics.
    CleanUnusedTopic = 316 "CLEAN_UNUSED_TOPIC" {} -> (), about Cluster;

    /// Offsets and lag of all groups. Answer body: `ConsumeStatsList`.
    BrokerConsumeStats = 317 "GET_BROKER_CONSUME_STATS" {
        is_order: bool = "isOrder" or false,
    } -> (), about Cluster;

    /// Entries of a queue. Answer body: `QueryConsumeQueueResponseBody`.
    QueryQueue<'a> = 321 "QUERY_CONSUME_QUEUE" {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        index: i64 = "index",
        count: i32 = "count",
        consumer_group: Option<Text<'a>> = "consumerGroup",
    } -> (), about Topic(topic), Group(consumer_group);

    /// Resumes checking back a half message that was given up.
    ResumeTransaction<'a> = 323 "RESUME_CHECK_HALF_MESSAGE" {
        topic: Option<Text<'a>> = "topic",
        msg_id: Text<'a> = "msgId",
    } -> (), about Topic(topic);

    /// All producers. Answer body: `ProducerTableInfo`.
    AllProducers = 328 "GET_ALL_PRODUCER_INFO" {} -> (), about Cluster;

    /// Deletes expired log segments now.
    DeleteExpiredLog = 329 "DELETE_EXPIRED_COMMITLOG" {} -> (), about Cluster;

    /// Topics a group consumes. Answer body: `{"topicList":[..]}`.
    TopicsOfGroup<'a> = 343 "QUERY_TOPICS_BY_CONSUMER" {
        group: Text<'a> = "group",
    } -> (), about Group(group);

    /// A group's subscription to a topic. Answer body: `{"group","topic","subscriptionData"}`.
    SubscriptionOfGroup<'a> = 345 "QUERY_SUBSCRIPTION_BY_CONSUMER" {
        group: Text<'a> = "group",
        topic: Text<'a> = "topic",
    } -> (), about Topic(topic), Group(group);

    /// One topic's settings. Answer body: `TopicConfigAndQueueMapping`.
    TopicConfig<'a> = 351 "GET_TOPIC_CONFIG" {
        topic: Text<'a> = "topic",
    } -> (), about Topic(topic);

    /// One group's settings. Answer body: `SubscriptionGroupConfig`.
    GroupConfig<'a> = 352 "GET_SUBSCRIPTIONGROUP_CONFIG" {
        group: Text<'a> = "group",
    } -> (), about Group(group);

    /// Whether a group may read a topic; changes it if `readable` is given. Answer body: `{"group","topic","readable"}`.
    GroupReadable<'a> = 353 "UPDATE_AND_GET_GROUP_FORBIDDEN" {
        group: Text<'a> = "group",
        topic: Text<'a> = "topic",
        readable: Option<bool> = "readable",
    } -> (), about Topic(topic), Group(group);

    /// Sets how a group gets the messages of a topic. Body: `{"topic","consumerGroup","mode","popShareQueueNum"}`.
    SetRequestMode = 401 "SET_MESSAGE_REQUEST_MODE" {} -> (), about Body;

    /// State of replication. Answer body: `HARuntimeInfo`.
    HaStatus = 907 "GET_BROKER_HA_STATUS" {} -> (), about Cluster;
}
