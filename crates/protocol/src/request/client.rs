//! Requests of producers and consumers.

use super::{FieldError, HeaderFields, Request, Row, Text, header, requests};
use crate::header::{FieldSink, Fields, RawText};
use crate::time::Timestamp;

/// What a send asks for. Three codes carry it in two spellings: see [`SendForm`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendMessage<'a> {
    /// Producer group.
    pub producer_group: Text<'a>,
    /// Destination topic.
    pub topic: Text<'a>,
    /// Topic whose settings an unknown topic is created from, usually `TBW102`.
    pub default_topic: Text<'a>,
    /// Queues the producer would like an auto-created topic to have.
    pub default_topic_queue_nums: i32,
    /// Destination queue; negative lets the broker choose.
    pub queue_id: i32,
    /// Message sysFlag bits.
    pub sys_flag: i32,
    /// When the producer made the message.
    pub born_timestamp: Timestamp,
    /// The user's own flag.
    pub flag: i32,
    /// Properties string.
    pub properties: Text<'a>,
    /// How often the message was consumed before (client-side retry).
    pub reconsume_times: i32,
    /// Unit mode of the producer.
    pub unit_mode: bool,
    /// The body holds several messages.
    pub batch: bool,
    /// Retry limit of the sending consumer group.
    pub max_reconsume_times: Option<i32>,
    /// Broker the producer meant to reach.
    pub broker_name: Option<Text<'a>>,
}

/// How the fields of a send are spelled; decided by the request code (`SendMessageRequestHeader` and `...V2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendForm {
    /// Long names: codes 10 and 324.
    Long,
    /// One letter each: codes 310, 320 and 325.
    Short,
}

const LONG: [&str; 14] = [
    "producerGroup",
    "topic",
    "defaultTopic",
    "defaultTopicQueueNums",
    "queueId",
    "sysFlag",
    "bornTimestamp",
    "flag",
    "properties",
    "reconsumeTimes",
    "unitMode",
    "maxReconsumeTimes",
    "batch",
    "bname",
];
const SHORT: [&str; 14] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];

impl<'a> SendMessage<'a> {
    /// Reads the fields. One Python client sends code 10 with the short names: when the long topic is missing, the short form is tried.
    ///
    /// # Errors
    /// When a field without which nothing can be stored is missing, or one is not of its type.
    pub fn read(fields: &Fields<'a>, form: SendForm) -> Result<SendMessage<'a>, FieldError> {
        Self::read_by(fields, form, RawText::unescape)
    }

    /// As [`SendMessage::read`]. Properties, which always have escapes in JSON, are unescaped into `buffer`.
    ///
    /// # Errors
    /// The same.
    pub fn read_into(fields: &Fields<'a>, form: SendForm, buffer: &'a mut String) -> Result<SendMessage<'a>, FieldError> {
        Self::read_by(fields, form, |properties| Text::Borrowed(properties.unescape_into(buffer)))
    }

    fn read_by(fields: &Fields<'a>, form: SendForm, unescape: impl FnOnce(RawText<'a>) -> Text<'a>) -> Result<SendMessage<'a>, FieldError> {
        use super::Field;
        let is_long = form == SendForm::Long && (fields.find("topic").is_some() || fields.find("b").is_none());
        let names = if is_long { &LONG } else { &SHORT };
        // One walk for all of them: every message that is sent comes by here.
        let mut values = [None; LONG.len()];
        for (key, value) in fields.entries() {
            let at = match key.letter() {
                Some(letter) if !is_long => Some(usize::from(letter.wrapping_sub(b'a'))),
                _ => names.iter().position(|name| key.is(name)),
            };
            if let Some(place) = at.and_then(|at| values.get_mut(at)) {
                *place = Some(value);
            }
        }
        let or_zero = |at: usize| Ok::<i32, FieldError>(Option::read(values[at], names[at])?.unwrap_or(0));
        Ok(SendMessage {
            producer_group: Text::read(values[0], names[0])?,
            topic: Text::read(values[1], names[1])?,
            default_topic: Option::read(values[2], names[2])?.unwrap_or_default(),
            default_topic_queue_nums: or_zero(3)?,
            queue_id: i32::read(values[4], names[4])?,
            sys_flag: or_zero(5)?,
            born_timestamp: Timestamp::read(values[6], names[6])?,
            flag: or_zero(7)?,
            properties: values[8].map(unescape).unwrap_or_default(),
            reconsume_times: or_zero(9)?,
            unit_mode: Option::read(values[10], names[10])?.unwrap_or(false),
            max_reconsume_times: Option::read(values[11], names[11])?,
            batch: Option::read(values[12], names[12])?.unwrap_or(false),
            broker_name: Option::read(values[13], names[13])?,
        })
    }

