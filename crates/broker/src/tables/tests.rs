//! Tables of a whole broker: how a start reads a folder.

use super::attributes::Attributes;
use crate::testing;
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_protocol::body::{SubscriptionGroupConfig, TopicConfig};

fn of(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

#[test]
fn a_start_names_the_file_that_it_cannot_read() {
    let files = [
        "lock",
        "store.checkpoint",
        "store.flushed",
        "commitlog/00000000000000000000",
        "config/topics.json",
        "config/subscriptionGroup.json",
        "config/consumerOffset.json",
        "config/messageRequestMode.json",
        "config/delayOffset.json",
        "config/timers.json",
        "config/transactions.json",
        "config/changes.log",
    ];
    for file in files {
        let (sim, clock) = (SimDisk::new(1), Clock::manual(testing::NOW_MS));
        let broker = testing::open(&sim.disk(), &clock);
        testing::put(&broker, testing::TOPIC, 0, "", "body");
        let path = broker.config().store_root.join(file);
        testing::close(broker);
        sim.forbid(&path);
        let refused = testing::try_open(&sim.disk(), &clock, testing::config()).err().map(|error| error.to_string());
        assert!(refused.as_ref().is_some_and(|refused| refused.contains(&*path.to_string_lossy())), "{file}: {refused:?}");
    }
}

#[test]
fn an_older_folder_is_read() {
    for is_journal in [false, true] {
        let (sim, clock) = (SimDisk::new(9), Clock::manual(testing::NOW_MS));
        let broker = testing::open(&sim.disk(), &clock);
        let attributes = of(&[("+priority.factor", "50"), ("+bogus", "1")]);
        broker.tables.groups.put(SubscriptionGroupConfig { group_name: "g".into(), attributes, ..Default::default() });
        let compacted = of(&[("cleanup.policy", "COMPACTION")]);
        broker.tables.topics.put(TopicConfig { topic_name: "old".into(), attributes: compacted.clone(), ..Default::default() });
        if is_journal {
            broker.tables.journal.sync(broker.tables.journal.noted(), || Ok(())).unwrap();
            drop(broker);
            sim.crash();
        } else {
            testing::close(broker);
        }
        let broker = testing::open(&sim.disk(), &clock);
        assert_eq!(broker.tables.groups.find("g").unwrap().attributes, of(&[("priority.factor", "50"), ("bogus", "1")]));
        assert_eq!(broker.tables.topics.find("old").unwrap().attributes, compacted);
        testing::close(broker);
    }
}
