use super::*;
use crate::broker::Broker;
use crate::names;
use crate::requests::topics::deleting;
use crate::testing::{self, NOW_MS, QUEUE, TOPIC, close, put, try_open};
use crate::waiting::delay::levels::DelayLevel;
use crate::waiting::redraft;

use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_protocol::permission::Permission;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::time::Timestamp;
use std::time::Duration;

fn config() -> BrokerConfig {
    BrokerConfig { light_queues: true, multi_dispatch: true, light_queues_quota: true, light_queues_max: 3, ..testing::config() }
}

fn next(broker: &Broker, queue: &str) -> Option<i64> {
    broker.store.queue_next(queue, 0).map(|next| next.0)
}

const BOTH: &str = "INNER_MULTI_DISPATCH\u{1}%LMQ%a,%LMQ%b\u{2}";

#[test]
fn what_waits_goes_into_light_queues_when_it_is_delivered() {
    let (disk, clock) = (SimDisk::new(3).disk(), Clock::manual(NOW_MS));
    let broker = try_open(&disk, &clock, config()).unwrap();
    put(&broker, TOPIC, QUEUE, BOTH, "now");
    let waiting = redraft::waiting_properties(&format!("{BOTH}DELAY\u{1}1\u{2}"), TOPIC, QUEUE);
    put(&broker, names::DELAY_TOPIC, DelayLevel(1).queue_id(), &waiting, "in 1 s");
    let due = Timestamp(NOW_MS + 2000);
    let timed = redraft::timed_properties(&format!("{BOTH}UNIQ_KEY\u{1}k\u{2}"), TOPIC, QUEUE, due);
    put(&broker, names::TIMER_TOPIC, broker.waiting.timers.queue_of(due, Timestamp(NOW_MS)), &timed, "in 2 s");
    put(&broker, names::HALF_TOPIC, 0, &waiting, "half");
    put(&broker, &names::retry_topic("g"), 0, BOTH, "again");
    put(&broker, &names::dead_letter_topic("g"), 0, BOTH, "dead");
    assert_eq!((next(&broker, "%LMQ%a"), next(&broker, "%LMQ%b")), (Some(1), Some(1)));
    clock.advance(Duration::from_secs(1));
    crate::delivery::delay::deliver_due(&broker);
    assert_eq!((next(&broker, "%LMQ%a"), next(&broker, "%LMQ%b")), (Some(2), Some(2)));
    clock.advance(Duration::from_secs(1));
    crate::delivery::timer::deliver_due(&broker);
    assert_eq!((next(&broker, "%LMQ%a"), next(&broker, "%LMQ%b")), (Some(3), Some(3)));
    assert_eq!(testing::delivered(&broker), ["now", "in 1 s", "in 2 s"]);
    close(broker);
}

#[test]
fn light_topics_and_groups_are_there_and_in_no_table() {
    let (disk, clock) = (SimDisk::new(3).disk(), Clock::manual(NOW_MS));
    for round in 1..=2 {
        let broker = try_open(&disk, &clock, config()).unwrap();
        put(&broker, TOPIC, QUEUE, BOTH, "body");
        assert_eq!(next(&broker, "%LMQ%a"), Some(round));
        assert!(!broker.tables.topics.names().iter().any(|name| name.starts_with("%LMQ%")));
        let found = broker.tables.topics.find("%LMQ%never-seen").unwrap();
        assert_eq!((found.read_queue_nums, found.write_queue_nums, found.perm), (1, 1, Permission::READ_WRITE));
        assert_eq!(broker.tables.groups.admit(&broker.config(), "%LMQ%g").unwrap().group_name, "%LMQ%g");
        assert!(!broker.tables.groups.all().subscription_group_table.contains_key("%LMQ%g"));
        broker.tables.offsets.commit("g", "%LMQ%a", 0, QueueOffset(round), || true);
        assert_eq!(broker.tables.offsets.find("g", "%LMQ%a", 0), Some(QueueOffset(round)));
        close(broker);
    }
    let broker = try_open(&disk, &clock, config()).unwrap();
    assert_eq!(broker.tables.offsets.find("g", "%LMQ%a", 0), Some(QueueOffset(2)));
    deleting::forget(&broker, "%LMQ%a");
    assert_eq!((next(&broker, "%LMQ%a"), next(&broker, "%LMQ%b")), (None, Some(2)));
    assert_eq!(broker.tables.offsets.find("g", "%LMQ%a", 0), None);
    close(broker);
    // Where light queues are not served they are ordinary names, and nothing goes into them.
    let broker = try_open(&disk, &clock, testing::config()).unwrap();
    put(&broker, TOPIC, QUEUE, BOTH, "body");
    assert_eq!((next(&broker, "%LMQ%b"), broker.tables.topics.find("%LMQ%b").is_none()), (Some(2), true));
    close(broker);
}

#[test]
fn a_send_is_refused_in_words() {
    let (disk, clock) = (SimDisk::new(3).disk(), Clock::manual(NOW_MS));
    let broker = try_open(&disk, &clock, config()).unwrap();
    let config = config();
    let refused = |names: &str| asked(&config, TOPIC, Some(names)).unwrap_err().to_string();
    assert!(refused("%LMQ%a,Other").contains("names \"Other\""));
    assert_eq!(asked(&config, TOPIC, Some("%LMQ%a,")), Ok(Some(("%LMQ%a,", light_property_bytes(1)))));
    assert_eq!(asked(&config, TOPIC, Some(" ")), Ok(None));
    assert_eq!(asked(&config, TOPIC, None), Ok(None));
    for topic in ["%RETRY%g", "rmq_sys_x", names::DELAY_TOPIC, names::HALF_TOPIC] {
        assert_eq!(asked(&config, topic, Some("Other")), Ok(None), "{topic}");
    }
    assert_eq!(asked(&testing::config(), TOPIC, Some("Other")), Ok(None));

    assert_eq!(reserve(&broker.store, &config, &["%LMQ%a,%LMQ%b", "%LMQ%b,%LMQ%c"]), Ok(()));
    let full = reserve(&broker.store, &config, &["%LMQ%a,%LMQ%d"]).unwrap_err();
    assert_eq!(full.code(), 1);
    assert!(full.to_string().contains("there are 3 light queues, and no more than 3 may be"));
    let config = BrokerConfig { light_queues_quota: false, ..config };
    assert_eq!(reserve(&broker.store, &config, &["%LMQ%a,%LMQ%d"]), Ok(()));
    close(broker);
}
