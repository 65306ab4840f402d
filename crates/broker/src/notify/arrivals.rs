//! Which shards hold pulls that wait for a message of a queue?

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A queue for which pulls are held.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueKey {
    /// The topic.
    pub topic: Arc<str>,
    /// The queue.
    pub queue_id: u32,
}

/// Queue id -> the shards that hold pulls for it.
type ShardsByQueue = HashMap<u32, Vec<usize>>;

/// The table of waiting shards.
#[derive(Default)]
pub struct Arrivals {
    /// How many queues have held pulls; read before the table is locked.
    count: AtomicUsize,
    waiting: Mutex<HashMap<Arc<str>, ShardsByQueue>>,
}

impl Arrivals {
    /// From now on `shard` is notified of messages in the queue. It has to look once more afterwards: a message may just have come.
    pub fn wait(&self, queue: &QueueKey, shard: usize) {
        let mut waiting = self.waiting.lock();
        let shards = waiting.entry(Arc::clone(&queue.topic)).or_default().entry(queue.queue_id).or_default();
        if shards.is_empty() {
            self.count.fetch_add(1, Ordering::SeqCst);
        }
        if !shards.contains(&shard) {
            shards.push(shard);
        }
    }

    /// `shard` holds no more pulls for the queue.
    pub fn leave(&self, queue: &QueueKey, shard: usize) {
        let mut waiting = self.waiting.lock();
        let Some(queues) = waiting.get_mut(&queue.topic) else { return };
        if let Some(shards) = queues.get_mut(&queue.queue_id) {
            shards.retain(|waiting| *waiting != shard);
            if shards.is_empty() {
                queues.remove(&queue.queue_id);
                self.count.fetch_sub(1, Ordering::SeqCst);
            }
        }
        if queues.is_empty() {
            waiting.remove(&queue.topic);
        }
    }

    /// Is no pull held anywhere?
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    /// All queues of a topic for which pulls are held, with the shards to notify.
    pub fn of_topic(&self, topic: &str) -> Vec<(QueueKey, Vec<usize>)> {
        let waiting = self.waiting.lock();
        let Some((topic, queues)) = waiting.get_key_value(topic) else { return Vec::new() };
        queues.iter().map(|(queue_id, shards)| (QueueKey { topic: Arc::clone(topic), queue_id: *queue_id }, shards.clone())).collect()
    }

    /// The shards to notify of a message in the queue, and the queue's shared name.
    pub fn waiting(&self, topic: &str, queue_id: u32) -> Option<(QueueKey, Vec<usize>)> {
        if self.is_empty() {
            return None;
        }
        let waiting = self.waiting.lock();
        let (topic, queues) = waiting.get_key_value(topic)?;
        let shards = queues.get(&queue_id)?.clone();
        Some((QueueKey { topic: Arc::clone(topic), queue_id }, shards))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_notified_until_they_leave() {
        let arrivals = Arrivals::default();
        let queue = QueueKey { topic: "t".into(), queue_id: 1 };
        assert_eq!(arrivals.waiting("t", 1), None);
        arrivals.wait(&queue, 0);
        arrivals.wait(&queue, 2);
        arrivals.wait(&queue, 0);
        assert_eq!(arrivals.waiting("t", 1), Some((queue.clone(), vec![0, 2])));
        assert_eq!(arrivals.waiting("t", 2), None);
        arrivals.leave(&queue, 0);
        arrivals.leave(&queue, 2);
        arrivals.leave(&queue, 2);
        assert!(arrivals.is_empty());
    }
}
