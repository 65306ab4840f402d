//! Storing messages: checks, the stored properties, the draft, the answer (10, 310, 320).
//!
//! Follows Java's `SendMessageProcessor` and `AbstractSendMessageProcessor.msgCheck`.

use crate::announce::topics;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::message::bodies;
use crate::message::light;
use crate::message::room;
use crate::names;
use crate::requests::destinations::{Destination, Destinations};
use crate::requests::send_back;
use crate::settings::BrokerConfig;
use crate::waiting::delay::levels;
use crate::waiting::parking;
use crate::waiting::redraft;
use crate::waiting::timer::handle;
use crate::waiting::timer::times::Times;
use crate::waiting::transaction::checks;
use roxmq_env::randomness::Randomness;
use roxmq_protocol::batch_body::batch_items;
use roxmq_protocol::body::TopicConfig;
use roxmq_protocol::header::{self, Fields, Top};
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::permission::Permission;
use roxmq_protocol::properties::{NAME_END, Properties, VALUE_END, name};
use roxmq_protocol::record::{Draft, sys_flag};
use roxmq_protocol::request::{SendForm, SendMessage, SendStamp};
use roxmq_protocol::time::Timestamp;
use roxmq_protocol::unique_key::UniqueKeys;
use roxmq_remoting::{Answer, Ticket};
use roxmq_store::{Batch, Placed};
use smallvec::SmallVec;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use tracing::info;

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// Its address.
    pub address: SocketAddr,
    /// What it knows the broker by.
    pub met_as: SocketAddr,
    /// Its version.
    pub version: i32,
}

/// What the broker writes into every stored message, and tells every sender.
pub struct Marks {
    region: String,
    trace_on: &'static str,
    /// They and the cluster's name, as they stand in each message.
    properties: String,
}

impl Marks {
    /// As these settings have it.
    pub fn of(config: &BrokerConfig) -> Marks {
        let (region, trace_on) = (config.region_id.clone(), shown(config.trace_on));
        let mut properties = String::new();
        append_property(&mut properties, name::MSG_REGION, &region);
        append_property(&mut properties, name::TRACE_ON, trace_on);
        append_property(&mut properties, name::CLUSTER, &config.broker_cluster_name);
        Marks { region, trace_on, properties }
    }
}

/// What is answered to a send that is refused. Java sets region and trace switch before it checks anything, and hooks of its client read
/// them.
pub fn refused(config: &BrokerConfig, refusal: &Refusal) -> Answer {
    refusal.answer().fields(marks(config))
}

/// What every answer to a send says.
pub fn marks(config: &BrokerConfig) -> SendStamp<'static> {
    SendStamp { region_id: Some(config.region_id.clone().into()), trace_on: Some(shown(config.trace_on).into()) }
}

