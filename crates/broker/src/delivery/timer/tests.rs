use crate::broker::Broker;
use crate::delivery::timer::deliver_due;
use crate::error::Refusal;
use crate::names::TIMER_TOPIC;
use crate::requests::timers::recall_message;
use crate::settings::BrokerConfig;
use crate::testing::{NOW_MS, QUEUE, TOPIC, close, delivered, open, put};
use crate::waiting::redraft::timed_properties;
use crate::waiting::timer::due_queue::{DueQueue, NOTHING_DONE, Timer};
use crate::waiting::timer::handle::{Handle, handle};
use crate::waiting::timer::hours::HOUR_MS;
use crate::waiting::timer::times::Times;
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::properties::Properties;
use roxmq_protocol::time::Timestamp;
use std::time::Duration;

const CONFIG_MAX_MS: i64 = 34_560_000_000;

fn wait(broker: &Broker, due_ms: i64, body: &str) {
    let (now, due) = (Timestamp(broker.clock.now_ms()), Timestamp(due_ms));
    let properties = timed_properties(&format!("UNIQ_KEY\u{1}{body}\u{2}"), TOPIC, QUEUE, due);
    put(broker, TIMER_TOPIC, broker.waiting.timers.queue_of(due, now), &properties, body);
    broker.waiting.timers.arrived(TOPIC, due);
}

fn ms(ms: i64) -> Duration {
    Duration::from_millis(ms as u64)
}

#[test]
fn times_that_are_asked_for() {
    let config = BrokerConfig::default();
    let now = Timestamp(NOW_MS);
    let at = |after_ms| Ok(Some(now.plus_ms(after_ms)));
    let times = |text: &'static str| Times::of(Properties::new(text)).due(now, &config);
    let far = format!("TIMER_DELIVER_MS\u{1}{}", now.plus_ms(CONFIG_MAX_MS));
    let too_far = format!("TIMER_DELIVER_MS\u{1}{}", now.plus_ms(CONFIG_MAX_MS + 1));
    assert_eq!(times(""), Ok(None));
    assert_eq!(times("TIMER_DELAY_SEC\u{1}3\u{2}"), at(3000));
    assert_eq!(times("TIMER_DELAY_MS\u{1}3\u{2}TIMER_DELIVER_MS\u{1}1\u{2}"), at(3));
    assert_eq!(times("TIMER_DELIVER_MS\u{1}1\u{2}TIMER_DELAY_MS\u{1}9\u{2}TIMER_DELAY_SEC\u{1} 1 \u{2}"), at(1000));
    assert_eq!(times("TIMER_DELIVER_MS\u{1}1\u{2}"), Ok(None), "the past is now");
    assert_eq!(times("TIMER_DELAY_SEC\u{1}-1\u{2}"), Ok(None));
    assert_eq!(times("TIMER_DELAY_SEC\u{1}3\u{2}TIMER_OUT_MS\u{1}1\u{2}"), Ok(None), "it has waited already");
    assert_eq!(Times::of(Properties::new(&far)).due(now, &config), at(CONFIG_MAX_MS));
    assert!(Times::of(Properties::new(&too_far)).due(now, &config).is_err());
    for bad in ["TIMER_DELAY_SEC\u{1} \u{2}", "TIMER_DELAY_MS\u{1}soon\u{2}", "TIMER_DELAY_SEC\u{1}9223372036854775807\u{2}"] {
        assert!(matches!(times(bad), Err(Refusal::TimerIllegal { .. })), "{bad}");
    }
    let off = BrokerConfig { timer: false, ..BrokerConfig::default() };
    assert!(matches!(Times::of(Properties::new("TIMER_DELAY_SEC\u{1}3\u{2}")).due(now, &off), Err(Refusal::Failed(_))));
}

