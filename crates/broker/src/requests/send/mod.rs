//! How is a message that a client sends checked, and turned into a record (10, 310, 320)?
//!
//! Follows Java's `SendMessageProcessor` and `AbstractSendMessageProcessor.msgCheck`.

pub mod answer;
mod asked;
mod destinations;
pub mod flow;
mod members;
mod new_topic;
pub mod retries;
pub mod stamp;

use crate::announce::topics;
use crate::broker::Broker;
use crate::delivery::parking;
use crate::error::Refusal;
use crate::message::bodies;
use crate::message::light;
use crate::message::room::{self, WaitsFor};
use crate::names;
use crate::settings::BrokerConfig;
use crate::waiting::fate::Fate;
use asked::Asked;
use destinations::{Destination, Destinations};
use flow::{Flow, Sender, UniqueKey};
use roxmq_env::randomness::Randomness;
use roxmq_protocol::header::Fields;
use roxmq_protocol::permission::Permission;
use roxmq_protocol::properties::Properties;
use roxmq_protocol::record::{Draft, sys_flag};
use roxmq_protocol::request::{SendForm, SendMessage};
use roxmq_protocol::time::Timestamp;
use roxmq_store::Batch;
use stamp::born_host;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// A send whose drafts are in the batch.
pub struct Prepared {
    /// Which drafts of the batch.
    pub range: Range<usize>,
    /// Where they go.
    pub destination: Rc<Destination>,
    /// Which queue.
    pub queue_id: u32,
    /// Whether it waits: then it lies in a queue of the broker's own.
    pub fate: Fate,
    /// The light queues that the messages are in as well, separated by commas.
    pub light_queues: String,
    /// What the answer calls the transaction: the unique key.
    pub unique_key: UniqueKey,
    /// Does the sender wait until the messages are confirmed?
    pub waits: bool,
    /// The topic is new: the change that is announced before the sender is answered.
    pub change: Option<u64>,
}

/// Why a send's drafts are not in the batch.
#[derive(Debug, PartialEq)]
pub enum Unprepared {
    /// It is not stored, for this reason.
    Refused(Refusal),
    /// It is to wait for its delivery to a topic that is not confirmed yet. Once the change is, it can be prepared again.
    TopicIsNew {
        /// The change that has to be confirmed.
        unconfirmed: u64,
        /// This send has made the topic: the change that is announced before the sender is answered.
        change: Option<u64>,
    },
}

impl<E: Into<Refusal>> From<E> for Unprepared {
    fn from(error: E) -> Unprepared {
        Unprepared::Refused(error.into())
    }
}

/// Checks one send and puts its drafts into `batch`. On an error nothing of it is in the batch.
///
/// # Errors
/// Whatever forbids storing it, or storing it now.
pub fn prepare(
    broker: &Broker,
    sender: Sender,
    fields: &Fields<'_>,
    form: SendForm,
    body: &[u8],
    flow: &mut Flow,
    batch: &mut Batch,
) -> Result<Prepared, Unprepared> {
    let mut given = std::mem::take(&mut flow.given);
    let request = SendMessage::read_into(fields, form, &mut given)?;
    let prepared = prepare_one(broker, sender, request, body, flow, batch);
    flow.given = given;
    prepared
}

/// As [`prepare`], for a request that is read already.
pub fn prepare_one(
    broker: &Broker,
    sender: Sender,
    request: SendMessage<'_>,
    body: &[u8],
    flow: &mut Flow,
    batch: &mut Batch,
) -> Result<Prepared, Unprepared> {
    let config = Arc::clone(&flow.config);
    let now = Timestamp(broker.clock.now_ms());
    check_accepts_sends(&config, now)?;
    check_name(&request)?;
    let dead_letter = retries::dead_letter_instead(broker, &request, sender.version)?;
    let (destination, change) = destination(broker, &request, dead_letter.as_deref(), &mut flow.destinations)?;
    if !destination.perm.is_writable() {
        return Err(Refusal::TopicNotWritable(request.topic.into_owned()).into());
    }
    let queue_id = match dead_letter {
        Some(_) => 0,
        None => queue(&broker.randomness, &request.topic, request.queue_id, destination.read_queue_nums, destination.write_queue_nums)?,
    };
    // A retry was accepted before, perhaps under other settings. Refused, it would come again and hold up its group.
    let is_new = !request.topic.starts_with(names::RETRY_PREFIX) || request.reconsume_times <= 0;
    if is_new {
        check_body(&config, &request, body)?;
    }
    let given = Properties::new(&request.properties);
    let asked = Asked::of(given);
    let no_transactions = || {
        let address = broker.identity.address_to(sender.met_as);
        Refusal::Forbidden(format!("the broker[{address}] sending transaction message is forbidden"))
    };
    let fate = asked.fate(&config, dead_letter.is_some(), request.reconsume_times, now, no_transactions)?;
    asked.check(&config, request.batch)?;
    if fate.waits()
        && let Some(unconfirmed) = topics::unconfirmed(broker, destination.name())
    {
        return Err(Unprepared::TopicIsNew { unconfirmed, change });
    }
    let (stored_topic, stored_queue) = fate.place(&broker.waiting.timers, destination.name(), queue_id, now);
    let draft = Draft {
        topic: stored_topic,
        queue_id: stored_queue,
        flag: request.flag,
        // A half message is an ordinary record of its queue until it is decided. In any other message these bits would keep the record
        // out of its queue.
        sys_flag: sys_flag::with_transaction(request.sys_flag, sys_flag::TRANSACTION_NOT),
        born_timestamp: request.born_timestamp,
        born_host: born_host(&config, sender.address),
        store_host: broker.identity.advertised,
        reconsume_times: request.reconsume_times,
        prepared_transaction_offset: 0,
        body,
        properties: "",
    };
    let unique_key = match asked.unique_key {
        Some(key) => UniqueKey::of(key),
        None => UniqueKey::of(&flow.unique.next(broker.identity.advertised.ip(), now)),
    };
    let first = batch.len();
    let mut light_queues = String::new();
    if request.batch {
        light_queues = members::push(broker, sender, draft, unique_key.as_str(), flow, batch)?;
    } else {
        flow.write_stored(sender, given, unique_key.as_str());
        let light = light::asked(&config, destination.name(), asked.light_queues)?;
        if is_new {
            let waits_for = WaitsFor { time: asked.times.is_asked(), decision: fate == Fate::Decision };
            room::check(flow.properties.len(), light.map_or(0, |(_, bytes)| bytes), room::later_bytes(&request.topic, waits_for))?;
        }
        fate.write_into(&mut flow.properties, destination.name(), queue_id);
        if let Some((named, _)) = light {
            light::reserve(&broker.store, &config, &[named])?;
            // A message that waits is in none yet.
            light_queues.push_str(if fate.waits() { "" } else { named });
        }
        let pushed = parking::try_push(broker, Draft { properties: &flow.properties, ..draft }, batch);
        pushed.map_err(Refusal::Message)?;
    }
    if !fate.waits() {
        let hint = destination.hint(queue_id);
        (first..batch.len()).for_each(|n| batch.set_hint(n, hint));
    }
    let waits = asked.wait != Some("false");
    Ok(Prepared { range: first..batch.len(), destination, queue_id, fate, light_queues, unique_key, waits, change })
}

