//! Which queues are there, and what does a record of the log change in them?
//!
//! The table of all queues by name, the index files, the newest keys, and the topics that were deleted.

use crate::index::directory::Row;
use crate::index::facts::Entry;
use crate::index::file::IndexFile;
use crate::index::hint::QueueHint;
use crate::index::key_tail::KeyTail;
use crate::index::queue::{Queue, QueueNo, TailEntry};
use roxmq_protocol::light::is_light;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::time::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Every queue, every index file, and the newest keys.
#[derive(Debug, Default)]
pub(crate) struct Index {
    topics: HashMap<Arc<str>, Vec<(u32, QueueNo)>>,
    queues: Vec<Option<Queue>>,
    free: Vec<QueueNo>,
    /// How many of the queues are light ones.
    light_count: usize,
    /// How many entries the queues have in memory.
    tail_len: usize,
    /// Increases when numbers of queues become free.
    generation: u64,
    /// Increases when a queue comes or goes.
    pub changes: u64,
    /// The numbers of all queues in the order of names and ids, if they were sorted since one came or went.
    pub order: Option<Arc<[QueueNo]>>,
    /// By the log offset from which they know.
    pub files: BTreeMap<LogOffset, Arc<IndexFile>>,
    pub keys: KeyTail,
    /// Deleted topics: their records before this are dead.
    pub dead_before: HashMap<Arc<str>, LogOffset>,
    /// Deletions that a crash could still undo. A queue that is made again meanwhile goes on where it ended, so that its records fit
    /// either way.
    pending_deletions: HashMap<Arc<str>, PendingDeletion>,
}

/// A topic that was deleted a moment ago.
#[derive(Debug, Default)]
struct PendingDeletion {
    dead_before: LogOffset,
    /// Queue ids and next offsets.
    queues: Vec<(u32, QueueOffset)>,
}

/// What the index takes in of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dispatch<'a> {
    /// The queue and the offset in it, if it is in one.
    pub queued: Option<(QueueNo, QueueOffset)>,
    pub entry: Entry,
    pub store_time: Timestamp,
    pub hashes: &'a [u32],
}

impl Index {
    /// An empty index with the same deleted topics.
    pub fn with_same_dead(&self) -> Index {
        Index { dead_before: self.dead_before.clone(), ..Index::default() }
    }

    pub fn find(&self, topic: &str, queue_id: u32) -> Option<QueueNo> {
        let queues = self.topics.get(topic)?;
        // Where a topic has all its queues, each is at the position of its id.
        match queues.get(queue_id as usize) {
            Some((id, no)) if *id == queue_id => Some(*no),
            _ => queues.binary_search_by_key(&queue_id, |(id, _)| *id).ok().map(|at| queues[at].1),
        }
    }

    pub fn queues_of(&self, topic: &str) -> Vec<u32> {
        self.topics.get(topic).map_or(Vec::new(), |queues| queues.iter().map(|(queue_id, _)| *queue_id).collect())
    }

    pub fn queue(&self, topic: &str, queue_id: u32) -> Option<&Queue> {
        self.at(self.find(topic, queue_id)?)
    }

    pub fn at(&self, no: QueueNo) -> Option<&Queue> {
        self.queues.get(no as usize)?.as_ref()
    }

    /// Changes a queue in a way that may take entries out of memory.
    fn change<T>(&mut self, no: QueueNo, change: impl FnOnce(&mut Queue) -> T) -> Option<T> {
        let queue = self.queues.get_mut(no as usize)?.as_mut()?;
        let before = queue.tail_len();
        let changed = change(queue);
        self.tail_len -= before - queue.tail_len();
        Some(changed)
    }

    /// About how many bytes of memory the newest entries and keys take.
    pub fn tail_bytes(&self) -> u64 {
        (self.tail_len * size_of::<TailEntry>()) as u64 + self.keys.bytes()
    }

