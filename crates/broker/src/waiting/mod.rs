//! Which messages wait for a delay level, a time, or a decision of their producer, and how far are they carried on?
//!
//! State over the store, which knows nothing of the broker. What is done about it is in `delivery`.

pub mod clearance;
pub mod delay;
pub mod fate;
pub mod marks;
pub mod redraft;
pub mod system_queue;
pub mod timer;
pub mod transaction;

use crate::names;
use crate::tables::file::TableFile;
use crate::tables::queue_end;
use roxmq_env::disk::Disk;
use roxmq_store::Store;
use std::io;
use std::path::Path;

/// The messages that wait, and how far they are carried on.
pub struct Waiting {
    pub delay_cursors: delay::cursors::DelayCursors,
    pub timers: timer::timers::Timers,
    pub transactions: transaction::open::Transactions,
    pub decisions: transaction::decisions::Decisions,
    pub clearance: clearance::Clearance,
}

impl Waiting {
    /// Loads from the folder how far messages are carried on. A cursor that is ahead of the log is moved back.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn load(disk: &Disk, folder: &Path, store: &Store) -> io::Result<Waiting> {
        let file = |name| TableFile::new(disk, folder, name);
        let waiting = Waiting {
            delay_cursors: delay::cursors::DelayCursors::load(file("delayOffset.json"), store)?,
            timers: timer::timers::Timers::load(file("timers.json"), store.visible_end())?,
            transactions: transaction::open::Transactions::load(file("transactions.json"))?,
            decisions: transaction::decisions::Decisions::default(),
            clearance: clearance::Clearance::default(),
        };
        let end = |topic, queue_id| queue_end(store, topic, queue_id);
        waiting.delay_cursors.limit_to_ends(|level| end(names::DELAY_TOPIC, level.queue_id()));
        let checks = end(names::DELIVERY_MARKS_TOPIC, transaction::checks::CHECKS_QUEUE);
        waiting.transactions.limit_to_ends(end(names::HALF_TOPIC, 0), end(names::OP_TOPIC, 0), checks);
        Ok(waiting)
    }

    /// Writes how far messages are carried on, where that has changed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        self.delay_cursors.save(store)?;
        self.timers.save(store)?;
        self.transactions.save(store)
    }
}
