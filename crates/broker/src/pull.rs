//! Reading messages by offset (11, 361). Follows Java's `PullMessageProcessor` and `DefaultPullMessageResultHandler`.

use crate::error::Refusal;
use crate::names::RETRY_PREFIX;
use crate::tables::arrivals::QueueKey;
use crate::tables::clients::{Subscription, Wanted, is_everything, is_tags};
use crate::tables::statistics::Moved;
use crate::tables::topics::PERM_READ;
use crate::{Broker, retry};
use roxmq_env::config::BrokerConfig;
use roxmq_protocol::body::{MessageModel, SubscriptionData, SubscriptionGroupConfig, TopicConfig};
use roxmq_protocol::code;
use roxmq_protocol::header::{self, Fields, Top};
use roxmq_protocol::properties::Properties;
use roxmq_protocol::record::{QueueOffset, Record, store_at};
use roxmq_protocol::request::{HeaderFields, PULL_COMMIT, PULL_SUBSCRIPTION, PULL_SUSPEND, Pull, PullReply};
use roxmq_remoting::{Answer, Connection, Ticket};
use roxmq_store::{Patience, ReadLimits, ReadResult, ReadStatus};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The longest hold, whatever the client asks for: old Go clients ask in nanoseconds.
const HOLD_MAX: Duration = Duration::from_secs(30);
/// Bytes of an index entry as Java counts them when it bounds how far one pull scans.
const JAVA_INDEX_ENTRY_BYTES: u32 = 20;

/// The fields of an answer to a pull that was refused before the queue was looked at. Java's clients read them of every answer.
pub fn refused(refusal: &Refusal) -> PullReply {
    PullReply {
        suggest_which_broker_id: 0,
        next_begin_offset: 0,
        min_offset: 0,
        max_offset: 0,
        topic_sys_flag: None,
        group_sys_flag: None,
        forbidden_type: refusal.forbidden_type(),
    }
}

/// A checked pull.
pub struct PreparedPull {
    /// Group that pulls, with its settings as they were then.
    pub group: Arc<SubscriptionGroupConfig>,
    /// Queue to read.
    pub queue: QueueKey,
    /// Where to start.
    pub from: i64,
    /// How long it may wait for a message.
    pub hold: Duration,
    limits: ReadLimits,
    subscription: Arc<Subscription>,
    topic_sys_flag: i32,
}

impl PreparedPull {
    /// The name of the group.
    pub fn group_name(&self) -> &str {
        &self.group.group_name
    }
}

/// What was read last for pulls of a queue. Those who wait for the same message usually ask for the same, and get the same: it is read and
/// checked once for all of them.
#[derive(Default)]
pub struct Look {
    body: Vec<u8>,
    /// Where all messages in it say that they are stored, if that is known.
    stored_at: Option<SocketAddr>,
    found: Option<(i64, ReadLimits, ReadResult)>,
    counter_name: String,
}

impl Look {
    /// Lets the next pull be looked after by itself: it is of another queue, or something may have come.
    pub fn forget(&mut self) {
        self.found = None;
    }

    /// The messages that belong to a result, for somebody who meets the broker as `met_as`. Most know it by the same address as the one
    /// before, and the bytes are good as they are.
    pub fn body(&mut self, result: &PullResult, met_as: SocketAddr) -> &[u8] {
        if result.code != code::SUCCESS {
            return &[];
        }
        if self.stored_at != Some(met_as) {
            store_at(&mut self.body, met_as);
            self.stored_at = Some(met_as);
        }
        &self.body
    }
}

/// A pull that waits, and who waits.
pub struct Parked {
    /// Its connection.
    pub from: Rc<Connection>,
    /// Its request.
    pub ticket: Ticket,
    /// Until when, as [`roxmq_env::clock::Clock::elapsed`] counts.
    pub deadline: Duration,
    /// What is wanted.
    pub pull: PreparedPull,
}

impl Parked {
    /// Whether it may wait for a message at this time.
    pub fn may_wait(&self, now: Duration) -> bool {
        self.deadline > now && !self.ticket.oneway
    }

    /// Answers the pull.
    pub fn answer(&self, result: &PullResult, body: &[u8]) {
        if self.ticket.oneway {
            return;
        }
        let top = Top::answer(self.ticket.opaque, result.code, Some(result.remark));
        let head = |out: &mut Vec<u8>| header::write_head(out, self.ticket.encoding, top, |sink| result.reply.write(sink), body.len());
        self.from.write_frame(head, body);
    }
}