fn shown(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

/// What sends of a shard use one after the other.
pub struct Flow {
    /// The settings: looking them up anew for each send would have the shards' threads wait for each other.
    pub config: Arc<BrokerConfig>,
    /// What follows from them.
    marks: Marks,
    /// How often the settings had changed when they were looked up.
    as_of: u64,
    given: String,
    properties: String,
    msg_id: String,
    unique: UniqueKeys,
    destinations: Destinations,
}

impl Flow {
    /// Empty buffers.
    pub fn new(broker: &Broker) -> Flow {
        let as_of = broker.settings.changes();
        let config = broker.config();
        Flow {
            marks: Marks::of(&config),
            config,
            as_of,
            given: String::new(),
            properties: String::new(),
            msg_id: String::new(),
            unique: UniqueKeys::new(std::process::id() as u16, 1 + broker.randomness.below(u32::MAX)),
            destinations: Destinations::default(),
        }
    }

    /// Takes the settings as they are now. A client that was told that they changed finds them changed.
    pub fn refresh(&mut self, broker: &Broker) {
        let as_of = broker.settings.changes();
        if self.as_of != as_of {
            self.as_of = as_of;
            self.config = broker.config();
            self.marks = Marks::of(&self.config);
        }
    }
}

/// A unique key. Those that clients make have 32 bytes, and ask for no memory.
pub struct UniqueKey(SmallVec<[u8; 32]>);

impl UniqueKey {
    fn of(key: &str) -> UniqueKey {
        UniqueKey(SmallVec::from_slice(key.as_bytes()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        // It was text when it was made.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A send whose drafts are in the batch.
pub struct Prepared {
    /// Which drafts of the batch.
    pub range: Range<usize>,
    /// Where they go.
    pub destination: Rc<Destination>,
    /// Which queue.
    pub queue_id: u32,
    /// Is it stored there at once? What waits for a time or a decision is in a queue of the broker's own meanwhile.
    pub is_stored_there: bool,
    /// The light queues that the messages are in as well, separated by commas.
    pub light_queues: String,
    /// What the answer calls the transaction: the unique key.
    pub unique_key: UniqueKey,
    /// When the message is due, if it waits for a time.
    pub due_ms: Option<i64>,
    /// Does the sender wait until the messages are durable?
    pub waits: bool,
    /// The topic is new: the change that NameServers are told of before the sender is answered.
    pub change: Option<u64>,
}

/// Why a send's drafts are not in the batch.
#[derive(Debug, PartialEq)]
pub enum Unprepared {
    /// It is not stored, for this reason.
    Refused(Refusal),
    /// It waits for its delivery to a topic that is too new for that: once this change of the journal is durable, it can be prepared again.
    TopicIsNew {
        /// The change that has to become durable.
        owed: u64,
        /// The topic was made by this send: the change that NameServers are told of before the sender is answered.
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

/// As [`prepare`], of a request that is read already.
pub fn prepare_one(
    broker: &Broker,
    sender: Sender,
    request: SendMessage<'_>,
    body: &[u8],
    flow: &mut Flow,
    batch: &mut Batch,
) -> Result<Prepared, Unprepared> {
    let config = Arc::clone(&flow.config);
    let now = broker.clock.now_ms();
    if now < config.accept_sends_from_ms as i64 {
        return Err(Refusal::NotYet(config.accept_sends_from_ms as i64).into());
    }
    // Before a topic is made for it. What was begun before comes by another way: retries (36), replies, decisions, what falls due.
    if !Permission(config.broker_permission as i32).is_writable() {
        return Err(Refusal::BrokerNotWritable(config.broker_name.clone()).into());
    }
    names::check_topic(&request.topic)?;
    if names::is_send_forbidden(&request.topic) {
        return Err(Refusal::SendForbidden(request.topic.into_owned()).into());
    }
    if request.batch && request.topic.starts_with(names::RETRY_PREFIX) {
        return Err(Refusal::Message(format!("batch request does not support retry group {}", request.topic)).into());
    }
    let dead_letter = send_back::dead_letter_instead(broker, &request, sender.version)?;
    let (destination, change) = destination(broker, &request, dead_letter.as_deref(), &mut flow.destinations)?;
    if !destination.perm.is_writable() {
        return Err(Refusal::TopicNotWritable(request.topic.into_owned()).into());
    }
    // A retry was let in before, by the settings of then, and would hold up what its group has to handle next. It was delivered before.
    let is_new = !request.topic.starts_with(names::RETRY_PREFIX) || request.reconsume_times <= 0;
    let queue_id = match dead_letter {
        Some(_) => 0,
        None => queue(&broker.randomness, &request.topic, request.queue_id, destination.read_queue_nums, destination.write_queue_nums)?,
    };
    if is_new {
        if body.is_empty() {
            return Err(Refusal::BodyEmpty.into());
        }
        check_length(&config, body)?;
        if !request.batch {
            bodies::check(request.sys_flag, body)?;
        }
    }
    let given = Properties::new(&request.properties);
    let asked = Asked::of(given);
    let level = levels::level_asked(asked.delay, config.delay_ladder.levels_ms().len())?;
    let is_half =
        asked.transactional.is_some_and(|value| value.eq_ignore_ascii_case("true")) && !(request.reconsume_times > 0 && level.is_some());
    if is_half && config.reject_transactions {
        let address = broker.identity.address_to(sender.met_as);
        return Err(Refusal::Forbidden(format!("the broker[{address}] sending transaction message is forbidden")).into());
    }

    let first = batch.len();
    let unique_key = match asked.unique_key {
        Some(key) => UniqueKey::of(key),
        None => UniqueKey::of(&flow.unique.next(broker.identity.advertised.ip(), Timestamp(now))),
    };
    // A dead letter waits for nothing. A half message waits for its decision first. A delay level wins over a time.
    let level = level.filter(|_| dead_letter.is_none());
    let due_ms = if dead_letter.is_none() && level.is_none() { asked.times.due(now, &config)? } else { None };
    let due_ms = due_ms.filter(|_| !is_half);
    if asked.is_deletion {
        return Err(
            Refusal::Message("a timed message is taken back by its recall handle (request 370), not by another message.".into()).into()
        );
    }
    if asked.is_inner_batch {
        return Err(bodies::no_inner_batch().into());
    }
    if request.batch && asked.waits(&config) {
        return Err(batch_waits().into());
    }
    if (is_half || level.is_some() || due_ms.is_some())
        && let Some(owed) = topics::owed(broker, destination.name())
    {
        return Err(Unprepared::TopicIsNew { owed, change });
    }
    let is_stored_there = !is_half && level.is_none() && due_ms.is_none();
    let (stored_topic, stored_queue) = match (level, due_ms) {
        _ if is_half => (names::HALF_TOPIC, 0),
        (Some(level), _) => (names::DELAY_TOPIC, levels::queue_of(level)),
        (None, Some(due_ms)) => (names::TIMER_TOPIC, broker.waiting.timers.queue_of(due_ms, now)),
        (None, None) => (destination.name(), queue_id),
    };
    let draft = Draft {
        topic: stored_topic,
        queue_id: stored_queue,
        flag: request.flag,
        // A half message is an ordinary record of its queue; what it is shows when it is decided. Of any other message these bits would
        // only say that it is in no queue.
        sys_flag: sys_flag::with_transaction(request.sys_flag, sys_flag::TRANSACTION_NOT),
        born_timestamp: request.born_timestamp,
        born_host: born_host(&config, sender.address),
        store_host: broker.identity.advertised,
        reconsume_times: request.reconsume_times,
        prepared_transaction_offset: 0,
        body,
        properties: "",
    };
    let mut light_queues = String::new();
    if request.batch {
        light_queues = push_batch(broker, sender, draft, unique_key.as_str(), flow, batch)?;
    } else {
        stored_properties(sender, given, unique_key.as_str(), flow);
        let light = light::asked(&config, destination.name(), asked.light_queues)?;
        if is_new {
            let later_bytes = room::later_bytes(&request.topic, asked.times.is_asked(), is_half);
            room::check(flow.properties.len(), light.map_or(0, |(_, bytes)| bytes), later_bytes)?;
        }
        if let Some(due_ms) = due_ms {
            flow.properties = redraft::timed_properties(&flow.properties, destination.name(), queue_id, due_ms);
        } else if is_half || level.is_some() {
            flow.properties = redraft::waiting_properties(&flow.properties, destination.name(), queue_id);
            if is_half {
                flow.properties = checks::never_checked(&flow.properties);
            }
        } else if dead_letter.is_some() {
            flow.properties = send_back::laid_aside(&flow.properties);
        }
        if let Some((named, _)) = light {
            light::reserve(broker, &config, &[named])?;
            // What waits is in none yet.
            light_queues.push_str(if is_stored_there { named } else { "" });
        }
        let pushed = parking::try_push(broker, Draft { properties: &flow.properties, ..draft }, batch);
        pushed.map_err(Refusal::Message)?;
    }
    if is_stored_there {
        let hint = destination.hint(queue_id);
        (first..batch.len()).for_each(|n| batch.set_hint(n, hint));
    }
    let waits = asked.wait != Some("false");
    Ok(Prepared { range: first..batch.len(), destination, queue_id, is_stored_there, light_queues, unique_key, due_ms, waits, change })
}

/// What a producer's properties ask of the broker, found in one walk through them.
#[derive(Default)]
struct Asked<'a> {
    unique_key: Option<&'a str>,
    wait: Option<&'a str>,
    delay: Option<&'a str>,
    transactional: Option<&'a str>,
    light_queues: Option<&'a str>,
    times: Times<'a>,
    is_deletion: bool,
    is_inner_batch: bool,
}

impl<'a> Asked<'a> {
    fn of(given: Properties<'a>) -> Asked<'a> {
        let mut asked = Asked::default();
        for (name, value) in given.iter() {
            match name {
                name::UNIQ_KEY => asked.unique_key = Some(value),
                name::WAIT => asked.wait = Some(value),
                name::DELAY => asked.delay = Some(value),
                name::TRAN_MSG => asked.transactional = Some(value),
                name::INNER_MULTI_DISPATCH => asked.light_queues = Some(value),
                name::TIMER_DEL_UNIQKEY => asked.is_deletion = true,
                name::INNER_NUM => asked.is_inner_batch = true,
                _ => asked.times.note(name, value),
            }
        }
        asked
    }

    /// Whether it asks to wait for a time or a decision, or to have another message wait no longer. A time that is over asks too.
    fn waits(&self, config: &BrokerConfig) -> bool {
        let level = levels::level_asked(self.delay, config.delay_ladder.levels_ms().len());
        let is_half = self.transactional.is_some_and(|value| value.eq_ignore_ascii_case("true"));
        is_half || self.is_deletion || self.times.is_asked() || level.map_or(true, |level| level.is_some())
    }
}

fn batch_waits() -> Refusal {
    Refusal::Message("the messages of a batch can wait neither for a time nor for a decision.".into())
}

/// The topic, and the number of the change when it had to be made.
fn destination(
    broker: &Broker,
    request: &SendMessage<'_>,
    dead_letter: Option<&str>,
    known: &mut Destinations,
) -> Result<(Rc<Destination>, Option<u64>), Refusal> {
    if let Some(found) = known.find(broker, dead_letter.unwrap_or(&request.topic)) {
        return Ok((found, None));
    }
    let unknown = || Refusal::TopicUnknown(request.topic.to_string());
    names::check_new_topic(&request.topic)?;
    let (topic, change) = create_for_send(broker, request).ok_or_else(unknown)?;
    Ok((known.find(broker, &topic.topic_name).ok_or_else(unknown)?, change))
}

/// The queue meant, of so many that are read and written; a negative one leaves it to the broker.
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

/// Is the body, as it is sent, no longer than bodies may be now? What was stored under another limit is kept, and carried on.
///
/// # Errors
/// When it is.
pub fn check_length(config: &BrokerConfig, body: &[u8]) -> Result<(), Refusal> {
    let (length, limit) = (body.len(), config.max_message_bytes);
    if length as u64 > limit {
        return Err(Refusal::Message(format!("msg body length {length} B, limit {limit}B, msg properties length limit 32KB.")));
    }
    Ok(())
}

/// Puts every member of a client's batch into `batch`, or none of them. The light queues that they are in.
fn push_batch(
    broker: &Broker,
    sender: Sender,
    draft: Draft<'_>,
    unique_key: &str,
    flow: &mut Flow,
    batch: &mut Batch,
) -> Result<String, Refusal> {
    let before = batch.len();
    let pushed = push_members(broker, sender, draft, unique_key, flow, batch);
    pushed.inspect_err(|_| batch.truncate(before))
}

fn push_members(
    broker: &Broker,
    sender: Sender,
    draft: Draft<'_>,
    unique_key: &str,
    flow: &mut Flow,
    batch: &mut Batch,
) -> Result<String, Refusal> {
    let before = batch.len();
    let mut light_queues = Vec::new();
    let serves_light = flow.config.serves_light_queues();
    for item in batch_items(draft.body) {
        let item = item.map_err(|error| Refusal::Message(error.to_string()))?;
        // The batch's sys flag is that of each of its members.
        bodies::check(draft.sys_flag, item.body)?;
        let given = Properties::new(item.properties);
        // A member keeps the key its producer gave it; Java shows the batch's key for all of them.
        let may_ask = stored_properties(sender, given, unique_key, flow);
        if may_ask {
            let asked = Asked::of(given);
            if asked.waits(&flow.config) {
                return Err(batch_waits());
            }
            if asked.is_inner_batch {
                return Err(bodies::no_inner_batch());
            }
        }
        let mut light_bytes = 0;
        if serves_light && let Some((named, bytes)) = light::asked(&flow.config, draft.topic, given.find(name::INNER_MULTI_DISPATCH))? {
            light_queues.push(named);
            light_bytes = bytes;
        }
        room::check(flow.properties.len(), light_bytes, room::later_bytes(draft.topic, false, false))?;
        let draft = Draft { flag: item.flag, body: item.body, properties: &flow.properties, ..draft };
        parking::try_push(broker, draft, batch).map_err(Refusal::Message)?;
    }
    if batch.len() == before {
        return Err(Refusal::Message("the batch is empty".into()));
    }
    light::reserve(broker, &flow.config, &light_queues)?;
    Ok(light_queues.join(","))
}

/// The address of a client as it stands in its messages.
///
/// Readers that know nothing of IPv6 take sixteen bytes for four and find nonsense behind them: the Node.js client sees nothing of the
/// topic any more, the C++ one ends. So they are given no address, and those who want it find it in a property.
pub fn born_host(config: &BrokerConfig, client: SocketAddr) -> SocketAddr {
    if is_hidden(config, client) { SocketAddr::from((Ipv4Addr::UNSPECIFIED, client.port())) } else { client }
}

/// The property that has the address which [`born_host`] leaves out.
pub fn append_born_host(out: &mut String, config: &BrokerConfig, client: SocketAddr) {
    if is_hidden(config, client) {
        append_property(out, name::ROXMQ_BORN_HOST, &client.to_string());
    }
}

fn is_hidden(config: &BrokerConfig, client: SocketAddr) -> bool {
    client.is_ipv6() && !config.ipv6_born_hosts
}

/// What is stored, in `flow.properties`: what the producer gave without `POP_CK`, with its unique key, or `or_key` if it gave none, and
/// the broker's own marks.
///
/// Whether there is any property that may ask for what a batch cannot have.
fn stored_properties(sender: Sender, given: Properties<'_>, or_key: &str, flow: &mut Flow) -> bool {
    let out = &mut flow.properties;
    out.clear();
    let (mut own_key, mut may_ask) = (None, false);
    for (name, value) in given.iter() {
        match name {
            name::UNIQ_KEY => own_key = Some(value),
            name::POP_CK | name::MSG_REGION | name::TRACE_ON | name::CLUSTER | name::ROXMQ_BORN_HOST => {}
            _ => {
                may_ask |= matches!(name.as_bytes(), [b'D' | b'I' | b'T', ..]) && MAY_ASK.contains(&name);
                append_property(out, name, value);
            }
        }
    }
    append_property(out, name::UNIQ_KEY, own_key.unwrap_or(or_key));
    out.push_str(&flow.marks.properties);
    append_born_host(out, &flow.config, sender.address);
    may_ask
}

/// Properties that may ask for a message to wait, or to be an inner batch.
const MAY_ASK: [&str; 7] = [
    name::DELAY,
    name::TRAN_MSG,
    name::TIMER_DELAY_SEC,
    name::TIMER_DELAY_MS,
    name::TIMER_DELIVER_MS,
    name::TIMER_DEL_UNIQKEY,
    name::INNER_NUM,
];

/// Appends a property to those of a message that is being stored.
pub fn append_property(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push(NAME_END);
    out.push_str(value);
    out.push(VALUE_END);
}

/// Appends the answer to a stored send to `out`, for somebody who meets the broker as `met_as`.
pub fn write_answer(
    flow: &mut Flow,
    ticket: Ticket,
    met_as: SocketAddr,
    prepared: &Prepared,
    places: &[Placed],
    code: i32,
    out: &mut Vec<u8>,
) {
    let Some(first) = places.first() else { return };
    let Flow { config, marks, msg_id, .. } = flow;
    msg_id.clear();
    for place in places {
        if !msg_id.is_empty() {
            msg_id.push(',');
        }
        MessageId { store_host: met_as, log_offset: place.log_offset }.write(msg_id);
    }
    let top = Top::answer(ticket.opaque, code, (code != 0).then_some("FLUSH_DISK_TIMEOUT"));
    header::write_frame(
        out,
        ticket.encoding,
        top,
        |sink| {
            sink.text("msgId", msg_id);
            sink.number("queueId", prepared.queue_id);
            sink.number("queueOffset", first.queue_offset.0);
            sink.text("transactionId", prepared.unique_key.as_str());
            sink.text("MSG_REGION", &marks.region);
            sink.text("TRACE_ON", marks.trace_on);
            let topic = prepared.destination.name();
            if let Some(due_ms) = prepared.due_ms.filter(|_| !topic.starts_with(names::RETRY_PREFIX)) {
                sink.text("recallHandle", &handle::handle(&config.broker_name, topic, due_ms, prepared.unique_key.as_str()));
            }
        },
        b"",
    );
}

/// Counts what was stored.
pub fn count_stored(broker: &Broker, prepared: &Prepared, places: &[Placed]) {
    let bytes: u64 = places.iter().map(|place| place.size as u64).sum();
    let count = places.len() as u64;
    broker.counts.figures.put(count, bytes);
    prepared.destination.count(broker, count, bytes);
    broker.counts.broker_puts.add(count, bytes);
}

/// The topic of a send, made if its name is new and the settings allow it.
///
/// With the number of the change that NameServers have to be told of, when it is new.
fn create_for_send(broker: &Broker, request: &SendMessage<'_>) -> Option<(Arc<TopicConfig>, Option<u64>)> {
    if !broker.config().auto_create_topic {
        return None;
    }
    let default = broker.tables.topics.find(&request.default_topic)?;
    if broker.tables.deleted.holds(&request.topic) {
        return None;
    }
    let (topic, is_new) = broker.tables.topics.add(auto_created(request, &default)?);
    if !is_new {
        return Some((topic, None));
    }
    info!(topic = topic.topic_name, queues = topic.write_queue_nums, "made a topic on its first send");
    let change = topics::made(broker, &topic.topic_name);
    Some((topic, Some(change)))
}

/// Makes a topic on the first send to it, from the settings of the topic that the producer names.
/// Java: `TopicConfigManager.createTopicInSendMessageMethod`.
pub fn auto_created(request: &SendMessage<'_>, default: &TopicConfig) -> Option<TopicConfig> {
    if !default.perm.is_inherited() {
        return None;
    }
    let queues = request.default_topic_queue_nums.min(default.write_queue_nums).max(1);
    Some(TopicConfig {
        topic_name: request.topic.to_string(),
        read_queue_nums: queues,
        write_queue_nums: queues,
        perm: default.perm.limited_to(Permission::READ_WRITE),
        topic_filter_type: default.topic_filter_type,
        topic_sys_flag: i32::from(request.unit_mode),
        ..TopicConfig::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, NOW_MS, QUEUE, TOPIC, close, try_open};
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;
    use roxmq_protocol::batch_body::{BatchItem, put_batch_item};
    use roxmq_protocol::position::QueueOffset;
    use roxmq_protocol::properties::PROPERTIES_BYTES_MAX;
    use roxmq_protocol::record::records;
    use roxmq_store::{Filter, Patience, ReadLimits, ReadRequest};
    use std::net::IpAddr;

    const SENDER: Sender = Sender {
        address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1),
        met_as: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2),
        version: 0,
    };

    fn draft(body: &[u8]) -> Draft<'_> {
        let host = ([127, 0, 0, 1], 1).into();
        Draft {
            topic: TOPIC,
            queue_id: QUEUE,
            flag: 0,
            sys_flag: 0,
            born_timestamp: Timestamp(NOW_MS),
            born_host: host,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body,
            properties: "",
        }
    }

    fn body(members: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (properties, body) in members {
            put_batch_item(&mut bytes, BatchItem { flag: 7, body: body.as_bytes(), properties }).unwrap();
        }
        bytes
    }

    #[test]
    fn members_of_a_batch_keep_what_is_theirs_and_are_in_it_all_or_none() {
        let config =
            BrokerConfig { light_queues: true, multi_dispatch: true, light_queues_quota: true, light_queues_max: 2, ..testing::config() };
        let broker = try_open(&SimDisk::new(3).disk(), &Clock::manual(NOW_MS), config).unwrap();
        let mut flow = Flow::new(&broker);
        let mut batch = broker.store.batch();
        batch.push(draft(b"before")).unwrap();

        let sound = body(&[
            ("UNIQ_KEY\u{1}own\u{2}POP_CK\u{1}x\u{2}KEYS\u{1}k\u{2}CLUSTER\u{1}forged\u{2}", "one"),
            ("INNER_MULTI_DISPATCH\u{1}%LMQ%a\u{2}TAGS\u{1}t", "two"),
        ]);
        assert_eq!(push_batch(&broker, SENDER, draft(&sound), "or", &mut flow, &mut batch), Ok("%LMQ%a".to_owned()));
        broker.append_own(&mut batch).unwrap();
        let limits = ReadLimits { messages_max: 3, bytes_max: 4096, scan_max: 3, patience: Patience::WaitForDisk };
        let mut stored = Vec::new();
        broker.store.read(&ReadRequest { topic: TOPIC, queue_id: QUEUE, from: QueueOffset(0), limits }, Filter::ALL, &mut stored);
        let stored: Vec<_> = records(&stored).map(|record| record.unwrap()).collect();
        let marks = "MSG_REGION\u{1}DefaultRegion\u{2}TRACE_ON\u{1}true\u{2}CLUSTER\u{1}DefaultCluster\u{2}";
        assert_eq!(stored[1].properties().as_str(), format!("KEYS\u{1}k\u{2}UNIQ_KEY\u{1}own\u{2}{marks}"));
        assert_eq!((stored[1].flag, stored[1].body), (7, b"one".as_slice()));
        assert!(stored[2].properties().as_str().starts_with("INNER_MULTI_DISPATCH\u{1}%LMQ%a\u{2}TAGS\u{1}t\u{2}UNIQ_KEY\u{1}or\u{2}"));

        batch.clear();
        batch.push(draft(b"before")).unwrap();
        let before = batch.bytes();
        let mut cut = sound.clone();
        cut.pop();
        let full = body(&[("INNER_MULTI_DISPATCH\u{1}%LMQ%b,%LMQ%c\u{2}KEYS\u{1}k\u{2}", "three")]);
        let compressed = Draft { sys_flag: sys_flag::COMPRESSED, ..draft(&sound) };
        let said = push_batch(&broker, SENDER, compressed, "or", &mut flow, &mut batch).unwrap_err().to_string();
        assert!(said.contains("compressed with zlib, and it is not"), "{said}");
        assert_eq!((batch.len(), batch.bytes()), (1, before), "{said}");
        let long = body(&[("", "four"), (&format!("long\u{1}{}", "x".repeat(PROPERTIES_BYTES_MAX - 5)), "five")]);
        for (refused, why) in [(&cut, "properties"), (&full, "no more than 2"), (&long, "limit 32KB"), (&Vec::new(), "empty")] {
            let said = push_batch(&broker, SENDER, draft(refused), "or", &mut flow, &mut batch).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
            assert_eq!((batch.len(), batch.bytes()), (1, before), "{said}");
        }
        close(broker);
    }
}
