//! How far have groups consumed each queue?
//!
//! File: `config/consumerOffset.json`, Java's shape (`topic@group` -> queue -> offset).
//!
//! The table may be ahead of its file by the save interval. After a crash a group goes back at most that far, and never ahead.

use super::file::TableFile;
use parking_lot::Mutex;
use roxmq_env::clock::Clock;
use roxmq_protocol::body::{ConsumerOffsetSerializeWrapper, DataVersion};
use roxmq_protocol::position::QueueOffset;
use roxmq_store::Store;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// The table of committed offsets.
pub struct Offsets {
    clock: Clock,
    file: TableFile,
    table: Mutex<Table>,
    /// May a reset wait for its group? Read before the table is locked, since every pull asks.
    resets_wait: AtomicBool,
}

#[derive(Default)]
struct Table {
    committed: ByQueue,
    /// From where groups pulled last, which is ahead of their commits. In memory only.
    pulled: ByQueue,
    /// Offsets set by a tool, for the answer to the group's next pull.
    resets: ByQueue,
    version: DataVersion,
}

const SEPARATOR: char = '@';

impl Offsets {
    /// Loads the table.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn load(clock: &Clock, file: TableFile) -> io::Result<Offsets> {
        let loaded: Option<ConsumerOffsetSerializeWrapper> = file.load()?;
        let loaded = loaded.unwrap_or_default();
        let mut table = Table { version: loaded.data_version.unwrap_or(DataVersion::new(clock.now_ms())), ..Table::default() };
        for (key, offsets) in loaded.offset_table {
            if let Some((topic, group)) = key.split_once(SEPARATOR) {
                let offsets = offsets.into_iter().map(|(queue_id, offset)| (queue_id, QueueOffset(offset))).collect();
                table.committed.entry(topic.to_owned()).or_default().insert(group.to_owned(), offsets);
            }
        }
        Ok(Offsets { clock: clock.clone(), file, table: Mutex::new(table), resets_wait: AtomicBool::new(false) })
    }

    /// The committed offset.
    pub fn find(&self, group: &str, topic: &str, queue_id: i32) -> Option<QueueOffset> {
        self.table.lock().committed.get(topic)?.get(group)?.get(&queue_id).copied()
    }

    /// Commits an offset, unless a reset waits for the group. Does nothing, and returns false, if it is no longer current; `is_current` is
    /// called under the table's lock.
    pub fn commit(&self, group: &str, topic: &str, queue_id: i32, offset: QueueOffset, is_current: impl FnOnce() -> bool) -> bool {
        let mut table = self.table.lock();
        let is_current = is_current();
        if is_current {
            self.put_committed(&mut table, group, topic, queue_id, offset);
        }
        is_current
    }

    fn put_committed(&self, table: &mut Table, group: &str, topic: &str, queue_id: i32, offset: QueueOffset) {
        let reset_waits = table.resets.get(topic).and_then(|groups| groups.get(group)).is_some_and(|queues| queues.contains_key(&queue_id));
        if !reset_waits {
            put(&mut table.committed, group, topic, queue_id, offset);
            self.file.touch();
        }
    }

    /// Moves committed offsets back to the ends of their queues, which `max` gives: a crash took the messages beyond, and a group would
    /// skip those that get their offsets.
    pub fn limit_to_ends(&self, max: impl Fn(&str, i32) -> QueueOffset) {
        let mut table = self.table.lock();
        for (topic, groups) in &mut table.committed {
            for (group, queues) in groups {
                for (queue_id, offset) in queues {
                    let max = max(topic, *queue_id);
                    if *offset > max {
                        tracing::warn!(topic, group, queue_id, %offset, %max, "moved back a committed offset that was ahead of its queue");
                        *offset = max;
                        self.file.touch();
                    }
                }
            }
        }
    }

    /// A group pulls a queue from this offset, and may commit another. Does nothing if that is no longer current.
    pub fn note_pull(
        &self,
        group: &str,
        topic: &str,
        queue_id: i32,
        offset: QueueOffset,
        commit: Option<QueueOffset>,
        is_current: impl FnOnce() -> bool,
    ) {
        let mut table = self.table.lock();
        if !is_current() {
            return;
        }
        put(&mut table.pulled, group, topic, queue_id, offset);
        if let Some(commit) = commit {
            self.put_committed(&mut table, group, topic, queue_id, commit);
        }
    }

    /// The offset from which a group pulled a queue last.
    pub fn pulled(&self, group: &str, topic: &str, queue_id: i32) -> Option<QueueOffset> {
        self.table.lock().pulled.get(topic)?.get(group)?.get(&queue_id).copied()
    }

    /// A tool sets an offset. The group's next pull of the queue gets it from [`Offsets::take_reset`].
    pub fn reset(&self, group: &str, topic: &str, queue_id: i32, offset: QueueOffset) {
        let mut table = self.table.lock();
        put(&mut table.committed, group, topic, queue_id, offset);
        let groups = table.resets.entry(topic.to_owned()).or_default();
        groups.entry(group.to_owned()).or_default().insert(queue_id, offset);
        self.resets_wait.store(true, Ordering::Release);
        self.file.touch();
    }

    /// The offset that a tool has set since the group's last pull of the queue.
    pub fn take_reset(&self, group: &str, topic: &str, queue_id: i32) -> Option<QueueOffset> {
        if !self.resets_wait.load(Ordering::Acquire) {
            return None;
        }
        let mut table = self.table.lock();
        if table.resets.is_empty() {
            self.resets_wait.store(false, Ordering::Release);
            return None;
        }
        let groups = table.resets.get_mut(topic)?;
        let queues = groups.get_mut(group)?;
        let offset = queues.remove(&queue_id)?;
        if queues.is_empty() {
            groups.remove(group);
        }
        if groups.is_empty() {
            table.resets.remove(topic);
        }
        Some(offset)
    }

    /// The groups that have committed on a topic.
    pub fn groups_of(&self, topic: &str) -> Vec<String> {
        self.table.lock().committed.get(topic).map(|groups| groups.keys().cloned().collect()).unwrap_or_default()
    }

    /// The topics on which a group has committed.
    pub fn topics_of(&self, group: &str) -> Vec<String> {
        let table = self.table.lock();
        table.committed.iter().filter(|(_, groups)| groups.contains_key(group)).map(|(topic, _)| topic.clone()).collect()
    }

    /// The topics on which any group has committed.
    pub fn topics(&self) -> Vec<String> {
        self.table.lock().committed.keys().cloned().collect()
    }

    /// Copies a group's offsets on a topic to another group.
    pub fn copy(&self, from: &str, to: &str, topic: &str) {
        let mut table = self.table.lock();
        if let Some(groups) = table.committed.get_mut(topic)
            && let Some(offsets) = groups.get(from).cloned()
        {
            groups.insert(to.to_owned(), offsets);
            // The copy replaces an earlier reset.
            if let Some(groups) = table.resets.get_mut(topic)
                && groups.remove(to).is_some()
                && groups.is_empty()
            {
                table.resets.remove(topic);
            }
            self.file.touch();
        }
    }

    /// Forgets all offsets on a topic. Returns the groups and queues that had some.
    pub fn forget_topic(&self, topic: &str) -> HashSet<(String, i32)> {
        let mut table = self.table.lock();
        let gone = [table.committed.remove(topic), table.pulled.remove(topic), table.resets.remove(topic)];
        self.file.touch();
        drop(table);
        let queues =
            |(group, queues): (String, BTreeMap<i32, QueueOffset>)| queues.into_keys().map(move |queue_id| (group.clone(), queue_id));
        gone.into_iter().flatten().flatten().flat_map(queues).collect()
    }

    /// Forgets all offsets of a group.
    pub fn forget_group(&self, group: &str) {
        let mut table = self.table.lock();
        forget(&mut table.committed, group);
        forget(&mut table.pulled, group);
        forget(&mut table.resets, group);
        self.file.touch();
    }

    /// Forgets where a group pulled, and resets that wait for it, but not its commits.
    pub fn forget_reader(&self, group: &str) {
        let mut table = self.table.lock();
        forget(&mut table.pulled, group);
        forget(&mut table.resets, group);
    }

    /// The whole table.
    pub fn all(&self) -> ConsumerOffsetSerializeWrapper {
        let mut table = self.table.lock();
        table.version = table.version.next(self.clock.now_ms(), 0);
        let mut offset_table = BTreeMap::new();
        for (topic, groups) in &table.committed {
            for (group, offsets) in groups {
                let offsets = offsets.iter().map(|(queue_id, offset)| (*queue_id, offset.0)).collect();
                offset_table.insert(format!("{topic}{SEPARATOR}{group}"), offsets);
            }
        }
        ConsumerOffsetSerializeWrapper { data_version: Some(table.version), offset_table }
    }

    /// Writes the table if it changed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        self.file.save_behind(store, || self.all())
    }
}

/// topic -> group -> queue -> offset
type ByQueue = HashMap<String, HashMap<String, BTreeMap<i32, QueueOffset>>>;

fn forget(table: &mut ByQueue, group: &str) {
    table.values_mut().for_each(|groups| drop(groups.remove(group)));
    table.retain(|_, groups| !groups.is_empty());
}

fn put(table: &mut ByQueue, group: &str, topic: &str, queue_id: i32, offset: QueueOffset) {
    // The usual case finds everything there and allocates nothing.
    if let Some(slot) = table.get_mut(topic).and_then(|groups| groups.get_mut(group)).and_then(|queues| queues.get_mut(&queue_id)) {
        *slot = offset;
        return;
    }
    table.entry(topic.to_owned()).or_default().entry(group.to_owned()).or_default().insert(queue_id, offset);
}
