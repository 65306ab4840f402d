//! How are timed messages delivered?

use crate::broker::Broker;
use crate::delivery::carry_on::{Undelivered, carry_on};
use crate::error::Refusal;
use crate::names::DELIVERY_MARKS_TOPIC;
use crate::waiting::system_queue::Reached;
use crate::waiting::timer::counts::count_at_start;
use crate::waiting::timer::due_queue::{DueQueue, MARKS_QUEUE, Progress, PutOff, Timer, mark};
use crate::waiting::timer::timers::AtStart;
use crate::waiting::timer::times::ORIGIN;
use roxmq_protocol::light::light_room_of;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, PropertiesBuf, name};
use roxmq_protocol::record::Record;
use roxmq_protocol::time::Timestamp;
use roxmq_store::Batch;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info, warn};

/// The longest time between two rounds, when no arrival is notified.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// The shortest time between two rounds: messages that arrive together are delivered together.
const PAUSE: Duration = Duration::from_millis(2);
/// Messages, and bytes, delivered with one append.
const AT_ONCE: usize = 128;
const BYTES_AT_ONCE: usize = 1 << 20;

/// Delivers for as long as the broker lives.
pub async fn run(broker: Arc<Broker>) {
    let working = Arc::clone(&broker);
    drop(tokio::task::spawn_blocking(move || {
        let timers = &working.waiting.timers;
        if let Some(AtStart { log_end, done }) = timers.take_at_start() {
            count_at_start(&working.store, timers.counts(), log_end, DueQueue::after(done));
        }
    }));
    loop {
        let working = Arc::clone(&broker);
        let next_due = match tokio::task::spawn_blocking(move || deliver_due(&working)).await {
            Ok(next_due) => next_due,
            Err(_) => {
                error!("retrying timed messages: their delivery panicked");
                None
            }
        };
        tokio::time::sleep(PAUSE).await;
        let left = next_due.map(|due| due.since(Timestamp(broker.clock.now_ms())));
        let wait = left.map_or(LOOK_PERIOD, |left| LOOK_PERIOD.min(left));
        // An arrival and the end of the wait both start a round.
        let _ = tokio::time::timeout(wait, broker.waiting.timers.wait_for_arrival()).await;
    }
}

/// Delivers everything that is due now. Returns when the next message is due, as far as is known.
pub fn deliver_due(broker: &Broker) -> Option<Timestamp> {
    let timers = &broker.waiting.timers;
    let now = Timestamp(broker.clock.now_ms());
    let log_end = broker.store.visible_end();
    let marks_end = broker.store.queue_next(DELIVERY_MARKS_TOPIC, MARKS_QUEUE).unwrap_or_default();
    let mut batch = broker.store.batch();
    timers.queue().retry();
    loop {
        // Released after each batch, so that a recall never waits for long.
        let mut queue = timers.queue();
        let reached = queue.catch_up(&broker.store, now);
        let due = queue.due(now, AT_ONCE);
        if due.is_empty() {
            if reached == Reached::Unreadable || queue.has_put_off() {
                // Something due is not delivered. The next round, in a second, retries it.
                return None;
            }
            if queue.all_done(now, log_end, marks_end) == Progress::WorthSaving {
                timers.request_saving();
            }
            timers.pass(queue.done().due);
            return queue.next_due();
        }
        if let Err(refusal) = deliver(broker, &mut queue, &due, &mut batch) {
            if timers.refused.begins(()) {
                warn!(%refusal, "retrying timed messages: the store refuses them");
            }
            return None;
        }
        if timers.refused.ends(&()) {
            info!("recovered: timed messages are delivered again");
        }
        drop(queue);
        // Appended is delivered, even if it is not confirmed in time: a crash loses the messages together with their mark. The wait
        // keeps deliveries from running ahead of the disk by more than one batch.
        broker.confirm(&batch);
        batch.clear();
    }
}