/// A producer's property of the broker's own name, by which copies of one message are known to be the same.
#[test]
fn no_producer_says_which_message_its_own_is_a_copy_of() {
    let (disk, clock) = (SimDisk::new(2).disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    let due = Timestamp(NOW_MS + 1000);
    let send = |given: &str, body: &str| {
        put(
            &broker,
            TIMER_TOPIC,
            broker.waiting.timers.queue_of(due, Timestamp(NOW_MS)),
            &timed_properties(given, TOPIC, QUEUE, due),
            body,
        );
        broker.waiting.timers.arrived(TOPIC, due);
    };
    send("", "first");
    for (n, origin) in ["x", "1.5", " 1", "99999999999999999999", "5", "5", "0"].into_iter().enumerate() {
        send(&format!("TIMER_ORIGIN\u{1}{origin}\u{2}"), &format!("{n}"));
    }
    // As an older version stored it.
    let unreadable = format!("{}TIMER_ORIGIN\u{1}x\u{2}", timed_properties("", TOPIC, QUEUE, due));
    put(&broker, TIMER_TOPIC, broker.waiting.timers.queue_of(due, Timestamp(NOW_MS)), &unreadable, "unreadable");
    broker.waiting.timers.arrived(TOPIC, due);
    clock.advance(ms(1000));
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["first", "0", "1", "2", "3", "4", "5", "6", "unreadable"]);
    assert_eq!(broker.waiting.timers.waiting_count(), 0);
}

#[test]
fn a_clock_that_went_back_hides_nothing_and_repeats_nothing() {
    let disk = SimDisk::new(1).disk();
    let at = |ms: i64| Clock::manual(NOW_MS + ms);
    let day = 24 * HOUR_MS;
    let broker = open(&disk, &at(0));
    wait(&broker, NOW_MS + 5 * day, "ahead");
    wait(&broker, NOW_MS + 5000, "soon");
    close(broker);
    let broker = open(&disk, &at(5 * day));
    wait(&broker, NOW_MS + 5 * day + 1, "later");
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["soon", "ahead"]);
    close(broker);
    // Back again: what is due now was not looked at when its time was over before.
    let clock = at(1000);
    let broker = open(&disk, &clock);
    wait(&broker, NOW_MS + 2000, "first");
    wait(&broker, NOW_MS + 9000, "second");
    deliver_due(&broker);
    clock.advance(ms(1000));
    deliver_due(&broker);
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["soon", "ahead", "first"]);
    close(broker);
    let broker = open(&disk, &at(10_000));
    deliver_due(&broker);
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["soon", "ahead", "first", "second"]);
    close(broker);
    let broker = open(&disk, &at(5 * day + 1));
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["soon", "ahead", "first", "second", "later"]);
}

#[test]
fn what_a_clock_that_was_ahead_delivered_is_known_over_two_starts() {
    let disk = SimDisk::new(1).disk();
    let at = |ms: i64| Clock::manual(NOW_MS + ms);
    let broker = open(&disk, &at(0));
    wait(&broker, NOW_MS + 5000, "once");
    deliver_due(&broker);
    close(broker);
    // It is delivered, and the broker dies before it writes that down.
    let broker = open(&disk, &at(9000));
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["once"]);
    drop(broker);
    for ms in [1000, 2000, 6000, 7000] {
        let broker = open(&disk, &at(ms));
        deliver_due(&broker);
        deliver_due(&broker);
        assert_eq!(delivered(&broker), ["once"], "at {ms}");
        close(broker);
    }
}

#[test]
fn never_early_in_order_and_once_over_restarts() {
    let (disk, clock) = (SimDisk::new(1).disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    let hour = HOUR_MS;
    let times = [5 * hour, 1, 2 * hour + 7, 400 * 24 * hour, 2 * hour + 7, 1, 30 * 24 * hour];
    for (number, after) in times.iter().enumerate() {
        wait(&broker, NOW_MS + after, &format!("{number}"));
    }
    deliver_due(&broker);
    assert_eq!(delivered(&broker), [""; 0]);
    assert_eq!(broker.waiting.timers.waiting_count(), 7);
    clock.advance(ms(1));
    assert_eq!(deliver_due(&broker), None, "the next is in another hour");
    assert_eq!(delivered(&broker), ["1", "5"]);
    clock.advance(ms(2 * hour + 5));
    assert_eq!(deliver_due(&broker), Some(Timestamp(NOW_MS + 2 * hour + 7)));
    assert_eq!(delivered(&broker).len(), 2);
    close(broker);

    let broker = open(&disk, &clock);
    clock.advance(ms(1));
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["1", "5", "2", "4"]);
    close(broker);
    clock.advance(ms(399 * 24 * hour));
    let broker = open(&disk, &clock);
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["1", "5", "2", "4", "0", "6"]);
    clock.advance(ms(24 * hour));
    deliver_due(&broker);
    assert_eq!(delivered(&broker).last().map(String::as_str), Some("3"));
    close(broker);
}

