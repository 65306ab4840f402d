//! When are the tables saved, and what if that fails?

use crate::announce::changing;
use crate::broker::Broker;
use crate::tables::file::is_full;
use std::io;
use std::sync::atomic::Ordering;
use tracing::{error, info};

/// Makes all changes of all tables durable.
#[cfg(test)]
pub fn save_tables(broker: &Broker) {
    maintain_journal(broker);
    save_offsets(broker);
}

/// Saves every table that changed, and deletes the journal: while the broker is down, the files are complete.
pub fn close_tables(broker: &Broker) {
    save_or_fence(broker, || broker.tables.journal.close(|| broker.tables.save_journaled()));
    save_offsets(broker);
}

/// Would [`maintain_journal`] do anything?
pub fn needs_maintenance(broker: &Broker) -> bool {
    broker.tables.journal.needs_maintenance()
        || broker.announcements.pending.has_unannounced()
        || broker.tables.save_failed.load(Ordering::Relaxed)
}

/// Makes all noted changes durable, saves the tables if that is due, and answers requests that waited for it.
pub fn maintain_journal(broker: &Broker) {
    save_or_fence(broker, || broker.tables.journal.maintain(|| broker.tables.save_journaled()));
    changing::give_announced(broker);
}

/// Saves committed offsets, deleted topics and the cursors of waiting messages, where they changed.
pub fn save_offsets(broker: &Broker) {
    let store = &broker.store;
    save_or_fence(broker, || {
        broker.tables.deleted.save()?;
        broker.tables.offsets.save(store)?;
        broker.waiting.save(store)
    });
}

/// Saves unless the store is fenced. A table that cannot be written fences the store, unless the disk is only full: changes that were
/// answered with success would be lost.
fn save_or_fence(broker: &Broker, save: impl FnOnce() -> io::Result<()>) {
    if broker.store.fenced().is_some() {
        return;
    }
    let saved = save();
    let failed_before = broker.tables.save_failed.swap(saved.is_err(), Ordering::Relaxed);
    match saved {
        Ok(()) if failed_before => info!("tables are written again"),
        Err(error) if is_full(&error) => {
            if !failed_before {
                error!(%error, "cannot write a table; retrying");
            }
        }
        Err(error) => broker.store.fence(&format!("writing a table failed: {error}")),
        Ok(()) => {}
    }
}
