//! How is the oldest part of the log cleared for deletion?
//!
//! The store's threads ask before they delete, and do not wait for the answer: they also write index files and watch the free space.
//! They are refused at first. A service of the broker then clears that part, and has them ask again.
//!
//! A part expires only when no message in it waits for a delay level or a decision, however long the broker was down. Without room on
//! the disk it goes all the same: nothing could be delivered then. Timed messages are stored again at the end of the log.

use crate::broker::Broker;
use crate::delivery::roll::{OnUnreadable, roll};
use crate::waiting::clearance::{Failing, Outcome};
use roxmq_protocol::position::LogOffset;
use roxmq_store::Reason;
use std::sync::Arc;
use std::time::Duration;
use tracing::error;

/// After this time, records that cannot be read no longer hold up the deletion of their part.
const GIVES_UP_AFTER: Duration = Duration::from_secs(600);

/// Has the store ask before it deletes.
pub fn watch(broker: &Arc<Broker>) {
    let weak = Arc::downgrade(broker);
    broker.store.ask_before_deletion(move |end, reason| weak.upgrade().is_some_and(|broker| broker.waiting.clearance.allows(end, reason)));
}

/// Clears what the store asks for, for as long as the broker lives.
pub async fn run(broker: Arc<Broker>) {
    loop {
        broker.waiting.clearance.wait_until_asked().await;
        let working = Arc::clone(&broker);
        if tokio::task::spawn_blocking(move || clear(&working)).await.is_err() {
            error!("clearing the oldest part of the log panicked; it is retried when the store asks again");
        }
    }
}

/// Clears the part of the log that was asked for last.
pub fn clear(broker: &Broker) -> Outcome {
    let clearance = &broker.waiting.clearance;
    let Some((end, reason)) = clearance.take_asked() else { return Outcome::NotCleared };
    if reason == Reason::Expired {
        let delayed = broker.waiting.delay_cursors.oldest_waiting(&broker.store);
        let holds = |oldest: Option<LogOffset>| oldest.is_some_and(|oldest| oldest < end);
        if holds(delayed) || holds(broker.waiting.transactions.oldest_open(&broker.store)) {
            return Outcome::NotCleared;
        }
        clearance.delivered(end);
    }
    let mut rolling = clearance.rolling();
    let now = broker.clock.elapsed();
    let since = rolling.failing.filter(|failing| failing.end == end).map_or(now, |failing| failing.since);
    let on_unreadable = if now - since >= GIVES_UP_AFTER { OnUnreadable::Skip } else { OnUnreadable::Fail };
    if roll(broker, end, on_unreadable, &mut rolling.progress) == Outcome::NotCleared {
        rolling.failing = Some(Failing { end, since });
        return Outcome::NotCleared;
    }
    rolling.failing = None;
    clearance.rolled(end);
    broker.store.ask_again();
    Outcome::Cleared
}

/// Deletes what has expired, for a tool. Waits for the disk.
pub fn delete_expired(broker: &Broker) {
    loop {
        broker.store.delete_expired();
        if clear(broker) == Outcome::NotCleared {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
