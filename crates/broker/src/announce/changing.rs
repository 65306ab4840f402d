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

use super::promises::{Promise, Pushed};
use crate::broker::Broker;
use crate::error::Refusal;
use crate::tables::file::is_full;
use roxmq_env::teeth::{Tooth, bites};

/// Gives the answer when its time has come. Called by a thread of the pool.
pub fn promise(broker: &Broker, promise: Promise) {
    let promises = &broker.announce.promises;
    match promises.push(promise) {
        Pushed::Waits => {}
        Pushed::TooMany(all) => settle_all(broker, all),
        Pushed::Unserved => {
            while let Some(all) = promises.next() {
                settle_all(broker, all);
            }
        }
    }
}

fn settle_all(broker: &Broker, promises: Vec<Promise>) {
    let settled = if bites(Tooth::AnswerBeforeJournal) { Ok(()) } else { settle(broker) };
    let now = broker.clock.elapsed();
    for promise in promises {
        match &settled {
            Err(refusal) => promise.peer.answer(promise.ticket, refusal.answer()),
            Ok(()) => broker.announce.promises.settled(&broker.announce.registration, now, promise),
        }
    }
    answer_told(broker);
}

/// Gives the answers of which the NameServers know by now.
pub fn answer_told(broker: &Broker) {
    broker.announce.promises.answer_told(&broker.announce.registration, broker.clock.elapsed());
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
    broker.store.fence(&why);
    Err(Refusal::Fenced(broker.store.fenced().unwrap_or(why)))
}

#[cfg(test)]
mod tests;
