//! Where do a shard's sends go?
//!
//! Topics as the shard saw them last: a send then looks into one table instead of two, which no other shard locks, and shares no count
//! of references with others. As soon as any topic has changed, each is looked up again before it is believed.

use crate::Broker;
use crate::tables::statistics::{Counter, Moved};
use roxmq_protocol::body::TopicConfig;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// A topic that is sent to.
pub struct Destination {
    /// Its settings.
    pub topic: Arc<TopicConfig>,
    puts: OnceCell<Arc<Counter>>,
    /// [`changes`] when it was looked up.
    as_of: u64,
}

impl Destination {
    /// A topic that was found, or made, just now.
    pub fn new(topic: Arc<TopicConfig>, as_of: u64) -> Destination {
        Destination { topic, puts: OnceCell::new(), as_of }
    }

    /// Counts what was stored.
    pub fn count(&self, broker: &Broker, messages: u64, bytes: u64) {
        let puts = self.puts.get_or_init(|| broker.statistics.counter(Moved::Puts, &self.topic.topic_name));
        puts.add(messages, bytes);
    }
}

/// How often anything has changed that a destination tells.
pub fn changes(broker: &Broker) -> u64 {
    broker.topics.changes() + broker.statistics.forgotten()
}

/// The topics that a shard has sent to lately.
#[derive(Default)]
pub struct Destinations {
    known: HashMap<Box<str>, Rc<Destination>>,
}

/// Topics above which all are forgotten, and looked up again.
const KNOWN_MAX: usize = 1 << 15;

impl Destinations {
    /// The topic, if there is one.
    pub fn find(&mut self, broker: &Broker, topic: &str) -> Option<Rc<Destination>> {
        // Before the look into the tables: what changes in between is then looked up once more.
        let as_of = changes(broker);
        match self.known.get(topic) {
            Some(known) if known.as_of == as_of => Some(Rc::clone(known)),
            _ => self.look_up(broker, topic, as_of),
        }
    }

    fn look_up(&mut self, broker: &Broker, topic: &str, as_of: u64) -> Option<Rc<Destination>> {
        let Some(found) = broker.topics.find(topic) else {
            self.known.remove(topic);
            return None;
        };
        let found = Rc::new(Destination::new(found, as_of));
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(topic.into(), Rc::clone(&found));
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::statistics::Statistic;
    use crate::testing::{self, NOW_MS, TOPIC, close, try_open};
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;

    #[test]
    fn every_change_of_a_topic_shows_at_once() {
        let clock = Clock::manual(NOW_MS);
        let broker = try_open(&SimDisk::new(7).disk(), &clock, testing::config()).unwrap();
        let mut destinations = Destinations::default();
        let mut find = |topic: &str| destinations.find(&broker, topic);
        let puts = |topic: &str| broker.statistics.figures(Statistic::TOPIC_PUT_NUMS, topic, clock.elapsed()).map(|_| ());

        let first = find(TOPIC).unwrap();
        assert!(Rc::ptr_eq(&first, &find(TOPIC).unwrap()), "nothing has changed");
        assert_eq!((find("other").is_none(), puts(TOPIC)), (true, None));
        first.count(&broker, 1, 10);
        assert_eq!(puts(TOPIC), Some(()));

        broker.topics.put(TopicConfig { perm: 4, ..TopicConfig::clone(&first.topic) });
        broker.topics.add(TopicConfig { topic_name: "other".into(), ..TopicConfig::default() });
        assert_eq!((find(TOPIC).unwrap().topic.perm, find("other").is_some()), (4, true));

        // A topic that is deleted is gone, and so is its count; one of its name has its own.
        broker.topics.remove(TOPIC);
        assert!(find(TOPIC).is_none());
        broker.topics.add(TopicConfig { topic_name: TOPIC.into(), ..TopicConfig::default() });
        let early = find(TOPIC).unwrap();
        early.count(&broker, 1, 10);
        broker.statistics.forget(TOPIC);
        assert_eq!(puts(TOPIC), None);
        find(TOPIC).unwrap().count(&broker, 1, 10);
        assert_eq!(puts(TOPIC), Some(()));
        drop((first, early));
        close(broker);
    }

    #[test]
    fn only_so_many_are_kept() {
        let config = roxmq_env::config::BrokerConfig { light_queues: true, multi_dispatch: true, ..testing::config() };
        let broker = try_open(&SimDisk::new(8).disk(), &Clock::manual(NOW_MS), config).unwrap();
        let mut destinations = Destinations::default();
        for number in 0..=KNOWN_MAX {
            assert!(destinations.find(&broker, &format!("%LMQ%{number}")).is_some());
        }
        assert_eq!(destinations.known.len(), 1);
        close(broker);
    }
}
