//! How much of the log is cleared for deletion?

use parking_lot::{Mutex, MutexGuard};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_store::Reason;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// How much of the log is cleared for deletion. New messages lie behind it, so it only grows.
#[derive(Default)]
pub struct Clearance {
    /// The end of the log's part that the store wants to delete, and why.
    asked: Mutex<Option<(LogOffset, Reason)>>,
    /// Notified when `asked` is set.
    question: Notify,
    /// No message before this log offset waits for a delay level or a decision.
    delivered_to: AtomicI64,
    /// Every timed message before this log offset is delivered, or stored again behind it.
    rolled_to: AtomicI64,
    rolling: Mutex<Rolling>,
}

/// The part of the log whose timed messages are being stored again.
#[derive(Default)]
pub struct Rolling {
    pub progress: RollProgress,
    pub failing: Option<Failing>,
}

/// Timed messages before `end` cannot be stored again.
#[derive(Clone, Copy)]
pub struct Failing {
    pub end: LogOffset,
    /// Since when, in time since the broker's start.
    pub since: Duration,
}

/// How far the timed messages before `end` are stored again: the next offset of each queue of the timer topic. A failure does not undo
/// it, so that no message is stored again twice.
#[derive(Debug, Default)]
pub struct RollProgress {
    pub end: LogOffset,
    pub next: BTreeMap<u32, QueueOffset>,
}

/// The outcome of an attempt to clear a part of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing in it is needed.
    Cleared,
    /// Something in it may be needed, or no part was asked for.
    NotCleared,
}

impl Clearance {
    /// May the log before `end` be deleted? If not, a service is notified to clear it.
    pub fn allows(&self, end: LogOffset, reason: Reason) -> bool {
        let is_before = |cleared_to: &AtomicI64| end.0 <= cleared_to.load(Ordering::Acquire);
        let allows = is_before(&self.rolled_to) && (reason == Reason::NoRoom || is_before(&self.delivered_to));
        if !allows {
            *self.asked.lock() = Some((end, reason));
            self.question.notify_one();
        }
        allows
    }

    /// Returns when the store has asked for a part that is not cleared.
    pub async fn wait_until_asked(&self) {
        self.question.notified().await;
    }

    /// The end of the part that was asked for last, and why.
    pub fn take_asked(&self) -> Option<(LogOffset, Reason)> {
        self.asked.lock().take()
    }

    /// No message before `end` waits for a delay level or a decision.
    pub fn delivered(&self, end: LogOffset) {
        self.delivered_to.fetch_max(end.0, Ordering::AcqRel);
    }

    /// Every timed message before `end` is delivered or stored again.
    pub fn rolled(&self, end: LogOffset) {
        self.rolled_to.fetch_max(end.0, Ordering::AcqRel);
    }

    /// The state of storing again. One thread at a time does that.
    pub fn rolling(&self) -> MutexGuard<'_, Rolling> {
        self.rolling.lock()
    }
}
