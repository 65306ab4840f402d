//! When is a change of topics, groups or request modes answered? Once it is durable, and a new topic is announced to the NameServers.
//!
//! The thread that makes a change does not wait for that; the answer does. The first thread that finds answers unserved syncs the
//! journal and gives all answers that came meanwhile. So many changes share one sync, and a few threads serve any number of them.
//!
//! Changes that no request asked for are not waited for. A group or a retry topic that a heartbeat makes is made again, with the same
//! settings, by the next heartbeat. A topic that a first send makes is recovered from the log (`tables/system.rs`), which the send's
//! answer relies on anyway; a message that is stored elsewhere until it is due waits for its topic (`announce/topics.rs`). All of these
//! are durable with the next change that is waited for, after 50 ms at the latest.

use crate::broker::Broker;
use crate::error::Refusal;
use crate::registration::pending::{AfterPush, PendingAnswer};
use crate::tables::file::is_full;
use roxmq_env::teeth::{Tooth, bites};

/// Gives the answer when its time has come. Called by a thread of the pool.
pub fn answer(broker: &Broker, answer: PendingAnswer) {
    let pending = &broker.announcements.pending;
    match pending.push(answer) {
        AfterPush::Waits => {}
        AfterPush::TooMany(all) => sync_for(broker, all),
        AfterPush::Unserved => {
            while let Some(all) = pending.next() {
                sync_for(broker, all);
            }
        }
    }
}

fn sync_for(broker: &Broker, answers: Vec<PendingAnswer>) {
    let synced = if bites(Tooth::AnswerBeforeJournal) { Ok(()) } else { sync(broker) };
    let now = broker.clock.elapsed();
    for answer in answers {
        match &synced {
            Err(refusal) => answer.peer.answer(answer.ticket, refusal.answer()),
            Ok(()) => broker.announcements.pending.confirmed(&broker.announcements.registration, now, answer),
        }
    }
    give_announced(broker);
}

/// Gives the answers whose change is announced by now.
pub fn give_announced(broker: &Broker) {
    broker.announcements.pending.give_announced(&broker.announcements.registration, broker.clock.elapsed());
}

/// Makes all changes so far durable. Blocks on the disk.
///
/// # Errors
/// When the disk refuses.
pub fn sync(broker: &Broker) -> Result<(), Refusal> {
    sync_to(broker, broker.tables.journal.noted())
}

/// Makes the first `wanted` changes durable.
///
/// # Errors
/// When the disk refuses.
pub fn sync_to(broker: &Broker, wanted: u64) -> Result<(), Refusal> {
    if broker.tables.journal.durable() >= wanted {
        return Ok(());
    }
    if let Some(why) = broker.store.fenced() {
        return Err(Refusal::Fenced(why));
    }
    let Err(error) = broker.tables.journal.sync(wanted, || broker.tables.save_journaled()) else { return Ok(()) };
    let why = format!("changes of topics or groups cannot be written: {error}");
    if is_full(&error) {
        return Err(Refusal::DiskFull(why));
    }
    broker.store.fence(&why);
    Err(Refusal::Fenced(broker.store.fenced().unwrap_or(why)))
}

#[cfg(test)]
mod tests;
