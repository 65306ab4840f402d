//! Requests of clients besides sends and pulls.

use super::declare::{header, requests};
use super::field::Text;
use crate::time::Timestamp;

header! {
    /// Answer that is a queue offset.
    OffsetReply { offset: i64 = "offset" }
}

header! {
    /// Answer to a query by key.
    QueryMessageReply {
        index_last_update_timestamp: i64 = "indexLastUpdateTimestamp",
        index_last_update_log_offset: i64 = "indexLastUpdatePhyoffset",
    }
}

header! {
    /// Answer to a heartbeat.
    HeartbeatReply {
        supports_v2: Option<bool> = "IS_SUPPORT_HEART_BEAT_V2",
        subscription_changed: Option<bool> = "IS_SUB_CHANGE",
    }
}

header! {
    /// Answer to a recall: the unique key of the recalled message.
    RecallReply<'a> {
        msg_id: Text<'a> = "msgId",
        region_id: Option<Text<'a>> = "MSG_REGION",
    }
}

header! {
    /// Answer that is a time.
    TimestampReply { timestamp: i64 = "timestamp" }
}

requests! {
    /// Finds messages by key, or by unique key if `_UNIQUE_KEY_QUERY` is true. Answer body: records, newest first.
    QueryMessage<'a> = 12 "QUERY_MESSAGE" {
        topic: Text<'a> = "topic",
        key: Text<'a> = "key",
        max_num: i32 = "maxNum" or 32,
        begin_timestamp: Timestamp = "beginTimestamp" or Timestamp(0),
        end_timestamp: Timestamp = "endTimestamp" or Timestamp::MAX,
        unique_key: Option<bool> = "_UNIQUE_KEY_QUERY",
        index_type: Option<Text<'a>> = "indexType",
    } -> QueryMessageReply, about Topic(topic);

    /// The committed offset of a group on a queue.
    QueryConsumerOffset<'a> = 14 "QUERY_CONSUMER_OFFSET" {
        consumer_group: Text<'a> = "consumerGroup",
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        set_zero_if_not_found: Option<bool> = "setZeroIfNotFound",
    } -> OffsetReply, about Topic(topic), Group(consumer_group);

    /// Commits a group's offset on a queue.
    UpdateConsumerOffset<'a> = 15 "UPDATE_CONSUMER_OFFSET" {
        consumer_group: Text<'a> = "consumerGroup",
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        commit_offset: i64 = "commitOffset",
    } -> (), about Topic(topic), Group(consumer_group);

    /// The offset in a queue at a time.
    SearchOffsetByTimestamp<'a> = 29 "SEARCH_OFFSET_BY_TIMESTAMP" {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        timestamp: Timestamp = "timestamp",
        boundary_type: Option<Text<'a>> = "boundaryType",
    } -> OffsetReply, about Topic(topic);

    /// The offset behind the last message of a queue.
    MaxOffset<'a> = 30 "GET_MAX_OFFSET" {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
    } -> OffsetReply, about Topic(topic);

    /// The offset of the first message of a queue.
    MinOffset<'a> = 31 "GET_MIN_OFFSET" {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
    } -> OffsetReply, about Topic(topic);

    /// When the first message of a queue was stored; -1 if the queue is empty.
    EarliestStoreTime<'a> = 32 "GET_EARLIEST_MSG_STORETIME" {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
    } -> TimestampReply, about Topic(topic);

    /// The record at a log offset. Answer body: one record.
    ViewMessageById<'a> = 33 "VIEW_MESSAGE_BY_ID" {
        topic: Option<Text<'a>> = "topic",
        offset: i64 = "offset",
    } -> (), about Topic(topic);

    /// A client's groups and subscriptions. Body: `HeartbeatData`.
    Heartbeat = 34 "HEART_BEAT" {} -> HeartbeatReply, about Body;

    /// A client leaves.
    UnregisterClient<'a> = 35 "UNREGISTER_CLIENT" {
        client_id: Text<'a> = "clientID",
        producer_group: Option<Text<'a>> = "producerGroup",
        consumer_group: Option<Text<'a>> = "consumerGroup",
    } -> (), about Group(consumer_group);

    /// A consumer sends a message back for a retry.
    ConsumerSendBack<'a> = 36 "CONSUMER_SEND_MSG_BACK" {
        offset: i64 = "offset",
        group: Text<'a> = "group",
        delay_level: i32 = "delayLevel",
        origin_msg_id: Option<Text<'a>> = "originMsgId",
        origin_topic: Option<Text<'a>> = "originTopic",
        unit_mode: Option<bool> = "unitMode",
        max_reconsume_times: Option<i32> = "maxReconsumeTimes",
    } -> (), about Group(group);

    /// A producer's decision about a half message: 8 commit, 12 rollback, 0 unknown.
    EndTransaction<'a> = 37 "END_TRANSACTION" {
        topic: Option<Text<'a>> = "topic",
        producer_group: Text<'a> = "producerGroup",
        tran_state_table_offset: i64 = "tranStateTableOffset",
        commit_log_offset: i64 = "commitLogOffset",
        commit_or_rollback: i32 = "commitOrRollback",
        from_transaction_check: bool = "fromTransactionCheck" or false,
        msg_id: Option<Text<'a>> = "msgId",
        transaction_id: Option<Text<'a>> = "transactionId",
    } -> (), about Topic(topic);

    /// Cancels a timed message before it is due.
    RecallMessage<'a> = 370 "RECALL_MESSAGE" {
        producer_group: Option<Text<'a>> = "producerGroup",
        topic: Text<'a> = "topic",
        recall_handle: Text<'a> = "recallHandle",
    } -> RecallReply<'a>, about Topic(topic);

    /// The client ids of a group. Answer body: `{"consumerIdList":[..]}`.
    ConsumerList<'a> = 38 "GET_CONSUMER_LIST_BY_GROUP" {
        consumer_group: Text<'a> = "consumerGroup",
    } -> (), about Group(consumer_group);

    /// Locks queues for an orderly consumer. Body: `LockBatchRequestBody`.
    LockQueues = 41 "LOCK_BATCH_MQ" {} -> (), about Body;

    /// Releases locked queues. Body: `LockBatchRequestBody`.
    UnlockQueues = 42 "UNLOCK_BATCH_MQ" {} -> (), about Body;

    /// Checks a subscription before it is used. Body: `CheckClientRequestBody`.
    CheckClientConfig = 46 "CHECK_CLIENT_CONFIG" {} -> (), about Body;

    /// Assigns queues to a member of a group. Body: `QueryAssignmentRequestBody`. Answer body: `{"messageQueueAssignments":[..]}`, or
    /// `{}` if the broker cannot tell and the member should keep its queues.
    QueryAssignment = 400 "QUERY_ASSIGNMENT" {} -> (), about Body;
}
