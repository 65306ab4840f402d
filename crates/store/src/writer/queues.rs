//! Which numbers do the queues of a batch have, and which offset comes next in them?

use crate::index::table::Index;
use crate::writer::batch::{Batch, Item, Light, text};
use crate::writer::{Log, Writer};
use roxmq_protocol::light::LIGHT_QUEUE_ID;
use roxmq_protocol::position::QueueOffset;
use std::collections::BTreeSet;

/// Why a light queue cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {count} light queues, and no more than {max} may be")]
pub struct LightQueuesFull {
    /// How many there are.
    pub count: usize,
    /// How many there may be.
    pub max: usize,
}

impl Log {
    /// Takes the next offset of a queue.
    pub fn take_next(&mut self, queue: u32) -> QueueOffset {
        let next = &mut self.next[queue as usize];
        let taken = *next;
        *next += 1;
        taken
    }

    /// The number of a queue, which from now on has a next offset.
    fn find_or_create(&mut self, index: &mut Index, topic: &str, queue_id: u32) -> u32 {
        let queue = index.find_or_create(topic, queue_id);
        let (no, next) = (queue as usize, index.at(queue).map_or(QueueOffset(0), |queue| queue.next));
        if self.next.len() <= no {
            self.next.resize(no + 1, QueueOffset(0));
        }
        self.next[no] = next;
        queue
    }
}

impl Writer {
    /// Makes those of these light queues that do not exist, unless there would be more than `max` then.
    pub fn reserve_light_queues<'a>(&self, names: impl Iterator<Item = &'a str> + Clone, max: usize) -> Result<(), LightQueuesFull> {
        let index = self.contents.index.read();
        if names.clone().all(|name| index.find(name, LIGHT_QUEUE_ID).is_some()) {
            return Ok(());
        }
        drop(index);
        let mut log = self.log.lock();
        let mut index = self.contents.index.write();
        let new: BTreeSet<&str> = names.filter(|name| index.find(name, LIGHT_QUEUE_ID).is_none()).collect();
        if index.light_count() + new.len() > max {
            return Err(LightQueuesFull { count: index.light_count(), max });
        }
        for name in new {
            log.find_or_create(&mut index, name, LIGHT_QUEUE_ID);
        }
        Ok(())
    }

    /// Gives each item its queue's number; makes the queues that do not exist.
    pub fn find_queues(&self, log: &mut Log, batch: &mut Batch) {
        let Batch { bytes, items, lights, .. } = batch;
        let topic_of = |item: &Item| text(bytes, item.topic_at, item.topic_len);
        let name_of = |light: &Light| text(bytes, light.name_at, light.name_len);
        let mut missing = false;
        let mut before = ("", u32::MAX, 0);
        let index = self.contents.index.read();
        for item in items.iter_mut().filter(|item| item.is_queued) {
            if let Some(no) = item.hint.and_then(|hint| index.hinted(hint)) {
                debug_assert!(index.at(no).is_some_and(|queue| *queue.topic == *topic_of(item) && queue.queue_id == item.queue_id));
                item.queue = no;
                continue;
            }
            let (topic, queue_id) = (topic_of(item), item.queue_id);
            if (topic, queue_id) != (before.0, before.1) {
                match index.find(topic, queue_id) {
                    Some(no) => before = (topic, queue_id, no),
                    None => {
                        missing = true;
                        continue;
                    }
                }
            }
            item.queue = before.2;
            item.hint = Some(index.hint(before.2));
        }
        for light in lights.iter_mut() {
            match index.find(name_of(light), LIGHT_QUEUE_ID) {
                Some(no) => light.queue = no,
                None => missing = true,
            }
        }
        drop(index);
        if missing {
            let mut index = self.contents.index.write();
            for item in items.iter_mut().filter(|item| item.is_queued) {
                item.queue = log.find_or_create(&mut index, topic_of(item), item.queue_id);
                item.hint = Some(index.hint(item.queue));
            }
            for light in lights.iter_mut() {
                light.queue = log.find_or_create(&mut index, name_of(light), LIGHT_QUEUE_ID);
            }
        }
    }

    /// Takes back the offsets of a batch that was not written.
    pub fn forget_offsets(&self, log: &mut Log, batch: &Batch) {
        let index = self.contents.index.read();
        let own = batch.items.iter().filter(|item| item.is_queued).map(|item| item.queue);
        for queue in own.chain(batch.lights.iter().map(|light| light.queue)) {
            log.next[queue as usize] = index.at(queue).map_or(QueueOffset(0), |queue| queue.next);
        }
    }
}
