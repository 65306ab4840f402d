//! How does a timed message outlive its part of the log? It is stored again at the end, before that part is deleted.

use crate::broker::Broker;
use crate::delivery::parking;
use crate::delivery::timer::set_within;
use crate::error::Refusal;
use crate::names::{DELIVERY_MARKS_TOPIC, PARKING_TOPIC, TIMER_TOPIC};
use crate::waiting::clearance::{Outcome, RollProgress};
use crate::waiting::redraft::redelivered;
use crate::waiting::system_queue::{AT_ONCE, Reached};
use crate::waiting::timer::due_queue::{DueQueue, Entry, EntryKind, MARKS_QUEUE, Timer, mark};
use crate::waiting::timer::times::ORIGIN;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, PropertiesBuf, name};
use roxmq_protocol::record::{Record, records};
use roxmq_store::{Filter, Flush, ReadRequest, ReadStatus};
use tracing::{info, warn};

/// What to do with records that the disk refuses to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnreadable {
    /// They may be read later.
    Fail,
    /// They are lost with their part of the log.
    Skip,
}

/// Stores the timed messages again that wait in the log before `end`.
///
/// This may use the reserve of a full disk, which is there for what makes room.
pub fn roll(broker: &Broker, end: LogOffset, on_unreadable: OnUnreadable, progress: &mut RollProgress) -> Outcome {
    if progress.end != end {
        *progress = RollProgress { end, ..RollProgress::default() };
    }
    let mut rolled = 0;
    for queue_id in broker.store.queues_of(TIMER_TOPIC) {
        let first = broker.store.bounds(TIMER_TOPIC, queue_id).map_or(QueueOffset(0), |(min, _)| min);
        let next = progress.next.entry(queue_id).or_insert(first);
        match roll_queue(broker, queue_id, end, on_unreadable, next) {
            Ok(of_queue) => rolled += of_queue,
            Err(refusal) => {
                warn!(%refusal, "retained the oldest part of the log: its timed messages could not be stored again");
                return Outcome::NotCleared;
            }
        }
    }
    if rolled > 0 {
        info!(rolled, "stored timed messages again before the oldest part of the log is deleted");
    }
    // The old copies may go only when the new ones are on the disk.
    match broker.store.flush() {
        Flush::Durable => Outcome::Cleared,
        Flush::Fenced => Outcome::NotCleared,
    }
}

/// Stores those of one queue again, from `next` on. Returns how many.
fn roll_queue(
    broker: &Broker,
    queue_id: u32,
    end: LogOffset,
    on_unreadable: OnUnreadable,
    next: &mut QueueOffset,
) -> Result<usize, Refusal> {
    let mut rolled = 0;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = broker.store.read(
            &ReadRequest { topic: TIMER_TOPIC, queue_id, from: *next, limits: AT_ONCE },
            Filter { by_entry: Some(&mut |entry| entry.log_offset < end), ..Filter::ALL },
            &mut bytes,
        );
        rolled += store_again(broker, &bytes)?;
        let following = match (read.status, on_unreadable) {
            (ReadStatus::OffsetFoundNull, OnUnreadable::Fail) => {
                *next = read.next.max(*next);
                return Err(Refusal::Failed(format!("offset {next} of queue {queue_id} cannot be read")));
            }
            (ReadStatus::OffsetFoundNull, OnUnreadable::Skip) => read.next.max(*next).plus(1),
            _ => read.next,
        };
        let entry = match (broker.store.find_entry(TIMER_TOPIC, queue_id, following), on_unreadable) {
            (Ok(entry), _) => entry,
            (Err(error), OnUnreadable::Fail) => {
                return Err(Refusal::Failed(format!("the index of queue {queue_id} cannot be read: {error}")));
            }
            (Err(_), OnUnreadable::Skip) => None,
        };
        let is_at_end = broker.store.bounds(TIMER_TOPIC, queue_id).is_none_or(|(_, max)| following >= max);
        let is_behind = entry.is_some_and(|entry| entry.log_offset >= end);
        if following <= *next || is_behind || is_at_end {
            return Ok(rolled);
        }
        *next = following;
    }
}

/// Stores those of the records again that still matter. Returns how many.
fn store_again(broker: &Broker, bytes: &[u8]) -> Result<usize, Refusal> {
    // Held throughout, so that nothing is delivered between the check and the append.
    let mut queue = broker.waiting.timers.queue();
    if queue.know_marks(&broker.store) == Reached::Unreadable {
        return Err(Refusal::Failed("the delivery marks cannot be read".into()));
    }
    let mut batch = broker.store.batch();
    for record in records(bytes).flatten() {
        let Some(Entry { timer, kind }) = Entry::of(&record) else { continue };
        let matters = match kind {
            EntryKind::Recall => timer.due > queue.done().due,
            EntryKind::Message => queue.is_open(timer, record.log_offset),
        };
        if !matters {
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

/// Parks a message that cannot be stored again, so that it does not hold up the deletion.
fn park(broker: &Broker, queue: &mut DueQueue, timer: Timer, record: &Record<'_>, reason: &str) -> Result<(), Refusal> {
    let mut batch = broker.store.batch();
    batch.push(broker.system_draft(DELIVERY_MARKS_TOPIC, MARKS_QUEUE, mark([timer].into_iter()).as_bytes(), ""))?;
    let parked = parking::park(broker, record, PARKING_TOPIC, reason, &mut batch);
    batch.use_reserve();
    broker.append_atomic(&mut batch)?;
    queue.close(timer);
    broker.waiting.timers.no_longer_waits(record.properties().find(name::REAL_TOPIC).unwrap_or_default());
    parking::log(broker, [parked]);
    Ok(())
}

/// The properties of the new copy: which message it is, when it was stored first, and how often it was stored again.
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