/// Does the broker take sends now? Checked before a topic is made for one. Messages of earlier sends take other ways: retries (36),
/// replies, decisions, deliveries.
fn check_accepts_sends(config: &BrokerConfig, now: Timestamp) -> Result<(), Refusal> {
    let from = Timestamp(config.accept_sends_from_ms as i64);
    if now < from {
        return Err(Refusal::SendsNotYetAccepted(from));
    }
    match Permission(config.broker_permission as i32).is_writable() {
        true => Ok(()),
        false => Err(Refusal::BrokerNotWritable(config.broker_name.clone())),
    }
}

/// May clients send to a topic of that name?
fn check_name(request: &SendMessage<'_>) -> Result<(), Refusal> {
    names::check_topic(&request.topic)?;
    if names::is_send_forbidden(&request.topic) {
        return Err(Refusal::SendForbidden(request.topic.to_string()));
    }
    if request.batch && request.topic.starts_with(names::RETRY_PREFIX) {
        return Err(Refusal::Message(format!("batch request does not support retry group {}", request.topic)));
    }
    Ok(())
}

/// Can consumers read the body? The members of a batch are checked one by one.
fn check_body(config: &BrokerConfig, request: &SendMessage<'_>, body: &[u8]) -> Result<(), Refusal> {
    if body.is_empty() {
        return Err(Refusal::BodyEmpty);
    }
    check_length(config, body)?;
    if request.batch { Ok(()) } else { bodies::check(request.sys_flag, body) }
}

/// The topic, and the number of the change if the send has made it.
fn destination(
    broker: &Broker,
    request: &SendMessage<'_>,
    dead_letter: Option<&str>,
    known: &mut Destinations,
) -> Result<(Rc<Destination>, Option<u64>), Refusal> {
    if let Some(found) = known.find(broker, dead_letter.unwrap_or(&request.topic)) {
        return Ok((found, None));
    }
    let unknown = || Refusal::no_topic(&request.topic);
    names::check_new_topic(&request.topic)?;
    let (topic, change) = new_topic::create(broker, request).ok_or_else(unknown)?;
    Ok((known.find(broker, &topic.topic_name).ok_or_else(unknown)?, change))
}

/// The queue, in a topic with so many to read and to write; a negative one leaves the choice to the broker.
///
/// # Errors
/// When the topic has fewer.
pub fn queue(randomness: &Randomness, topic: &str, queue_id: i32, read: i32, written: i32) -> Result<u32, Refusal> {
    let queues = read.max(written);
    if queue_id >= queues {
        return Err(Refusal::QueueUnknown { topic: topic.to_owned(), queue_id, queues });
    }
    Ok(u32::try_from(queue_id).unwrap_or_else(|_| randomness.below(written.max(1) as u32)))
}

/// Is the body, as it is sent, within the present limit? Messages that were stored under another limit stay, and are carried on.
///
/// # Errors
/// When it is longer.
pub fn check_length(config: &BrokerConfig, body: &[u8]) -> Result<(), Refusal> {
    let (length, limit) = (body.len(), config.max_message_bytes);
    if length as u64 > limit {
        return Err(Refusal::Message(format!("msg body length {length} B, limit {limit}B, msg properties length limit 32KB.")));
    }
    Ok(())
}
