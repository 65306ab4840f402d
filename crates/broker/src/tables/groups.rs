//! Which consumer groups are there, and what are they forbidden?
//!
//! File: `config/subscriptionGroup.json`, Java's shape; changes since it was written are in the journal.

use super::attributes::without_signs;
use super::changes::Change;
use super::file::TableFile;
use super::journal::Journal;
use crate::error::Refusal;
use crate::names;
use crate::settings::BrokerConfig;
use parking_lot::RwLock;
use roxmq_env::clock::Clock;
use roxmq_protocol::body::{DataVersion, SubscriptionGroupConfig, SubscriptionGroupWrapper};
use roxmq_protocol::light::is_light;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bit of the forbidden table that takes reading away (Java: `PermName.INDEX_PERM_READ`).
const READ_FORBIDDEN: i32 = 1 << 2;

/// The group table.
pub struct Groups {
    clock: Clock,
    file: TableFile,
    journal: Arc<Journal>,
    /// Do groups named as light queues exist without being in the table?
    serves_light: bool,
    table: RwLock<Table>,
    /// Is anything forbidden? Read before the table is locked, since every pull asks.
    forbids: AtomicBool,
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
    pub fn load(clock: &Clock, file: TableFile, journal: &Arc<Journal>, serves_light: bool) -> io::Result<Groups> {
        let loaded: Option<SubscriptionGroupWrapper> = file.load_journaled()?;
        let table = match loaded {
            Some(loaded) => Table {
                groups: loaded.subscription_group_table.into_iter().map(|(name, group)| (name, clean(group))).collect(),
                forbidden: loaded.forbidden_table,
                version: loaded.data_version,
            },
            None => Table { groups: HashMap::new(), forbidden: BTreeMap::new(), version: DataVersion::new(clock.now_ms()) },
        };
        let forbids = AtomicBool::new(!table.forbidden.is_empty());
        Ok(Groups { clock: clock.clone(), file, journal: Arc::clone(journal), serves_light, table: RwLock::new(table), forbids })
    }

    /// Applies a change of a group from the journal.
    pub fn restore(&self, version: DataVersion, name: String, group: Option<SubscriptionGroupConfig>) {
        let mut table = self.table.write();
        match group {
            Some(group) => drop(table.groups.insert(name, clean(group))),
            None => {
                table.groups.remove(&name);
                table.forbidden.remove(&name);
            }
        }
        self.restored(&mut table, version);
    }

    /// Applies a change of what a group is forbidden, from the journal.
    pub fn restore_forbidden(&self, version: DataVersion, group: &str, topic: &str, bits: i32) {
        let mut table = self.table.write();
        table.forbid(group, topic, bits);
        self.restored(&mut table, version);
    }

    fn restored(&self, table: &mut Table, version: DataVersion) {
        table.version = version;
        self.forbids.store(!table.forbidden.is_empty(), Ordering::Release);
        self.file.touch();
    }

    /// One group. Those named as light queues are all alike (`LmqSubscriptionGroupManager` in Java).
    pub fn find(&self, group: &str) -> Option<Arc<SubscriptionGroupConfig>> {
        if self.is_light(group) {
            return Some(Arc::new(SubscriptionGroupConfig { group_name: group.to_owned(), ..Default::default() }));
        }
        self.table.read().groups.get(group).cloned()
    }

    /// The group; if there is none, a new one with the default settings.
    fn find_or_add(&self, group: &str) -> Arc<SubscriptionGroupConfig> {
        let mut table = self.table.write();
        if let Some(known) = table.groups.get(group) {
            return Arc::clone(known);
        }
        let added = Arc::new(SubscriptionGroupConfig { group_name: group.to_owned(), ..Default::default() });
        table.groups.insert(group.to_owned(), Arc::clone(&added));
        self.group_changed(&mut table, group);
        added
    }

    /// Checks the name of a group. One that is longer than all clients can read is let in only if it is there already.
    pub fn check_name(&self, group: &str) -> Result<(), Refusal> {
        names::check_group(group)?;
        self.check_length(group)
    }

    /// Refuses the name of a new group if it is too long.
    pub fn check_length(&self, group: &str) -> Result<(), Refusal> {
        match group.len() > names::GROUP_BYTES_MAX && self.find(group).is_none() {
            true => Err(names::group_too_long(group)),
            false => Ok(()),
        }
    }