/// A message that is being delivered.
struct Delivery {
    timer: Timer,
    bytes: Vec<u8>,
}

/// Delivers the first of `due`, as many as go into one append. An error means that nothing was appended.
fn deliver(broker: &Broker, queue: &mut DueQueue, due: &[(Timer, LogOffset)], batch: &mut Batch) -> Result<(), Refusal> {
    let deliveries = read(broker, queue, due);
    if deliveries.is_empty() {
        return Ok(());
    }
    batch.clear();
    let delivered = mark(deliveries.iter().map(|delivery| delivery.timer));
    batch.push(broker.system_draft(DELIVERY_MARKS_TOPIC, MARKS_QUEUE, delivered.as_bytes(), ""))?;
    let mut undelivered = Undelivered::default();
    let mut topics = Vec::new();
    for (record, _) in deliveries.iter().filter_map(|delivery| Record::parse(&delivery.bytes).ok()) {
        topics.push(record.properties().find(name::REAL_TOPIC).unwrap_or_default());
        carry_on(broker, &record, &delivered_properties(&record, broker.clock.now_ms()), batch, &mut undelivered);
    }
    broker.append_atomic(batch)?;
    deliveries.iter().for_each(|delivery| queue.close(delivery.timer));
    topics.iter().for_each(|topic| broker.waiting.timers.no_longer_waits(topic));
    undelivered.log(broker);
    Ok(())
}

/// Reads the first of `due`, as many as go into one append. One that cannot be read is put off, or closed if it is gone.
fn read(broker: &Broker, queue: &mut DueQueue, due: &[(Timer, LogOffset)]) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    // One append is one atomic batch, which has to fit into a segment.
    let bytes_max = BYTES_AT_ONCE.min(broker.store.record_bytes_max() / 2);
    let mut size = 0;
    for (timer, at) in due {
        let found = broker.store.find_message(*at);
        if let Err(error) = &found
            && let PutOff::Retried { is_first } = queue.put_off(*timer, *at)
        {
            if is_first {
                warn!(%error, due = %timer.due, log_offset = %at, "retrying a timed message that cannot be read");
            }
            continue;
        }
        let Some(bytes) = found.ok().flatten() else {
            // It may just have been stored again, and its old copy deleted.
            match queue.catch_up(&broker.store, timer.due) {
                Reached::End if queue.newest(*timer).is_none_or(|newest| newest == *at) => {
                    error!(due = %timer.due, log_offset = %at, "lost a timed message: it is gone from the log");
                    queue.close(*timer);
                }
                Reached::End => {}
                Reached::Unreadable => drop(queue.put_off(*timer, *at)),
            }
            continue;
        };
        size += bytes.len();
        if size > bytes_max && !deliveries.is_empty() {
            break;
        }
        deliveries.push(Delivery { timer: *timer, bytes });
    }
    deliveries
}

/// The properties that consumers see: as the producer sent them, with the times of the wait where there is room.
fn delivered_properties(record: &Record<'_>, now_ms: i64) -> String {
    let mut properties = PropertiesBuf::from_text(record.properties);
    properties.remove(ORIGIN);
    let bytes_max = PROPERTIES_BYTES_MAX - light_room_of(record.properties());
    if properties.find(name::TIMER_ENQUEUE_MS).is_none() {
        set_within(&mut properties, name::TIMER_ENQUEUE_MS, record.store_timestamp.0, bytes_max);
    }
    set_within(&mut properties, name::TIMER_DEQUEUE_MS, now_ms, bytes_max);
    properties.into_string()
}

/// Sets a property that only informs, unless there is no room for it.
pub fn set_within(properties: &mut PropertiesBuf, name: &str, value: i64, bytes_max: usize) {
    let value = value.to_string();
    if properties.as_str().len() + name.len() + value.len() + 2 <= bytes_max {
        properties.set(name, &value);
    }
}

#[cfg(test)]
mod tests;