    /// Writes the fields in the short form.
    pub fn write(&self, sink: &mut FieldSink<'_>) {
        use super::Field;
        self.producer_group.write(SHORT[0], sink);
        self.topic.write(SHORT[1], sink);
        self.default_topic.write(SHORT[2], sink);
        self.default_topic_queue_nums.write(SHORT[3], sink);
        self.queue_id.write(SHORT[4], sink);
        self.sys_flag.write(SHORT[5], sink);
        self.born_timestamp.write(SHORT[6], sink);
        self.flag.write(SHORT[7], sink);
        self.properties.write(SHORT[8], sink);
        self.reconsume_times.write(SHORT[9], sink);
        self.unit_mode.write(SHORT[10], sink);
        self.max_reconsume_times.write(SHORT[11], sink);
        self.batch.write(SHORT[12], sink);
        self.broker_name.write(SHORT[13], sink);
    }
}

macro_rules! sends {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal $java:literal $form:ident;)*) => {
        /// The sends, as rows.
        pub(super) const SENDS: &[Row] = &[$(Row {
            code: $code,
            name: $java,
            fields: concat!("those of `SendMessage`, spelled ", stringify!($form)),
            reply: "SendReply<'a>",
            doc: concat!($($doc),*),
            reads: |fields| $name::read(fields).is_ok(),
        }),*];

        $(
            $(#[doc = $doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name<'a>(pub SendMessage<'a>);

            impl<'a> HeaderFields<'a> for $name<'a> {
                fn read(fields: &Fields<'a>) -> Result<Self, FieldError> {
                    SendMessage::read(fields, SendForm::$form).map($name)
                }
                fn write(&self, sink: &mut FieldSink<'_>) {
                    self.0.write(sink);
                }
            }

            impl<'a> Request<'a> for $name<'a> {
                const CODE: i32 = $code;
                const NAME: &'static str = $java;
                type Reply = SendReply<'a>;
            }
        )*
    };
}

sends! {
    /// Stores one message. Body: the message's body.
    SendMessageV1 = 10 "SEND_MESSAGE" Long;
    /// Stores one message. The C++ client sends its batches with it too.
    SendMessageV2 = 310 "SEND_MESSAGE_V2" Short;
    /// Stores several messages. Body: the client's batch.
    SendBatchMessage = 320 "SEND_BATCH_MESSAGE" Short;
    /// A consumer's reply to a request message, to be pushed to the client that asked. Body: the reply.
    SendReplyV1 = 324 "SEND_REPLY_MESSAGE" Long;
    /// The same in the short form.
    SendReplyV2 = 325 "SEND_REPLY_MESSAGE_V2" Short;
}

header! {
    /// Answer to a send that was stored.
    SendReply<'a> {
        msg_id: Text<'a> = "msgId",
        queue_id: i32 = "queueId",
        queue_offset: i64 = "queueOffset",
        transaction_id: Option<Text<'a>> = "transactionId",
        region_id: Option<Text<'a>> = "MSG_REGION",
        trace_on: Option<Text<'a>> = "TRACE_ON",
    }
}

header! {
    /// What every answer to a send, a reply or a recall says, also when it is refused: hooks of clients read it.
    SendMarks<'a> {
        region_id: Option<Text<'a>> = "MSG_REGION",
        trace_on: Option<Text<'a>> = "TRACE_ON",
    }
}

header! {
    /// What a pull asks for; two codes carry it.
    Pull<'a> {
        consumer_group: Text<'a> = "consumerGroup",
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        queue_offset: i64 = "queueOffset",
        max_msg_nums: i32 = "maxMsgNums",
        sys_flag: i32 = "sysFlag" or 0,
        commit_offset: i64 = "commitOffset" or 0,
        suspend_timeout_ms: i64 = "suspendTimeoutMillis" or 0,
        subscription: Option<Text<'a>> = "subscription",
        sub_version: i64 = "subVersion" or 0,
        expression_type: Option<Text<'a>> = "expressionType",
        max_msg_bytes: Option<i32> = "maxMsgBytes",
    }
}

