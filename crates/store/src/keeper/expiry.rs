//! By which rules and which clock do messages expire, and who is asked before they are deleted?

use crate::config::Retention;
use crate::keeper::steady::SteadyClock;
use crate::locks;
use roxmq_env::lock_order::{Mutex, RwLock};
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::time::Timestamp;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Why a part of the log is about to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is old enough; it could stay.
    Expired,
    /// There is more than the settings allow, or no room for more.
    NoRoom,
}

/// Says whether the log may be deleted up to an offset.
pub(crate) type DeletionHook = Box<dyn Fn(LogOffset, Reason) -> bool + Send + Sync>;

/// What decides about deletions.
pub(crate) struct Expiry {
    rules: RwLock<Retention>,
    clock: Mutex<SteadyClock>,
    hook: OnceLock<DeletionHook>,
    /// When housekeeping looks for expired segments next.
    due_ms: AtomicI64,
}

impl Expiry {
    /// `elapsed` is the time since the process started.
    pub fn new(rules: Retention, elapsed: Duration) -> Expiry {
        Expiry {
            rules: RwLock::new(locks::RETENTION_RULES, rules),
            clock: Mutex::new(locks::STEADY_CLOCK, SteadyClock::unsure(elapsed)),
            hook: OnceLock::new(),
            due_ms: AtomicI64::new(0),
        }
    }

    pub fn rules(&self) -> Retention {
        *self.rules.read()
    }

    pub fn set_rules(&self, rules: Retention) {
        *self.rules.write() = rules;
    }

    pub fn hook(&self) -> Option<&DeletionHook> {
        self.hook.get()
    }

    /// Only the first one counts.
    pub fn set_hook(&self, hook: DeletionHook) {
        let _ = self.hook.set(hook);
    }

    /// Whether it is time to look for expired segments; if so, not again for a while.
    pub fn take_turn(&self, elapsed: Duration) -> bool {
        let now_ms = elapsed.as_millis() as i64;
        let is_due = now_ms >= self.due_ms.load(Ordering::Relaxed);
        if is_due {
            self.due_ms.store(now_ms + LOOK_EVERY_MS, Ordering::Relaxed);
        }
        is_due
    }

    /// The next round of housekeeping looks.
    pub fn make_due(&self) {
        self.due_ms.store(0, Ordering::Relaxed);
    }

    /// The wall time to go by, which does not jump ahead.
    pub fn sure_now(&self, wall: Timestamp, elapsed: Duration) -> Timestamp {
        self.clock.lock().now(wall, elapsed)
    }
}

const LOOK_EVERY_MS: i64 = 10_000;