    pub fn find_or_create(&mut self, topic: &str, queue_id: u32) -> QueueNo {
        if let Some(no) = self.find(topic, queue_id) {
            return no;
        }
        let name = match self.topics.get_key_value(topic) {
            Some((name, _)) => name.clone(),
            None => Arc::from(topic),
        };
        let next = self.pending_deletions.get(topic).map_or(QueueOffset(0), |pending| pending.next(queue_id));
        let queue = Queue::new(name.clone(), queue_id, next);
        let no = match self.free.pop() {
            Some(no) => {
                self.queues[no as usize] = Some(queue);
                no
            }
            None => {
                self.queues.push(Some(queue));
                self.queues.len() as QueueNo - 1
            }
        };
        self.light_count += usize::from(is_light(topic));
        self.queues_changed();
        let queues = self.topics.entry(name).or_default();
        let at = queues.partition_point(|(id, _)| *id < queue_id);
        queues.insert(at, (queue_id, no));
        no
    }

    /// Takes in a record. The offset must follow: [`Queue::follows`].
    pub fn dispatch(&mut self, record: Dispatch<'_>) {
        self.keys.push(record.hashes, record.entry.log_offset);
        if let Some((no, offset)) = record.queued {
            self.add(no, offset, record.entry, record.store_time);
        }
    }

    /// Takes a record into a queue. The offset must follow: [`Queue::follows`].
    pub fn add(&mut self, no: QueueNo, offset: QueueOffset, entry: Entry, store_time: Timestamp) {
        if let Some(Some(queue)) = self.queues.get_mut(no as usize) {
            queue.push(offset, TailEntry { entry, store_time });
            self.tail_len += 1;
        }
    }

    /// Takes in a row of an index file's directory; files come oldest first.
    pub fn add_row(&mut self, file: &Arc<IndexFile>, row: &Row) {
        if self.dead_before.get(&row.topic).is_some_and(|dead| row.first_log_offset < *dead) {
            return;
        }
        let no = self.find_or_create(&row.topic, row.queue_id);
        self.change(no, |queue| queue.add_row(file, row));
    }

    /// Starts a queue at 0 again, as its topic was deleted and created again.
    pub fn restart_queue(&mut self, no: QueueNo) {
        self.change(no, |queue| {
            queue.forget();
            queue.next = QueueOffset(0);
        });
    }

    /// See [`Queue::take_back_outlier`].
    pub fn take_back_outlier(&mut self, no: QueueNo, offset: QueueOffset) -> bool {
        self.change(no, |queue| queue.take_back_outlier(offset)).unwrap_or(false)
    }

    /// Takes back entries that stand alone after a gap at the end of a queue, if the gap has no explanation: neither damage, nor a known
    /// next offset.
    pub fn take_back_unexplained(&mut self, known_next: impl Fn(&Arc<str>, u32) -> QueueOffset) {
        for no in 0..self.queues.len() as QueueNo {
            self.change(no, |queue| queue.take_back_unexplained(&known_next));
        }
    }

    /// The offset of a queue is never below what the checkpoint knows.
    pub fn raise_next(&mut self, topic: &str, queue_id: u32, next: QueueOffset) {
        let no = self.find_or_create(topic, queue_id);
        self.change(no, |queue| queue.next = queue.next.max(next));
    }

    /// Forgets a topic, whose records before `dead_before` are dead now. Says whether it had a queue.
    pub fn delete_topic(&mut self, topic: &str, dead_before: LogOffset) -> bool {
        let Some((name, queues)) = self.topics.remove_entry(topic) else { return false };
        self.generation += 1;
        self.queues_changed();
        let mut pending = self.pending_deletions.remove(topic).unwrap_or_default();
        pending.dead_before = dead_before;
        for (queue_id, no) in queues {
            self.change(no, Queue::forget);
            let next = self.queues[no as usize].take().map_or(QueueOffset(0), |queue| queue.next);
            pending.queues.retain(|(id, _)| *id != queue_id);
            pending.queues.push((queue_id, next));
            self.free.push(no);
            self.light_count -= usize::from(is_light(topic));
        }
        self.pending_deletions.insert(name.clone(), pending);
        self.dead_before.insert(name, dead_before);
        true
    }

    /// Whether a crash could still undo the deletion of a topic.
    pub fn has_pending_deletions(&self) -> bool {
        !self.pending_deletions.is_empty()
    }