/// What a pull gives, beside its body.
pub struct PullResult {
    /// Response code.
    pub code: i32,
    /// The store's word for it.
    pub remark: &'static str,
    /// Messages in its body.
    pub messages: u32,
    /// Fields of the answer.
    pub reply: PullReply,
    /// Whether the next message is not in memory, and the disk was not to be waited for.
    pub needs_disk: bool,
}

/// Checks a pull, in Java's order, and stores the offset that rides on it.
///
/// # Errors
/// What forbids the pull.
pub fn prepare(broker: &Broker, config: &BrokerConfig, fields: &Fields<'_>, lite: bool) -> Result<PreparedPull, Refusal> {
    let request = Pull::read(fields)?;
    if config.broker_permission as i32 & PERM_READ == 0 {
        return Err(Refusal::BrokerNotReadable(config.broker_name.clone()));
    }
    if lite && !config.lite_pull {
        return Err(Refusal::LitePullForbidden(config.broker_name.clone()));
    }
    let group = broker.group(config, &request.consumer_group)?;
    check_group(&group)?;
    let topic = broker.topics.find(&request.topic).ok_or_else(|| Refusal::TopicUnknown(request.topic.to_string()))?;
    check_topic(&topic)?;
    if !(0..topic.read_queue_nums).contains(&request.queue_id) {
        let queues = topic.read_queue_nums;
        return Err(Refusal::QueueUnknown { topic: request.topic.into_owned(), queue_id: request.queue_id, queues });
    }
    let subscription = subscription(broker, config, &request, &group)?;
    if request.sys_flag & PULL_COMMIT != 0 {
        broker.offsets.commit(&request.consumer_group, &request.topic, request.queue_id, request.commit_offset);
    }
    let hold = if request.sys_flag & PULL_SUSPEND == 0 {
        Duration::ZERO
    } else if config.long_polling {
        Duration::from_millis(request.suspend_timeout_ms.max(0) as u64).min(HOLD_MAX)
    } else {
        Duration::from_millis(config.short_polling_ms)
    };
    let messages_max = request.max_msg_nums.clamp(1, config.pull_messages_max as i32) as u32;
    let bytes_max = match request.max_msg_bytes {
        Some(bytes) if bytes > 0 => (bytes as u64).min(config.pull_bytes_max),
        _ => config.pull_bytes_max,
    };
    let scan_bytes = config.filter_scan_bytes.max(request.max_msg_nums.max(0) as u32 * JAVA_INDEX_ENTRY_BYTES);
    Ok(PreparedPull {
        group,
        queue: QueueKey { topic: request.topic.as_ref().into(), queue_id: request.queue_id as u32 },
        from: request.queue_offset,
        hold,
        limits: ReadLimits {
            messages_max,
            bytes_max: bytes_max as usize,
            scan_max: (scan_bytes / JAVA_INDEX_ENTRY_BYTES).max(1),
            patience: Patience::MemoryOnly,
        },
        subscription,
        topic_sys_flag: topic.topic_sys_flag,
    })
}

fn check_group(group: &SubscriptionGroupConfig) -> Result<(), Refusal> {
    if group.consume_enable { Ok(()) } else { Err(Refusal::GroupForbidden(group.group_name.clone())) }
}

fn check_topic(topic: &TopicConfig) -> Result<(), Refusal> {
    if topic.perm & PERM_READ != 0 { Ok(()) } else { Err(Refusal::TopicNotReadable(topic.topic_name.clone())) }
}

/// Is a pull that waits still allowed? Somebody may have switched off its group or its topic meanwhile. Java finds that out when the pull
/// is looked at again. What was deleted forbids nothing.
///
/// # Errors
/// What forbids the pull now.
pub fn recheck(broker: &Broker, pull: &PreparedPull) -> Result<(), Refusal> {
    let config = broker.config();
    if config.broker_permission as i32 & PERM_READ == 0 {
        return Err(Refusal::BrokerNotReadable(config.broker_name.clone()));
    }
    if let Some(topic) = broker.topics.find(&pull.queue.topic) {
        check_topic(&topic)?;
    }
    let Some(group) = broker.groups.find(pull.group_name()) else { return Ok(()) };
    check_group(&group)?;
    check_reader(broker, &group, &pull.queue.topic, broker.clients.message_model(pull.group_name()))
}

