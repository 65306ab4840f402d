//! How does a consumer's reply reach the client that sent the request (324, 325, pushed with 326)? Java: `ReplyMessageProcessor`.
//!
//! The reply is an ordinary send to `<cluster>_REPLY_TOPIC` that names the client in `REPLY_TO_CLIENT`. It is pushed to that client's
//! connection, and stored too unless `storeReplyMessageEnable` is off. A reply that reaches no client is refused, so that its sender knows.

use crate::broker::Broker;
use crate::error::{Refusal, outcome_of};
use crate::message::bodies;
use crate::names;
use crate::requests::relay::FutureAnswer;
use crate::requests::send::{self, answer as send_answer, stamp};
use roxmq_protocol::code;
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, PropertiesBuf, name};
use roxmq_protocol::record::Draft;
use roxmq_protocol::request::{PushReply, SendMessage, SendReply, SendReplyV1, SendReplyV2, SendStamp};
use roxmq_protocol::time::Timestamp;
use roxmq_remoting::{Answer, Call, Peer};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Added to a reply's properties when it is stored: the address of its sender.
const BORN_HOST_BYTES: usize = 80;
/// How long the client may take to accept the reply.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Code 324.
pub fn long(broker: &Arc<Broker>, call: &Call<'_>, request: SendReplyV1<'_>) -> Result<FutureAnswer, Refusal> {
    Ok(stamped(broker, push(broker, call, request.0)))
}

/// Code 325.
pub fn short(broker: &Arc<Broker>, call: &Call<'_>, request: SendReplyV2<'_>) -> Result<FutureAnswer, Refusal> {
    Ok(stamped(broker, push(broker, call, request.0)))
}

/// The answer, with the fields that all answers to sends have.
fn stamped(broker: &Broker, pushed: Result<FutureReply, Refusal>) -> FutureAnswer {
    let config = broker.config();
    Box::pin(async move {
        let answered = match pushed {
            Ok(reply) => reply.await,
            Err(refusal) => Err(refusal),
        };
        Ok(match answered {
            Ok(reply) => {
                let SendStamp { region_id, trace_on } = send_answer::stamp(&config);
                Answer::with(SendReply { region_id, trace_on, ..reply })
            }
            Err(refusal) => send_answer::refused(&config, &refusal),
        })
    })
}

/// The answer to a reply that is being pushed.
type FutureReply = Pin<Box<dyn Future<Output = Result<SendReply<'static>, Refusal>> + Send>>;

fn push(broker: &Arc<Broker>, call: &Call<'_>, request: SendMessage<'_>) -> Result<FutureReply, Refusal> {
    let now = Timestamp(broker.clock.now_ms());
    let queue_id = check(broker, &request, call.body, now)?;
    let mut properties = PropertiesBuf::from_text(&request.properties);
    properties.set(name::PUSH_REPLY_TIME, &now.to_string());
    if properties.as_str().len() + BORN_HOST_BYTES > PROPERTIES_BYTES_MAX {
        return Err(Refusal::Message(format!("msg properties length {} B, msg properties length limit 32KB.", properties.as_str().len())));
    }
    let client = properties.find(name::REPLY_TO_CLIENT).unwrap_or_default().to_owned();
    let member = broker
        .tables
        .clients
        .producer(&client)
        .ok_or_else(|| Refusal::Failed(format!("push reply message fail, channel of <{client}> not found.")))?;
    let pushed = PushReply {
        producer_group: request.producer_group.into_owned().into(),
        topic: request.topic.into_owned().into(),
        default_topic: request.default_topic.into_owned().into(),
        default_topic_queue_nums: request.default_topic_queue_nums,
        queue_id,
        sys_flag: request.sys_flag,
        born_timestamp: request.born_timestamp,
        flag: request.flag,
        properties: properties.into_string().into(),
        reconsume_times: request.reconsume_times,
        unit_mode: request.unit_mode,
        born_host: format!("/{}", call.peer.remote()).into(),
        store_host: format!("/{}", member.peer.met_as()).into(),
        store_timestamp: now,
    };
    let (broker, body, sender) = (Arc::clone(broker), call.body.to_vec(), call.peer.clone());
    Ok(Box::pin(async move {
        let answered = member.peer.call(pushed.clone(), body.clone(), TIMEOUT).await;
        let accepted = answered.is_ok_and(|answer| answer.header().code == code::SUCCESS);
        if !accepted {
            return Err(Refusal::Failed(format!("push reply message to {client} fail.")));
        }
        if !broker.config().store_replies {
            return Ok(answer("0".into(), pushed.queue_id, QueueOffset(0)));
        }
        let writing = Arc::clone(&broker);
        let stored = broker.pool.written(move || outcome_of(|| store(&writing, &pushed, &body, &sender))).await;
        stored.unwrap_or(Err(Refusal::Busy("too many such requests wait")))
    }))
}

/// Refuses a reply that could not be stored; it is not pushed either. Returns its queue. A broker that takes no sends passes replies on
/// all the same: they belong to a request that it took.
fn check(broker: &Broker, request: &SendMessage<'_>, body: &[u8], now: Timestamp) -> Result<i32, Refusal> {
    let config = broker.config();
    if now.0 < config.accept_sends_from_ms as i64 {
        return Err(Refusal::SendsNotYetAccepted(Timestamp(config.accept_sends_from_ms as i64)));
    }
    names::check_topic(&request.topic)?;
    if names::is_send_forbidden(&request.topic) {
        return Err(Refusal::SendForbidden(request.topic.to_string()));
    }
    let topic = broker.tables.topics.find(&request.topic).ok_or_else(|| Refusal::no_topic(&request.topic))?;
    if !topic.perm.is_writable() {
        return Err(Refusal::TopicNotWritable(request.topic.to_string()));
    }
    send::check_length(&config, body)?;
    bodies::check(request.sys_flag, body)?;
    send::queue(&broker.randomness, &request.topic, request.queue_id, topic.read_queue_nums, topic.write_queue_nums)
        .map(|queue_id| queue_id as i32)
}

fn store(broker: &Broker, pushed: &PushReply<'_>, body: &[u8], sender: &Peer) -> Result<SendReply<'static>, Refusal> {
    let queue_id = pushed.queue_id.max(0) as u32;
    let config = broker.config();
    let mut properties = PropertiesBuf::from_text(&pushed.properties);
    properties.remove(name::ROXMQ_BORN_HOST);
    let mut properties = properties.into_string();
    stamp::append_born_host(&mut properties, &config, sender.remote());
    let mut batch = broker.store.batch();
    batch.push(Draft {
        topic: &pushed.topic,
        queue_id,
        flag: pushed.flag,
        sys_flag: pushed.sys_flag,
        born_timestamp: pushed.born_timestamp,
        born_host: stamp::born_host(&config, sender.remote()),
        store_host: broker.identity.advertised,
        reconsume_times: pushed.reconsume_times,
        prepared_transaction_offset: 0,
        body,
        properties: &properties,
    })?;
    broker.append_and_confirm(&mut batch)?;
    let place = batch.placed(0);
    let msg_id = MessageId { store_host: sender.met_as(), log_offset: place.log_offset }.to_string();
    Ok(answer(msg_id, pushed.queue_id, place.queue_offset))
}

fn answer(msg_id: String, queue_id: i32, queue_offset: QueueOffset) -> SendReply<'static> {
    SendReply { msg_id: msg_id.into(), queue_id, queue_offset: queue_offset.0, transaction_id: None, region_id: None, trace_on: None }
}
