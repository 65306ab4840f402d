//! How groups get the messages of a topic. File: `config/messageRequestMode.json`, Java's shape (topic -> group -> mode); what changed since
//! it was written is in the journal.

use super::changes::{self, Change};
use super::file::TableFile;
use super::journal::Journal;
use parking_lot::RwLock;
use roxmq_protocol::body::{MessageRequestModeSerializeWrapper, SetMessageRequestModeRequestBody};
use std::io;
use std::sync::Arc;

/// The table of request modes.
pub struct RequestModes {
    file: TableFile,
    journal: Arc<Journal>,
    table: RwLock<MessageRequestModeSerializeWrapper>,
}

impl RequestModes {
    /// Loads the table.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn load(file: TableFile, journal: &Arc<Journal>) -> io::Result<RequestModes> {
        let loaded: Option<MessageRequestModeSerializeWrapper> = file.load_journaled()?;
        Ok(RequestModes { file, journal: Arc::clone(journal), table: RwLock::new(loaded.unwrap_or_default()) })
    }

    /// Takes a change from the journal.
    pub fn restore(&self, change: Change) {
        let mut table = self.table.write();
        apply(&mut table, change);
        self.file.touch();
    }

    /// What was said of a group and a topic.
    pub fn find(&self, topic: &str, group: &str) -> Option<SetMessageRequestModeRequestBody> {
        self.table.read().message_request_mode_map.get(topic)?.get(group).cloned()
    }

    /// Says it.
    pub fn put(&self, mode: SetMessageRequestModeRequestBody) {
        self.change(&mode.topic.clone(), &mode.consumer_group.clone(), Some(mode));
    }

    /// Forgets what was said of a topic.
    pub fn forget_topic(&self, topic: &str) {
        self.change(topic, "", None);
    }

    /// Forgets what was said of a group.
    pub fn forget_group(&self, group: &str) {
        self.change("", group, None);
    }

    fn change(&self, topic: &str, group: &str, mode: Option<SetMessageRequestModeRequestBody>) {
        let change = Change { table: changes::Table::Modes, key: topic.to_owned(), other: group.to_owned(), mode, ..Change::default() };
        let mut table = self.table.write();
        if apply(&mut table, change.clone()) {
            self.file.touch();
            self.journal.note(&change);
        }
    }

    /// Whether the table differs from its file.
    pub fn is_touched(&self) -> bool {
        self.file.is_touched()
    }

    /// Writes the table if it changed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self) -> io::Result<()> {
        self.file.save_journaled(|| self.table.read().clone())
    }
}

/// Whether something is another now.
fn apply(table: &mut MessageRequestModeSerializeWrapper, change: Change) -> bool {
    let topics = &mut table.message_request_mode_map;
    let (topic, group) = (change.key, change.other);
    match change.mode {
        Some(mode) => topics.entry(topic).or_default().insert(group, mode.clone()).as_ref() != Some(&mode),
        None if group.is_empty() => topics.remove(&topic).is_some(),
        None => {
            let mut was_said = false;
            let of_it = |name: &str| topic.is_empty() || name == topic;
            topics.iter_mut().filter(|(name, _)| of_it(name)).for_each(|(_, groups)| was_said |= groups.remove(&group).is_some());
            topics.retain(|_, groups| !groups.is_empty());
            was_said
        }
    }
}
