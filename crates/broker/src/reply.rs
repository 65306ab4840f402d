//! Request-reply: a consumer's reply goes to the client that asked (324, 325, pushed with 326). Java: `ReplyMessageProcessor`.
//!
//! The reply is an ordinary send to `<cluster>_REPLY_TOPIC` that names the client in `REPLY_TO_CLIENT`. It is pushed to that client's
//! connection, and stored too unless `storeReplyMessageEnable` is off. A reply that reaches nobody is refused, so that its sender knows.

use crate::relay::Later;
use crate::{Broker, Call, Refusal, bodies, names, send};
use roxmq_protocol::code;
use roxmq_protocol::properties::{PropertiesBuf, name};
use roxmq_protocol::record::{Draft, MessageId};
use roxmq_protocol::request::{PushReply, SendMessage, SendReply, SendReplyV1, SendReplyV2};
use roxmq_remoting::{Answer, Peer};
use std::sync::Arc;
use std::time::Duration;

/// How long the client that asked may take to accept the reply.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Code 324.
pub fn long(broker: &Arc<Broker>, call: &Call<'_>, request: SendReplyV1<'_>) -> Result<Later, Refusal> {
    push(broker, call, request.0)
}

/// Code 325.
pub fn short(broker: &Arc<Broker>, call: &Call<'_>, request: SendReplyV2<'_>) -> Result<Later, Refusal> {
    push(broker, call, request.0)
}

fn push(broker: &Arc<Broker>, call: &Call<'_>, request: SendMessage<'_>) -> Result<Later, Refusal> {
    names::check_topic(&request.topic)?;
    if broker.topics.find(&request.topic).is_none() {
        return Err(Refusal::TopicUnknown(request.topic.into_owned()));
    }
    bodies::check(request.sys_flag, call.body)?;
    let now = broker.clock.now_ms();
    let mut properties = PropertiesBuf::from_text(&request.properties);
    properties.set(name::PUSH_REPLY_TIME, &now.to_string());
    let asked = properties.find(name::REPLY_TO_CLIENT).unwrap_or_default().to_owned();
    let member = broker
        .clients
        .producer(&asked)
        .ok_or_else(|| Refusal::Failed(format!("push reply message fail, channel of <{asked}> not found.")))?;
    let pushed = PushReply {
        producer_group: request.producer_group.into_owned().into(),
        topic: request.topic.into_owned().into(),
        default_topic: request.default_topic.into_owned().into(),
        default_topic_queue_nums: request.default_topic_queue_nums,
        queue_id: request.queue_id,
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
            return Err(Refusal::Failed(format!("push reply message to {asked} fail.")));
        }
        if !broker.config().store_replies {
            return Ok(Answer::with(told("0".into(), pushed.queue_id, 0)));
        }
        let stored = tokio::task::spawn_blocking(move || store(&broker, &pushed, &body, &sender)).await;
        stored.unwrap_or_else(|_| Err(Refusal::Failed("storing the reply failed inside the broker".into())))
    }))
}

fn store(broker: &Broker, pushed: &PushReply<'_>, body: &[u8], sender: &Peer) -> Result<Answer, Refusal> {
    let queue_id = pushed.queue_id.max(0) as u32;
    let config = broker.config();
    let mut properties = PropertiesBuf::from_text(&pushed.properties);
    properties.remove(name::ROXMQ_BORN_HOST);
    let mut properties = properties.into_string();
    send::append_born_host(&mut properties, &config, sender.remote());
    let mut batch = broker.store.batch();
    batch.push(Draft {
        topic: &pushed.topic,
        queue_id,
        flag: pushed.flag,
        sys_flag: pushed.sys_flag,
        born_timestamp: pushed.born_timestamp,
        born_host: send::born_host(&config, sender.remote()),
        store_host: broker.advertised,
        reconsume_times: pushed.reconsume_times,
        prepared_transaction_offset: 0,
        body,
        properties: &properties,
    })?;
    broker.append_own(&mut batch)?;
    let place = batch.placed(0);
    let msg_id = MessageId { store_host: sender.met_as(), log_offset: place.log_offset }.to_string();
    Ok(Answer::with(told(msg_id, pushed.queue_id, place.queue_offset.0)))
}

fn told(msg_id: String, queue_id: i32, queue_offset: i64) -> SendReply<'static> {
    SendReply { msg_id: msg_id.into(), queue_id, queue_offset, transaction_id: None, region_id: None, trace_on: None }
}
