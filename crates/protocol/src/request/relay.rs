//! Requests that a broker sends to a client, some of them relayed for a tool.

use super::declare::requests;
use super::field::Text;
use crate::time::Timestamp;

requests! {
    /// Checks back a half message; the producer answers with 37. Body: the message as one record.
    CheckTransaction<'a> = 39 "CHECK_TRANSACTION_STATE" {
        topic: Option<Text<'a>> = "topic",
        tran_state_table_offset: i64 = "tranStateTableOffset",
        commit_log_offset: i64 = "commitLogOffset",
        msg_id: Option<Text<'a>> = "msgId",
        transaction_id: Option<Text<'a>> = "transactionId",
        offset_msg_id: Option<Text<'a>> = "offsetMsgId",
    } -> (), about Topic(topic);

    /// The members or subscriptions of a group changed: rebalance now.
    NotifyConsumerIdsChanged<'a> = 40 "NOTIFY_CONSUMER_IDS_CHANGED" {
        consumer_group: Text<'a> = "consumerGroup",
    } -> (), about Group(consumer_group);

    /// A group's offsets were reset. Body: `ResetOffsetBody`.
    ResetClientOffset<'a> = 220 "RESET_CONSUMER_CLIENT_OFFSET" {
        topic: Text<'a> = "topic",
        group: Text<'a> = "group",
        timestamp: i64 = "timestamp",
        is_force: bool = "isForce",
    } -> (), about Topic(topic), Group(group);

    /// A client's offsets. Answer body: `{"messageQueueTable":{MQ:offset}}`.
    ConsumerStatusFromClient<'a> = 221 "GET_CONSUMER_STATUS_FROM_CLIENT" {
        topic: Text<'a> = "topic",
        group: Text<'a> = "group",
        client_addr: Option<Text<'a>> = "clientAddr",
    } -> (), about Topic(topic), Group(group);

    /// A consumer's state, relayed to the client. Answer body: `ConsumerRunningInfo`, passed on unchanged.
    ConsumerRunningInfo<'a> = 307 "GET_CONSUMER_RUNNING_INFO" {
        consumer_group: Text<'a> = "consumerGroup",
        client_id: Text<'a> = "clientId",
        jstack_enable: Option<bool> = "jstackEnable",
    } -> (), about Group(consumer_group);

    /// Makes a client consume one message now, relayed to the client. Body to the client: the record.
    ConsumeDirectly<'a> = 309 "CONSUME_MESSAGE_DIRECTLY" {
        consumer_group: Text<'a> = "consumerGroup",
        client_id: Option<Text<'a>> = "clientId",
        msg_id: Option<Text<'a>> = "msgId",
        broker_name: Option<Text<'a>> = "brokerName",
        topic: Option<Text<'a>> = "topic",
        topic_sys_flag: Option<i32> = "topicSysFlag",
        group_sys_flag: Option<i32> = "groupSysFlag",
    } -> (), about Group(consumer_group), Topic(topic);

    /// Brings a reply to the producer that waits for it. Body: the reply.
    PushReply<'a> = 326 "PUSH_REPLY_MESSAGE_TO_CLIENT" {
        producer_group: Text<'a> = "producerGroup",
        topic: Text<'a> = "topic",
        default_topic: Text<'a> = "defaultTopic",
        default_topic_queue_nums: i32 = "defaultTopicQueueNums",
        queue_id: i32 = "queueId",
        sys_flag: i32 = "sysFlag",
        born_timestamp: Timestamp = "bornTimestamp",
        flag: i32 = "flag",
        properties: Text<'a> = "properties",
        reconsume_times: i32 = "reconsumeTimes" or 0,
        unit_mode: bool = "unitMode" or false,
        born_host: Text<'a> = "bornHost",
        store_host: Text<'a> = "storeHost",
        store_timestamp: Timestamp = "storeTimestamp",
    } -> (), about Topic(topic);
}
