//! Which answers wait until a change is durable, or known to the NameServers?

use super::registration::{PATIENCE, Registration};
use parking_lot::Mutex;
use roxmq_remoting::{Answer, Peer, Ticket};
use std::time::Duration;

/// Answers that may wait for the journal; whoever makes one more sees to them itself.
const WAITING_MAX: usize = 1024;
/// Answers that may wait for the NameServers; further ones are given at once.
const UNTOLD_MAX: usize = 1024;

/// What a request that changes something is answered with.
pub struct Changed {
    pub(super) answer: Answer,
    /// The change that NameServers are told of first.
    pub(super) told: Option<u64>,
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
    unsettled: Mutex<Unsettled>,
    untold: Mutex<Vec<Untold>>,
}

#[derive(Default)]
struct Unsettled {
    promises: Vec<Promise>,
    is_served: bool,
}

/// An answer that is owed.
pub struct Promise {
    /// Who asked.
    pub peer: Peer,
    /// What the answer needs.
    pub ticket: Ticket,
    /// What is answered.
    pub changed: Changed,
}

struct Untold {
    promise: Promise,
    change: u64,
    deadline: Duration,
}

/// What the caller has to do about a promise that was pushed.
pub enum Pushed {
    /// Nothing: a thread sees to it.
    Waits,
    /// Take what waits with [`Promises::next`] until there is nothing more.
    Unserved,
    /// Too many wait: keep these at once.
    TooMany(Vec<Promise>),
}

impl Promises {
    /// Lets a promise wait for the journal.
    pub fn push(&self, promise: Promise) -> Pushed {
        let mut unsettled = self.unsettled.lock();
        unsettled.promises.push(promise);
        if unsettled.promises.len() > WAITING_MAX {
            return Pushed::TooMany(std::mem::take(&mut unsettled.promises));
        }
        match std::mem::replace(&mut unsettled.is_served, true) {
            true => Pushed::Waits,
            false => Pushed::Unserved,
        }
    }

    /// All that wait for the journal; none ends the serving.
    pub fn next(&self) -> Option<Vec<Promise>> {
        let mut unsettled = self.unsettled.lock();
        unsettled.is_served = !unsettled.promises.is_empty();
        unsettled.is_served.then(|| std::mem::take(&mut unsettled.promises))
    }

    /// Keeps a promise whose change is durable, now or when the NameServers were told of it.
    pub fn settled(&self, registration: &Registration, now: Duration, promise: Promise) {
        match promise.changed.told.filter(|change| !registration.is_told(*change)) {
            None => promise.keep(),
            Some(change) => {
                let mut untold = self.untold.lock();
                match untold.len() < UNTOLD_MAX {
                    true => untold.push(Untold { promise, change, deadline: now + PATIENCE }),
                    false => promise.keep(),
                }
            }
        }
    }

    /// Whether answers wait for the NameServers.
    pub fn has_untold(&self) -> bool {
        !self.untold.lock().is_empty()
    }

    /// Gives the answers of which the NameServers know, or have not taken note in time.
    pub fn answer_told(&self, registration: &Registration, now: Duration) {
        let is_over = |untold: &mut Untold| untold.deadline <= now || registration.is_told(untold.change);
        self.untold.lock().extract_if(.., is_over).for_each(|untold| untold.promise.keep());
    }
}

impl Promise {
    fn keep(self) {
        self.peer.answer(self.ticket, self.changed.answer);
    }
}
