//! Which subscription groups there are. File: `config/subscriptionGroup.json`, Java's shape.

use super::TableFile;
use parking_lot::RwLock;
use roxmq_env::clock::Clock;
use roxmq_protocol::body::{DataVersion, SubscriptionGroupConfig, SubscriptionGroupWrapper};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

/// The group table.
pub struct Groups {
    clock: Clock,
    file: TableFile,
    table: RwLock<Table>,
}

struct Table {
    groups: HashMap<String, Arc<SubscriptionGroupConfig>>,
    forbidden: BTreeMap<String, BTreeMap<String, i32>>,
    version: DataVersion,
}

impl Groups {
    /// Loads the table.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn load(clock: &Clock, file: TableFile) -> io::Result<Groups> {
        let loaded: Option<SubscriptionGroupWrapper> = file.load()?;
        let table = match loaded {
            Some(loaded) => Table {
                groups: loaded.subscription_group_table.into_iter().map(|(name, group)| (name, Arc::new(group))).collect(),
                forbidden: loaded.forbidden_table,
                version: loaded.data_version,
            },
            None => Table { groups: HashMap::new(), forbidden: BTreeMap::new(), version: DataVersion::new(clock.now_ms()) },
        };
        Ok(Groups { clock: clock.clone(), file, table: RwLock::new(table) })
    }

    /// One group.
    pub fn find(&self, group: &str) -> Option<Arc<SubscriptionGroupConfig>> {
        self.table.read().groups.get(group).cloned()
    }

    /// The group, made with the usual settings when there is none and `create` allows it.
    pub fn find_or_add(&self, group: &str, create: bool) -> Option<Arc<SubscriptionGroupConfig>> {
        if let Some(known) = self.find(group) {
            return Some(known);
        }
        if !create {
            return None;
        }
        let mut table = self.table.write();
        let added = table
            .groups
            .entry(group.to_owned())
            .or_insert_with(|| Arc::new(SubscriptionGroupConfig { group_name: group.to_owned(), ..Default::default() }));
        let added = Arc::clone(added);
        self.changed(&mut table);
        Some(added)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.table.read().groups.len()
    }

    /// Adds or replaces a group.
    pub fn put(&self, group: SubscriptionGroupConfig) {
        let mut table = self.table.write();
        table.groups.insert(group.group_name.clone(), Arc::new(group));
        self.changed(&mut table);
    }

    /// Takes a group away. False when there was none.
    pub fn remove(&self, group: &str) -> bool {
        let mut table = self.table.write();
        let removed = table.groups.remove(group).is_some();
        table.forbidden.remove(group);
        if removed {
            self.changed(&mut table);
        }
        removed
    }

    /// The whole table.
    pub fn all(&self) -> SubscriptionGroupWrapper {
        let table = self.table.read();
        SubscriptionGroupWrapper {
            data_version: table.version,
            forbidden_table: table.forbidden.clone(),
            subscription_group_table: table
                .groups
                .iter()
                .map(|(name, group)| (name.clone(), SubscriptionGroupConfig::clone(group)))
                .collect(),
        }
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
        self.file.save(|| self.all())
    }
}
