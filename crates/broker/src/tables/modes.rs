//! How do groups request the messages of a topic: by pull or by POP?
//!
//! File: `config/messageRequestMode.json`, Java's shape (topic -> group -> mode); changes since it was written are in the journal.

use super::changes::Change;
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

    /// Applies a change from the journal.
    pub fn restore(&self, topic: &str, group: &str, mode: Option<SetMessageRequestModeRequestBody>) {
        let mut table = self.table.write();
        apply(&mut table, topic, group, mode.as_ref());
        self.file.touch();
    }

    /// The mode of a group on a topic, if one was set.
    pub fn find(&self, topic: &str, group: &str) -> Option<SetMessageRequestModeRequestBody> {
        self.table.read().message_request_mode_map.get(topic)?.get(group).cloned()
    }

    /// Sets the mode of a group on a topic.
    pub fn put(&self, mode: SetMessageRequestModeRequestBody) {
        self.change(&mode.topic.clone(), &mode.consumer_group.clone(), Some(mode));
    }

    /// Forgets the modes of all groups on a topic.
    pub fn forget_topic(&self, topic: &str) {
        self.change(topic, "", None);
    }

    /// Forgets the modes of a group on all topics.
    pub fn forget_group(&self, group: &str) {
        self.change("", group, None);
    }

    fn change(&self, topic: &str, group: &str, mode: Option<SetMessageRequestModeRequestBody>) {
        let mut table = self.table.write();
        if apply(&mut table, topic, group, mode.as_ref()) {
            self.file.touch();
            self.journal.note(&Change::Mode { topic: topic.to_owned(), group: group.to_owned(), mode });
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

/// Applies a change. Did anything change?
fn apply(
    table: &mut MessageRequestModeSerializeWrapper,
    topic: &str,
    group: &str,
    mode: Option<&SetMessageRequestModeRequestBody>,
) -> bool {
    let topics = &mut table.message_request_mode_map;
    match mode {
        Some(mode) => topics.entry(topic.to_owned()).or_default().insert(group.to_owned(), mode.clone()).as_ref() != Some(mode),
        None if group.is_empty() => topics.remove(topic).is_some(),
        None => {
            let mut was_set = false;
            let of_it = |name: &str| topic.is_empty() || name == topic;
            topics.iter_mut().filter(|(name, _)| of_it(name)).for_each(|(_, groups)| was_set |= groups.remove(group).is_some());
            topics.retain(|_, groups| !groups.is_empty());
            was_set
        }
    }
}
