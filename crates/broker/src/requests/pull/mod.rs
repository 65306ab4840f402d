//! What does a pull ask for (11, 361), and may it? Follows Java's `PullMessageProcessor`.

pub mod answer;
pub mod read;
pub mod subscription;
#[cfg(test)]
mod tests;

use crate::broker::Broker;
use crate::error::Refusal;
use crate::notify::arrivals::QueueKey;
use crate::settings::BrokerConfig;
use crate::tables::clients::Subscription;
use crate::tables::incarnations::{Claim, IncarnationId};
use roxmq_protocol::body::{SubscriptionGroupConfig, TopicConfig};
use roxmq_protocol::header::Fields;
use roxmq_protocol::permission::Permission;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::request::{HeaderFields, PULL_COMMIT, PULL_SUSPEND, Pull};
use roxmq_remoting::ConnectionId;
use roxmq_store::{Patience, ReadLimits};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;
use subscription::{check_reader, subscription};

/// The longest hold, whatever the client asks for: old Go clients ask in nanoseconds.
const HOLD_MAX: Duration = Duration::from_secs(30);
/// Bytes of an index entry as Java counts them when it bounds how far one pull scans.
const JAVA_INDEX_ENTRY_BYTES: u32 = 20;

/// A checked pull.
pub struct PreparedPull {
    /// The group that pulls, with its settings when the pull came.
    pub group: Arc<SubscriptionGroupConfig>,
    /// The queue to read.
    pub queue: QueueKey,
    /// Where to start.
    pub from: QueueOffset,
    /// How long it may wait for a message.
    pub hold: Duration,
    /// Who pulls.
    pub(super) connection: ConnectionId,
    /// The offset that rides on it, until it is committed.
    pub(super) commit: Cell<Option<QueueOffset>>,
    /// How often topics had been deleted when it came, and which incarnation of its topic it was then.
    pub(super) deletions: u64,
    pub(super) incarnation: Option<IncarnationId>,
    pub(super) limits: ReadLimits,
    pub(super) subscription: Arc<Subscription>,
    pub(super) topic_sys_flag: i32,
}

impl PreparedPull {
    /// The name of the group.
    pub fn group_name(&self) -> &str {
        &self.group.group_name
    }

    pub(super) fn claim(&self, offset: QueueOffset) -> Claim<'_> {
        let QueueKey { topic, queue_id } = &self.queue;
        Claim { topic, queue_id: *queue_id as i32, group: self.group_name(), connection: self.connection, offset }
    }
}

/// Which kind of consumer pulls.
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
    // Read before anything is looked up: after a deletion in between, the topic is looked up once more.
    let deletions = broker.tables.incarnations.deletions();
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
        from: QueueOffset(request.queue_offset),
        hold,
        connection,
        commit: Cell::new((request.sys_flag & PULL_COMMIT != 0).then_some(QueueOffset(request.commit_offset))),
        deletions,
        incarnation: broker.tables.incarnations.of(&request.topic),
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

/// Is a held pull still allowed? Its group, its topic or its queue may have been switched off or deleted. Java finds that out when the
/// pull is served again.
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
    let group = broker.tables.groups.find(pull.group_name()).ok_or_else(|| Refusal::no_group(pull.group_name()))?;
    check_group(&group)?;
    check_reader(broker, &group, &pull.queue.topic, broker.tables.clients.message_model(pull.group_name()))
}

/// Is the topic of a pull still there?
///
/// # Errors
/// When it was deleted since the pull came, and not made again.
pub fn check_there(broker: &Broker, pull: &PreparedPull) -> Result<(), Refusal> {
    // Usually no topic was deleted.
    if pull.deletions == broker.tables.incarnations.deletions() { Ok(()) } else { find_topic(broker, &pull.queue.topic).map(drop) }
}

fn find_topic(broker: &Broker, topic: &str) -> Result<Arc<TopicConfig>, Refusal> {
    broker.tables.topics.find(topic).ok_or_else(|| Refusal::no_topic(topic))
}
