//! Reading messages by offset (11, 361). Follows Java's `PullMessageProcessor` and `DefaultPullMessageResultHandler`.

use crate::broker::Broker;
use crate::counts::statistics::Moved;
use crate::error::Refusal;
use crate::names::RETRY_PREFIX;
use crate::notify::arrivals::QueueKey;
use crate::requests::offsets::beginning;
use crate::requests::send_back;
use crate::settings::BrokerConfig;
use crate::tables::clients::{Subscription, Wanted, is_everything, is_tags};
use crate::tables::lives::Claim;
use roxmq_protocol::body::{MessageModel, SubscriptionData, SubscriptionGroupConfig, TopicConfig};
use roxmq_protocol::code;
use roxmq_protocol::header::{self, Fields, Top};
use roxmq_protocol::permission::Permission;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::properties::Properties;
use roxmq_protocol::record::Record;
use roxmq_protocol::record::store_host::set_store_host;
use roxmq_protocol::request::{HeaderFields, PULL_COMMIT, PULL_SUBSCRIPTION, PULL_SUSPEND, Pull, PullReply};
use roxmq_remoting::{Answer, Connection, ConnectionId, Ticket};
use roxmq_store::{EntryFilter, Filter, Patience, ReadLimits, ReadRequest, ReadResult, ReadStatus};
use std::cell::Cell;
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
    /// Who pulls.
    connection: ConnectionId,
    /// The offset that rides on it, until it is committed.
    commit: Cell<Option<i64>>,
    /// How often topics had been deleted when it came, and which life of its topic it was then.
    deletions: u64,
    life: Option<u64>,
    limits: ReadLimits,
    subscription: Arc<Subscription>,
    topic_sys_flag: i32,
}

impl PreparedPull {
    /// The name of the group.
    pub fn group_name(&self) -> &str {
        &self.group.group_name
    }

    fn claim(&self, offset: i64) -> Claim<'_> {
        let QueueKey { topic, queue_id } = &self.queue;
        Claim { topic, queue_id: *queue_id as i32, group: self.group_name(), connection: self.connection, offset }
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
            set_store_host(&mut self.body, met_as);
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

/// Who pulls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PullForm {
    /// A push or pull consumer.
    Full,
    /// A lite pull consumer, which a setting may forbid.
    Lite,
}

