//! How is a shard reached from other threads?
//!
//! Each shard has a link: other threads leave something in its inbox, and wake it by its handle.

use super::arrivals::{Arrivals, QueueKey};
use crate::error::Refusal;
use parking_lot::{Mutex, RwLock};
use roxmq_remoting::ShardHandle;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What other threads leave for a shard.
#[derive(Default)]
pub struct Inbox {
    /// Queues that got a message.
    pub arrived: Mutex<Vec<QueueKey>>,
    /// Read permissions have changed.
    pub recheck: AtomicBool,
    /// Are the new topics that sends wait for durable?
    pub topics_synced: Mutex<Option<Result<(), Refusal>>>,
}

/// The link to one shard.
pub struct ShardLink {
    /// Wakes it.
    pub handle: ShardHandle,
    /// What other threads left for it.
    pub inbox: Arc<Inbox>,
}

/// The links to all shards, and which shards wait for which queue.
#[derive(Default)]
pub struct Shards {
    links: RwLock<Vec<ShardLink>>,
    /// Which shards wait for which queue.
    pub arrivals: Arrivals,
}

impl Shards {
    /// Adds a shard and returns its number.
    pub fn add(&self, link: ShardLink) -> usize {
        let mut links = self.links.write();
        links.push(link);
        links.len() - 1
    }

    /// Wakes one shard.
    pub fn wake(&self, shard: usize) {
        if let Some(link) = self.links.read().get(shard) {
            link.handle.wake();
        }
    }

    /// Wakes all shards.
    pub fn wake_all(&self) {
        self.links.read().iter().for_each(|link| link.handle.wake());
    }

    /// Read permissions have changed: held pulls that may no longer read are refused.
    pub fn recheck(&self) {
        for link in self.links.read().iter() {
            link.inbox.recheck.store(true, Ordering::Release);
            link.handle.wake();
        }
    }

    /// The queue got a message: the pulls held for it look again.
    pub fn notify(&self, topic: &str, queue_id: u32) {
        if let Some((queue, shards)) = self.arrivals.waiting(topic, queue_id) {
            shards.into_iter().for_each(|shard| self.notify_shard(shard, queue.clone()));
        }
    }

    /// Something happened to the topic: the pulls held for any of its queues look again.
    pub fn notify_topic(&self, topic: &str) {
        for (queue, shards) in self.arrivals.of_topic(topic) {
            shards.into_iter().for_each(|shard| self.notify_shard(shard, queue.clone()));
        }
    }

    /// Notifies one shard of a message in the queue.
    pub fn notify_shard(&self, shard: usize, queue: QueueKey) {
        if let Some(link) = self.links.read().get(shard) {
            link.inbox.arrived.lock().push(queue);
            link.handle.wake();
        }
    }
}