#[test]
fn messages_that_arrive_after_the_first_round_are_delivered() {
    let (disk, clock) = (SimDisk::new(4).disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    deliver_due(&broker);
    wait(&broker, NOW_MS + 3, "first");
    clock.advance(ms(3));
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["first"]);
    wait(&broker, NOW_MS + 3, "late when it was stored");
    wait(&broker, NOW_MS + 3 * HOUR_MS, "hours later");
    clock.advance(ms(3 * HOUR_MS));
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["first", "late when it was stored", "hours later"]);
    close(broker);
}

#[test]
fn a_lost_file_delivers_nothing_again() {
    let sim = SimDisk::new(2);
    let (disk, clock) = (sim.disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    for number in 0..500 {
        wait(&broker, NOW_MS + number * 60_000, &format!("{number}"));
    }
    clock.advance(ms(250 * 60_000));
    deliver_due(&broker);
    let before = delivered(&broker);
    assert_eq!(before.len(), 251);
    let file = broker.config().store_root.join("config/timers.json");
    close(broker);
    disk.remove(&file).unwrap();
    let broker = open(&disk, &clock);
    deliver_due(&broker);
    assert_eq!(delivered(&broker), before);
    clock.advance(ms(250 * 60_000));
    deliver_due(&broker);
    assert_eq!(delivered(&broker).len(), 500);
    close(broker);
}

#[test]
fn a_recalled_message_is_not_delivered() {
    let (disk, clock) = (SimDisk::new(3).disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    for (body, after) in [("soon", 1000), ("kept", 1000), ("far", 50 * HOUR_MS), ("far and kept", 50 * HOUR_MS)] {
        wait(&broker, NOW_MS + after, body);
    }
    let recall = |broker: &Broker, body: &str, due_ms: i64| {
        let handle = Handle::parse(&handle("any", TOPIC, Timestamp(due_ms), body)).unwrap();
        recall_message(broker, &handle, Timestamp(broker.clock.now_ms()))
    };
    assert_eq!(recall(&broker, "soon", NOW_MS + 1000), Ok(()));
    assert_eq!(recall(&broker, "far", NOW_MS + 50 * HOUR_MS), Ok(()));
    assert!(recall(&broker, "soon", NOW_MS + 1000).is_err(), "twice");
    assert!(recall(&broker, "kept", NOW_MS + 1001).is_err(), "another time");
    assert!(recall(&broker, "unknown", NOW_MS + 1000).is_err());
    assert_eq!(broker.waiting.timers.waiting_count(), 2);
    clock.advance(ms(1000));
    deliver_due(&broker);
    assert!(recall(&broker, "kept", NOW_MS + 1000).is_err(), "it was delivered");
    close(broker);
    let broker = open(&disk, &clock);
    clock.advance(ms(60 * HOUR_MS));
    deliver_due(&broker);
    assert_eq!(delivered(&broker), ["kept", "far and kept"]);
    close(broker);
}

#[test]
fn handles_are_what_java_writes() {
    let text = handle("broker-a", "Orders", Timestamp(1_800_000_000_001), "7F0000010BAD18B4AAC2");
    assert_eq!(text, "djEgT3JkZXJzIGJyb2tlci1hIDE4MDAwMDAwMDAwMDEgN0YwMDAwMDEwQkFEMThCNEFBQzI=");
    let parsed = Handle::parse(&text).unwrap();
    assert_eq!((&*parsed.topic, &*parsed.broker, parsed.due), ("Orders", "broker-a", Timestamp(1_800_000_000_001)));
    assert!(Handle::parse(text.trim_end_matches('=')).is_some());
    for bad in ["", "x", "####", "djEgT3JkZXJz", "djIgT3JkZXJzIGJyb2tlci1hIDE4MDAwMDAwMDAwMDEgN0YwMDAwMDEwQkFEMThCNEFBQzI="] {
        assert!(Handle::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn the_nearest_are_in_memory_and_the_others_are_read_again() {
    let mut queue = DueQueue::with_room(NOTHING_DONE, 8);
    for origin in 0..100 {
        queue.take(Timer { due: Timestamp(1000 - origin), origin: LogOffset(origin) }, LogOffset(origin));
        assert!(queue.near_count() <= 8, "{origin}");
    }
    assert_eq!(queue.next_due(), Some(Timestamp(901)));
}
