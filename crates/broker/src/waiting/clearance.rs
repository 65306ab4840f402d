//! How much of the log is not needed any more?

use parking_lot::Mutex;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_store::Reason;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// How much of the log is not needed any more. What is stored later lies behind it, so these only grow.
#[derive(Default)]
pub struct Clearance {
    pub asked: Mutex<Option<(LogOffset, Reason)>>,
    /// Rung when something is asked that was answered with no.
    pub bell: Notify,
    /// Before it lies nothing that waits for a level or a decision.
    pub decided_to: AtomicI64,
    /// Before it lies no timed message that was not stored again.
    pub rolled_to: AtomicI64,
    pub rolling: Mutex<Rolling>,
}

/// A part of the log that is being prepared.
#[derive(Default)]
pub struct Rolling {
    pub progress: RollProgress,
    /// Up to where it did not work the last time, and since when.
    pub fails: Option<(LogOffset, Duration)>,
}

/// How far the log was rolled before an end that it is about to lose: by queue of the timer topic, the next offset to look at. What was
/// stored again once is not stored again because a later one could not be.
#[derive(Debug, Default)]
pub struct RollProgress {
    pub end: LogOffset,
    pub next: BTreeMap<u32, QueueOffset>,
}

impl Clearance {
    /// May the log before `end` be deleted? If not, it is asked for, and prepared.
    pub fn may(&self, end: LogOffset, reason: Reason) -> bool {
        let is_before = |mark: &AtomicI64| end.0 <= mark.load(Ordering::Acquire);
        let may = is_before(&self.rolled_to) && (reason == Reason::NoRoom || is_before(&self.decided_to));
        if !may {
            *self.asked.lock() = Some((end, reason));
            self.bell.notify_one();
        }
        may
    }
}
