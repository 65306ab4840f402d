//! Storing messages: checks, the stored properties, the draft, the answer (10, 310, 320).
//!
//! Follows Java's `SendMessageProcessor` and `AbstractSendMessageProcessor.msgCheck`.

use crate::destinations::{Destination, Destinations};
use crate::error::Refusal;
use crate::names;
use crate::tables::topics::{PERM_INHERIT, PERM_READ, PERM_WRITE};
use crate::{Broker, delay, light, retry, timer, topics};
use roxmq_env::config::BrokerConfig;
use roxmq_protocol::body::TopicConfig;
use roxmq_protocol::header::{self, Fields, Top};
use roxmq_protocol::properties::{NAME_END, PROPERTIES_BYTES_MAX, Properties, VALUE_END, name};
use roxmq_protocol::record::{Draft, MessageId, batch_items, sys_flag};
use roxmq_protocol::request::{SendForm, SendMessage};
use roxmq_remoting::Ticket;
use roxmq_store::{AppendError, Batch, Placed};
use smallvec::SmallVec;
use std::fmt::Write;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// Its address.
    pub address: SocketAddr,
    /// Its version.
    pub version: i32,
}

/// What sends of a shard use one after the other.
pub struct Flow {
    /// The configuration as of this turn: looking it up anew for each send would have the shards' threads wait for each other.
    pub config: Arc<BrokerConfig>,
    given: String,
    properties: String,
    unique: UniqueKeys,
    destinations: Destinations,
}

