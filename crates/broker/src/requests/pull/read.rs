//! What does a pull find? It reads the store, and notes how far its group has come.

use super::answer::PullResult;
use super::subscription::is_still_wanted;
use super::{PreparedPull, check_there};
use crate::broker::Broker;
use crate::counts::statistics::Moved;
use crate::error::Refusal;
use crate::names::RETRY_PREFIX;
use crate::notify::arrivals::QueueKey;
use crate::requests::offsets::beginning;
use crate::tables::clients::Wanted;
use crate::tables::incarnations::IncarnationId;
use roxmq_protocol::code;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::properties::Properties;
use roxmq_protocol::record::Record;
use roxmq_protocol::record::store_host::set_store_host;
use roxmq_remoting::Answer;
use roxmq_store::{EntryFilter, Filter, Patience, ReadLimits, ReadRequest, ReadResult, ReadStatus};
use std::net::SocketAddr;

/// The last read for pulls of a queue. Pulls that wait for the same message usually ask for the same and get the same: it is read and
/// checked once for all of them.
#[derive(Default)]
pub struct SharedRead {
    body: Vec<u8>,
    /// The store host of all messages in it, if it is set.
    stored_at: Option<SocketAddr>,
    /// Where it began, and how.
    found: Option<(QueueOffset, ReadLimits, ReadResult)>,
    counter_name: String,
}

impl SharedRead {
    /// The next pull needs a read of its own: it is for another queue, or a message may have come.
    pub fn forget(&mut self) {
        self.found = None;
    }

