//! What producers say of their half messages: commit or rollback (37).
//!
//! Most of them come without anybody who waits for an answer, so a refusal would not be heard, and the message would stay open until its
//! producer is asked: they wait in a queue of their own, and what waits is decided together. A connection of which many wait is not read
//! from meanwhile.

use parking_lot::Mutex;
use roxmq_remoting::{Peer, Received, Ticket};
use std::collections::VecDeque;
use tracing::warn;

/// Decisions that may wait. Java: `endTransactionPoolQueueCapacity`.
pub const WAITING_MAX: usize = 100_000;
/// Decisions taken together.
const AT_ONCE: usize = 512;

/// Decisions that wait until they are taken: many at a time, with one append and one flush for all of them.
#[derive(Default)]
pub struct Decisions {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    asked: VecDeque<Asked>,
    /// A thread of the pool takes them.
    is_served: bool,
    is_full: bool,
}

/// A request with code 37 whose answer is owed.
pub struct Asked {
    /// The request.
    pub request: Received,
    /// Who asks.
    pub peer: Peer,
    /// What the answer needs.
    pub ticket: Ticket,
}

/// What became of a decision that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits, and is taken with others.
    Waits,
    /// It waits, and from now on the caller has to see that decisions are taken: see [`Decisions::next`].
    Unserved,
    /// Too many wait.
    Refused,
}

impl Decisions {
    /// Lets a decision wait, if there is room.
    pub fn push(&self, asked: Asked) -> Pushed {
        let mut queue = self.queue.lock();
        if queue.asked.len() >= WAITING_MAX {
            // Said once until none waits.
            if !std::mem::replace(&mut queue.is_full, true) {
                warn!(waiting = WAITING_MAX, "too many decisions about half messages wait; further ones are refused");
            }
            return Pushed::Refused;
        }
        queue.asked.push_back(asked);
        match std::mem::replace(&mut queue.is_served, true) {
            true => Pushed::Waits,
            false => Pushed::Unserved,
        }
    }

    /// How many wait.
    pub fn waiting_count(&self) -> usize {
        self.queue.lock().asked.len()
    }

    /// The next ones that are taken together; none ends the serving.
    pub fn next(&self) -> Option<Vec<Asked>> {
        let mut queue = self.queue.lock();
        let count = queue.asked.len().min(AT_ONCE);
        queue.is_served = count > 0;
        queue.is_full &= count > 0;
        (count > 0).then(|| queue.asked.drain(..count).collect())
    }
}
