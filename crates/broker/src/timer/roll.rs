//! A message that waits longer than the log keeps it is stored again before its part of the log is deleted.

use super::ORIGIN;
use super::waiting::{AT_ONCE, Entry};
use crate::delay::redelivered;
use crate::names::TIMER_TOPIC;
use crate::{Broker, Refusal};
use roxmq_protocol::properties::{PropertiesBuf, name};
use roxmq_protocol::record::{LogOffset, QueueOffset, Record, records};
use tracing::{info, warn};

/// Stores again what waits in the log before `end`. May that part be deleted?
pub fn keep_waiting(broker: &Broker, end: LogOffset) -> bool {
    let mut kept = 0;
    for queue in broker.store.queues_of(TIMER_TOPIC) {
        match keep_of_queue(broker, queue, end) {
            Ok(of_queue) => kept += of_queue,
            Err(refusal) => {
                warn!(%refusal, "the oldest part of the log stays: messages that wait in it could not be stored again");
                return false;
            }
        }
    }
    if kept == 0 {
        return true;
    }
    info!(kept, "messages that wait were stored again, as the oldest part of the log is to be deleted");
    // Only what is on the disk may stand in for what is deleted.
    broker.store.flush()
}

fn keep_of_queue(broker: &Broker, queue: u32, end: LogOffset) -> Result<usize, Refusal> {
    let mut next = broker.store.bounds(TIMER_TOPIC, queue).map_or(QueueOffset(0), |(min, _)| min);
    let mut kept = 0;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = broker.store.read(TIMER_TOPIC, queue, next, AT_ONCE, &mut |entry| entry.log_offset < end, &mut bytes);
        kept += store_again(broker, &bytes)?;
        let is_behind_end = broker.store.index_entry(TIMER_TOPIC, queue, read.next).is_none_or(|entry| entry.log_offset >= end);
        if read.next <= next || is_behind_end {
            return Ok(kept);
        }
        next = read.next;
    }
}

/// Stores those of the records again that still mean something. How many.
fn store_again(broker: &Broker, bytes: &[u8]) -> Result<usize, Refusal> {
    // Held meanwhile, so that nothing is delivered between the look and the append.
    let mut waiting = broker.timers.waiting.lock();
    waiting.know_marks(broker);
    let mut batch = broker.store.batch();
    for record in records(bytes).flatten() {
        let Some(entry) = Entry::of(&record) else { continue };
        let means_something = match entry.is_recall {
            true => entry.timer.due_ms > waiting.done.due_ms,
            false => waiting.is_open(entry.timer, record.log_offset.0),
        };
        if means_something {
            let properties = kept_properties(&record, entry.timer.origin);
            batch.push(redelivered(&record, broker.advertised, TIMER_TOPIC, record.queue_id, &properties))?;
        }
    }
    if !batch.is_empty() {
        broker.append_own(&mut batch)?;
    }
    Ok(batch.len())
}

fn kept_properties(record: &Record<'_>, origin: i64) -> String {
    let mut properties = PropertiesBuf::from_text(record.properties);
    let times: u32 = properties.find(name::TIMER_ROLL_TIMES).and_then(|times| times.parse().ok()).unwrap_or(0);
    if properties.find(name::TIMER_ENQUEUE_MS).is_none() {
        properties.set(name::TIMER_ENQUEUE_MS, &record.store_timestamp.to_string());
    }
    properties.set(ORIGIN, &origin.to_string()).set(name::TIMER_ROLL_TIMES, &times.saturating_add(1).to_string());
    properties.into_string()
}