impl Flow {
    /// Empty buffers.
    pub fn new(config: Arc<BrokerConfig>) -> Flow {
        Flow {
            config,
            given: String::new(),
            properties: String::new(),
            unique: UniqueKeys::default(),
            destinations: Destinations::default(),
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

/// Checks one send and puts its drafts into `batch`. On an error nothing of it is in the batch.
///
/// # Errors
/// Whatever forbids storing it.
pub fn prepare(
    broker: &Broker,
    sender: Sender,
    fields: &Fields<'_>,
    form: SendForm,
    body: &[u8],
    flow: &mut Flow,
    batch: &mut Batch,
) -> Result<Prepared, Refusal> {
    let mut given = std::mem::take(&mut flow.given);
    let request = SendMessage::read_into(fields, form, &mut given)?;
    let prepared = prepare_one(broker, sender, request, body, flow, batch);
    flow.given = given;
    prepared
}

fn prepare_one(
    broker: &Broker,
    sender: Sender,
    request: SendMessage<'_>,
    body: &[u8],
    flow: &mut Flow,
    batch: &mut Batch,
) -> Result<Prepared, Refusal> {
    let config = Arc::clone(&flow.config);
    let now = broker.clock.now_ms();
    if now < config.accept_sends_from_ms as i64 {
        return Err(Refusal::NotYet(config.accept_sends_from_ms as i64));
    }
    names::check_topic(&request.topic)?;
    broker.check_group_length(&request.producer_group)?;
    if names::is_send_forbidden(&request.topic) {
        return Err(Refusal::SendForbidden(request.topic.into_owned()));
    }
    let dead_letter = retry::dead_letter_instead(broker, &request, sender.version)?;
    let (destination, change) = destination(broker, &request, dead_letter.as_deref(), &mut flow.destinations)?;
    if config.broker_permission as i32 & PERM_WRITE == 0 && destination.order {
        return Err(Refusal::BrokerNotWritable(config.broker_name.clone()));
    }
    if destination.perm & PERM_WRITE == 0 {
        return Err(Refusal::TopicNotWritable(request.topic.into_owned()));
    }
    let queue_id = if dead_letter.is_some() { 0 } else { queue(&request, &destination)? };
    if body.is_empty() {
        return Err(Refusal::BodyEmpty);
    }
    if body.len() as u64 > config.max_message_bytes {
        let (length, limit) = (body.len(), config.max_message_bytes);
        return Err(Refusal::Message(format!("msg body length {length} B, limit {limit}B, msg properties length limit 32KB.")));
    }
    let given = Properties::new(&request.properties);
    let asked = Asked::of(given);
    let level = delay::level_asked(asked.delay, config.delay_ladder.levels_ms().len())?;
    let is_half =
        asked.transactional.is_some_and(|value| value.eq_ignore_ascii_case("true")) && !(request.reconsume_times > 0 && level.is_some());
    if is_half && config.reject_transactions {
        return Err(Refusal::Forbidden(format!("the broker[{}] sending transaction message is forbidden", broker.address)));
    }

    let first = batch.len();
    let unique_key = match asked.unique_key {
        Some(key) => UniqueKey::of(key),
        None => UniqueKey::of(&flow.unique.next(broker.advertised, now)),
    };
    // A dead letter waits for nothing. A half message waits for its decision first. A delay level wins over a time.
    let level = level.filter(|_| dead_letter.is_none());
    let due_ms = if dead_letter.is_none() && level.is_none() { asked.times.due(now, &config)? } else { None };
    let due_ms = due_ms.filter(|_| !is_half);
    if asked.is_deletion {
        return Err(Refusal::Message("a timed message is taken back by its recall handle (request 370), not by another message.".into()));
    }
    if request.batch && (is_half || level.is_some() || due_ms.is_some()) {
        return Err(Refusal::Message("the messages of a batch can wait neither for a time nor for a decision.".into()));
    }
    if is_half || level.is_some() || due_ms.is_some() {
        topics::keep(broker, destination.name())?;
    }
    let is_stored_there = !is_half && level.is_none() && due_ms.is_none();
    let (stored_topic, stored_queue) = match (level, due_ms) {
        _ if is_half => (names::HALF_TOPIC, 0),
        (Some(level), _) => (names::DELAY_TOPIC, delay::queue_of(level)),
        (None, Some(due_ms)) => (names::TIMER_TOPIC, timer::queue_of(broker, due_ms, now)),
        (None, None) => (destination.name(), queue_id),
    };
    let draft = Draft {
        topic: stored_topic,
        queue_id: stored_queue,
        flag: request.flag,
        // A half message is an ordinary record of its queue; what it is shows when it is decided.
        sys_flag: if is_half { sys_flag::with_transaction(request.sys_flag, sys_flag::TRANSACTION_NOT) } else { request.sys_flag },
        born_timestamp: request.born_timestamp,
        born_host: sender.address,
        store_host: broker.advertised,
        reconsume_times: request.reconsume_times,
        prepared_transaction_offset: 0,
        body,
        properties: "",
    };
    let mut light_queues = String::new();
    if request.batch {
        light_queues = push_batch(broker, draft, unique_key.as_str(), flow, batch)?;
    } else {
        stored_properties(broker, given, unique_key.as_str(), &mut flow.properties)?;
        if let Some(due_ms) = due_ms {
            flow.properties = timer::timed_properties(&flow.properties, destination.name(), queue_id, due_ms);
        } else if is_half || level.is_some() {
            flow.properties = delay::waiting_properties(&flow.properties, destination.name(), queue_id);
        } else if dead_letter.is_some() {
            flow.properties = retry::laid_aside(&flow.properties);
        }
        if let Some(named) = light::asked(&config, destination.name(), asked.light_queues, flow.properties.len())? {
            light::reserve(broker, &config, &[named])?;
            // What waits is in none yet.
            light_queues.push_str(if is_stored_there { named } else { "" });
        }
        batch.push(Draft { properties: &flow.properties, ..draft })?;
    }
    if is_stored_there {
        let hint = destination.hint(queue_id);
        (first..batch.len()).for_each(|n| batch.expect(n, hint));
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
    times: timer::Times<'a>,
    is_deletion: bool,
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
                _ => asked.times.note(name, value),
            }
        }
        asked
    }
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
    let (topic, change) = topics::create_for_send(broker, request).ok_or_else(unknown)?;
    Ok((known.find(broker, &topic.topic_name).ok_or_else(unknown)?, change))
}

/// The queue meant; a negative one leaves it to the broker.
fn queue(request: &SendMessage<'_>, topic: &Destination) -> Result<u32, Refusal> {
    let queues = topic.read_queue_nums.max(topic.write_queue_nums);
    if request.queue_id >= queues {
        return Err(Refusal::QueueUnknown { topic: request.topic.to_string(), queue_id: request.queue_id, queues });
    }
    Ok(match u32::try_from(request.queue_id) {
        Ok(queue_id) => queue_id,
        Err(_) => fastrand::u32(..topic.write_queue_nums.max(1) as u32),
    })
}

/// Puts every member of a client's batch into `batch`, or none of them. The light queues that they are in.
fn push_batch(broker: &Broker, draft: Draft<'_>, unique_key: &str, flow: &mut Flow, batch: &mut Batch) -> Result<String, Refusal> {
    let before = batch.len();
    let pushed = push_members(broker, draft, unique_key, flow, batch);
    pushed.inspect_err(|_| batch.truncate(before))
}

fn push_members(broker: &Broker, draft: Draft<'_>, unique_key: &str, flow: &mut Flow, batch: &mut Batch) -> Result<String, Refusal> {
    let before = batch.len();
    let mut light_queues = Vec::new();
    let serves_light = light::serves(&flow.config);
    for item in batch_items(draft.body) {
        let item = item.map_err(|error| Refusal::Message(error.to_string()))?;
        let given = Properties::new(item.properties);
        // A member keeps the key its producer gave it; Java shows the batch's key for all of them.
        stored_properties(broker, given, unique_key, &mut flow.properties)?;
        if serves_light {
            let named = given.find(name::INNER_MULTI_DISPATCH);
            light_queues.extend(light::asked(&flow.config, draft.topic, named, flow.properties.len())?);
        }
        batch.push(Draft { flag: item.flag, body: item.body, properties: &flow.properties, ..draft })?;
    }
    if batch.len() == before {
        return Err(Refusal::Message("the batch is empty".into()));
    }
    light::reserve(broker, &flow.config, &light_queues)?;
    Ok(light_queues.join(","))
}

/// What is stored: what the producer gave without `POP_CK`, with its unique key, or `or_key` if it gave none, and the broker's own marks.
fn stored_properties(broker: &Broker, given: Properties<'_>, or_key: &str, out: &mut String) -> Result<(), Refusal> {
    out.clear();
    let mut own_key = None;
    for (name, value) in given.iter() {
        match name {
            name::UNIQ_KEY => own_key = Some(value),
            name::POP_CK | name::MSG_REGION | name::TRACE_ON | name::CLUSTER => {}
            _ => append_property(out, name, value),
        }
    }
    append_property(out, name::UNIQ_KEY, own_key.unwrap_or(or_key));
    out.push_str(&broker.marks.properties);
    if out.len() > PROPERTIES_BYTES_MAX {
        return Err(Refusal::Message(format!("msg properties length {} B, msg properties length limit 32KB.", out.len())));
    }
    Ok(())
}

/// Appends a property to those of a message that is being stored.
pub fn append_property(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push(NAME_END);
    out.push_str(value);
    out.push(VALUE_END);
}

/// Appends the answer to a stored send to `out`. `msg_id` is a buffer.
pub fn write_answer(
    broker: &Broker,
    ticket: Ticket,
    prepared: &Prepared,
    places: &[Placed],
    code: i32,
    msg_id: &mut String,
    out: &mut Vec<u8>,
) {
    let Some(first) = places.first() else { return };
    msg_id.clear();
    for place in places {
        if !msg_id.is_empty() {
            msg_id.push(',');
        }
        MessageId { store_host: broker.advertised, log_offset: place.log_offset }.write(msg_id);
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
            sink.text("MSG_REGION", &broker.marks.region);
            sink.text("TRACE_ON", broker.marks.trace_on);
            if let Some(due_ms) = prepared.due_ms {
                let topic = prepared.destination.name();
                sink.text("recallHandle", &timer::handle(&broker.config().broker_name, topic, due_ms, prepared.unique_key.as_str()));
            }
        },
        b"",
    );
}

