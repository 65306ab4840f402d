//! Which property names have a meaning in RocketMQ (`MessageConst`)? One of them is ours.

/// Index keys, separated by blanks.
pub const KEYS: &str = "KEYS";
/// The message's tag.
pub const TAGS: &str = "TAGS";
/// `false`: the sender does not wait for flush or replication.
pub const WAIT: &str = "WAIT";
/// Delay level, 1 to 18.
pub const DELAY: &str = "DELAY";
/// Deliver after this many seconds.
pub const TIMER_DELAY_SEC: &str = "TIMER_DELAY_SEC";
/// Deliver after this many milliseconds.
pub const TIMER_DELAY_MS: &str = "TIMER_DELAY_MS";
/// Deliver at this time, ms since 1970.
pub const TIMER_DELIVER_MS: &str = "TIMER_DELIVER_MS";
/// When a timed message is due, ms.
pub const TIMER_OUT_MS: &str = "TIMER_OUT_MS";
/// When a timed message entered the timer, ms.
pub const TIMER_ENQUEUE_MS: &str = "TIMER_ENQUEUE_MS";
/// When a timed message was dequeued, ms.
pub const TIMER_DEQUEUE_MS: &str = "TIMER_DEQUEUE_MS";
/// How often a far timer was rolled forward.
pub const TIMER_ROLL_TIMES: &str = "TIMER_ROLL_TIMES";
/// The unique key of the timed message to recall.
pub const TIMER_DEL_UNIQKEY: &str = "TIMER_DEL_UNIQKEY";
/// The delay level of a timed message.
pub const TIMER_DELAY_LEVEL: &str = "TIMER_DELAY_LEVEL";
/// Original topic of a retry message.
pub const RETRY_TOPIC: &str = "RETRY_TOPIC";
/// Offset message id of the first copy of a retry message.
pub const ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";
/// Original topic of a delayed or half message.
pub const REAL_TOPIC: &str = "REAL_TOPIC";
/// Original queue id of a delayed or half message.
pub const REAL_QID: &str = "REAL_QID";
/// `true` marks a half message.
pub const TRAN_MSG: &str = "TRAN_MSG";
/// Producer group, needed for the check-back of a transaction.
pub const PGROUP: &str = "PGROUP";
/// Transaction id.
pub const TRANSACTION_ID: &str = "__transactionId__";
/// Queue offset of the prepared message.
pub const TRAN_PREPARED_QUEUE_OFFSET: &str = "TRAN_PREPARED_QUEUE_OFFSET";
/// How often a transaction was checked back.
pub const TRANSACTION_CHECK_TIMES: &str = "TRANSACTION_CHECK_TIMES";
/// Seconds before the first check-back.
pub const CHECK_IMMUNITY_TIME_IN_SECONDS: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";
/// The client's message id; indexed.
pub const UNIQ_KEY: &str = "UNIQ_KEY";
/// Extended unique information; passed through.
pub const EXTEND_UNIQ_INFO: &str = "EXTEND_UNIQ_INFO";
/// Namespace of the instance; passed through.
pub const INSTANCE_ID: &str = "INSTANCE_ID";
/// How often the message was consumed, in a retry sent by the client itself.
pub const RECONSUME_TIME: &str = "RECONSUME_TIME";
/// Highest number of retries, in a retry sent by the client itself.
pub const MAX_RECONSUME_TIMES: &str = "MAX_RECONSUME_TIMES";
/// Region of the broker that stored the message.
pub const MSG_REGION: &str = "MSG_REGION";
/// Whether the message is traced.
pub const TRACE_ON: &str = "TRACE_ON";
/// Name of the cluster that stored the message.
pub const CLUSTER: &str = "CLUSTER";
/// Number of messages in an inner batch.
pub const INNER_NUM: &str = "INNER_NUM";
/// First queue offset of an inner batch.
pub const INNER_BASE: &str = "INNER_BASE";
/// Request-reply: which request a reply belongs to.
pub const CORRELATION_ID: &str = "CORRELATION_ID";
/// Request-reply: the client id that waits for the reply.
pub const REPLY_TO_CLIENT: &str = "REPLY_TO_CLIENT";
/// Request-reply: how long the requester waits, ms.
pub const TTL: &str = "TTL";
/// Request-reply: `reply` marks a reply.
pub const MSG_TYPE: &str = "MSG_TYPE";
/// Request-reply: when the broker received the reply, ms.
pub const ARRIVE_TIME: &str = "ARRIVE_TIME";
/// Request-reply: when the reply was pushed, ms.
pub const PUSH_REPLY_TIME: &str = "PUSH_REPLY_TIME";
/// POP: the check handle.
pub const POP_CK: &str = "POP_CK";
/// POP: the queue offset of the check point.
pub const POP_CK_OFFSET: &str = "POP_CK_OFFSET";
/// POP: when the message was first popped, ms.
pub const FIRST_POP_TIME: &str = "1ST_POP_TIME";
/// Message group of an orderly message.
pub const SHARDING_KEY: &str = "__SHARDINGKEY";
/// LMQ names, separated by commas.
pub const INNER_MULTI_DISPATCH: &str = "INNER_MULTI_DISPATCH";
/// LMQ offsets, separated by commas.
pub const INNER_MULTI_QUEUE_OFFSET: &str = "INNER_MULTI_QUEUE_OFFSET";
/// Distributed-trace context.
pub const TRACE_CONTEXT: &str = "TRACE_CONTEXT";
/// Client address of a message sent by a proxy.
pub const BORN_HOST: &str = "__BORNHOST";
/// Address and port of a client that came by IPv6; ours, not Java's.
pub const ROXMQ_BORN_HOST: &str = "ROXMQ_BORN_HOST";
/// Client time of a message sent by a proxy, ms.
pub const BORN_TIMESTAMP: &str = "BORN_TIMESTAMP";
/// CRC-32 of the whole record in ten digits.
pub const CRC32: &str = "__CRC32#";
/// Original topic of a dead letter.
pub const DLQ_ORIGIN_TOPIC: &str = "DLQ_ORIGIN_TOPIC";
/// Original message id of a dead letter.
pub const DLQ_ORIGIN_MESSAGE_ID: &str = "DLQ_ORIGIN_MESSAGE_ID";
