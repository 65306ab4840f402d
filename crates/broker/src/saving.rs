//! When are the tables written, and what if they cannot be?

use crate::announce::changing;
use crate::broker::Broker;
use crate::tables::file::is_full;
use std::io;
use std::sync::atomic::Ordering;
use tracing::{error, info};

/// Makes durable whatever changed in any table.
#[cfg(test)]
pub fn save_tables(broker: &Broker) {
    tend_journal(broker);
    save_offsets(broker);
}

/// Writes every table that changed, for whoever looks at them while the broker is down.
pub fn close_tables(broker: &Broker) {
    note_saved(broker, || broker.tables.journal.close(|| broker.tables.save_journaled()));
    save_offsets(broker);
}

/// Whether tending the journal would do anything.
pub fn wants_tending(broker: &Broker) -> bool {
    broker.tables.journal.wants_tending() || broker.announce.pending.has_unannounced() || broker.tables.fail.load(Ordering::Relaxed)
}

/// Settles what the journal holds, and writes the tables when that is due.
pub fn tend_journal(broker: &Broker) {
    note_saved(broker, || broker.tables.journal.tend(|| broker.tables.save_journaled()));
    changing::give_announced(broker);
}

/// Writes the tables that say how far something has come, where they changed.
pub fn save_offsets(broker: &Broker) {
    let store = &broker.store;
    note_saved(broker, || {
        broker.tables.deleted.save()?;
        broker.tables.offsets.save(store)?;
        broker.waiting.save(store)
    });
}

/// Once the store is fenced nothing is written any more. A table that cannot be written for another reason than a full disk fences it:
/// what was answered with success would be lost.
fn note_saved(broker: &Broker, save: impl FnOnce() -> io::Result<()>) {
    if broker.store.fenced().is_some() {
        return;
    }
    let saved = save();
    let failed_before = broker.tables.fail.swap(saved.is_err(), Ordering::Relaxed);
    match saved {
        Ok(()) if failed_before => info!("the tables are written again"),
        Err(error) if is_full(&error) => {
            if !failed_before {
                error!(%error, "a table could not be written; it is tried again");
            }
        }
        Err(error) => broker.store.fence(&format!("writing a table failed: {error}")),
        Ok(()) => {}
    }
}