/// May the group's members read the topic, and read it in their way?
fn check_reader(broker: &Broker, group: &SubscriptionGroupConfig, topic: &str, model: Option<MessageModel>) -> Result<(), Refusal> {
    if model == Some(MessageModel::Broadcasting) && !group.consume_broadcast_enable {
        return Err(Refusal::BroadcastForbidden(group.group_name.clone()));
    }
    if !broker.groups.may_read(&group.group_name, topic) {
        return Err(Refusal::GroupForbiddenForTopic { group: group.group_name.clone(), topic: topic.to_owned() });
    }
    Ok(())
}

/// What the pull wants: as it says itself, or as its group said in a heartbeat.
fn subscription(
    broker: &Broker,
    config: &BrokerConfig,
    request: &Pull<'_>,
    group: &SubscriptionGroupConfig,
) -> Result<Arc<Subscription>, Refusal> {
    if request.sys_flag & PULL_SUBSCRIPTION != 0 {
        check_reader(broker, group, &request.topic, None)?;
        let expression = request.subscription.as_deref().unwrap_or(SubscriptionData::ALL);
        let kind = request.expression_type.as_deref().unwrap_or(SubscriptionData::TAG);
        if is_tags(kind) && is_everything(expression) {
            return Ok(Arc::clone(&broker.everything));
        }
        let data = SubscriptionData {
            topic: request.topic.to_string(),
            sub_string: expression.to_owned(),
            expression_type: kind.to_owned(),
            sub_version: request.sub_version,
            ..SubscriptionData::default()
        };
        return checked(config, data).map(Arc::new);
    }
    let Some((model, subscription)) = broker.clients.subscription(&request.consumer_group, &request.topic) else {
        return Err(Refusal::SubscriptionGroupOffline);
    };
    check_reader(broker, group, &request.topic, Some(model))?;
    let subscription = subscription.ok_or(Refusal::SubscriptionUnknown)?;
    if subscription.data.sub_version < request.sub_version {
        return Err(Refusal::SubscriptionOld);
    }
    check_kind(config, &subscription.data.expression_type)?;
    match &subscription.wanted {
        Wanted::Unreadable(why) => Err(Refusal::FilterUnreadable(why.to_string())),
        Wanted::All | Wanted::Tagged(_) | Wanted::Sql(_) => Ok(subscription),
    }
}

/// What a client wants to subscribe to, if that can be done.
///
/// # Errors
/// When there is no such kind of filter here, or the expression cannot be read.
pub fn checked(config: &BrokerConfig, data: SubscriptionData) -> Result<Subscription, Refusal> {
    check_kind(config, &data.expression_type)?;
    let subscription = Subscription::new(data);
    match &subscription.wanted {
        Wanted::Unreadable(why) => Err(Refusal::Expression(why.to_string())),
        Wanted::Tagged(codes) if codes.is_empty() => Err(Refusal::Expression(format!("no tag in {:?}", subscription.data.sub_string))),
        Wanted::All | Wanted::Tagged(_) | Wanted::Sql(_) => Ok(subscription),
    }
}

fn check_kind(config: &BrokerConfig, kind: &str) -> Result<(), Refusal> {
    let is_known = is_tags(kind) || (kind == SubscriptionData::SQL92 && config.sql_filter);
    if is_known { Ok(()) } else { Err(Refusal::ExpressionKind(kind.to_owned())) }
}

