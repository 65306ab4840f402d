//! Which decisions of producers wait to be carried out (37)?
//!
//! Most decisions are oneway requests: no client hears a refusal, and the half message would stay open until the next check. So they
//! wait in a queue of their own and are carried out together. While many of one connection wait, that connection is not read.

use parking_lot::Mutex;
use roxmq_remoting::{Peer, Received, Ticket};
use std::collections::VecDeque;
use tracing::warn;

/// Decisions that may wait. Java: `endTransactionPoolQueueCapacity`.
pub const WAITING_MAX: usize = 100_000;
/// Decisions carried out together.
const AT_ONCE: usize = 512;

/// Decisions that wait. They are taken many at a time, for one append and one flush.
#[derive(Default)]
pub struct Decisions {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    decisions: VecDeque<PendingDecision>,
    /// A thread of the pool is carrying them out.
    is_served: bool,
    is_full: bool,
}

/// A request with code 37 whose answer is owed.
pub struct PendingDecision {
    /// The request.
    pub request: Received,
    /// The connection it came from.
    pub peer: Peer,
    /// The place of its answer.
    pub ticket: Ticket,
}

/// Whether a decision waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits, and a thread will take it.
    Waits,
    /// It waits, and the caller must have a thread call [`Decisions::next`] until that returns none.
    Unserved,
    /// Too many decisions wait.
    Refused,
}

impl Decisions {
    /// Adds a decision, if there is room.
    pub fn push(&self, decision: PendingDecision) -> Pushed {
        let mut queue = self.queue.lock();
        if queue.decisions.len() >= WAITING_MAX {
            // Logged once until the queue is empty.
            if !std::mem::replace(&mut queue.is_full, true) {
                warn!(waiting = WAITING_MAX, "refused a decision about a half message: too many wait");
            }
            return Pushed::Refused;
        }
        queue.decisions.push_back(decision);
        match std::mem::replace(&mut queue.is_served, true) {
            true => Pushed::Waits,
            false => Pushed::Unserved,
        }
    }

    /// How many decisions wait.
    pub fn waiting_count(&self) -> usize {
        self.queue.lock().decisions.len()
    }

    /// The next decisions to carry out together; none ends the thread's work.
    pub fn next(&self) -> Option<Vec<PendingDecision>> {
        let mut queue = self.queue.lock();
        let count = queue.decisions.len().min(AT_ONCE);
        queue.is_served = count > 0;
        queue.is_full &= count > 0;
        (count > 0).then(|| queue.decisions.drain(..count).collect())
    }
}