    /// The group's settings. It is made on first use where that is allowed.
    pub fn admit(&self, config: &BrokerConfig, group: &str) -> Result<Arc<SubscriptionGroupConfig>, Refusal> {
        self.check_name(group)?;
        if let Some(known) = self.find(group) {
            return Ok(known);
        }
        let is_created = config.auto_create_group || (config.create_system_groups && names::is_system_group(group));
        if is_created { Ok(self.find_or_add(group)) } else { Err(Refusal::no_group(group)) }
    }

    fn is_light(&self, group: &str) -> bool {
        self.serves_light && is_light(group)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.table.read().groups.len()
    }

    /// Adds or replaces a group.
    pub fn put(&self, group: SubscriptionGroupConfig) {
        if self.is_light(&group.group_name) {
            return;
        }
        let mut table = self.table.write();
        let name = group.group_name.clone();
        table.groups.insert(name.clone(), Arc::new(group));
        self.group_changed(&mut table, &name);
    }

    /// Deletes a group. Was there one?
    pub fn remove(&self, group: &str) -> bool {
        let mut table = self.table.write();
        let removed = table.groups.remove(group).is_some() | table.forbidden.remove(group).is_some();
        if removed {
            self.forbids.store(!table.forbidden.is_empty(), Ordering::Release);
            self.group_changed(&mut table, group);
        }
        removed
    }

    /// May the group read the topic?
    pub fn may_read(&self, group: &str, topic: &str) -> bool {
        if !self.forbids.load(Ordering::Acquire) {
            return true;
        }
        let table = self.table.read();
        let bits = table.forbidden.get(group).and_then(|topics| topics.get(topic));
        bits.is_none_or(|bits| bits & READ_FORBIDDEN == 0)
    }

    /// Forbids the group to read the topic, or allows it again.
    pub fn set_readable(&self, group: &str, topic: &str, readable: bool) {
        let mut table = self.table.write();
        let bits = table.forbidden.get(group).and_then(|topics| topics.get(topic)).copied().unwrap_or(0).max(0);
        let changed = if readable { bits & !READ_FORBIDDEN } else { bits | READ_FORBIDDEN };
        if changed == bits {
            return;
        }
        self.forbid(&mut table, group, topic, changed);
    }

    fn forbid(&self, table: &mut Table, group: &str, topic: &str, bits: i32) {
        table.forbid(group, topic, bits);
        self.forbids.store(!table.forbidden.is_empty(), Ordering::Release);
        let version = self.changed(table);
        self.journal.note(&Change::Forbidden { version, group: group.to_owned(), topic: topic.to_owned(), bits });
    }

    /// Forgets what groups may not do with a topic.
    pub fn forget_topic(&self, topic: &str) {
        if !self.forbids.load(Ordering::Acquire) {
            return;
        }
        let mut table = self.table.write();
        let groups: Vec<String> =
            table.forbidden.iter().filter(|(_, topics)| topics.contains_key(topic)).map(|(group, _)| group.clone()).collect();
        for group in groups {
            self.forbid(&mut table, &group, topic, 0);
        }
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

    /// The group of that name is new, changed or gone.
    fn group_changed(&self, table: &mut Table, name: &str) {
        let group = table.groups.get(name).map(|group| SubscriptionGroupConfig::clone(group));
        let version = self.changed(table);
        self.journal.note(&Change::Group { version, name: name.to_owned(), group });
    }

    /// The table's new version.
    fn changed(&self, table: &mut Table) -> DataVersion {
        table.version = table.version.next(self.clock.now_ms(), 0);
        self.file.touch();
        table.version
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
        self.file.save_journaled(|| self.all())
    }
}

/// Older versions stored attributes with the sign with which they were set.
fn clean(group: SubscriptionGroupConfig) -> Arc<SubscriptionGroupConfig> {
    Arc::new(SubscriptionGroupConfig { attributes: without_signs(group.attributes), ..group })
}

impl Table {
    fn forbid(&mut self, group: &str, topic: &str, bits: i32) {
        if bits != 0 {
            self.forbidden.entry(group.to_owned()).or_default().insert(topic.to_owned(), bits);
        } else if let Some(topics) = self.forbidden.get_mut(group) {
            topics.remove(topic);
            if topics.is_empty() {
                self.forbidden.remove(group);
            }
        }
    }
}
