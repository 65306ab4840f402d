//! How many timed messages wait for each topic (61)?
//!
//! Messages are counted as they come and go; those that waited before a start are counted once after it. Java: `TimerMetrics`.

use super::due_queue::{DueQueue, Entry, EntryKind};
use crate::names::TIMER_TOPIC;
use crate::waiting::system_queue::SystemQueue;
use parking_lot::Mutex;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::name;
use roxmq_store::Store;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How many messages wait, by the topic they go to.
#[derive(Default)]
pub struct Counts(Mutex<BTreeMap<String, i64>>);

impl Counts {
    /// The counts of all topics for which messages wait.
    pub fn all(&self) -> BTreeMap<String, i64> {
        self.0.lock().iter().filter(|(_, count)| **count > 0).map(|(topic, count)| (topic.clone(), *count)).collect()
    }

    /// Counts `more` messages for a topic, or fewer if it is negative.
    pub fn add(&self, topic: &str, more: i64) {
        let mut counts = self.0.lock();
        match counts.get_mut(topic) {
            Some(count) => *count += more,
            None => drop(counts.insert(topic.to_owned(), more)),
        }
    }

    /// The sum over all topics.
    pub fn total(&self) -> i64 {
        self.0.lock().values().sum()
    }
}

/// Counts the messages that waited when the log ended at `end`. Deliveries meanwhile take off their own.
pub fn count_at_start(store: &Store, counts: &Counts, end: LogOffset, mut then: DueQueue) {
    // Where the disk refuses, the count is wrong until the next start; nothing depends on it.
    let _ = then.read_marks(store, end);
    let mut topics: Vec<Arc<str>> = Vec::new();
    for queue_id in store.queues_of(TIMER_TOPIC) {
        let mut open: HashMap<LogOffset, Arc<str>> = HashMap::new();
        let mut recalled = Vec::new();
        let _ = SystemQueue::new(TIMER_TOPIC, queue_id, QueueOffset(0)).read_on(store, |record| {
            let Some(entry) = Entry::of(record).filter(|_| record.log_offset < end) else { return };
            if entry.kind == EntryKind::Recall {
                recalled.push(entry.timer.origin);
            } else if then.is_open(entry.timer, record.log_offset) {
                open.insert(entry.timer.origin, shared(&mut topics, record.properties().find(name::REAL_TOPIC).unwrap_or_default()));
            }
        });
        recalled.iter().for_each(|origin| drop(open.remove(origin)));
        let mut of_queue: BTreeMap<Arc<str>, i64> = BTreeMap::new();
        open.into_values().for_each(|topic| *of_queue.entry(topic).or_default() += 1);
        of_queue.iter().for_each(|(topic, count)| counts.add(topic, *count));
    }
}

/// One shared copy of each topic's name.
fn shared(topics: &mut Vec<Arc<str>>, topic: &str) -> Arc<str> {
    match topics.binary_search_by(|known| (**known).cmp(topic)) {
        Ok(at) => Arc::clone(&topics[at]),
        Err(at) => {
            topics.insert(at, Arc::from(topic));
            Arc::clone(&topics[at])
        }
    }
}