/// Reads what the pull wants, with this much patience, unless the last look at its queue found just that.
pub fn read(broker: &Broker, pull: &PreparedPull, patience: Patience, look: &mut Look) -> PullResult {
    let QueueKey { topic, queue_id } = &pull.queue;
    if let Some(offset) = broker.offsets.take_reset(pull.group_name(), topic, *queue_id as i32) {
        let (min, max) = broker.store.bounds(topic, *queue_id).unwrap_or_default();
        return PullResult {
            code: code::PULL_OFFSET_MOVED,
            remark: "OFFSET_RESET",
            messages: 0,
            reply: reply(pull, offset, min, max),
            needs_disk: false,
        };
    }
    let limits = ReadLimits { patience, ..pull.limits };
    // Only here the settings are asked for, which all threads share.
    let filters_retries = topic.starts_with(RETRY_PREFIX) && broker.config().filter_retries;
    let is_for_all = matches!(pull.subscription.wanted, Wanted::All) && !filters_retries;
    let known = look.found.filter(|(from, with, _)| is_for_all && *from == pull.from && *with == limits);
    let read = match known {
        Some((_, _, read)) => read,
        None => {
            look.body.clear();
            look.stored_at = None;
            let read = read_store(broker, pull, limits, filters_retries, &mut look.body);
            look.found = (is_for_all && read.status == ReadStatus::Found).then_some((pull.from, limits, read));
            read
        }
    };
    broker.offsets.note_pull(pull.group_name(), topic, *queue_id as i32, read.next.0);
    let (code, remark) = match read.status {
        ReadStatus::Found => (code::SUCCESS, "FOUND"),
        ReadStatus::NoMatchedMessage => (code::PULL_RETRY_IMMEDIATELY, "NO_MATCHED_MESSAGE"),
        ReadStatus::MessageWasRemoving => (code::PULL_RETRY_IMMEDIATELY, "MESSAGE_WAS_REMOVING"),
        ReadStatus::NoMatchedLogicQueue if pull.from != 0 => (code::PULL_OFFSET_MOVED, "NO_MATCHED_LOGIC_QUEUE"),
        ReadStatus::NoMatchedLogicQueue => (code::PULL_NOT_FOUND, "NO_MESSAGE_IN_QUEUE"),
        ReadStatus::NoMessageInQueue if pull.from != 0 => (code::PULL_OFFSET_MOVED, "NO_MESSAGE_IN_QUEUE"),
        ReadStatus::NoMessageInQueue => (code::PULL_NOT_FOUND, "NO_MESSAGE_IN_QUEUE"),
        ReadStatus::NotInMemory => (code::PULL_RETRY_IMMEDIATELY, "NOT_IN_MEMORY"),
        ReadStatus::OffsetFoundNull => (code::PULL_NOT_FOUND, "OFFSET_FOUND_NULL"),
        ReadStatus::OffsetOverflowOne => (code::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE"),
        ReadStatus::OffsetOverflowBadly => (code::PULL_OFFSET_MOVED, "OFFSET_OVERFLOW_BADLY"),
        ReadStatus::OffsetTooSmall => (code::PULL_OFFSET_MOVED, "OFFSET_TOO_SMALL"),
    };
    if read.messages > 0 {
        broker.figures.got(read.messages);
        let key = &mut look.counter_name;
        key.clear();
        key.extend([topic, "@", pull.group_name()]);
        let (messages, bytes) = (u64::from(read.messages), look.body.len() as u64);
        broker.statistics.add(Moved::Gets, key, messages, bytes);
        broker.broker_gets.add(messages, bytes);
    } else if read.status != ReadStatus::NotInMemory {
        broker.figures.missed();
    }
    let needs_disk = read.status == ReadStatus::NotInMemory;
    PullResult { code, remark, messages: read.messages, reply: reply(pull, read.next.0, read.min, read.max), needs_disk }
}

fn read_store(broker: &Broker, pull: &PreparedPull, limits: ReadLimits, filters_retries: bool, body: &mut Vec<u8>) -> ReadResult {
    let QueueKey { topic, queue_id } = &pull.queue;
    let wanted = &mut |entry: &roxmq_store::IndexEntry| pull.subscription.wants(entry.tags_code);
    let from = QueueOffset(pull.from);
    match &pull.subscription.wanted {
        _ if filters_retries => {
            let keep = &mut |record: &Record<'_>| retry::is_still_wanted(broker, pull.group_name(), record);
            broker.store.read_filtered(topic, *queue_id, from, limits, wanted, keep, body)
        }
        Wanted::Sql(expression) => {
            let keep = &mut |record: &Record<'_>| expression.matches(&Properties::new(record.properties));
            broker.store.read_filtered(topic, *queue_id, from, limits, wanted, keep, body)
        }
        Wanted::All | Wanted::Tagged(_) | Wanted::Unreadable(_) => broker.store.read(topic, *queue_id, from, limits, wanted, body),
    }
}

/// Reads what the pull wants, also from the disk, for somebody who meets the broker as `met_as`.
pub fn answer_from_disk(broker: &Broker, pull: &PreparedPull, met_as: SocketAddr) -> Answer {
    let mut look = Look::default();
    let result = read(broker, pull, Patience::WaitForDisk, &mut look);
    let mut answer = Answer::refused(result.code, result.remark).fields(result.reply);
    if result.code == code::SUCCESS {
        store_at(&mut look.body, met_as);
        answer.body = look.body;
    }
    answer
}

fn reply(pull: &PreparedPull, next: i64, min: QueueOffset, max: QueueOffset) -> PullReply {
    PullReply {
        suggest_which_broker_id: pull.group.broker_id,
        next_begin_offset: next,
        min_offset: min.0,
        max_offset: max.0,
        topic_sys_flag: Some(pull.topic_sys_flag),
        group_sys_flag: Some(pull.group.group_sys_flag),
        forbidden_type: None,
    }
}
