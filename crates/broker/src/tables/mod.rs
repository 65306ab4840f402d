//! Which state does the broker have besides its log? Each part owns one table and its file, and knows neither the broker nor another part.

pub mod attributes;
pub mod changes;
pub mod clients;
pub mod deleted;
pub mod file;
pub mod groups;
pub mod incarnations;
pub mod journal;
pub mod modes;
pub mod offsets;
pub mod queue_locks;
pub mod system;
pub mod topics;

use crate::settings::BrokerConfig;
use changes::Change;
use clients::Clients;
use deleted::Deleted;
use file::TableFile;
use groups::Groups;
use incarnations::Incarnations;
use journal::Journal;
use modes::RequestModes;
use offsets::Offsets;
use queue_locks::QueueLocks;
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_protocol::position::QueueOffset;
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
    /// The changes of topics, groups and request modes since their files were written.
    pub journal: Arc<Journal>,
    pub offsets: Offsets,
    pub clients: Clients,
    pub incarnations: Incarnations,
    pub locks: QueueLocks,
    /// Did the last save fail?
    pub save_failed: AtomicBool,
}

impl Tables {
    /// Loads all tables from the folder, and applies the changes of the journal.
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
            locks: QueueLocks::default(),
            save_failed: AtomicBool::new(false),
        };
        changes.into_iter().for_each(|change| tables.restore(change));
        Ok(tables)
    }

    /// Applies a change from the journal.
    fn restore(&self, change: Change) {
        match change {
            Change::Topic { version, name, topic } => self.topics.restore(version, name, topic),
            Change::Group { version, name, group } => self.groups.restore(version, name, group),
            Change::Forbidden { version, group, topic, bits } => self.groups.restore_forbidden(version, &group, &topic, bits),
            Change::Mode { topic, group, mode } => self.request_modes.restore(&topic, &group, mode),
        }
    }

    /// Makes the tables fit the log and the settings: no offset ahead of the log, every topic that has messages, and the topics and
    /// groups that every broker has.
    pub fn complete(&self, store: &Store, config: &BrokerConfig) {
        self.offsets
            .limit_to_ends(|topic, queue_id| u32::try_from(queue_id).map_or(QueueOffset(0), |queue_id| queue_end(store, topic, queue_id)));
        system::warn_of_unserved(&self.topics);
        system::add_system_topics(&self.topics, config);
        system::recover_from_log(&self.topics, store);
        system::add_system_groups(&self.groups);
        if self.topics.is_touched() || self.groups.is_touched() || self.request_modes.is_touched() {
            self.journal.request_saving();
        }
    }

    /// Writes those of the journaled tables that changed.
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
pub fn queue_end(store: &Store, topic: &str, queue_id: u32) -> QueueOffset {
    store.bounds(topic, queue_id).unwrap_or_default().1
}

#[cfg(test)]
mod tests;
