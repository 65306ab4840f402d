//! To which topics does a shard send?
//!
//! The shard remembers topics as it saw them last. A send then reads one table instead of two, which no other shard locks, and shares no
//! reference count with other shards. As soon as any topic has changed, each is looked up again before it is used.

use crate::broker::Broker;
use crate::counts::statistics::{Counter, Moved};
use roxmq_protocol::body::TopicConfig;
use roxmq_protocol::permission::Permission;
use roxmq_store::{QueueHint, QueueHints};
use smallvec::SmallVec;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;

/// A topic that is sent to. All that a send needs of it lies together: with very many topics none is in a cache of the core, and every
/// further place in memory costs as much as reading a header.
pub struct Destination {
    name: SmallVec<[u8; 32]>,
    /// [`changes`] when it was looked up.
    as_of: u64,
    /// The settings that a send needs, as in [`TopicConfig`].
    pub perm: Permission,
    pub read_queue_nums: i32,
    pub write_queue_nums: i32,
    puts: OnceCell<Arc<Counter>>,
    queues: RefCell<QueueHints>,
}

impl Destination {
    fn new(topic: &TopicConfig, as_of: u64) -> Destination {
        Destination {
            name: SmallVec::from_slice(topic.topic_name.as_bytes()),
            as_of,
            perm: topic.perm,
            read_queue_nums: topic.read_queue_nums,
            write_queue_nums: topic.write_queue_nums,
            puts: OnceCell::new(),
            queues: RefCell::default(),
        }
    }

    /// The topic's name.
    pub fn name(&self) -> &str {
        // It was text when it was looked up.
        std::str::from_utf8(&self.name).unwrap_or_default()
    }

    /// Counts stored messages.
    pub fn count(&self, broker: &Broker, messages: u64, bytes: u64) {
        let puts = self.puts.get_or_init(|| broker.counts.statistics.counter(Moved::Puts, self.name()));
        puts.add(messages, bytes);
    }

    /// The store's last hint about a queue of this topic.
    pub fn hint(&self, queue_id: u32) -> Option<QueueHint> {
        self.queues.borrow().of(queue_id)
    }

    /// Remembers the store's hint about one.
    pub fn note(&self, queue_id: u32, hint: QueueHint) {
        self.queues.borrow_mut().note(queue_id, hint);
    }
}

/// How often anything has changed that a destination contains.
fn changes(broker: &Broker) -> u64 {
    broker.tables.topics.changes() + broker.counts.statistics.forgotten()
}

/// Topics that a shard has sent to lately.
#[derive(Default)]
pub struct Destinations {
    hashes: RandomState,
    /// By the hash of its name. Of two with the same hash, the one that was sent to last stays.
    known: HashMap<u64, Rc<Destination>, BuildHasherDefault<Hashed>>,
}

/// Topics above which all are forgotten, and looked up again.
const KNOWN_MAX: usize = 1 << 15;

impl Destinations {
    /// The topic, if there is one.
    pub fn find(&mut self, broker: &Broker, topic: &str) -> Option<Rc<Destination>> {
        // Read before the tables: a topic that changes in between is then looked up once more.
        let as_of = changes(broker);
        let hash = self.hashes.hash_one(topic);
        match self.known.get(&hash) {
            Some(known) if known.as_of == as_of && *known.name == *topic.as_bytes() => Some(Rc::clone(known)),
            _ => self.look_up(broker, topic, hash, as_of),
        }
    }

    fn look_up(&mut self, broker: &Broker, topic: &str, hash: u64, as_of: u64) -> Option<Rc<Destination>> {
        let Some(found) = broker.tables.topics.find(topic) else {
            self.known.remove(&hash);
            return None;
        };
        let found = Rc::new(Destination::new(&found, as_of));
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(hash, Rc::clone(&found));
        Some(found)
    }
}

/// A hash that was made already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::statistics::Statistic;
    use crate::testing::{self, NOW_MS, TOPIC, close, try_open};
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;

    #[test]
    fn every_change_of_a_topic_shows_at_once() {
        let clock = Clock::manual(NOW_MS);
        let broker = try_open(&SimDisk::new(7).disk(), &clock, testing::config()).unwrap();
        let mut destinations = Destinations::default();
        let mut find = |topic: &str| destinations.find(&broker, topic);
        let puts = |topic: &str| broker.counts.statistics.figures(Statistic::TOPIC_PUT_NUMS, topic, clock.elapsed()).map(|_| ());

        let first = find(TOPIC).unwrap();
        assert!(Rc::ptr_eq(&first, &find(TOPIC).unwrap()), "nothing has changed");
        assert_eq!((find("other").is_none(), puts(TOPIC)), (true, None));
        first.count(&broker, 1, 10);
        assert_eq!(puts(TOPIC), Some(()));

        broker.tables.topics.put(TopicConfig { perm: Permission::READ, topic_name: TOPIC.into(), ..TopicConfig::default() });
        broker.tables.topics.add(TopicConfig { topic_name: "other".into(), ..TopicConfig::default() });
        assert_eq!((find(TOPIC).unwrap().perm, find("other").is_some()), (Permission::READ, true));

        // A topic that is deleted is gone, and so is its count; one of its name has its own.
        broker.tables.topics.remove(TOPIC);
        assert!(find(TOPIC).is_none());
        broker.tables.topics.add(TopicConfig { topic_name: TOPIC.into(), ..TopicConfig::default() });
        let early = find(TOPIC).unwrap();
        early.count(&broker, 1, 10);
        broker.counts.statistics.forget_topic(TOPIC);
        assert_eq!(puts(TOPIC), None);
        find(TOPIC).unwrap().count(&broker, 1, 10);
        assert_eq!(puts(TOPIC), Some(()));
        drop((first, early));
        close(broker);
    }

    #[test]
    fn the_number_of_destinations_is_bounded() {
        let config = crate::settings::BrokerConfig { light_queues: true, multi_dispatch: true, ..testing::config() };
        let broker = try_open(&SimDisk::new(8).disk(), &Clock::manual(NOW_MS), config).unwrap();
        let mut destinations = Destinations::default();
        for number in 0..=KNOWN_MAX {
            assert!(destinations.find(&broker, &format!("%LMQ%{number}")).is_some());
        }
        assert_eq!(destinations.known.len(), 1);
        close(broker);
    }
}
