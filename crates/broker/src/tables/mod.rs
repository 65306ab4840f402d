//! What does the broker remember? Each part owns one table and its file, and knows neither the broker nor another part.

pub mod attributes;
pub mod changes;
pub mod clients;
pub mod deleted;
pub mod file;
pub mod groups;
pub mod incarnations;
pub mod journal;
pub mod locks;
pub mod modes;
pub mod offsets;
pub mod system;
pub mod topics;

use crate::settings::BrokerConfig;
use changes::{Change, Table};
use clients::Clients;
use deleted::Deleted;
use file::TableFile;
use groups::Groups;
use incarnations::Incarnations;
use journal::Journal;
use locks::Locks;
use modes::RequestModes;
use offsets::Offsets;
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_store::Store;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use topics::Topics;

/// All tables.
pub struct Tables {
    pub topics: Topics,
    pub deleted: Deleted,
    pub groups: Groups,
    pub request_modes: RequestModes,
    /// What changed in topics, groups and request modes since they were written.
    pub journal: Arc<Journal>,
    pub offsets: Offsets,
    pub clients: Clients,
    pub incarnations: Incarnations,
    pub locks: Locks,
    /// Could they not be written the last time?
    pub fail: AtomicBool,
}

impl Tables {
    /// Loads all tables from the folder, and what the journal knows beyond them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn load(clock: &Clock, disk: &Disk, folder: &Path, light_queues: bool) -> io::Result<Tables> {
        let file = |name| TableFile::new(disk, folder, name);
        let (journal, changes) = Journal::load(clock, disk, folder)?;
        let journal = Arc::new(journal);
        let tables = Tables {
            topics: Topics::load(clock, file("topics.json"), &journal, light_queues)?,
            deleted: Deleted::load(clock, file("deletedTopics.json"))?,
            groups: Groups::load(clock, file("subscriptionGroup.json"), &journal, light_queues)?,
            request_modes: RequestModes::load(file("messageRequestMode.json"), &journal)?,
            offsets: Offsets::load(clock, file("consumerOffset.json"))?,
            journal,
            clients: Clients::default(),
            incarnations: Incarnations::default(),
            locks: Locks::default(),
            fail: AtomicBool::new(false),
        };
        changes.into_iter().for_each(|change| tables.restore(change));
        Ok(tables)
    }

    /// Takes a change that the journal tells of.
    fn restore(&self, change: Change) {
        match change.table {
            Table::Topics => self.topics.restore(change),
            Table::Groups | Table::Forbidden => self.groups.restore(change),
            Table::Modes => self.request_modes.restore(change),
        }
    }

    /// Makes what was loaded fit the log and the settings: no offset ahead of the log, every topic of which there are messages, and
    /// the topics and groups of every broker.
    pub fn complete(&self, store: &Store, config: &BrokerConfig) {
        self.offsets.keep_within(|topic, queue_id| u32::try_from(queue_id).map_or(0, |queue_id| queue_end(store, topic, queue_id)));
        system::tell_unserved(&self.topics);
        system::add_system_topics(&self.topics, config);
        system::adopt_from_log(&self.topics, store);
        system::add_system_groups(&self.groups);
        if self.topics.is_touched() || self.groups.is_touched() || self.request_modes.is_touched() {
            self.journal.want_saving();
        }
    }

    /// Writes the tables whose changes are in the journal, where they changed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save_journaled(&self) -> io::Result<()> {
        self.topics.save()?;
        self.groups.save()?;
        self.request_modes.save()
    }
}

/// The offset that the next message of a queue will get.
pub fn queue_end(store: &Store, topic: &str, queue_id: u32) -> i64 {
    store.bounds(topic, queue_id).map_or(0, |(_, max)| max.0)
}
