//! Which topics there are. File: `config/topics.json`, Java's shape.

use super::TableFile;
use parking_lot::RwLock;
use roxmq_env::clock::Clock;
use roxmq_protocol::body::{DataVersion, TopicConfig, TopicConfigSerializeWrapper};
use roxmq_protocol::light::is_light;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

/// Permission bit: new topics may take their settings from it.
pub const PERM_INHERIT: i32 = 1;
/// Permission bit: messages may be sent.
pub const PERM_WRITE: i32 = 2;
/// Permission bit: messages may be read.
pub const PERM_READ: i32 = 4;

/// The topic table.
pub struct Topics {
    clock: Clock,
    file: TableFile,
    /// Whether the topics of light queues are there without being in the table.
    serves_light: bool,
    table: RwLock<Table>,
}

struct Table {
    topics: HashMap<String, Arc<TopicConfig>>,
    version: DataVersion,
}

impl Topics {
    /// Loads the table.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn load(clock: &Clock, file: TableFile, serves_light: bool) -> io::Result<Topics> {
        let loaded: Option<TopicConfigSerializeWrapper> = file.load()?;
        let table = match loaded {
            Some(loaded) => Table {
                topics: loaded.topic_config_table.into_iter().map(|(name, topic)| (name, Arc::new(topic))).collect(),
                version: loaded.data_version,
            },
            None => Table { topics: HashMap::new(), version: DataVersion::new(clock.now_ms()) },
        };
        Ok(Topics { clock: clock.clone(), file, serves_light, table: RwLock::new(table) })
    }

    /// One topic. Those of light queues all look alike (`LmqTopicConfigManager` in Java).
    pub fn find(&self, topic: &str) -> Option<Arc<TopicConfig>> {
        if self.is_light(topic) {
            let (topic_name, perm) = (topic.to_owned(), PERM_READ | PERM_WRITE);
            return Some(Arc::new(TopicConfig { topic_name, perm, read_queue_nums: 1, write_queue_nums: 1, ..TopicConfig::default() }));
        }
        self.table.read().topics.get(topic).cloned()
    }

    /// Whether it is the topic of a light queue, which nobody makes, changes or tells a NameServer of.
    pub fn is_light(&self, topic: &str) -> bool {
        self.serves_light && is_light(topic)
    }

    /// All topics, by name.
    pub fn all(&self) -> BTreeMap<String, TopicConfig> {
        self.table.read().topics.iter().map(|(name, topic)| (name.clone(), TopicConfig::clone(topic))).collect()
    }

    /// The names of all topics.
    pub fn names(&self) -> Vec<String> {
        self.table.read().topics.keys().cloned().collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.table.read().topics.len()
    }

    /// The table's version, which NameServers compare.
    pub fn version(&self) -> DataVersion {
        self.table.read().version
    }

    /// Adds the topic unless there is one of its name. The one that is there afterwards, and whether it is new.
    pub fn add(&self, topic: TopicConfig) -> (Arc<TopicConfig>, bool) {
        let mut table = self.table.write();
        if let Some(known) = table.topics.get(&topic.topic_name) {
            return (Arc::clone(known), false);
        }
        let topic = Arc::new(topic);
        table.topics.insert(topic.topic_name.clone(), Arc::clone(&topic));
        self.changed(&mut table);
        (topic, true)
    }

    /// Adds or replaces the topic. False when nothing changed by it.
    pub fn put(&self, topic: TopicConfig) -> bool {
        if self.is_light(&topic.topic_name) {
            return false;
        }
        let mut table = self.table.write();
        if table.topics.get(&topic.topic_name).is_some_and(|known| **known == topic) {
            return false;
        }
        table.topics.insert(topic.topic_name.clone(), Arc::new(topic));
        self.changed(&mut table);
        true
    }

    /// Takes a topic away. False when there was none.
    pub fn remove(&self, topic: &str) -> bool {
        let mut table = self.table.write();
        let removed = table.topics.remove(topic).is_some();
        if removed {
            self.changed(&mut table);
        }
        removed
    }

    /// Has the next registration differ from the last although no topic changed (the broker's permission did).
    pub fn touch(&self) {
        self.changed(&mut self.table.write());
    }

    fn changed(&self, table: &mut Table) {
        table.version = table.version.next(self.clock.now_ms(), 0);
        self.file.touch();
    }

    /// Writes the table if it changed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self) -> io::Result<()> {
        self.file.save(|| {
            let (topic_config_table, data_version) = (self.all(), self.version());
            TopicConfigSerializeWrapper { data_version, topic_config_table }
        })
    }
}
