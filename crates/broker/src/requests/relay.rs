//! Requests that a tool sends to a client through the broker (307, 309). Follows Java's `AdminBrokerProcessor.callConsumer`.

use crate::broker::Broker;
use crate::error::Refusal;
use crate::tables::clients::Member;
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::record::store_host::set_store_host;
use roxmq_protocol::request;
use roxmq_remoting::{Answer, Call, CallError, Received};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// An answer that another client still has to give.
pub type FutureAnswer = Pin<Box<dyn Future<Output = Result<Answer, Refusal>> + Send>>;

/// How long a client may take.
const TIMEOUT: Duration = Duration::from_secs(10);

fn member(broker: &Broker, group: &str, client_id: &str) -> Result<Member, Refusal> {
    let unknown = || Refusal::Failed(format!("The Consumer <{group}> <{client_id}> not online"));
    broker.tables.clients.consumer(group, client_id).ok_or_else(unknown)
}

/// The client's answer as it is: code, remark and body.
fn relayed_answer(received: Result<Received, CallError>) -> Result<Answer, Refusal> {
    let received = received?;
    let header = received.header();
    let mut answer = Answer::body(received.body().to_vec());
    answer.code = header.code;
    answer.remark = header.remark.map(|remark| remark.unescape().into_owned().into());
    Ok(answer)
}

/// Code 307.
pub fn running_info(broker: &Broker, _: &Call<'_>, request: request::ConsumerRunningInfo<'_>) -> Result<FutureAnswer, Refusal> {
    let member = member(broker, &request.consumer_group, &request.client_id)?;
    let relayed = request::ConsumerRunningInfo {
        consumer_group: request.consumer_group.into_owned().into(),
        client_id: request.client_id.into_owned().into(),
        jstack_enable: request.jstack_enable,
    };
    Ok(Box::pin(async move { relayed_answer(member.peer.call(relayed, Vec::new(), TIMEOUT).await) }))
}

/// Code 309. The broker adds the message, found by its offset id.
pub fn consume_directly(broker: &Arc<Broker>, _: &Call<'_>, request: request::ConsumeDirectly<'_>) -> Result<FutureAnswer, Refusal> {
    let client_id = request.client_id.as_deref().unwrap_or_default();
    let member = member(broker, &request.consumer_group, client_id)?;
    let id = request.msg_id.as_deref().unwrap_or_default();
    let place = MessageId::parse(id).ok_or_else(|| Refusal::Failed(format!("{id:?} is not an offset message id")))?;
    // The tool and the client may have reached the broker at different addresses.
    let met_as = member.peer.met_as();
    let unknown = Refusal::Failed(format!("no message with the id {id}"));
    let owned = |text: Option<request::Text<'_>>| text.map(|text| request::Text::Owned(text.into_owned()));
    let relayed = request::ConsumeDirectly {
        consumer_group: request.consumer_group.into_owned().into(),
        client_id: owned(request.client_id),
        msg_id: Some(MessageId { store_host: met_as, ..place }.to_string().into()),
        broker_name: Some(broker.config().broker_name.clone().into()),
        topic: owned(request.topic),
        topic_sys_flag: request.topic_sys_flag,
        group_sys_flag: request.group_sys_flag,
    };
    let broker = Arc::clone(broker);
    Ok(Box::pin(async move {
        // The message may have to be read from the disk.
        let reading = Arc::clone(&broker);
        let record = broker.pool.found(move || reading.store.message_at(place.log_offset)).await;
        let mut record = record.ok_or(Refusal::Busy("too many such requests wait"))?.ok_or(unknown)?;
        set_store_host(&mut record, met_as);
        relayed_answer(member.peer.call(relayed, record, TIMEOUT).await)
    }))
}