/// What is answered when the store does not take a batch.
pub fn refusal(error: &AppendError) -> Refusal {
    match error {
        AppendError::DiskFull => Refusal::DiskFull(error.to_string()),
        AppendError::Behind => Refusal::Busy("the disk does not keep up"),
        AppendError::Fenced(why) => Refusal::Fenced(why.to_string()),
        other => Refusal::Failed(other.to_string()),
    }
}

/// Makes a topic on the first send to it, from the settings of the topic that the producer names.
/// Java: `TopicConfigManager.createTopicInSendMessageMethod`.
pub fn auto_created(request: &SendMessage<'_>, default: &TopicConfig) -> Option<TopicConfig> {
    if default.perm & PERM_INHERIT == 0 {
        return None;
    }
    let queues = request.default_topic_queue_nums.min(default.write_queue_nums).max(1);
    Some(TopicConfig {
        topic_name: request.topic.to_string(),
        read_queue_nums: queues,
        write_queue_nums: queues,
        perm: default.perm & !PERM_INHERIT & (PERM_READ | PERM_WRITE),
        topic_filter_type: default.topic_filter_type,
        topic_sys_flag: i32::from(request.unit_mode),
        ..TopicConfig::default()
    })
}

/// Makes unique keys for messages that come without one, shaped as the clients' own: 32 digits of address, process, salt, time, count.
#[derive(Default)]
struct UniqueKeys {
    salt: u32,
    count: u16,
}