    /// The messages of a result, for a client that reaches the broker at `met_as`. It is mostly the address of the client before, and the
    /// bytes can stay.
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

/// The find of a pull.
enum Found {
    /// It has to begin at another offset: its own is from before its topic was deleted and made again.
    Elsewhere(QueueOffset),
    /// The store has been read.
    Read(ReadResult),
}

/// Serves the pull with this much patience. Its messages are in `shared`. Notes how far the group has come, and counts.
pub fn serve(broker: &Broker, pull: &PreparedPull, patience: Patience, shared: &mut SharedRead) -> PullResult {
    let QueueKey { topic, queue_id } = &pull.queue;
    if let Some(offset) = broker.tables.offsets.take_reset(pull.group_name(), topic, *queue_id as i32) {
        return moved(broker, pull, offset);
    }
    let deletions = broker.tables.incarnations.deletions();
    let incarnation = broker.tables.incarnations.of(topic);
    let read = match find(broker, pull, incarnation, patience, shared) {
        Found::Elsewhere(offset) => return moved(broker, pull, offset),
        Found::Read(read) => read,
    };
    // The offset that rides on a pull is never ahead of it, unless it is from before the topic was deleted.
    let end = if incarnation.is_some() { read.max.min(pull.from) } else { read.max };
    let commit = pull.commit.take().filter(|offset| (QueueOffset(0)..=end).contains(offset));
    let is_current = || broker.tables.incarnations.deletions() == deletions;
    broker.tables.offsets.note_pull(pull.group_name(), topic, *queue_id as i32, read.next, commit, is_current);
    count(broker, pull, &read, shared);
    PullResult::of(pull, &read)
}

/// Reads what the pull wants, unless the read before found just that for another pull.
fn find(broker: &Broker, pull: &PreparedPull, incarnation: Option<IncarnationId>, patience: Patience, shared: &mut SharedRead) -> Found {
    let QueueKey { topic, queue_id } = &pull.queue;
    if let Some(incarnation) = incarnation
        && let Some(offset) = begin_again(broker, pull, incarnation)
    {
        return Found::Elsewhere(offset);
    }
    let limits = ReadLimits { patience, ..pull.limits };
    // Only for a retry topic the settings are read here, which all threads share.
    let filters_retries = topic.starts_with(RETRY_PREFIX) && broker.config().filter_retries;
    let is_for_all = matches!(pull.subscription.wanted, Wanted::All) && !filters_retries;
    let known = shared.found.filter(|(from, with, _)| is_for_all && *from == pull.from && *with == limits);
    let read = match known {
        Some((_, _, read)) => read,
        None => {
            shared.body.clear();
            shared.stored_at = None;
            let read = read_store(broker, pull, limits, filters_retries, &mut shared.body);
            shared.found = (is_for_all && read.status == ReadStatus::Found).then_some((pull.from, limits, read));
            read
        }
    };
    // A crash may have shortened the queue; a pull from beyond its end goes on there. But one from before the topic was deleted has to
    // begin again. Where the two cannot be told apart, it begins again, so that no message is missed.
    let is_from_before = read.status == ReadStatus::OffsetOverflowBadly
        && broker.store.was_deleted(topic)
        && !broker.tables.incarnations.reads(pull.claim(pull.from));
    match is_from_before {
        true => Found::Elsewhere(beginning(broker, pull.group_name(), topic, *queue_id as i32)),
        false => Found::Read(read),
    }
}

/// Where a pull has to begin whose offset is from before its topic was deleted and made again.
fn begin_again(broker: &Broker, pull: &PreparedPull, incarnation: IncarnationId) -> Option<QueueOffset> {
    let beginning = beginning(broker, pull.group_name(), &pull.queue.topic, pull.queue.queue_id as i32);
    let waited_over_it = pull.incarnation != Some(incarnation) && pull.from > beginning;
    (waited_over_it || !broker.tables.incarnations.may_read(pull.claim(pull.from), beginning)).then_some(beginning)
}

fn read_store(broker: &Broker, pull: &PreparedPull, limits: ReadLimits, filters_retries: bool, body: &mut Vec<u8>) -> ReadResult {
    let QueueKey { topic, queue_id } = &pull.queue;
    let by_entry: Option<&mut EntryFilter<'_>> = Some(&mut |entry| pull.subscription.wants(entry.tags_code));
    let request = ReadRequest { topic, queue_id: *queue_id, from: pull.from, limits };
    match &pull.subscription.wanted {
        _ if filters_retries => {
            let wants = &mut |record: &Record<'_>| is_still_wanted(broker, pull.group_name(), record);
            broker.store.read(&request, Filter { by_entry, by_record: Some(wants) }, body)
        }
        Wanted::Sql(expression) => {
            let wants = &mut |record: &Record<'_>| expression.matches(&Properties::new(record.properties));
            broker.store.read(&request, Filter { by_entry, by_record: Some(wants) }, body)
        }
        Wanted::All | Wanted::Tagged(_) | Wanted::Unreadable(_) => broker.store.read(&request, Filter { by_entry, by_record: None }, body),
    }
}

/// Sends a pull to another offset.
fn moved(broker: &Broker, pull: &PreparedPull, offset: QueueOffset) -> PullResult {
    broker.tables.incarnations.answered(pull.claim(offset));
    PullResult::moved(pull, offset, broker.store.bounds(&pull.queue.topic, pull.queue.queue_id).unwrap_or_default())
}

/// Counts what a pull got.
fn count(broker: &Broker, pull: &PreparedPull, read: &ReadResult, shared: &mut SharedRead) {
    if read.messages > 0 {
        broker.counts.figures.got(read.messages);
        let key = &mut shared.counter_name;
        key.clear();
        key.extend([&*pull.queue.topic, "@", pull.group_name()]);
        let (messages, bytes) = (u64::from(read.messages), shared.body.len() as u64);
        broker.counts.statistics.add(Moved::Gets, key, messages, bytes);
        broker.counts.broker_gets.add(messages, bytes);
    } else if read.status != ReadStatus::NotInMemory {
        broker.counts.figures.missed();
    }
}

/// Reads what the pull wants, also from the disk, for a client that reaches the broker at `met_as`.
///
/// # Errors
/// When its topic was deleted.
pub fn answer_from_disk(broker: &Broker, pull: &PreparedPull, met_as: SocketAddr) -> Result<Answer, Refusal> {
    check_there(broker, pull)?;
    let mut shared = SharedRead::default();
    let result = serve(broker, pull, Patience::WaitForDisk, &mut shared);
    let mut answer = Answer::refused(result.code, result.remark).fields(result.reply);
    if result.code == code::SUCCESS {
        set_store_host(&mut shared.body, met_as);
        answer.body = shared.body;
    }
    Ok(answer)
}
