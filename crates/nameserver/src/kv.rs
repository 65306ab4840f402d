//! What do administrators store in the NameServer's key-value configuration?
//!
//! Values by namespace and key, in one file that is replaced whole (Java's `KVConfigManager`, `kvConfig.json`). The namespace
//! [`ORDER_TOPICS`] says which queues an ordered topic has, as `broker:queues;broker:queues` by topic.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use roxmq_env::disk::Disk;
use roxmq_protocol::body::KVTable;
use roxmq_protocol::json::{self, Dialect};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The namespace of order configuration (`NamesrvUtil.NAMESPACE_ORDER_TOPIC_CONFIG`).
pub const ORDER_TOPICS: &str = "ORDER_TOPIC_CONFIG";

/// The most values that are stored.
pub const VALUES_MAX: usize = 100_000;

/// The values and their file.
#[derive(Debug)]
pub struct KvConfig {
    disk: Disk,
    path: PathBuf,
    values: Values,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Values {
    config_table: BTreeMap<String, BTreeMap<String, String>>,
}

/// Why a value is not stored.
#[derive(Debug, Error)]
pub enum PutError {
    /// There are [`VALUES_MAX`] already.
    #[error("{VALUES_MAX} values are stored already")]
    Full,
    /// The file could not be written.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl KvConfig {
    /// Reads the file, which need not exist.
    ///
    /// # Errors
    /// When it cannot be read, or is no such file.
    pub fn open(disk: Disk, path: &Path) -> io::Result<KvConfig> {
        let values = match disk.read(path)? {
            Some(text) if !text.is_empty() => {
                json::from_slice(&text).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?
            }
            _ => Values::default(),
        };
        Ok(KvConfig { disk, path: path.to_owned(), values })
    }

    /// A value.
    pub fn value(&self, namespace: &str, key: &str) -> Option<&str> {
        self.values.config_table.get(namespace)?.get(key).map(String::as_str)
    }

    /// All values of a namespace, `None` if it has never had one.
    pub fn namespace(&self, namespace: &str) -> Option<KVTable> {
        self.values.config_table.get(namespace).map(|table| KVTable { table: table.clone() })
    }

    /// Stores a value; when it returns, it is durable.
    ///
    /// # Errors
    /// When the file cannot be written, or there are [`VALUES_MAX`] already. Nothing has changed then.
    pub fn put(&mut self, namespace: &str, key: &str, value: &str) -> Result<(), PutError> {
        let count: usize = self.values.config_table.values().map(BTreeMap::len).sum();
        if count >= VALUES_MAX && self.value(namespace, key).is_none() {
            return Err(PutError::Full);
        }
        let mut next = self.values.clone();
        next.config_table.entry(namespace.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        Ok(self.replace(next)?)
    }

    /// Removes a value; when it returns, that is durable.
    ///
    /// # Errors
    /// When the file cannot be written. Nothing has changed then.
    pub fn delete(&mut self, namespace: &str, key: &str) -> io::Result<()> {
        if self.value(namespace, key).is_none() {
            return Ok(());
        }
        let mut next = self.values.clone();
        if let Some(table) = next.config_table.get_mut(namespace) {
            table.remove(key);
        }
        self.replace(next)
    }

    fn replace(&mut self, next: Values) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            self.disk.create_dir_all(folder)?;
        }
        self.disk.replace_atomically(&self.path, &json::to_vec(&next, Dialect::Standard))?;
        self.values = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use roxmq_env::disk::{Fault, SimDisk};

    use super::*;

    const PATH: &str = "/data/namesrv/kvConfig.json";

    #[test]
    fn values_outlive_the_process() {
        let disk = SimDisk::new(1).disk();
        let mut kv = KvConfig::open(disk.clone(), Path::new(PATH)).unwrap();
        kv.put(ORDER_TOPICS, "主题", "a:4").unwrap();
        kv.put("n", "k", "1").unwrap();
        kv.put("n", "k", "2").unwrap();
        kv.delete("n", "none").unwrap();
        let kv = KvConfig::open(disk.clone(), Path::new(PATH)).unwrap();
        assert_eq!((kv.value(ORDER_TOPICS, "主题"), kv.value("n", "k"), kv.value("n", "none")), (Some("a:4"), Some("2"), None));
    }

    #[test]
    fn a_file_of_java_is_read() {
        let disk = SimDisk::new(1).disk();
        disk.create_dir_all(Path::new("/data/namesrv")).unwrap();
        let java = "{\n\t\"configTable\":{\"ORDER_TOPIC_CONFIG\":{\n\t\t\"T\":\"a:4;b:4\"\n\t}}\n}";
        disk.replace_atomically(Path::new(PATH), java.as_bytes()).unwrap();
        assert_eq!(KvConfig::open(disk.clone(), Path::new(PATH)).unwrap().value(ORDER_TOPICS, "T"), Some("a:4;b:4"));
        disk.replace_atomically(Path::new(PATH), b"{").unwrap();
        assert!(KvConfig::open(disk, Path::new(PATH)).is_err());
    }

    #[test]
    fn what_could_not_be_written_is_not_kept() {
        let sim = SimDisk::new(1);
        let mut kv = KvConfig::open(sim.disk(), Path::new(PATH)).unwrap();
        kv.put("n", "k", "1").unwrap();
        sim.fail_at(sim.operations() + 2, Fault::NoSpace);
        assert!(kv.put("n", "k", "2").is_err());
        assert_eq!(kv.value("n", "k"), Some("1"));
    }
}
