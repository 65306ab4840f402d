//! Delivery of what is due.

use super::ORIGIN;
use super::counts::count_from_before;
use super::waiting::{MARKED_BYTES_MAX, MARKS_QUEUE, Timer, Waiting, mark};
use crate::delay::{destination, redelivered};
use crate::names::MARKS_TOPIC;
use crate::{Broker, Refusal, marks};
use roxmq_protocol::properties::{PropertiesBuf, name};
use roxmq_protocol::record::{Draft, LogOffset, Record};
use roxmq_store::Batch;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::{error, warn};

/// What is due within this time is in memory.
pub const LOOK_AHEAD_MS: i64 = 300_000;
/// How often is looked for what came in, when the bell is not rung.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Between two looks: much that comes in at once is delivered at once.
const PAUSE: Duration = Duration::from_millis(2);
/// Messages, and bytes, delivered with one append, unless their mark would be too long for a message.
const AT_ONCE: usize = 128;
const BYTES_AT_ONCE: usize = 1 << 20;

/// Delivers for as long as the broker lives.
pub async fn run(broker: Arc<Broker>) {
    let working = Arc::clone(&broker);
    drop(tokio::task::spawn_blocking(move || {
        if let Some((end, done)) = working.timers.at_open.lock().take() {
            count_from_before(&working, end, Waiting::after(done));
        }
    }));
    loop {
        let working = Arc::clone(&broker);
        let next_due_ms = match tokio::task::spawn_blocking(move || deliver_due(&working)).await {
            Ok(next_due_ms) => next_due_ms,
            Err(_) => {
                error!("delivering timed messages failed inside the broker; it goes on");
                None
            }
        };
        tokio::time::sleep(PAUSE).await;
        let left_ms = next_due_ms.map(|due_ms| (due_ms - broker.clock.now_ms()).max(0) as u64);
        let wait = left_ms.map_or(LOOK_PERIOD, |left_ms| LOOK_PERIOD.min(Duration::from_millis(left_ms)));
        // A second without the bell, or its sound: both mean to look.
        let _ = tokio::time::timeout(wait, broker.timers.bell.notified()).await;
    }
}

/// Delivers everything that is due now. When the next one is due, as far as is known.
pub fn deliver_due(broker: &Broker) -> Option<i64> {
    let now_ms = broker.clock.now_ms();
    let log_end = broker.store.readable().0;
    let marks_end = broker.store.queue_next(MARKS_TOPIC, MARKS_QUEUE).map_or(0, |next| next.0);
    let at_once = AT_ONCE.min(broker.config().max_message_bytes as usize / MARKED_BYTES_MAX).max(1);
    let mut batch = broker.store.batch();
    loop {
        // Let go after each batch, so that a recall never waits for long.
        let mut waiting = broker.timers.waiting.lock();
        waiting.catch_up(broker, now_ms);
        let due = waiting.due(now_ms, at_once);
        if due.is_empty() {
            if waiting.all_done(now_ms, log_end, marks_end) {
                broker.timers.file.touch();
            }
            broker.timers.passed_ms.store(waiting.done.due_ms, Ordering::Relaxed);
            return waiting.next_due_ms();
        }
        if let Err(refusal) = deliver(broker, &mut waiting, &due, &mut batch) {
            warn!(%refusal, "timed messages wait: the store takes nothing");
            return None;
        }
    }
}

/// A message on its way to its topic.
struct Delivery {
    timer: Timer,
    bytes: Vec<u8>,
    topic: String,
    queue_id: u32,
    properties: String,
}

/// Delivers the first of `due`, as many as go into one append.
fn deliver(broker: &Broker, waiting: &mut Waiting, due: &[(Timer, i64)], batch: &mut Batch) -> Result<(), Refusal> {
    let mut deliveries = Vec::new();
    // One append is one whole batch, which has to fit into a segment.
    let bytes_max = BYTES_AT_ONCE.min(broker.store.whole_bytes_max() / 2);
    let mut size = 0;
    for (timer, at) in due {
        let Some(bytes) = broker.store.message_at(LogOffset(*at)) else {
            // It may just have been stored again, and its old copy deleted.
            waiting.catch_up(broker, timer.due_ms);
            if waiting.newest(*timer) == Some(*at) {
                error!(due_ms = timer.due_ms, log_offset = at, "a timed message is gone from the log");
                waiting.close(*timer);
            }
            continue;
        };
        let Some(delivery) = delivery(broker, *timer, bytes) else {
            waiting.close(*timer);
            continue;
        };
        size += delivery.bytes.len();
        deliveries.push(delivery);
        if size > bytes_max {
            break;
        }
    }
    if deliveries.is_empty() {
        return Ok(());
    }
    marks::begin(broker, MARKS_QUEUE, &mark(deliveries.iter().map(|delivery| delivery.timer)), batch)?;
    for delivery in &deliveries {
        batch.push(delivery.draft(broker)?)?;
    }
    // What is appended is delivered, even if it is not yet durable: a crash takes it away together with its mark.
    broker.append_whole(batch)?;
    for delivery in deliveries {
        waiting.close(delivery.timer);
        broker.timers.counts.add(&delivery.topic, -1);
    }
    Ok(())
}

fn delivery(broker: &Broker, timer: Timer, bytes: Vec<u8>) -> Option<Delivery> {
    let (record, _) = Record::parse(&bytes).ok()?;
    let (topic, queue_id) = destination(broker, &record)?;
    let properties = delivered_properties(&record, broker.clock.now_ms());
    Some(Delivery { timer, topic, queue_id, properties, bytes })
}

impl Delivery {
    fn draft(&self, broker: &Broker) -> Result<Draft<'_>, Refusal> {
        let (record, _) = Record::parse(&self.bytes).map_err(|error| Refusal::Failed(error.to_string()))?;
        Ok(redelivered(&record, broker.advertised, &self.topic, self.queue_id, &self.properties))
    }
}

/// What consumers see: as the producer sent it, with the times of its waiting.
fn delivered_properties(record: &Record<'_>, now_ms: i64) -> String {
    let mut properties = PropertiesBuf::from_text(record.properties);
    properties.remove(ORIGIN);
    if properties.find(name::TIMER_ENQUEUE_MS).is_none() {
        properties.set(name::TIMER_ENQUEUE_MS, &record.store_timestamp.to_string());
    }
    properties.set(name::TIMER_DEQUEUE_MS, &now_ms.to_string());
    properties.into_string()
}
