//! Which answers wait until a change is confirmed, or announced to the NameServers?

use crate::registration::name_servers::{PATIENCE, Registration};
use parking_lot::Mutex;
use roxmq_remoting::{Answer, Peer, Ticket};
use std::time::Duration;

/// Answers that may wait for the journal. The thread that adds one more syncs the journal for them.
const UNCONFIRMED_MAX: usize = 1024;
/// Answers that may wait for the NameServers. Further ones are given at once.
const UNANNOUNCED_MAX: usize = 1024;

/// What a request that changes something is answered with.
pub struct Changed {
    pub(crate) answer: Answer,
    /// The change that is announced to the NameServers first.
    pub(crate) announced: Option<u64>,
}

impl Changed {
    /// Answers once the change is confirmed.
    pub fn answer(answer: Answer) -> Changed {
        Changed { answer, announced: None }
    }

    /// Answers once the change is confirmed and, if it has a number, announced to the NameServers.
    pub fn announced(change: Option<u64>) -> Changed {
        Changed { answer: Answer::ok(), announced: change }
    }
}

/// An answer that waits.
pub struct PendingAnswer {
    /// Who asked.
    pub peer: Peer,
    /// What the answer needs.
    pub ticket: Ticket,
    /// What is answered.
    pub changed: Changed,
}

/// All answers that wait.
#[derive(Default)]
pub struct PendingAnswers {
    unconfirmed: Mutex<UnconfirmedAnswers>,
    unannounced: Mutex<Vec<Unannounced>>,
}

#[derive(Default)]
struct UnconfirmedAnswers {
    answers: Vec<PendingAnswer>,
    /// A thread takes them.
    is_served: bool,
}

struct Unannounced {
    answer: PendingAnswer,
    change: u64,
    deadline: Duration,
}

/// What the caller does after it added an answer.
pub enum AfterPush {
    /// Nothing: a thread takes it.
    Waits,
    /// Take answers with [`PendingAnswers::next`] until there are none.
    Unserved,
    /// Too many wait: sync the journal for these now.
    TooMany(Vec<PendingAnswer>),
}

impl PendingAnswers {
    /// Lets an answer wait for the journal.
    pub fn push(&self, answer: PendingAnswer) -> AfterPush {
        let mut unconfirmed = self.unconfirmed.lock();
        unconfirmed.answers.push(answer);
        if unconfirmed.answers.len() > UNCONFIRMED_MAX {
            return AfterPush::TooMany(std::mem::take(&mut unconfirmed.answers));
        }
        match std::mem::replace(&mut unconfirmed.is_served, true) {
            true => AfterPush::Waits,
            false => AfterPush::Unserved,
        }
    }

    /// All answers that wait for the journal; `None` ends the serving.
    pub fn next(&self) -> Option<Vec<PendingAnswer>> {
        let mut unconfirmed = self.unconfirmed.lock();
        unconfirmed.is_served = !unconfirmed.answers.is_empty();
        unconfirmed.is_served.then(|| std::mem::take(&mut unconfirmed.answers))
    }

    /// The change is confirmed: gives the answer now, or once the change is announced.
    pub fn confirmed(&self, registration: &Registration, now: Duration, answer: PendingAnswer) {
        match answer.changed.announced.filter(|change| !registration.is_announced(*change)) {
            None => answer.give(),
            Some(change) => {
                let mut unannounced = self.unannounced.lock();
                match unannounced.len() < UNANNOUNCED_MAX {
                    true => unannounced.push(Unannounced { answer, change, deadline: now + PATIENCE }),
                    false => answer.give(),
                }
            }
        }
    }

    /// Whether answers wait for the NameServers.
    pub fn has_unannounced(&self) -> bool {
        !self.unannounced.lock().is_empty()
    }

    /// Gives the answers whose change is announced, and those whose deadline is over.
    pub fn give_announced(&self, registration: &Registration, now: Duration) {
        let is_over = |waiting: &mut Unannounced| waiting.deadline <= now || registration.is_announced(waiting.change);
        self.unannounced.lock().extract_if(.., is_over).for_each(|waiting| waiting.answer.give());
    }
}

impl PendingAnswer {
    fn give(self) {
        self.peer.answer(self.ticket, self.changed.answer);
    }
}