/// Pull sysFlag bit: `commitOffset` is to be stored.
pub const PULL_COMMIT: i32 = 1;
/// Pull sysFlag bit: the broker may hold the request.
pub const PULL_SUSPEND: i32 = 2;
/// Pull sysFlag bit: the subscription expression is in the request.
pub const PULL_SUBSCRIPTION: i32 = 4;
/// Pull sysFlag bit: class filter, dead since 5.0.
pub const PULL_CLASS_FILTER: i32 = 8;
/// Pull sysFlag bit: the caller is a lite pull consumer.
pub const PULL_LITE: i32 = 16;

macro_rules! pulls {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal $java:literal;)*) => {
        /// The pulls, as rows.
        pub(super) const PULLS: &[Row] =
            &[$(Row {
                code: $code,
                name: $java,
                fields: "those of `Pull`",
                reply: "PullReply",
                doc: concat!($($doc),*),
                reads: |fields| $name::read(fields).is_ok(),
            }),*];

        $(
            $(#[doc = $doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name<'a>(pub Pull<'a>);

            impl<'a> HeaderFields<'a> for $name<'a> {
                fn read(fields: &Fields<'a>) -> Result<Self, FieldError> {
                    Pull::read(fields).map($name)
                }
                fn write(&self, sink: &mut FieldSink<'_>) {
                    self.0.write(sink);
                }
            }

            impl<'a> Request<'a> for $name<'a> {
                const CODE: i32 = $code;
                const NAME: &'static str = $java;
                type Reply = PullReply;
            }
        )*
    };
}

pulls! {
    /// Reads messages from an offset on, waiting for them if asked to. Answer body: records.
    PullMessage = 11 "PULL_MESSAGE";
    /// The same for a lite pull consumer.
    LitePullMessage = 361 "LITE_PULL_MESSAGE";
}

header! {
    /// Answer to a pull, filled whatever its code.
    PullReply {
        suggest_which_broker_id: i64 = "suggestWhichBrokerId",
        next_begin_offset: i64 = "nextBeginOffset",
        min_offset: i64 = "minOffset",
        max_offset: i64 = "maxOffset",
        topic_sys_flag: Option<i32> = "topicSysFlag",
        group_sys_flag: Option<i32> = "groupSysFlag",
        forbidden_type: Option<i32> = "forbiddenType",
    }
}

header! {
    /// An answer that is one queue offset.
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
    /// Answer to a recall: the unique key of what was recalled.
    RecallReply<'a> {
        msg_id: Text<'a> = "msgId",
        region_id: Option<Text<'a>> = "MSG_REGION",
    }
}

header! {
    /// Answer that is one time in ms.
    TimestampReply { timestamp: i64 = "timestamp" }
}

