//! Which topics are there?
//!
//! File: `config/topics.json`, Java's shape; changes since it was written are in the journal.

use super::changes::Change;
use super::file::TableFile;
use super::journal::Journal;
use parking_lot::RwLock;
use roxmq_env::clock::Clock;
use roxmq_protocol::body::{DataVersion, TopicConfig, TopicConfigSerializeWrapper};
use roxmq_protocol::light::is_light;
use roxmq_protocol::permission::Permission;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A topic with as many queues to read as to write.
pub fn topic(name: &str, queues: i32, perm: Permission) -> TopicConfig {
    TopicConfig { topic_name: name.to_owned(), read_queue_nums: queues, write_queue_nums: queues, perm, ..TopicConfig::default() }
}

/// The topic table.
pub struct Topics {
    clock: Clock,
    file: TableFile,
    journal: Arc<Journal>,
    /// Do the topics of light queues exist without being in the table?
    serves_light: bool,
    table: RwLock<Table>,
    /// How often it changed since the start.
    changes: AtomicU64,
}

struct Table {
    topics: HashMap<String, Arc<TopicConfig>>,
    version: DataVersion,
    /// New topics, with the number of the change that made them. Those that are durable are forgotten now and then.
    new: HashMap<String, u64>,
}

/// New topics above which the durable ones are forgotten.
const NEW_MAX: usize = 64;

impl Topics {
    /// Loads the table.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn load(clock: &Clock, file: TableFile, journal: &Arc<Journal>, serves_light: bool) -> io::Result<Topics> {
        let loaded: Option<TopicConfigSerializeWrapper> = file.load_journaled()?;
        let (topics, version) = match loaded {
            Some(loaded) => (loaded.topic_config_table, loaded.data_version),
            None => (BTreeMap::new(), DataVersion::new(clock.now_ms())),
        };
        let topics = topics.into_iter().map(|(name, topic)| (name, Arc::new(topic))).collect();
        let table = RwLock::new(Table { topics, version, new: HashMap::new() });
        Ok(Topics { clock: clock.clone(), file, journal: Arc::clone(journal), serves_light, table, changes: AtomicU64::new(0) })
    }

    /// Applies a change from the journal.
    pub fn restore(&self, version: DataVersion, name: String, topic: Option<TopicConfig>) {
        let mut table = self.table.write();
        table.version = version;
        match topic {
            Some(topic) => drop(table.topics.insert(name, Arc::new(topic))),
            None => drop(table.topics.remove(&name)),
        }
        self.file.touch();
    }

    /// One topic. Those of light queues are all alike (`LmqTopicConfigManager` in Java).
    pub fn find(&self, topic: &str) -> Option<Arc<TopicConfig>> {
        if self.is_light(topic) {
            let (topic_name, perm) = (topic.to_owned(), Permission::READ_WRITE);
            return Some(Arc::new(TopicConfig { topic_name, perm, read_queue_nums: 1, write_queue_nums: 1, ..TopicConfig::default() }));
        }
        self.table.read().topics.get(topic).cloned()
    }

    /// How often any topic was made, changed or deleted. Lookups after this call see at least these changes.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Is it the topic of a light queue? Such topics are not made, changed or announced.
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

    /// Adds the topic unless there is one of its name. Returns the one in the table, and whether it is new.
    pub fn add(&self, topic: TopicConfig) -> (Arc<TopicConfig>, bool) {
        let mut table = self.table.write();
        if let Some(known) = table.topics.get(&topic.topic_name) {
            return (Arc::clone(known), false);
        }
        let topic = Arc::new(topic);
        table.topics.insert(topic.topic_name.clone(), Arc::clone(&topic));
        self.changed(&mut table, &topic.topic_name);
        (topic, true)
    }

    /// Adds or replaces the topic. Did that change anything?
    pub fn put(&self, topic: TopicConfig) -> bool {
        if self.is_light(&topic.topic_name) {
            return false;
        }
        let mut table = self.table.write();
        if table.topics.get(&topic.topic_name).is_some_and(|known| **known == topic) {
            return false;
        }
        let name = topic.topic_name.clone();
        table.topics.insert(name.clone(), Arc::new(topic));
        self.changed(&mut table, &name);
        true
    }

    /// Deletes a topic. Was there one?
    pub fn remove(&self, topic: &str) -> bool {
        let mut table = self.table.write();
        let removed = table.topics.remove(topic).is_some();
        if removed {
            self.changed(&mut table, topic);
        }
        removed
    }

    /// The number of the change that made the topic, unless that is known to be durable.
    pub fn made_by(&self, topic: &str) -> Option<u64> {
        self.table.read().new.get(topic).copied()
    }

    /// Makes the next registration differ from the last although no topic changed (the broker's permission did).
    pub fn touch(&self) {
        self.changed(&mut self.table.write(), "");
    }

    /// The topic of that name is new, changed or gone; the name is empty where only the version changes.
    fn changed(&self, table: &mut Table, name: &str) {
        table.version = table.version.next(self.clock.now_ms(), 0);
        self.changes.fetch_add(1, Ordering::Release);
        self.file.touch();
        let topic = table.topics.get(name).map(|topic| TopicConfig::clone(topic));
        let is_there = topic.is_some();
        let number = self.journal.note(&Change::Topic { version: table.version, name: name.to_owned(), topic });
        if is_there {
            if table.new.len() >= NEW_MAX {
                let durable = self.journal.durable();
                table.new.retain(|_, number| *number > durable);
            }
            table.new.insert(name.to_owned(), number);
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
        self.file.save_journaled(|| {
            let table = self.table.read();
            let topics = table.topics.iter().map(|(name, topic)| (name.clone(), TopicConfig::clone(topic)));
            TopicConfigSerializeWrapper { data_version: table.version, topic_config_table: topics.collect() }
        })
    }
}
