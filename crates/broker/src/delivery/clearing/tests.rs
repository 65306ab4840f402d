use super::*;
use crate::names::{self, TIMER_TOPIC};
use crate::settings::BrokerConfig;
use crate::testing::{self, NOW_MS, QUEUE, TOPIC, close, delivered, put, try_open, try_put};
use crate::waiting::delay::levels::DelayLevel;
use crate::waiting::redraft;
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_protocol::time::Timestamp;
use std::path::Path;

const DAY_MS: i64 = 86_400_000;
const RESERVE_BYTES: u64 = 48 << 10;

fn days(days: i64) -> Duration {
    Duration::from_millis((days * DAY_MS) as u64)
}

fn wait(broker: &Broker, after_days: i64, body: &str) {
    let now = Timestamp(broker.clock.now_ms());
    let due = now.plus_ms(after_days * DAY_MS);
    let properties = redraft::timed_properties(&format!("UNIQ_KEY\u{1}{body}\u{2}"), TOPIC, QUEUE, due);
    put(broker, TIMER_TOPIC, broker.waiting.timers.queue_of(due, now), &properties, body);
}

#[test]
fn a_full_disk_with_far_timers_makes_room() {
    let (sim, clock) = (SimDisk::new(1), Clock::manual(NOW_MS));
    let config = BrokerConfig { disk_reserve_bytes: RESERVE_BYTES, ..testing::config() };
    let broker = Arc::new(try_open(&sim.disk(), &clock, config).unwrap());
    watch(&broker);
    for n in 0..30 {
        wait(&broker, 40, &format!("{n:02}"));
        put(&broker, TOPIC, QUEUE + 1, "", &"x".repeat(10_000));
    }
    clock.advance(days(5));
    let space = sim.disk().space(Path::new("/")).unwrap();
    // Less room is left than the reserve.
    sim.set_capacity(Some(space.total - space.free + RESERVE_BYTES - 4096));
    broker.store.tick();
    assert!(broker.store.disk_full());
    assert!(try_put(&broker, TOPIC, QUEUE + 1, "", "refused").is_err());
    // As the threads do it: the store asks, the broker clears, the store asks again.
    for _ in 0..100 {
        clear(&broker);
        broker.store.tick();
    }
    assert!(!broker.store.disk_full(), "the oldest part was deleted");
    assert!(broker.store.min_log_offset() > LogOffset(0));
    put(&broker, TOPIC, QUEUE + 1, "", "taken again");
    sim.set_capacity(None);
    clock.advance(days(40));
    crate::delivery::timer::deliver_due(&broker);
    assert_eq!(delivered(&broker), (0..30).map(|n| format!("{n:02}")).collect::<Vec<_>>(), "no waiting message is lost");
    close(Arc::into_inner(broker).unwrap());
}

#[test]
fn unreadable_messages_are_not_taken_for_delivered_and_not_deleted() {
    let (sim, clock) = (SimDisk::new(1), Clock::manual(NOW_MS));
    let open = || try_open(&sim.disk(), &clock, testing::config()).unwrap();
    let broker = open();
    wait(&broker, 1, "tomorrow");
    wait(&broker, 40, "far");
    let delayed = redraft::waiting_properties("DELAY\u{1}18\u{2}", TOPIC, QUEUE);
    put(&broker, names::DELAY_TOPIC, DelayLevel(18).queue_id(), &delayed, "in 2 h");
    for _ in 0..40 {
        put(&broker, TOPIC, QUEUE + 1, "", &"x".repeat(1000));
    }
    close(broker);
    let broker = Arc::new(open());
    watch(&broker);
    let first = broker.config().store_root.join("commitlog/00000000000000000000");
    sim.forbid(&first);
    clock.advance(days(5));
    crate::delivery::timer::deliver_due(&broker);
    crate::delivery::delay::deliver_due(&broker);
    let housekeeping = || {
        for _ in 0..5 {
            clock.advance(Duration::from_secs(60));
            broker.store.tick();
            clear(&broker);
        }
    };
    housekeeping();
    assert_eq!(broker.store.min_log_offset(), LogOffset(0), "it is retained");
    assert_eq!(delivered(&broker), Vec::<String>::new());
    sim.allow(&first);
    crate::delivery::timer::deliver_due(&broker);
    crate::delivery::delay::deliver_due(&broker);
    let mut there = delivered(&broker);
    there.sort();
    assert_eq!(there, ["in 2 h", "tomorrow"]);
    housekeeping();
    assert!(broker.store.min_log_offset() > LogOffset(0), "it is deleted once it is cleared");
    clock.advance(days(40));
    crate::delivery::timer::deliver_due(&broker);
    assert_eq!(delivered(&broker).len(), 3);
    close(Arc::into_inner(broker).unwrap());
}

#[test]
fn unreadable_messages_do_not_hold_up_a_deletion_for_ever() {
    let (sim, clock) = (SimDisk::new(1), Clock::manual(NOW_MS));
    let broker = try_open(&sim.disk(), &clock, testing::config()).unwrap();
    wait(&broker, 40, "far");
    for _ in 0..40 {
        put(&broker, TOPIC, QUEUE + 1, "", &"x".repeat(1000));
    }
    close(broker);
    let broker = Arc::new(try_open(&sim.disk(), &clock, testing::config()).unwrap());
    watch(&broker);
    sim.forbid(&broker.config().store_root.join("commitlog/00000000000000000000"));
    clock.advance(days(5));
    for _ in 0..4 {
        broker.store.tick();
        assert_eq!(clear(&broker), Outcome::NotCleared);
        clock.advance(Duration::from_secs(150));
    }
    broker.store.tick();
    assert_eq!(clear(&broker), Outcome::Cleared, "its messages are given up");
    close(Arc::into_inner(broker).unwrap());
}

#[test]
fn the_store_does_not_wait_and_is_refused_until_the_part_is_cleared() {
    let (sim, clock) = (SimDisk::new(1), Clock::manual(NOW_MS));
    let broker = Arc::new(try_open(&sim.disk(), &clock, testing::config()).unwrap());
    watch(&broker);
    wait(&broker, 40, "far");
    for _ in 0..40 {
        put(&broker, TOPIC, QUEUE + 1, "", &"x".repeat(1000));
    }
    clock.advance(days(5));
    let before = broker.store.watermarks().written();
    // A delivery is under way, and waits for the disk.
    let delivering = broker.waiting.timers.queue();
    broker.store.tick();
    assert_eq!(broker.store.min_log_offset(), LogOffset(0));
    assert_eq!(broker.store.watermarks().written(), before, "housekeeping appends nothing itself");
    drop(delivering);
    assert_eq!(clear(&broker), Outcome::Cleared);
    assert_eq!(clear(&broker), Outcome::NotCleared, "nothing else is asked for");
    broker.store.tick();
    assert!(broker.store.min_log_offset() > LogOffset(0));
    close(Arc::into_inner(broker).unwrap());
}
