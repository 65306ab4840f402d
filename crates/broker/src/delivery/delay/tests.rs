use super::*;
use crate::testing::{self, NOW_MS, QUEUE, close, delivered, open, put};
use crate::waiting::redraft::waiting_properties;
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;

#[test]
fn never_early_once_each_and_in_order_over_restarts() {
    let (disk, clock) = (SimDisk::new(3).disk(), Clock::manual(NOW_MS));
    let wait = |broker: &Broker, level: i32, body: &str| {
        let properties = waiting_properties(&format!("DELAY\u{1}{level}\u{2}"), testing::TOPIC, QUEUE);
        put(broker, names::DELAY_TOPIC, DelayLevel(level).queue_id(), &properties, body);
    };
    let broker = open(&disk, &clock);
    wait(&broker, 2, "5 s");
    wait(&broker, 3, "10 s");
    wait(&broker, 1, "1 s");
    clock.advance(Duration::from_millis(999));
    deliver_due(&broker);
    assert_eq!(delivered(&broker), Vec::<String>::new());
    clock.advance(Duration::from_millis(1));
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["1 s"]);
    wait(&broker, 2, "5 s later");
    clock.advance(Duration::from_millis(4000));
    deliver_due(&broker);
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["1 s", "5 s"]);
    close(broker);

    let broker = open(&disk, &clock);
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["1 s", "5 s"]);
    clock.advance(Duration::from_secs(3600));
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["1 s", "5 s", "5 s later", "10 s"]);
    close(broker);
}

#[test]
fn anything_waits_says_so_as_soon_as_it_does() {
    let (disk, clock) = (SimDisk::new(5).disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    let mut waits = anything_waits();
    assert_eq!([waits(&broker), waits(&broker)], [false, false]);
    put(&broker, testing::TOPIC, QUEUE, "", "at once");
    assert_eq!([waits(&broker), waits(&broker)], [false, false]);
    let properties = waiting_properties("DELAY\u{1}1\u{2}", testing::TOPIC, QUEUE);
    put(&broker, names::DELAY_TOPIC, DelayLevel(1).queue_id(), &properties, "1 s");
    assert_eq!([waits(&broker), waits(&broker)], [true, true]);
    clock.advance(Duration::from_secs(1));
    deliver_due(&broker);
    assert!(!waits(&broker));
    close(broker);
}

#[test]
fn a_delivered_message_says_how_long_it_waited() {
    let (disk, clock) = (SimDisk::new(4).disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    let properties = waiting_properties("colour\u{1}red\u{2}DELAY\u{1}1\u{2}", testing::TOPIC, QUEUE);
    put(&broker, names::DELAY_TOPIC, DelayLevel(1).queue_id(), &properties, "body");
    clock.advance(Duration::from_secs(1));
    deliver_due(&broker);
    let mut bytes = Vec::new();
    broker.store.read(
        &ReadRequest { topic: testing::TOPIC, queue_id: QUEUE, from: QueueOffset(0), limits: AT_ONCE },
        Filter::ALL,
        &mut bytes,
    );
    assert_eq!(records(&bytes).next().unwrap().unwrap().properties, properties);
    close(broker);
}
