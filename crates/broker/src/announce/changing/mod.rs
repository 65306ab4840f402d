//! When is the answer to a change of topics, groups or request modes given? Once the change is durable, and a new topic known to the
//! NameServers.
//!
//! The thread that made a change does not wait: the answer does. Whoever finds nobody at it has the journal settled, and gives all answers
//! that came meanwhile; so many changes share one sync, and a few threads are enough for any number of them.
//!
//! Not waited for are changes that no request asked for. A group or a retry topic that a client's heartbeat makes is made again, with the same
//! settings, by its next one. A topic that a first send makes is taken up again from the log, which is what the send's answer
//! vouches for (`topics::adopt_from_log`); what is stored elsewhere until it is due waits for its topic (`topics::owed`). All of them are
//! durable with the next change that somebody waits for, after 50 ms at the latest.

use crate::announce::registration::PATIENCE;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::tables::file::is_full;
use parking_lot::Mutex;
use roxmq_env::teeth::{Tooth, bites};
use roxmq_remoting::{Answer, Peer, Ticket};
use std::sync::Arc;
use std::time::Duration;

/// Answers that may wait for the journal; whoever makes one more sees to them itself.
const WAITING_MAX: usize = 1024;
/// Answers that may wait for the NameServers; further ones are given at once.
const UNTOLD_MAX: usize = 1024;

/// What a request that changes something is answered with.
pub struct Changed {
    answer: Answer,
    /// The change that NameServers are told of first.
    told: Option<u64>,
}

impl Changed {
    /// Answers once the change is durable.
    pub fn answer(answer: Answer) -> Changed {
        Changed { answer, told: None }
    }

    /// Answers once the change is durable and, if there is one of that number, the NameServers were told of it.
    pub fn told(told: Option<u64>) -> Changed {
        Changed { answer: Answer::ok(), told }
    }
}

/// Answers that wait.
#[derive(Default)]
pub struct Promises {
    waiting: Mutex<Waiting>,
    untold: Mutex<Vec<Untold>>,
}

#[derive(Default)]
struct Waiting {
    promises: Vec<Promise>,
    is_served: bool,
}

struct Promise {
    peer: Peer,
    ticket: Ticket,
    changed: Changed,
}

struct Untold {
    promise: Promise,
    change: u64,
    deadline: Duration,
}

impl Promises {
    /// Gives the answer when its time has come. Called by a thread of the pool.
    pub fn push(&self, broker: &Arc<Broker>, peer: Peer, ticket: Ticket, changed: Changed) {
        let mut waiting = self.waiting.lock();
        waiting.promises.push(Promise { peer, ticket, changed });
        if waiting.promises.len() > WAITING_MAX {
            let promises = std::mem::take(&mut waiting.promises);
            drop(waiting);
            return self.keep(broker, promises);
        }
        if !std::mem::replace(&mut waiting.is_served, true) {
            drop(waiting);
            while let Some(promises) = self.next() {
                self.keep(broker, promises);
            }
        }
    }

    fn next(&self) -> Option<Vec<Promise>> {
        let mut waiting = self.waiting.lock();
        waiting.is_served = !waiting.promises.is_empty();
        waiting.is_served.then(|| std::mem::take(&mut waiting.promises))
    }

    fn keep(&self, broker: &Broker, promises: Vec<Promise>) {
        let settled = if bites(Tooth::AnswerBeforeJournal) { Ok(()) } else { settle(broker) };
        for Promise { peer, ticket, changed } in promises {
            match (&settled, changed.told.filter(|change| !broker.announce.registration.is_told(*change))) {
                (Err(refusal), _) => peer.answer(ticket, refusal.answer()),
                (Ok(()), None) => peer.answer(ticket, changed.answer),
                (Ok(()), Some(change)) => self.wait_told(broker, Promise { peer, ticket, changed }, change),
            }
        }
        self.answer_told(broker);
    }

    fn wait_told(&self, broker: &Broker, promise: Promise, change: u64) {
        let mut untold = self.untold.lock();
        match untold.len() < UNTOLD_MAX {
            true => untold.push(Untold { promise, change, deadline: broker.clock.elapsed() + PATIENCE }),
            false => promise.peer.answer(promise.ticket, promise.changed.answer),
        }
    }

    /// Whether answers wait for the NameServers.
    pub fn has_untold(&self) -> bool {
        !self.untold.lock().is_empty()
    }

    /// Gives the answers of which the NameServers know, or have not taken note in time.
    pub fn answer_told(&self, broker: &Broker) {
        let now = broker.clock.elapsed();
        let is_over = |untold: &mut Untold| untold.deadline <= now || broker.announce.registration.is_told(untold.change);
        for Untold { promise, .. } in self.untold.lock().extract_if(.., is_over) {
            promise.peer.answer(promise.ticket, promise.changed.answer);
        }
    }
}

/// Makes all changes so far durable. Waits for the disk.
///
/// # Errors
/// When it refuses.
pub fn settle(broker: &Broker) -> Result<(), Refusal> {
    settle_to(broker, broker.tables.journal.noted())
}

/// Makes the first `wanted` changes durable.
///
/// # Errors
/// When the disk refuses.
pub fn settle_to(broker: &Broker, wanted: u64) -> Result<(), Refusal> {
    if broker.tables.journal.durable() >= wanted {
        return Ok(());
    }
    if let Some(why) = broker.store.fenced() {
        return Err(Refusal::Fenced(why));
    }
    let Err(error) = broker.tables.journal.settle(wanted, || broker.tables.save_journaled()) else { return Ok(()) };
    let why = format!("changes of topics or groups cannot be written: {error}");
    if is_full(&error) {
        return Err(Refusal::DiskFull(why));
    }
    broker.store.close_for_writing(&why);
    Err(Refusal::Fenced(broker.store.fenced().unwrap_or(why)))
}

#[cfg(test)]
mod tests;
