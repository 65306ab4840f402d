//! Delivery of what has waited for its level.

use super::levels::{levels, queue_of};
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names::{self, PROGRESS_TOPIC};
use crate::waiting::destination::{Destination, Dropped, UNSAID, destination};
use crate::waiting::parking;
use crate::waiting::redraft::redelivered;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::{Record, records};
use roxmq_store::{Batch, Filter, Patience, ReadLimits, ReadRequest, ReadStatus};
use std::time::Duration;
use tracing::{info, warn};

/// How often the levels are looked at; a message is late by at most this, and never early.
pub const LOOK_PERIOD: Duration = Duration::from_millis(50);
/// Messages delivered with one append.
const AT_ONCE: ReadLimits = ReadLimits { messages_max: 128, bytes_max: 1 << 20, scan_max: 800, patience: Patience::WaitForDisk };

/// Whether any message waits for its level, each time it is asked. Nothing is looked through again until the log has grown.
pub fn anything_waits() -> impl FnMut(&Broker) -> bool {
    let mut quiet_at = None;
    move |broker| {
        let end = Some(broker.store.visible_end());
        if end == quiet_at {
            return false;
        }
        let waits = levels().any(|level| broker.waiting.delay_cursors.waiting_end(&broker.store, level).is_some());
        quiet_at = end.filter(|_| !waits);
        waits
    }
}

/// Delivers what is due of all levels.
pub fn deliver_due(broker: &Broker) {
    let mut batch = broker.store.batch();
    for level in levels() {
        while deliver_some(broker, level, &mut batch) {}
    }
}

/// Delivers what is due of a level, up to one batch. Is there more?
fn deliver_some(broker: &Broker, level: i32, batch: &mut Batch) -> bool {
    let config = broker.config();
    let Some(delay) = config.delay_ladder.delay_ms(level) else { return false };
    let from = broker.waiting.delay_cursors.cursor(level);
    let Some(max) = broker.waiting.delay_cursors.waiting_end(&broker.store, level) else { return false };
    // A level's delivery is one atomic batch, which has to fit into a segment.
    let limits = ReadLimits { bytes_max: AT_ONCE.bytes_max.min(broker.store.record_bytes_max() / 2), ..AT_ONCE };
    let mut bytes = Vec::new();
    let read = broker.store.read(
        &ReadRequest { topic: names::DELAY_TOPIC, queue_id: queue_of(level), from: QueueOffset(from), limits },
        Filter::ALL,
        &mut bytes,
    );
    if read.status != ReadStatus::Found {
        // Retention has passed the cursor, or damage was skipped: what is gone cannot be delivered.
        if read.next.0 > from {
            warn!(level, from, to = read.next.0, "delayed messages are gone from the log");
            broker.waiting.delay_cursors.advance(level, read.next.0);
        }
        return read.next.0 > from;
    }
    // Where the clock has gone back, its times say nothing: then a message waits as long as it should from when that is noticed.
    let ahead =
        records(&bytes).next().and_then(Result::ok).and_then(|next| broker.waiting.delay_cursors.ahead(level, &next, max.0, &broker.clock));
    let has_waited = ahead.filter(|ahead| broker.clock.elapsed() - ahead.since >= Duration::from_millis(delay));
    let now = broker.clock.now_ms();
    let is_due = |record: &Record<'_>| {
        record.store_timestamp.0 + delay as i64 <= now || has_waited.is_some_and(|ahead| record.queue_offset.0 < ahead.before)
    };
    let due: Vec<Record<'_>> = records(&bytes).map_while(Result::ok).take_while(is_due).collect();
    let Some(next) = due.last().map(|last| last.queue_offset.0 + 1) else { return false };
    if let Err(refusal) = deliver(broker, level, &due, next, batch) {
        if broker.waiting.delay_cursors.refused.begins(level) {
            warn!(%refusal, level, "delayed messages wait: the store takes nothing");
        }
        return false;
    }
    if broker.waiting.delay_cursors.refused.ends(&level) {
        info!(level, "delayed messages go on");
    }
    broker.waiting.delay_cursors.advance(level, next);
    due.len() == read.messages as usize
}

/// Appends what is due, and the mark of how far that is. When this is an error nothing was appended.
fn deliver(broker: &Broker, level: i32, due: &[Record<'_>], next: i64, batch: &mut Batch) -> Result<(), Refusal> {
    batch.clear();
    batch.push(broker.own(PROGRESS_TOPIC, queue_of(level), next.to_string().as_bytes(), ""))?;
    let mut parked = Vec::new();
    let mut dropped = Dropped::default();
    for record in due {
        match destination(broker, record) {
            // Consumers still see in the properties how long it waited.
            Destination::Queue(topic, queue_id) => {
                let draft = redelivered(record, broker.identity.advertised, &topic, queue_id, record.properties);
                parked.extend(parking::push(broker, record, draft, batch));
            }
            Destination::Deleted(topic) => dropped.add(topic),
            Destination::Unsaid => parked.push(parking::park(broker, record, names::PARKING_TOPIC, UNSAID, batch)),
        }
    }
    broker.append_atomic(batch)?;
    // Appended is delivered, even if it is not confirmed in time: a crash takes it away together with its cursor.
    broker.confirm(batch);
    parking::log(broker, parked);
    dropped.log();
    Ok(())
}

#[cfg(test)]
mod tests;