    /// Deletions that can be written down while the log is durable up to `durable`. One that is ahead of it must not be: a power cut could
    /// take the end of the log back, and messages that are stored there again would be dead.
    pub fn deletions(&self, durable: LogOffset) -> Vec<(Arc<str>, LogOffset)> {
        self.dead_before.iter().filter(|(_, dead)| **dead <= durable).map(|(topic, dead)| (topic.clone(), *dead)).collect()
    }

    /// These deletions are durable.
    pub fn deletions_are_durable(&mut self, deletions: &[(Arc<str>, LogOffset)]) {
        for (topic, dead_before) in deletions {
            if self.pending_deletions.get(topic).is_some_and(|pending| pending.dead_before == *dead_before) {
                self.pending_deletions.remove(topic);
            }
        }
    }

    /// Forgets deletions of which no record is left: the log begins at `log_offset`, also after a crash.
    pub fn forget_deletions(&mut self, log_offset: LogOffset) {
        self.dead_before.retain(|_, dead| *dead > log_offset);
    }

    pub fn queues(&self) -> impl Iterator<Item = (QueueNo, &Queue)> {
        self.queues.iter().enumerate().filter_map(|(no, queue)| Some((no as QueueNo, queue.as_ref()?)))
    }

    pub fn queue_count(&self) -> usize {
        self.queues.len() - self.free.len()
    }

    pub fn light_count(&self) -> usize {
        self.light_count
    }

    /// The queues of these numbers.
    pub fn named(&self, numbers: Range<usize>) -> impl Iterator<Item = (Arc<str>, u32, QueueNo)> {
        let queues = numbers.filter_map(|no| Some((no as QueueNo, self.queues.get(no)?.as_ref()?)));
        queues.map(|(no, queue)| (queue.topic.clone(), queue.queue_id, no))
    }

    /// One past the highest queue number.
    pub fn numbers(&self) -> usize {
        self.queues.len()
    }

    /// Puts the entries of a queue that are now in `file` out of memory. It had the number `no`, which another may have by now.
    pub fn moved_to_file(&mut self, no: QueueNo, file: &Arc<IndexFile>, row: &Row) {
        self.change(no, |queue| {
            if queue.is(&row.topic, row.queue_id) {
                queue.moved_to_file(file, row);
            }
        });
    }

    /// Lets a queue find in `file` what it found in files that `file` replaces.
    pub fn replace_runs(&mut self, file: &Arc<IndexFile>, topic: &str, queue_id: u32, rows: &[Row]) {
        if let Some(no) = self.find(topic, queue_id) {
            self.change(no, |queue| queue.replace_runs(file, rows));
        }
    }

    /// Forgets the files that end before or at `log_offset`, and all entries in them.
    pub fn trim(&mut self, log_offset: LogOffset) -> Vec<Arc<IndexFile>> {
        let gone: Vec<_> = self.files.values().filter(|file| file.to <= log_offset).cloned().collect();
        self.queues.iter_mut().flatten().for_each(|queue| queue.trim(log_offset));
        for file in &gone {
            self.files.remove(&file.from);
        }
        gone
    }

    fn queues_changed(&mut self) {
        self.changes += 1;
        self.order = None;
    }

    /// A hint about the queue with a number, valid while it has it.
    pub fn hint(&self, no: QueueNo) -> QueueHint {
        QueueHint { no, generation: self.generation }
    }

    /// The number of the queue that a hint is about, if it still has it.
    pub fn hinted(&self, hint: QueueHint) -> Option<QueueNo> {
        (hint.generation == self.generation).then_some(hint.no)
    }

    pub fn is_dead(&self, topic: &str, log_offset: LogOffset) -> bool {
        self.dead_before.get(topic).is_some_and(|dead| log_offset < *dead)
    }
}

impl PendingDeletion {
    fn next(&self, queue_id: u32) -> QueueOffset {
        self.queues.iter().find(|(id, _)| *id == queue_id).map_or(QueueOffset(0), |(_, next)| *next)
    }
}

#[cfg(test)]
mod tests;
