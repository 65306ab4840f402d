//! How is a shard reached from other threads?
//!
//! Each shard has a door: its handle wakes it, and its inbox holds what it finds when it wakes.

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
    /// What may be read has changed.
    pub recheck: AtomicBool,
    /// Whether the topics are durable that sends wait for.
    pub settled: Mutex<Option<Result<(), Refusal>>>,
}

/// The way to one shard.
pub struct Door {
    /// Wakes it.
    pub handle: ShardHandle,
    /// What is left for it.
    pub inbox: Arc<Inbox>,
}

/// The ways to all shards, and which of them wait for which queue.
#[derive(Default)]
pub struct Doors {
    doors: RwLock<Vec<Door>>,
    /// Who waits for which queue.
    pub arrivals: Arrivals,
}

impl Doors {
    /// One more shard. Its number.
    pub fn add(&self, door: Door) -> usize {
        let mut doors = self.doors.write();
        doors.push(door);
        doors.len() - 1
    }

    /// Wakes one shard.
    pub fn wake(&self, shard: usize) {
        if let Some(door) = self.doors.read().get(shard) {
            door.handle.wake();
        }
    }

    /// Wakes all shards.
    pub fn wake_all(&self) {
        self.doors.read().iter().for_each(|door| door.handle.wake());
    }

    /// What may be read has changed: held pulls that may not read any more are refused.
    pub fn recheck(&self) {
        for door in self.doors.read().iter() {
            door.inbox.recheck.store(true, Ordering::Release);
            door.handle.wake();
        }
    }

    /// The queue got a message: the pulls that are held for it look again.
    pub fn notify(&self, topic: &str, queue_id: u32) {
        if let Some((queue, shards)) = self.arrivals.waiting(topic, queue_id) {
            shards.into_iter().for_each(|shard| self.notify_shard(shard, queue.clone()));
        }
    }

    /// Something happened to the topic: the pulls that are held for any of its queues look again.
    pub fn notify_topic(&self, topic: &str) {
        for (queue, shards) in self.arrivals.of_topic(topic) {
            shards.into_iter().for_each(|shard| self.notify_shard(shard, queue.clone()));
        }
    }

    /// Notifies one shard of a message in the queue.
    pub fn notify_shard(&self, shard: usize, queue: QueueKey) {
        if let Some(door) = self.doors.read().get(shard) {
            door.inbox.arrived.lock().push(queue);
            door.handle.wake();
        }
    }
}
