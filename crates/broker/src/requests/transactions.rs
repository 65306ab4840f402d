//! How does a parked half message become open again (323)?
//!
//! Decisions (37) are carried out in `delivery/decide.rs`, producers are checked back (39) in `delivery/check_back.rs`.

use crate::broker::Broker;
use crate::delivery::parking;
use crate::error::Refusal;
use crate::names::{HALF_TOPIC, UNDECIDED_TOPIC};
use crate::waiting::redraft::redelivered;
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::properties::{PropertiesBuf, name};
use roxmq_protocol::record::Record;
use roxmq_protocol::request;
use roxmq_remoting::{Answer, Call};

/// Code 323: the producer of a parked half message is asked again.
pub fn resume(broker: &Broker, _: &Call<'_>, request: request::ResumeTransaction<'_>) -> Result<Answer, Refusal> {
    put_back(broker, &request.msg_id)?;
    Ok(Answer::ok())
}

/// Makes a parked message a half message again.
///
/// # Errors
/// When the id is not one of a parked message, or the store refuses.
pub fn put_back(broker: &Broker, id: &str) -> Result<(), Refusal> {
    let parsed = MessageId::parse(id).ok_or_else(|| Refusal::Failed(format!("{id:?} is not an offset message id")))?;
    let bytes = broker.store.message_at(parsed.log_offset);
    let bytes = bytes.ok_or_else(|| Refusal::Failed(format!("no message with the id {id}")))?;
    let (record, _) = Record::parse(&bytes).map_err(|error| Refusal::Failed(error.to_string()))?;
    if record.topic != UNDECIDED_TOPIC {
        return Err(Refusal::Failed(format!("the message {id} is not in {UNDECIDED_TOPIC}")));
    }
    let mut properties = PropertiesBuf::from_text(record.properties);
    properties.remove(name::TRANSACTION_CHECK_TIMES).remove(parking::REASON);
    let mut batch = broker.store.batch();
    batch.push(redelivered(&record, broker.identity.advertised, HALF_TOPIC, 0, properties.as_str()))?;
    broker.append_and_confirm(&mut batch)
}
