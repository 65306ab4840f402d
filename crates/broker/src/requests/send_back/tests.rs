use super::*;
use crate::testing::{NOW_MS, QUEUE, TOPIC, close, open, put};
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_protocol::body::SubscriptionGroupConfig;

#[test]
fn a_message_that_is_sent_back_again_still_names_its_first_place() {
    let broker = open(&SimDisk::new(5).disk(), &Clock::manual(NOW_MS));
    let first = put(&broker, TOPIC, QUEUE, "WAIT\u{1}true\u{2}colour\u{1}red\u{2}", "body");
    let bytes = broker.store.message_at(first.log_offset).unwrap();
    let (record, _) = Record::parse(&bytes).unwrap();
    let once = sent_back(&record);
    let id = record.message_id().to_string();
    let seen = [name::RETRY_TOPIC, name::ORIGIN_MESSAGE_ID, name::WAIT, "colour"].map(|name| once.find(name).map(str::to_owned));
    let expected = [TOPIC, &id, "false", "red"].map(|value| Some(value.to_owned()));
    assert_eq!(seen, expected);

    let second = put(&broker, "%RETRY%group", 0, once.as_str(), "body");
    let bytes = broker.store.message_at(second.log_offset).unwrap();
    let (record, _) = Record::parse(&bytes).unwrap();
    assert_ne!(record.message_id().to_string(), id);
    assert_eq!(sent_back(&record).as_str(), once.as_str());
    close(broker);
}

#[test]
fn a_group_is_made_by_sending_back_a_message_unless_its_name_is_invalid() {
    let broker = open(&SimDisk::new(6).disk(), &Clock::manual(NOW_MS));
    assert_eq!(group_of(&broker, "fresh").unwrap().retry_max_times, 16);
    assert!(broker.tables.groups.find("fresh").is_some());
    for none in ["", "a b", "a$b"] {
        assert_eq!(group_of(&broker, none).unwrap_err().code(), 26, "{none}");
    }
    close(broker);
}

#[test]
fn a_retry_goes_to_a_queue_that_its_topic_has_also_after_a_crash() {
    let (sim, clock) = (SimDisk::new(6), Clock::manual(NOW_MS));
    let broker = open(&sim.disk(), &clock);
    let group = |queues: i32| SubscriptionGroupConfig {
        group_name: "group".into(),
        retry_queue_nums: queues,
        ..SubscriptionGroupConfig::default()
    };
    let offset = put(&broker, TOPIC, QUEUE, "", "body").log_offset.0;
    let request = request::ConsumerSendBack {
        offset,
        group: "group".into(),
        delay_level: 1,
        origin_msg_id: None,
        origin_topic: None,
        unit_mode: None,
        max_reconsume_times: None,
    };
    broker.tables.groups.put(group(3));
    retry_or_dead_letter(&broker, &request, 0, broker.identity.advertised).unwrap();
    drop(broker);
    sim.crash();
    let broker = open(&sim.disk(), &clock);
    assert_eq!(broker.tables.topics.find("%RETRY%group").map(|topic| topic.read_queue_nums), Some(3));
    broker.tables.groups.put(group(9));
    for _ in 0..20 {
        retry_or_dead_letter(&broker, &request, 0, broker.identity.advertised).unwrap();
    }
    clock.advance(std::time::Duration::from_secs(1));
    crate::delivery::delay::deliver_due(&broker);
    assert!(broker.store.queues().iter().all(|(topic, queue_id)| topic != "%RETRY%group" || *queue_id < 3));
    close(broker);
}
