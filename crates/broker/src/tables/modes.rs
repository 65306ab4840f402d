//! How groups get the messages of a topic. File: `config/messageRequestMode.json`, Java's shape (topic -> group -> mode).

use super::TableFile;
use parking_lot::RwLock;
use roxmq_protocol::body::{MessageRequestModeSerializeWrapper, SetMessageRequestModeRequestBody};
use std::io;

/// The table of request modes.
pub struct RequestModes {
    file: TableFile,
    table: RwLock<MessageRequestModeSerializeWrapper>,
}

impl RequestModes {
    /// Loads the table.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn load(file: TableFile) -> io::Result<RequestModes> {
        let loaded: Option<MessageRequestModeSerializeWrapper> = file.load()?;
        Ok(RequestModes { file, table: RwLock::new(loaded.unwrap_or_default()) })
    }

    /// What was said of a group and a topic.
    pub fn find(&self, topic: &str, group: &str) -> Option<SetMessageRequestModeRequestBody> {
        self.table.read().message_request_mode_map.get(topic)?.get(group).cloned()
    }

    /// Says it.
    pub fn put(&self, mode: SetMessageRequestModeRequestBody) {
        let mut table = self.table.write();
        let groups = table.message_request_mode_map.entry(mode.topic.clone()).or_default();
        groups.insert(mode.consumer_group.clone(), mode);
        self.file.touch();
    }

    /// Forgets what was said of a topic.
    pub fn forget_topic(&self, topic: &str) {
        if self.table.write().message_request_mode_map.remove(topic).is_some() {
            self.file.touch();
        }
    }

    /// Forgets what was said of a group.
    pub fn forget_group(&self, group: &str) {
        let mut table = self.table.write();
        let mut changed = false;
        table.message_request_mode_map.values_mut().for_each(|groups| changed |= groups.remove(group).is_some());
        if changed {
            table.message_request_mode_map.retain(|_, groups| !groups.is_empty());
            self.file.touch();
        }
    }

    /// Writes the table if it changed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self) -> io::Result<()> {
        self.file.save(|| self.table.read().clone())
    }
}
