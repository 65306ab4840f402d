//! How are delayed messages delivered?

use crate::broker::Broker;
use crate::delivery::carry_on::{Undelivered, carry_on};
use crate::error::Refusal;
use crate::names::{self, DELIVERY_MARKS_TOPIC};
use crate::waiting::delay::cursors::SteppedBack;
use crate::waiting::delay::levels::DelayLevel;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::{Record, records};
use roxmq_store::{Batch, Filter, Patience, ReadLimits, ReadRequest, ReadStatus};
use std::time::Duration;
use tracing::{info, warn};

/// The time between two rounds: a message is late by at most this, and never early.
pub const LOOK_PERIOD: Duration = Duration::from_millis(50);
/// Messages delivered with one append.
const AT_ONCE: ReadLimits = ReadLimits { messages_max: 128, bytes_max: 1 << 20, scan_max: 800, patience: Patience::WaitForDisk };

/// A function that says whether any message waits for a delay level. Once none does, it looks again only when the log has grown.
pub fn anything_waits() -> impl FnMut(&Broker) -> bool {
    let mut quiet_at = None;
    move |broker| {
        let end = Some(broker.store.visible_end());
        if end == quiet_at {
            return false;
        }
        let waits = DelayLevel::all().any(|level| broker.waiting.delay_cursors.waiting_end(&broker.store, level).is_some());
        quiet_at = end.filter(|_| !waits);
        waits
    }
}

/// Delivers what is due of all levels.
pub fn deliver_due(broker: &Broker) {
    let mut batch = broker.store.batch();
    for level in DelayLevel::all() {
        while deliver_some(broker, level, &mut batch) == Left::MayBeDue {}
    }
}

/// What is left of a level after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    MayBeDue,
    NothingDue,
}

/// Delivers what is due of a level, up to one batch.
fn deliver_some(broker: &Broker, level: DelayLevel, batch: &mut Batch) -> Left {
    let cursors = &broker.waiting.delay_cursors;
    let config = broker.config();
    let Some(delay_ms) = config.delay_ladder.delay_ms(level.0) else { return Left::NothingDue };
    let from = cursors.cursor(level);
    let Some(end) = cursors.waiting_end(&broker.store, level) else { return Left::NothingDue };
    // A level's delivery is one atomic batch, which has to fit into a segment.
    let limits = ReadLimits { bytes_max: AT_ONCE.bytes_max.min(broker.store.record_bytes_max() / 2), ..AT_ONCE };
    let mut bytes = Vec::new();
    let read =
        broker.store.read(&ReadRequest { topic: names::DELAY_TOPIC, queue_id: level.queue_id(), from, limits }, Filter::ALL, &mut bytes);
    if read.status != ReadStatus::Found {
        // Retention has passed the cursor, or the read skipped damage.
        if read.next <= from {
            return Left::NothingDue;
        }
        warn!(%level, %from, to = %read.next, "lost delayed messages: they are gone from the log");
        cursors.advance(level, read.next);
        return Left::MayBeDue;
    }
    let next = records(&bytes).next().and_then(Result::ok);
    let stepped_back = next.and_then(|next| cursors.clock_stepped_back(level, &next, end, &broker.clock));
    let due = due(broker, &bytes, Duration::from_millis(delay_ms), stepped_back);
    let Some(next) = due.last().map(|last| last.queue_offset.plus(1)) else { return Left::NothingDue };
    if let Err(refusal) = deliver(broker, level, &due, next, batch) {
        if cursors.refused.begins(level) {
            warn!(%refusal, %level, "retrying delayed messages: the store refuses them");
        }
        return Left::NothingDue;
    }
    if cursors.refused.ends(&level) {
        info!(%level, "recovered: delayed messages are delivered again");
    }
    cursors.advance(level, next);
    if due.len() == read.messages as usize { Left::MayBeDue } else { Left::NothingDue }
}

/// The records that are due. Where the clock has stepped back, a message is due `delay` after that was noticed: its store time says
/// nothing.
fn due<'a>(broker: &Broker, bytes: &'a [u8], delay: Duration, stepped_back: Option<SteppedBack>) -> Vec<Record<'a>> {
    let now_ms = broker.clock.now_ms();
    let waited_out = stepped_back.filter(|clock| broker.clock.elapsed() - clock.noticed >= delay);
    let is_due = |record: &Record<'_>| {
        (record.store_timestamp + delay).0 <= now_ms || waited_out.is_some_and(|clock| record.queue_offset < clock.before)
    };
    records(bytes).map_while(Result::ok).take_while(is_due).collect()
}

/// Appends what is due, and the delivery mark with the new cursor. An error means that nothing was appended.
fn deliver(broker: &Broker, level: DelayLevel, due: &[Record<'_>], next: QueueOffset, batch: &mut Batch) -> Result<(), Refusal> {
    batch.clear();
    batch.push(broker.system_draft(DELIVERY_MARKS_TOPIC, level.queue_id(), next.to_string().as_bytes(), ""))?;
    let mut undelivered = Undelivered::default();
    for record in due {
        // The properties still say how long it waited.
        carry_on(broker, record, record.properties, batch, &mut undelivered);
    }
    broker.append_atomic(batch)?;
    // Appended is delivered, even if it is not confirmed in time: a crash loses the messages together with their mark.
    broker.confirm(batch);
    undelivered.log(broker);
    Ok(())
}

#[cfg(test)]
mod tests;