requests! {
    /// Messages by key, or by unique key when `_UNIQUE_KEY_QUERY` is true. Answer body: records, newest first.
    QueryMessage<'a> = 12 "QUERY_MESSAGE" {
        topic: Text<'a> = "topic",
        key: Text<'a> = "key",
        max_num: i32 = "maxNum" or 32,
        begin_timestamp: i64 = "beginTimestamp" or 0,
        end_timestamp: i64 = "endTimestamp" or i64::MAX,
        unique_key: Option<bool> = "_UNIQUE_KEY_QUERY",
        index_type: Option<Text<'a>> = "indexType",
    } -> QueryMessageReply;

    /// The committed offset of a group on a queue.
    QueryConsumerOffset<'a> = 14 "QUERY_CONSUMER_OFFSET" {
        consumer_group: Text<'a> = "consumerGroup",
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        set_zero_if_not_found: Option<bool> = "setZeroIfNotFound",
    } -> OffsetReply;

    /// Commits a group's offset on a queue.
    UpdateConsumerOffset<'a> = 15 "UPDATE_CONSUMER_OFFSET" {
        consumer_group: Text<'a> = "consumerGroup",
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        commit_offset: i64 = "commitOffset",
    } -> ();

    /// The queue offset that a time corresponds to.
    SearchOffsetByTimestamp<'a> = 29 "SEARCH_OFFSET_BY_TIMESTAMP" {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
        timestamp: i64 = "timestamp",
        boundary_type: Option<Text<'a>> = "boundaryType",
    } -> OffsetReply;

    /// The offset behind the last message of a queue.
    MaxOffset<'a> = 30 "GET_MAX_OFFSET" {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
    } -> OffsetReply;

    /// The offset of the first message of a queue.
    MinOffset<'a> = 31 "GET_MIN_OFFSET" {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
    } -> OffsetReply;

    /// When the first message of a queue was stored, -1 if there is none.
    EarliestStoreTime<'a> = 32 "GET_EARLIEST_MSG_STORETIME" {
        topic: Text<'a> = "topic",
        queue_id: i32 = "queueId",
    } -> TimestampReply;

    /// The record at a log offset. Answer body: one record.
    ViewMessageById<'a> = 33 "VIEW_MESSAGE_BY_ID" {
        topic: Option<Text<'a>> = "topic",
        offset: i64 = "offset",
    } -> ();

    /// A client's groups and subscriptions. Body: `HeartbeatData`.
    Heartbeat = 34 "HEART_BEAT" {} -> HeartbeatReply;

    /// A client goes away.
    UnregisterClient<'a> = 35 "UNREGISTER_CLIENT" {
        client_id: Text<'a> = "clientID",
        producer_group: Option<Text<'a>> = "producerGroup",
        consumer_group: Option<Text<'a>> = "consumerGroup",
    } -> ();

    /// A consumer gives a message back for a later try.
    ConsumerSendBack<'a> = 36 "CONSUMER_SEND_MSG_BACK" {
        offset: i64 = "offset",
        group: Text<'a> = "group",
        delay_level: i32 = "delayLevel",
        origin_msg_id: Option<Text<'a>> = "originMsgId",
        origin_topic: Option<Text<'a>> = "originTopic",
        unit_mode: Option<bool> = "unitMode",
        max_reconsume_times: Option<i32> = "maxReconsumeTimes",
    } -> ();

    /// A producer decides about a half message: 8 commits, 12 rolls back, 0 does not know.
    EndTransaction<'a> = 37 "END_TRANSACTION" {
        topic: Option<Text<'a>> = "topic",
        producer_group: Text<'a> = "producerGroup",
        tran_state_table_offset: i64 = "tranStateTableOffset",
        commit_log_offset: i64 = "commitLogOffset",
        commit_or_rollback: i32 = "commitOrRollback",
        from_transaction_check: bool = "fromTransactionCheck" or false,
        msg_id: Option<Text<'a>> = "msgId",
        transaction_id: Option<Text<'a>> = "transactionId",
    } -> ();

    /// A producer takes a timed message back before it is due.
    RecallMessage<'a> = 370 "RECALL_MESSAGE" {
        producer_group: Option<Text<'a>> = "producerGroup",
        topic: Text<'a> = "topic",
        recall_handle: Text<'a> = "recallHandle",
    } -> RecallReply<'a>;

    /// The client ids of a group. Answer body: `{"consumerIdList":[..]}`.
    ConsumerList<'a> = 38 "GET_CONSUMER_LIST_BY_GROUP" {
        consumer_group: Text<'a> = "consumerGroup",
    } -> ();

    /// Locks queues for an orderly consumer. Body: `LockBatchRequestBody`.
    LockQueues = 41 "LOCK_BATCH_MQ" {} -> ();

    /// Releases locked queues. Body: `LockBatchRequestBody`.
    UnlockQueues = 42 "UNLOCK_BATCH_MQ" {} -> ();

    /// Checks a subscription before it is used. Body: `CheckClientRequestBody`.
    CheckClientConfig = 46 "CHECK_CLIENT_CONFIG" {} -> ();

    /// Which queues shall this member of a group read? Body: `QueryAssignmentRequestBody`. Answer body: `{"messageQueueAssignments":[..]}`,
    /// or `{}` when nothing can be said and the member shall keep what it has.
    QueryAssignment = 400 "QUERY_ASSIGNMENT" {} -> ();
}
