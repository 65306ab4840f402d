//! Delivery of what is due.

use super::counts::count_from_before;
use super::due_queue::{DueQueue, MARKS_QUEUE, Progress, PutOff, Timer, mark};
use super::times::ORIGIN;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names::{PARKING_TOPIC, PROGRESS_TOPIC};
use crate::waiting::destination::{Destination, Dropped, UNSAID, destination};
use crate::waiting::parking;
use crate::waiting::redraft::redelivered;
use crate::waiting::system_queue::Reached;
use roxmq_protocol::light::light_room_of;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, PropertiesBuf, name};
use roxmq_protocol::record::Record;
use roxmq_protocol::time::Timestamp;
use roxmq_store::Batch;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info, warn};

/// How often is looked for what came in, when the bell is not rung.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Between two looks: much that comes in at once is delivered at once.
const PAUSE: Duration = Duration::from_millis(2);
/// Messages, and bytes, delivered with one append.
const AT_ONCE: usize = 128;
const BYTES_AT_ONCE: usize = 1 << 20;

/// Delivers for as long as the broker lives.
pub async fn run(broker: Arc<Broker>) {
    let working = Arc::clone(&broker);
    drop(tokio::task::spawn_blocking(move || {
        if let Some((end, done)) = working.waiting.timers.at_open.lock().take() {
            count_from_before(&working.store, &working.waiting.timers.counts, end, DueQueue::after(done));
        }
    }));
    loop {
        let working = Arc::clone(&broker);
        let next_due = match tokio::task::spawn_blocking(move || deliver_due(&working)).await {
            Ok(next_due) => next_due,
            Err(_) => {
                error!("delivering timed messages failed inside the broker; it goes on");
                None
            }
        };
        tokio::time::sleep(PAUSE).await;
        let left = next_due.map(|due| due.since(Timestamp(broker.clock.now_ms())));
        let wait = left.map_or(LOOK_PERIOD, |left| LOOK_PERIOD.min(left));
        // A second without the bell, or its sound: both mean to look.
        let _ = tokio::time::timeout(wait, broker.waiting.timers.bell.notified()).await;
    }
}

/// Delivers everything that is due now. When the next one is due, as far as is known.
pub fn deliver_due(broker: &Broker) -> Option<Timestamp> {
    let now = Timestamp(broker.clock.now_ms());
    let log_end = broker.store.visible_end();
    let marks_end = broker.store.queue_next(PROGRESS_TOPIC, MARKS_QUEUE).unwrap_or_default();
    let mut batch = broker.store.batch();
    broker.waiting.timers.queue().retry();
    loop {
        // Let go after each batch, so that a recall never waits for long.
        let mut queue = broker.waiting.timers.queue();
        let reached = queue.catch_up(&broker.store, now);
        let due = queue.due(now, AT_ONCE);
        if due.is_empty() {
            if reached == Reached::Unreadable || queue.has_put_off() {
                // Not all that was due is delivered. It is tried again in a second.
                return None;
            }
            if queue.all_done(now, log_end, marks_end) == Progress::WorthSaving {
                broker.waiting.timers.file.touch();
            }
            broker.waiting.timers.pass(queue.done().due);
            return queue.next_due();
        }
        if let Err(refusal) = deliver(broker, &mut queue, &due, &mut batch) {
            if broker.waiting.timers.refused.begins(()) {
                warn!(%refusal, "timed messages wait: the store takes nothing");
            }
            return None;
        }
        if broker.waiting.timers.refused.ends(&()) {
            info!("timed messages go on");
        }
        drop(queue);
        // What is appended is delivered, even if it is not yet durable: a crash takes it away together with its mark. Waited for all the
        // same, so that no more is ahead of the disk than this.
        broker.confirm(&batch);
        batch.clear();
    }
}

/// A message on its way.
struct Delivery {
    timer: Timer,
    bytes: Vec<u8>,
}

/// Delivers the first of `due`, as many as go into one append.
fn deliver(broker: &Broker, queue: &mut DueQueue, due: &[(Timer, LogOffset)], batch: &mut Batch) -> Result<(), Refusal> {
    let mut deliveries = Vec::new();
    // One append is one whole batch, which has to fit into a segment.
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
                    error!(due = %timer.due, log_offset = %at, "a timed message is gone from the log");
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
    if deliveries.is_empty() {
        return Ok(());
    }
    batch.clear();
    let delivered = mark(deliveries.iter().map(|delivery| delivery.timer));
    batch.push(broker.own(PROGRESS_TOPIC, MARKS_QUEUE, delivered.as_bytes(), ""))?;
    let mut parked = Vec::new();
    let mut dropped = Dropped::default();
    let mut topics = Vec::new();
    for (record, _) in deliveries.iter().filter_map(|delivery| Record::parse(&delivery.bytes).ok()) {
        topics.push(record.properties().find(name::REAL_TOPIC).unwrap_or_default().to_owned());
        match destination(broker, &record) {
            Destination::Queue(topic, queue_id) => {
                let properties = delivered_properties(&record, broker.clock.now_ms());
                let draft = redelivered(&record, broker.identity.advertised, &topic, queue_id, &properties);
                parked.extend(parking::push(broker, &record, draft, batch));
            }
            Destination::Deleted(topic) => dropped.add(topic),
            Destination::Unsaid => parked.push(parking::park(broker, &record, PARKING_TOPIC, UNSAID, batch)),
        }
    }
    broker.append_atomic(batch)?;
    deliveries.iter().for_each(|delivery| queue.close(delivery.timer));
    topics.iter().for_each(|topic| broker.waiting.timers.counts.add(topic, -1));
    parking::log(broker, parked);
    dropped.log();
    Ok(())
}

/// What consumers see: as the producer sent it, with the times of its waiting where there is room for them.
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
