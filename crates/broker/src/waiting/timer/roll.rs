//! A message that waits longer than the log keeps it is stored again before its part of the log is deleted.

use super::deliver::set_within;
use super::due_queue::{DueQueue, Entry, EntryKind, MARKS_QUEUE, Timer, mark};
use super::times::ORIGIN;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names::{PARKING_TOPIC, PROGRESS_TOPIC, TIMER_TOPIC};
use crate::waiting::clearance::RollProgress;
use crate::waiting::parking;
use crate::waiting::redraft::redelivered;
use crate::waiting::system_queue::{AT_ONCE, Reached};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, PropertiesBuf, name};
use roxmq_protocol::record::{Record, records};
use roxmq_store::{Filter, Flush, ReadRequest, ReadStatus};
use tracing::{info, warn};

/// Stores again what waits in the log before `end`. Is nothing in it needed any more?
///
/// It may take room from the reserve of a full disk, which is there for what makes room. Where the disk refuses to read, that part is
/// passed over if `gives_up`.
pub fn roll(broker: &Broker, end: LogOffset, gives_up: bool, progress: &mut RollProgress) -> bool {
    if progress.end != end {
        *progress = RollProgress { end, ..RollProgress::default() };
    }
    let mut rolled = 0;
    for queue in broker.store.queues_of(TIMER_TOPIC) {
        let first = broker.store.bounds(TIMER_TOPIC, queue).map_or(QueueOffset(0), |(min, _)| min);
        let next = progress.next.entry(queue).or_insert(first);
        match roll_queue(broker, queue, end, gives_up, next) {
            Ok(of_queue) => rolled += of_queue,
            Err(refusal) => {
                warn!(%refusal, "kept the oldest part of the log: timed messages in it could not be stored again");
                return false;
            }
        }
    }
    if rolled > 0 {
        info!(rolled, "stored timed messages again: the oldest part of the log is to be deleted");
    }
    // Only what is on the disk may stand in for what is deleted.
    broker.store.flush() == Flush::Durable
}

fn roll_queue(broker: &Broker, queue: u32, end: LogOffset, gives_up: bool, next: &mut QueueOffset) -> Result<usize, Refusal> {
    let mut rolled = 0;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = broker.store.read(
            &ReadRequest { topic: TIMER_TOPIC, queue_id: queue, from: *next, limits: AT_ONCE },
            Filter { by_entry: Some(&mut |entry| entry.log_offset < end), ..Filter::ALL },
            &mut bytes,
        );
        rolled += store_again(broker, &bytes)?;
        let is_unread = read.status == ReadStatus::OffsetFoundNull;
        let following = if is_unread && gives_up { read.next.max(*next).plus(1) } else { read.next };
        if is_unread && !gives_up {
            *next = read.next.max(*next);
            return Err(Refusal::Failed(format!("offset {next} of queue {queue} cannot be read")));
        }
        let unread = |error| Refusal::Failed(format!("the index of queue {queue} cannot be read: {error}"));
        let entry = match broker.store.find_entry(TIMER_TOPIC, queue, following) {
            Err(error) if !gives_up => return Err(unread(error)),
            found => found.ok().flatten(),
        };
        let is_at_end = broker.store.bounds(TIMER_TOPIC, queue).is_none_or(|(_, max)| following >= max);
        let is_behind = entry.is_some_and(|entry| entry.log_offset >= end);
        if following <= *next || is_behind || is_at_end {
            return Ok(rolled);
        }
        *next = following;
    }
}

/// Stores those of the records again that still mean something. How many.
fn store_again(broker: &Broker, bytes: &[u8]) -> Result<usize, Refusal> {
    // Held meanwhile, so that nothing is delivered between the look and the append.
    let mut queue = broker.waiting.timers.queue();
    if queue.know_marks(&broker.store) == Reached::Unreadable {
        return Err(Refusal::Failed("what was delivered cannot be read".into()));
    }
    let mut batch = broker.store.batch();
    for record in records(bytes).flatten() {
        let Some(Entry { timer, kind }) = Entry::of(&record) else { continue };
        let means_something = match kind {
            EntryKind::Recall => timer.due > queue.done().due,
            EntryKind::Message => queue.is_open(timer, record.log_offset),
        };
        if !means_something {
            continue;
        }
        let properties = rolled_properties(&record, timer.origin);
        let draft = redelivered(&record, broker.identity.advertised, TIMER_TOPIC, record.queue_id, &properties);
        if let Err(reason) = parking::try_push(broker, draft, &mut batch) {
            park(broker, &mut queue, timer, &record, &reason)?;
        }
    }
    if !batch.is_empty() {
        batch.use_reserve();
        broker.append(&mut batch)?;
    }
    Ok(batch.len())
}

/// A message that cannot be stored again must not keep the log from being deleted.
fn park(broker: &Broker, queue: &mut DueQueue, timer: Timer, record: &Record<'_>, reason: &str) -> Result<(), Refusal> {
    let mut batch = broker.store.batch();
    batch.push(broker.own(PROGRESS_TOPIC, MARKS_QUEUE, mark([timer].into_iter()).as_bytes(), ""))?;
    let parked = parking::park(broker, record, PARKING_TOPIC, reason, &mut batch);
    batch.use_reserve();
    broker.append_atomic(&mut batch)?;
    queue.close(timer);
    broker.waiting.timers.counts.add(record.properties().find(name::REAL_TOPIC).unwrap_or_default(), -1);
    parking::log(broker, [parked]);
    Ok(())
}

fn rolled_properties(record: &Record<'_>, origin: LogOffset) -> String {
    let mut properties = PropertiesBuf::from_text(record.properties);
    let times: u32 = properties.find(name::TIMER_ROLL_TIMES).and_then(|times| times.parse().ok()).unwrap_or(0);
    properties.set(ORIGIN, &origin.to_string());
    if properties.find(name::TIMER_ENQUEUE_MS).is_none() {
        set_within(&mut properties, name::TIMER_ENQUEUE_MS, record.store_timestamp.0, PROPERTIES_BYTES_MAX);
    }
    set_within(&mut properties, name::TIMER_ROLL_TIMES, i64::from(times.saturating_add(1)), PROPERTIES_BYTES_MAX);
    properties.into_string()
}
