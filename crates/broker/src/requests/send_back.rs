//! How is a message handled that a consumer sends back (36)? It is redelivered after a delay, or dead-lettered once its retries are used
//! up. A consumer that sends to its retry topic itself is met in `requests/send/retries.rs`.
//!
//! ```text
//! topic --consume fails--> 36 --level 3 + times--> SCHEDULE_TOPIC_XXXX --due--> %RETRY%group --consume fails--> 36 ...
//!                                                                                  after retryMaxTimes --> %DLQ%group
//! ```
//! Follows Java's `AbstractSendMessageProcessor.consumerSendMsgBack` and `handleRetryAndDLQ`.

use crate::announce::topics;
use crate::broker::Broker;
use crate::counts::statistics::Moved;
use crate::delivery::parking::{self, Parked};
use crate::error::Refusal;
use crate::names;
use crate::requests::send::retries::{group_of, limit};
use crate::waiting::delay::levels::DelayLevel;
use crate::waiting::redraft::redelivered;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::properties::{PropertiesBuf, name};
use roxmq_protocol::record::store_host::set_store_host;
use roxmq_protocol::record::{Draft, Record};
use roxmq_protocol::request;
use roxmq_remoting::{Answer, Call};
use std::net::SocketAddr;

/// The level of the first retry, unless the consumer says another one.
const FIRST_LEVEL: i32 = 3;

/// Code 36.
pub fn send_back(broker: &Broker, call: &Call<'_>, request: request::ConsumerSendBack<'_>) -> Result<Answer, Refusal> {
    retry_or_dead_letter(broker, &request, call.header.version, call.peer.met_as())?;
    Ok(Answer::ok())
}

/// Delivers a message again later, or dead-letters it. The consumer that sends it back reaches the broker at `met_as`.
///
/// # Errors
/// When the group or the message is unknown, or the store refuses; it may be stored all the same.
pub fn retry_or_dead_letter(
    broker: &Broker,
    request: &request::ConsumerSendBack<'_>,
    version: i32,
    met_as: SocketAddr,
) -> Result<(), Refusal> {
    let config = broker.config();
    let group = group_of(broker, &request.group)?;
    if group.retry_queue_nums <= 0 {
        return Ok(());
    }
    let retry_topic = names::retry_topic(&request.group);
    if broker.tables.topics.find(&retry_topic).is_some_and(|topic| !topic.perm.is_writable()) {
        return Err(Refusal::TopicNotWritable(retry_topic));
    }
    let bytes = broker.store.message_at(LogOffset(request.offset));
    let mut bytes = bytes.ok_or_else(|| Refusal::Failed(format!("look message by offset failed, {}", request.offset)))?;
    // The message carries the id of its first copy from now on; it has to be the one that consumers know.
    set_store_host(&mut bytes, met_as);
    let (record, _) = Record::parse(&bytes).map_err(|error| Refusal::Failed(error.to_string()))?;

    let mut properties = sent_back(&record);
    let is_over = record.reconsume_times >= limit(request.max_reconsume_times, version, &group) || request.delay_level < 0;
    let mut batch = broker.store.batch();
    let mut parked = None;
    let retried = match is_over {
        true => Err("it was tried as often as allowed".to_owned()),
        false => {
            let asked = if request.delay_level == 0 { FIRST_LEVEL.saturating_add(record.reconsume_times) } else { request.delay_level };
            let level = asked.clamp(1, config.delay_ladder.levels_ms().len() as i32);
            // The group's settings may ask for more queues than the topic was made with: no consumer would read those.
            let topic = topics::add_retry_topic(broker, &request.group, group.retry_queue_nums);
            let queues = group.retry_queue_nums.min(topic.read_queue_nums).max(1);
            topics::confirm(broker, &retry_topic)?;
            let mut waiting = properties.clone();
            waiting.set(name::REAL_TOPIC, &retry_topic);
            waiting.set(name::REAL_QID, &broker.randomness.below(queues as u32).to_string());
            waiting.set(name::DELAY, &level.to_string());
            let draft =
                redelivered(&record, broker.identity.advertised, names::DELAY_TOPIC, DelayLevel(level).queue_id(), waiting.as_str());
            parking::try_push(broker, with_one_more_try(draft), &mut batch)
        }
    };
    if let Err(reason) = retried {
        properties.set(name::DELAY, "0");
        let dead_letters = topics::add_dead_letter_topic(broker, &request.group);
        let draft = redelivered(&record, broker.identity.advertised, &dead_letters, 0, properties.as_str());
        parked = match parking::try_push(broker, with_one_more_try(draft), &mut batch) {
            Ok(()) if is_over => None,
            Ok(()) => Some(Parked::new(&record, &dead_letters, &reason)),
            // It was stored once, so it can be stored as it is.
            Err(_) => Some(parking::park(broker, &record, &dead_letters, &reason, &mut batch)),
        };
    }
    broker.append(&mut batch)?;
    parking::log(broker, parked);
    broker.confirm(&batch).into_result()?;
    let key = format!("{}@{}", properties.find(name::RETRY_TOPIC).unwrap_or_default(), request.group);
    broker.counts.statistics.add(Moved::SendBacks, &key, 1, record.body.len() as u64);
    Ok(())
}

/// The draft, with one more try counted.
fn with_one_more_try(draft: Draft<'_>) -> Draft<'_> {
    Draft { reconsume_times: draft.reconsume_times.saturating_add(1), ..draft }
}

/// The properties of a message that was sent back: where it came from first, and that no producer waits for it to be stored.
fn sent_back(record: &Record<'_>) -> PropertiesBuf {
    let mut properties = PropertiesBuf::from_text(record.properties);
    properties.set_if_absent(name::RETRY_TOPIC, record.topic);
    properties.set_if_absent(name::ORIGIN_MESSAGE_ID, &record.message_id().to_string());
    properties.set(name::WAIT, "false");
    properties
}

#[cfg(test)]
mod tests;