impl UniqueKeys {
    fn next(&mut self, advertised: SocketAddr, now_ms: i64) -> String {
        if self.salt == 0 {
            self.salt = fastrand::u32(1..);
        }
        self.count = self.count.wrapping_add(1);
        let ip = match advertised.ip() {
            std::net::IpAddr::V4(ip) => u32::from(ip),
            std::net::IpAddr::V6(ip) => ip.segments()[6..].iter().fold(0, |ip, part| ip << 16 | u32::from(*part)),
        };
        let mut key = String::with_capacity(32);
        // Writing to a String cannot fail.
        let _ = write!(key, "{ip:08X}{:04X}{:08X}{:08X}{:04X}", std::process::id() as u16, self.salt, now_ms as u32, self.count);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, NOW_MS, QUEUE, TOPIC, close, try_open};
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;
    use roxmq_protocol::record::{BatchItem, QueueOffset, put_batch_item, records};
    use roxmq_store::{Patience, ReadLimits};

    fn draft(body: &[u8]) -> Draft<'_> {
        let host = ([127, 0, 0, 1], 1).into();
        Draft {
            topic: TOPIC,
            queue_id: QUEUE,
            flag: 0,
            sys_flag: 0,
            born_timestamp: NOW_MS,
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
        let mut flow = Flow::new(broker.config());
        let mut batch = broker.store.batch();
        batch.push(draft(b"before")).unwrap();

        let sound = body(&[
            ("UNIQ_KEY\u{1}own\u{2}POP_CK\u{1}x\u{2}KEYS\u{1}k\u{2}CLUSTER\u{1}forged\u{2}", "one"),
            ("INNER_MULTI_DISPATCH\u{1}%LMQ%a\u{2}TAGS\u{1}t", "two"),
        ]);
        assert_eq!(push_batch(&broker, draft(&sound), "or", &mut flow, &mut batch), Ok("%LMQ%a".to_owned()));
        broker.append_own(&mut batch).unwrap();
        let limits = ReadLimits { messages_max: 3, bytes_max: 4096, scan_max: 3, patience: Patience::WaitForDisk };
        let mut stored = Vec::new();
        broker.store.read(TOPIC, QUEUE, QueueOffset(0), limits, &mut |_| true, &mut stored);
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
        let long = body(&[("", "four"), (&format!("long\u{1}{}", "x".repeat(PROPERTIES_BYTES_MAX - 5)), "five")]);
        for (refused, why) in [(&cut, "properties"), (&full, "no more than 2"), (&long, "limit 32KB"), (&Vec::new(), "empty")] {
            let said = push_batch(&broker, draft(refused), "or", &mut flow, &mut batch).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
            assert_eq!((batch.len(), batch.bytes()), (1, before), "{said}");
        }
        close(broker);
    }
}