/// Checks a pull, in Java's order.
///
/// # Errors
/// What forbids the pull.
pub fn prepare(
    broker: &Broker,
    config: &BrokerConfig,
    connection: ConnectionId,
    fields: &Fields<'_>,
    form: PullForm,
) -> Result<PreparedPull, Refusal> {
    let request = Pull::read(fields)?;
    // Before anything is looked up: what is deleted in between is then looked for once more.
    let deletions = broker.tables.lives.deletions();
    if !Permission(config.broker_permission as i32).is_readable() {
        return Err(Refusal::BrokerNotReadable(config.broker_name.clone()));
    }
    if form == PullForm::Lite && !config.lite_pull {
        return Err(Refusal::LitePullForbidden(config.broker_name.clone()));
    }
    let group = broker.tables.groups.admit(config, &request.consumer_group)?;
    check_group(&group)?;
    let topic = find_topic(broker, &request.topic)?;
    check_topic(&topic)?;
    check_queue(&topic, request.queue_id)?;
    let subscription = subscription(broker, config, &request, &group)?;
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
    let scan_bytes = config.filter_scan_bytes.max(messages_max.saturating_mul(JAVA_INDEX_ENTRY_BYTES));
    Ok(PreparedPull {
        group,
        queue: QueueKey { topic: request.topic.as_ref().into(), queue_id: request.queue_id as u32 },
        from: request.queue_offset,
        hold,
        connection,
        commit: Cell::new((request.sys_flag & PULL_COMMIT != 0).then_some(request.commit_offset)),
        deletions,
        life: broker.tables.lives.of(&request.topic),
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
    if topic.perm.is_readable() { Ok(()) } else { Err(Refusal::TopicNotReadable(topic.topic_name.clone())) }
}

fn check_queue(topic: &TopicConfig, queue_id: i32) -> Result<(), Refusal> {
    let queues = topic.read_queue_nums;
    match (0..queues).contains(&queue_id) {
        true => Ok(()),
        false => Err(Refusal::QueueUnknown { topic: topic.topic_name.clone(), queue_id, queues }),
    }
}

/// Is a pull that waits still allowed? Somebody may have switched off or deleted its group, its topic or its queue meanwhile. Java finds
/// that out when the pull is looked at again.
///
/// # Errors
/// What forbids the pull now.
pub fn recheck(broker: &Broker, pull: &PreparedPull) -> Result<(), Refusal> {
    let config = broker.config();
    if !Permission(config.broker_permission as i32).is_readable() {
        return Err(Refusal::BrokerNotReadable(config.broker_name.clone()));
    }
    let topic = find_topic(broker, &pull.queue.topic)?;
    check_topic(&topic)?;
    check_queue(&topic, pull.queue.queue_id as i32)?;
    let group = broker.tables.groups.find(pull.group_name()).ok_or_else(|| Refusal::GroupUnknown(pull.group_name().to_owned()))?;
    check_group(&group)?;
    check_reader(broker, &group, &pull.queue.topic, broker.tables.clients.message_model(pull.group_name()))
}

/// Is the topic of a pull still there?
///
/// # Errors
/// When it was deleted since the pull came, and not made again.
pub fn check_there(broker: &Broker, pull: &PreparedPull) -> Result<(), Refusal> {
    // Usually none was.
    if pull.deletions == broker.tables.lives.deletions() { Ok(()) } else { find_topic(broker, &pull.queue.topic).map(drop) }
}

fn find_topic(broker: &Broker, topic: &str) -> Result<Arc<TopicConfig>, Refusal> {
    broker.tables.topics.find(topic).ok_or_else(|| Refusal::TopicUnknown(topic.to_owned()))
}

/// May the group's members read the topic, and read it in their way?
fn check_reader(broker: &Broker, group: &SubscriptionGroupConfig, topic: &str, model: Option<MessageModel>) -> Result<(), Refusal> {
    if model == Some(MessageModel::Broadcasting) && !group.consume_broadcast_enable {
        return Err(Refusal::BroadcastForbidden(group.group_name.clone()));
    }
    if !broker.tables.groups.may_read(&group.group_name, topic) {
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
            return Ok(Subscription::everything());
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
    let Some((model, subscription)) = broker.tables.clients.subscription(&request.consumer_group, &request.topic) else {
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

/// Sends a pull to another offset.
fn moved(broker: &Broker, pull: &PreparedPull, offset: i64) -> PullResult {
    let (min, max) = broker.store.bounds(&pull.queue.topic, pull.queue.queue_id).unwrap_or_default();
    broker.tables.lives.tell(pull.claim(offset));
    PullResult {
        code: code::PULL_OFFSET_MOVED,
        remark: "OFFSET_RESET",
        messages: 0,
        reply: reply(pull, offset, min, max),
        needs_disk: false,
    }
}

/// Where a pull has to begin whose offset is from before its topic was deleted and made again.
fn begins_anew(broker: &Broker, pull: &PreparedPull, life: u64) -> Option<i64> {
    let beginning = beginning(broker, pull.group_name(), &pull.queue.topic, pull.queue.queue_id as i32);
    let waited_over_it = pull.life != Some(life) && pull.from > beginning;
    (waited_over_it || !broker.tables.lives.may_read(pull.claim(pull.from), beginning)).then_some(beginning)
}

/// Reads what the pull wants, with this much patience, unless the last look at its queue found just that.
pub fn read(broker: &Broker, pull: &PreparedPull, patience: Patience, look: &mut Look) -> PullResult {
    let QueueKey { topic, queue_id } = &pull.queue;
    if let Some(offset) = broker.tables.offsets.take_reset(pull.group_name(), topic, *queue_id as i32) {
        return moved(broker, pull, offset);
    }
    let deletions = broker.tables.lives.deletions();
    let life = broker.tables.lives.of(topic);
    if let Some(life) = life
        && let Some(offset) = begins_anew(broker, pull, life)
    {
        return moved(broker, pull, offset);
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
    // The end of the log is shorter after a crash, and that is where who was beyond it goes on. But who comes from before the topic was
    // deleted has to begin again; where it cannot be told, nothing may be passed over.
    if read.status == ReadStatus::OffsetOverflowBadly
        && broker.store.was_deleted(topic)
        && !broker.tables.lives.reads(pull.claim(pull.from))
    {
        return moved(broker, pull, beginning(broker, pull.group_name(), topic, *queue_id as i32));
    }
    // What rides on a pull is never ahead of it, unless it is from before the topic was deleted.
    let end = if life.is_some() { read.max.0.min(pull.from) } else { read.max.0 };
    let commit = pull.commit.take().filter(|offset| (0..=end).contains(offset));
    let is_current = || broker.tables.lives.deletions() == deletions;
    broker.tables.offsets.note_pull(pull.group_name(), topic, *queue_id as i32, read.next.0, commit, is_current);
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
        broker.counts.figures.got(read.messages);
        let key = &mut look.counter_name;
        key.clear();
        key.extend([topic, "@", pull.group_name()]);
        let (messages, bytes) = (u64::from(read.messages), look.body.len() as u64);
        broker.counts.statistics.add(Moved::Gets, key, messages, bytes);
        broker.counts.broker_gets.add(messages, bytes);
    } else if read.status != ReadStatus::NotInMemory {
        broker.counts.figures.missed();
    }
    let needs_disk = read.status == ReadStatus::NotInMemory;
    PullResult { code, remark, messages: read.messages, reply: reply(pull, read.next.0, read.min, read.max), needs_disk }
}

fn read_store(broker: &Broker, pull: &PreparedPull, limits: ReadLimits, filters_retries: bool, body: &mut Vec<u8>) -> ReadResult {
    let QueueKey { topic, queue_id } = &pull.queue;
    let by_entry: Option<&mut EntryFilter<'_>> = Some(&mut |entry| pull.subscription.wants(entry.tags_code));
    let request = ReadRequest { topic, queue_id: *queue_id, from: QueueOffset(pull.from), limits };
    match &pull.subscription.wanted {
        _ if filters_retries => {
            let wants = &mut |record: &Record<'_>| send_back::is_still_wanted(broker, pull.group_name(), record);
            broker.store.read(&request, Filter { by_entry, by_record: Some(wants) }, body)
        }
        Wanted::Sql(expression) => {
            let wants = &mut |record: &Record<'_>| expression.matches(&Properties::new(record.properties));
            broker.store.read(&request, Filter { by_entry, by_record: Some(wants) }, body)
        }
        Wanted::All | Wanted::Tagged(_) | Wanted::Unreadable(_) => broker.store.read(&request, Filter { by_entry, by_record: None }, body),
    }
}

/// Reads what the pull wants, also from the disk, for somebody who meets the broker as `met_as`.
///
/// # Errors
/// When its topic was deleted.
pub fn answer_from_disk(broker: &Broker, pull: &PreparedPull, met_as: SocketAddr) -> Result<Answer, Refusal> {
    check_there(broker, pull)?;
    let mut look = Look::default();
    let result = read(broker, pull, Patience::WaitForDisk, &mut look);
    let mut answer = Answer::refused(result.code, result.remark).fields(result.reply);
    if result.code == code::SUCCESS {
        set_store_host(&mut look.body, met_as);
        answer.body = look.body;
    }
    Ok(answer)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::topics;
    use crate::saving;
    use crate::settings::FlushDiskType;
    use crate::testing::{NOW_MS, QUEUE, TOPIC, close, open, put, try_open};
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;
    use roxmq_remoting::next_connection;

    /// A pull of the queue by this connection, for the group `g`.
    fn pull(broker: &Broker, connection: ConnectionId, from: i64, commit: i64) -> Result<PreparedPull, Refusal> {
        let fields = [
            ("consumerGroup", "g"),
            ("topic", TOPIC),
            ("queueId", &QUEUE.to_string()),
            ("queueOffset", &from.to_string()),
            ("maxMsgNums", "32"),
            ("sysFlag", &(PULL_COMMIT | PULL_SUBSCRIPTION).to_string()),
            ("commitOffset", &commit.to_string()),
            ("suspendTimeoutMillis", "0"),
            ("subVersion", "0"),
            ("subscription", "*"),
        ]
        .iter()
        .map(|(name, value)| format!("\"{name}\":\"{value}\""))
        .collect::<Vec<_>>()
        .join(",");
        let header = format!("{{\"code\":11,\"flag\":0,\"language\":\"JAVA\",\"opaque\":1,\"version\":513,\"extFields\":{{{fields}}}}}");
        let mut bytes = Vec::new();
        roxmq_protocol::frame::write(
            &mut bytes,
            roxmq_protocol::frame::Encoding::Json,
            |out| out.extend_from_slice(header.as_bytes()),
            b"",
        );
        let frame = roxmq_protocol::frame::split(&bytes).unwrap().unwrap();
        prepare(broker, &broker.config(), connection, &header::read(&frame).unwrap().fields, PullForm::Full)
    }

    /// Its code, where it goes on, and how many messages it gives.
    fn seen(broker: &Broker, pull: &PreparedPull) -> (i32, i64, u32) {
        let result = read(broker, pull, Patience::WaitForDisk, &mut Look::default());
        (result.code, result.reply.next_begin_offset, result.messages)
    }

    fn pulled(broker: &Broker, connection: ConnectionId, from: i64, commit: i64) -> (i32, i64, u32) {
        seen(broker, &pull(broker, connection, from, commit).unwrap())
    }

    fn make(broker: &Broker, messages: usize) {
        broker.tables.topics.add(TopicConfig { topic_name: TOPIC.into(), ..TopicConfig::default() });
        broker.tables.lives.began(TOPIC, broker.store.was_deleted(TOPIC), next_connection());
        (0..messages).for_each(|_| _ = put(broker, TOPIC, QUEUE, "", "body"));
    }

    fn committed(broker: &Broker) -> Option<i64> {
        broker.tables.offsets.find("g", TOPIC, QUEUE as i32)
    }

    #[test]
    fn a_pull_that_came_before_its_topic_was_deleted_begins_anew() {
        let broker = open(&SimDisk::new(7).disk(), &Clock::manual(NOW_MS));
        make(&broker, 5);
        let [waits, at_0, other] = [5, 0, 5].map(|from| pull(&broker, 0, from, from).unwrap());
        assert_eq!(seen(&broker, &other), (code::PULL_NOT_FOUND, 5, 0));
        assert_eq!(committed(&broker), Some(5));
        topics::forget(&broker, TOPIC);
        assert_eq!(check_there(&broker, &waits).unwrap_err().code(), code::TOPIC_NOT_EXIST);
        make(&broker, 7);
        // It is no offset that anybody may go on from, though there is a message at it.
        for late in [&waits, &other] {
            assert!(check_there(&broker, late).is_ok());
            assert_eq!(seen(&broker, late), (code::PULL_OFFSET_MOVED, 0, 0));
        }
        assert_eq!(committed(&broker), None);
        assert_eq!(seen(&broker, &at_0), (code::SUCCESS, 7, 7));
        close(broker);
    }

    #[test]
    fn what_rides_on_a_pull_is_never_beyond_the_end() {
        let broker = open(&SimDisk::new(7).disk(), &Clock::manual(NOW_MS));
        make(&broker, 5);
        for (commit, kept) in [(3, Some(3)), (6, Some(3)), (-1, Some(3)), (i64::MAX, Some(3)), (5, Some(5)), (0, Some(0))] {
            assert_eq!(pulled(&broker, 0, 5, commit), (code::PULL_NOT_FOUND, 5, 0));
            assert_eq!(committed(&broker), kept, "{commit}");
        }
        close(broker);
    }

    /// Without `SYNC_FLUSH` a crash shortens the log under the clients, and their offsets are beyond its end.
    #[test]
    fn a_crash_that_shortens_the_log_is_no_new_beginning() {
        for was_deleted in [false, true] {
            let (sim, clock) = (SimDisk::new(7), Clock::manual(NOW_MS));
            let config = || BrokerConfig { flush_disk_type: FlushDiskType::AsyncFlush, ..crate::testing::config() };
            let broker = try_open(&sim.disk(), &clock, config()).unwrap();
            if was_deleted {
                make(&broker, 9);
                topics::forget(&broker, TOPIC);
            }
            make(&broker, 4);
            assert_eq!(broker.store.flush(), roxmq_store::Flush::Durable);
            assert_eq!(pulled(&broker, next_connection(), 2, 2), (code::SUCCESS, 4, 2));
            saving::save_tables(&broker);
            (0..3).for_each(|_| _ = put(&broker, TOPIC, QUEUE, "", "body"));
            assert_eq!(pulled(&broker, next_connection(), 7, 7), (code::PULL_NOT_FOUND, 7, 0));
            drop(broker);
            sim.crash();
            let broker = try_open(&sim.disk(), &clock, config()).unwrap();
            let (_, max) = broker.store.bounds(TOPIC, QUEUE).unwrap();
            assert!((4..7).contains(&max.0), "{max:?}");
            // Where the topic was deleted before, the offset may be one of that time: it goes on where its group has come to.
            let to = if was_deleted { 2 } else { max.0 };
            assert_eq!(pulled(&broker, next_connection(), 7, 7), (code::PULL_OFFSET_MOVED, to, 0), "{was_deleted}");
            assert_eq!(committed(&broker), Some(2));
            close(broker);
        }
    }
}
