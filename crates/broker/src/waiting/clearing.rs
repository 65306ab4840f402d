//! May the oldest part of the log be deleted?
//!
//! The store's threads ask, and do not wait for the answer: they write index files too, and look for room. They are told no, a service
//! of the broker sees to it that nothing is needed of that part any more, and has them ask again.
//!
//! What waits for a level or a decision keeps its part of the log, however long the broker was down; unless there is no room, since then
//! nothing could be delivered either. Timed messages are stored again at the end of the log.

use crate::broker::Broker;
use crate::waiting::timer::roll::roll;
use roxmq_protocol::position::LogOffset;
use roxmq_store::Reason;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::error;

/// After this time what cannot be read in a part of the log does not keep it any more.
const GIVES_UP_AFTER: Duration = Duration::from_secs(600);

/// Has the store ask before it deletes.
pub fn watch(broker: &Arc<Broker>) {
    let weak = Arc::downgrade(broker);
    broker.store.ask_before_deletion(move |end, reason| weak.upgrade().is_some_and(|broker| broker.waiting.clearance.may(end, reason)));
}

/// Answers for as long as the broker lives.
pub async fn run(broker: Arc<Broker>) {
    loop {
        broker.waiting.clearance.bell.notified().await;
        let working = Arc::clone(&broker);
        if tokio::task::spawn_blocking(move || clear(&working)).await.is_err() {
            error!("preparing a deletion failed inside the broker; the store asks again");
        }
    }
}

/// Sees to it that the part of the log that was asked for last is not needed any more. May it be deleted now?
pub fn clear(broker: &Broker) -> bool {
    let clearance = &broker.waiting.clearance;
    let Some((end, reason)) = clearance.asked.lock().take() else { return false };
    if reason == Reason::Expired {
        let waits = |from: Option<LogOffset>| from.is_some_and(|from| from < end);
        if waits(broker.waiting.delay_cursors.waits_from(&broker.store)) || waits(broker.waiting.transactions.waits_from(&broker.store)) {
            return false;
        }
        clearance.decided_to.fetch_max(end.0, Ordering::AcqRel);
    }
    let mut rolling = clearance.rolling.lock();
    let now = broker.clock.elapsed();
    let since = rolling.fails.filter(|(of, _)| *of == end).map_or(now, |(_, since)| since);
    if !roll(broker, end, now - since >= GIVES_UP_AFTER, &mut rolling.progress) {
        rolling.fails = Some((end, since));
        return false;
    }
    rolling.fails = None;
    clearance.rolled_to.fetch_max(end.0, Ordering::AcqRel);
    broker.store.ask_again();
    true
}

/// Deletes what has expired, as a tool asks for it. Waits for the disk.
pub fn delete_expired(broker: &Broker) {
    loop {
        broker.store.delete_expired();
        if !clear(broker) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
