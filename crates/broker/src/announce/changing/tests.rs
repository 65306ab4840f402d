//! Is every change that was answered there after a crash at any write, after damage to any file, on a full disk?

use super::*;
use crate::saving;
use crate::settings::{BrokerConfig, FlushDiskType};
use crate::tables::changes;
use crate::testing::{self, NOW_MS, try_open};
use crate::verify_tables;
use fastrand::Rng;
use roxmq_env::clock::Clock;
use roxmq_env::disk::{Fault, SimDisk};
use roxmq_protocol::body::{MessageRequestMode, SetMessageRequestModeRequestBody, SubscriptionGroupConfig, TopicConfig};
use roxmq_store::verify::Report;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What can be asked of the tables, as text, by what it is about.
type Seen = BTreeMap<String, String>;

/// Values of each thing: the one that was answered last, and those asked for since.
type Expected = BTreeMap<String, Vec<String>>;

const NAMES: [&str; 3] = ["a", "b", "c"];

fn config() -> BrokerConfig {
    BrokerConfig { flush_disk_type: FlushDiskType::SyncFlush, ..testing::config() }
}

fn file(name: &str) -> PathBuf {
    config().store_root.join("config").join(name)
}

fn seen(broker: &Broker) -> Seen {
    let mut seen = Seen::new();
    for name in NAMES {
        seen.insert(format!("topic {name}"), broker.tables.topics.find(name).map_or(0, |topic| topic.read_queue_nums).to_string());
        let group = broker.tables.groups.find(name);
        seen.insert(format!("group {name}"), group.map_or(0, |group| group.retry_max_times).to_string());
        for topic in NAMES {
            seen.insert(format!("read {name} {topic}"), broker.tables.groups.may_read(name, topic).to_string());
            let mode = broker.tables.request_modes.find(topic, name).map(|mode| mode.pop_share_queue_num);
            seen.insert(format!("mode {name} {topic}"), format!("{mode:?}"));
        }
    }
    seen
}

fn change(broker: &Broker, number: i32, random: &mut Rng) {
    let (name, other) = (NAMES[random.usize(..3)], NAMES[random.usize(..3)]);
    match random.u8(..9) {
        0..=2 => drop(broker.tables.topics.put(TopicConfig { topic_name: name.into(), read_queue_nums: number, ..TopicConfig::default() })),
        3 => drop(broker.tables.topics.remove(name)),
        4 => broker.tables.groups.put(SubscriptionGroupConfig { group_name: name.into(), retry_max_times: number, ..Default::default() }),
        5 => drop(broker.tables.groups.remove(name)),
        6 => broker.tables.groups.set_readable(name, other, random.bool()),
        7 => broker.tables.request_modes.put(SetMessageRequestModeRequestBody {
            topic: other.into(),
            consumer_group: name.into(),
            mode: MessageRequestMode::Pull,
            pop_share_queue_num: number,
        }),
        _ if random.bool() => broker.tables.request_modes.forget_topic(other),
        _ => broker.tables.request_modes.forget_group(name),
    }
}

/// Changes things until `count` is reached or the disk fails.
fn run(broker: &Broker, clock: &Clock, count: i32, expected: &mut Expected, random: &mut Rng) {
    for number in 1..=count {
        change(broker, number, random);
        for (what, value) in seen(broker) {
            let values = expected.entry(what).or_default();
            if values.last() != Some(&value) {
                values.push(value);
            }
        }
        match random.u8(..8) {
            0 => {}
            1 => {
                clock.advance(Duration::from_secs(61));
                saving::save_tables(broker);
            }
            _ => match sync(broker) {
                Ok(()) => expected.values_mut().for_each(|values| drop(values.drain(..values.len() - 1))),
                Err(_) => return,
            },
        }
    }
}

fn check(broker: &Broker, expected: &Expected, what: &str) {
    for (name, value) in seen(broker) {
        let values = expected.get(&name);
        assert!(values.is_none_or(|values| values.contains(&value)), "{what}: {name} is {value}, not one of {values:?}");
    }
}

/// Cuts the power, or lets a call fail, at operation `at`. How many operations there were, and what was found.
fn harmed_at(at: Option<u64>, fault: Fault, seed: u64) -> u64 {
    let (sim, clock, mut random) = (SimDisk::new(seed), Clock::manual(NOW_MS), Rng::with_seed(seed));
    at.into_iter().for_each(|at| sim.fail_at(at, fault));
    let mut expected = Expected::new();
    let what = format!("{fault:?} at {at:?}, seed {seed}");
    for _ in 0..2 {
        match try_open(&sim.disk(), &clock, config()) {
            Ok(broker) => {
                check(&broker, &expected, &what);
                // Before the first change there is nothing.
                seen(&broker).into_iter().for_each(|(what, value)| drop(expected.insert(what, vec![value])));
                run(&broker, &clock, 12, &mut expected, &mut random);
                match random.bool() {
                    true => testing::close(broker),
                    false => broker.pool.stop(),
                }
            }
            Err(error) => assert!(at.is_some(), "{what}: {error}"),
        }
        sim.crash();
    }
    let operations = sim.operations();
    sim.clear_faults();
    check(&try_open(&sim.disk(), &clock, config()).unwrap(), &expected, &what);
    operations
}

#[test]
fn what_was_answered_is_there_wherever_the_power_goes_or_a_call_fails() {
    for seed in 0..3 {
        for at in 0..harmed_at(None, Fault::PowerCut, seed) {
            for fault in [Fault::PowerCut, Fault::Io, Fault::NoSpace] {
                harmed_at(Some(at), fault, seed);
            }
        }
    }
}

/// A folder as a killed broker leaves it.
fn killed(seed: u64) -> (SimDisk, Clock, Expected) {
    let (sim, clock, mut random) = (SimDisk::new(seed), Clock::manual(NOW_MS), Rng::with_seed(seed));
    let mut expected = Expected::new();
    let broker = try_open(&sim.disk(), &clock, config()).unwrap();
    saving::save_tables(&broker);
    run(&broker, &clock, 40, &mut expected, &mut random);
    sync(&broker).unwrap();
    seen(&broker).into_iter().for_each(|(what, value)| drop(expected.insert(what, vec![value])));
    broker.pool.stop();
    sim.kill();
    (sim, clock, expected)
}

fn problems(sim: &SimDisk) -> Vec<String> {
    let mut report = Report::default();
    verify_tables(&sim.disk(), &config().store_root, &mut report).unwrap();
    report.problems.iter().map(|problem| problem.file.display().to_string()).collect()
}

#[test]
fn a_damaged_table_costs_nothing_and_damage_to_the_journal_is_named() {
    for seed in 0..20 {
        for name in ["topics.json", "topics.json.bak", "subscriptionGroup.json", "messageRequestMode.json"] {
            let (sim, clock, expected) = killed(seed);
            if sim.disk().read(&file(name)).unwrap().is_none() {
                continue;
            }
            sim.flip(&file(name), 9, 4);
            assert_eq!(problems(&sim), [format!("config/{name}")], "seed {seed}");
            let broker = try_open(&sim.disk(), &clock, config()).unwrap();
            check(&broker, &expected, &format!("{name} is damaged, seed {seed}"));
            testing::close(broker);
            assert!(problems(&sim).is_empty(), "seed {seed}: it is written again");
            check(&try_open(&sim.disk(), &clock, config()).unwrap(), &expected, "after a stop");
        }
        let (sim, clock, expected) = killed(seed);
        let end = changes::read(&sim.disk().read(&file("changes.log")).unwrap().unwrap()).end;
        sim.flip(&file("changes.log"), Rng::with_seed(seed).usize(..end), 4);
        assert!(problems(&sim).iter().all(|file| file == "config/changes.log") && !problems(&sim).is_empty(), "seed {seed}");
        let broker = try_open(&sim.disk(), &clock, config()).unwrap();
        let differ = seen(&broker).iter().filter(|(what, value)| expected[*what][0] != **value).count();
        // A group or a mode may be named with each topic.
        assert!(differ <= 1 + NAMES.len(), "seed {seed}: {differ} things differ by one change");
        testing::close(broker);
        assert!(problems(&sim).is_empty(), "seed {seed}");
        assert!(sim.disk().read(&file("changes.log")).unwrap().is_none(), "a clean stop leaves no journal");
    }
}

#[test]
fn more_than_the_journal_holds_is_in_the_tables() {
    let (sim, clock) = (SimDisk::new(1), Clock::manual(NOW_MS));
    let broker = try_open(&sim.disk(), &clock, config()).unwrap();
    for round in 0..2 {
        (0..900).for_each(|number| {
            broker.tables.topics.put(TopicConfig {
                topic_name: format!("many-{number}"),
                read_queue_nums: round + 1,
                ..TopicConfig::default()
            });
        });
        sync(&broker).unwrap();
        broker.tables.topics.put(TopicConfig { topic_name: "many-0".into(), read_queue_nums: round + 7, ..TopicConfig::default() });
        sync(&broker).unwrap();
    }
    broker.pool.stop();
    sim.crash();
    sim.flip(&file("topics.json"), 9, 4);
    let broker = try_open(&sim.disk(), &clock, config()).unwrap();
    let queues = |number: i32| broker.tables.topics.find(&format!("many-{number}")).map(|topic| topic.read_queue_nums);
    assert_eq!((queues(0), queues(1), queues(899)), (Some(8), Some(2), Some(2)));
}

#[test]
fn the_journal_is_tended_when_something_changed_or_it_is_old() {
    let (sim, clock) = (SimDisk::new(1), Clock::manual(NOW_MS));
    let broker = try_open(&sim.disk(), &clock, config()).unwrap();
    saving::save_tables(&broker);
    assert!(!saving::needs_maintenance(&broker));
    broker.tables.topics.put(TopicConfig { topic_name: "a".into(), ..TopicConfig::default() });
    assert!(saving::needs_maintenance(&broker), "a change that no request waits for");
    saving::save_tables(&broker);
    assert!(!saving::needs_maintenance(&broker));
    clock.advance(Duration::from_secs(86_400));
    assert!(saving::needs_maintenance(&broker), "the tables are to be saved now and then");
    saving::save_tables(&broker);
    assert!(!saving::needs_maintenance(&broker));
    testing::close(broker);
}

#[test]
fn a_full_disk_is_a_state_and_another_error_is_the_end() {
    let (sim, clock) = (SimDisk::new(1), Clock::manual(NOW_MS));
    let broker = try_open(&sim.disk(), &clock, config()).unwrap();
    sim.set_capacity(Some(sim.used()));
    broker.tables.topics.put(TopicConfig { topic_name: "a".into(), ..TopicConfig::default() });
    assert!(matches!(sync(&broker), Err(Refusal::DiskFull(_))));
    saving::save_tables(&broker);
    assert!(matches!(sync(&broker), Err(Refusal::DiskFull(_))), "no answer comes before it is durable");
    sim.set_capacity(None);
    sync(&broker).unwrap();
    sim.set_capacity(Some(sim.used()));
    broker.tables.topics.put(TopicConfig { topic_name: "b".into(), ..TopicConfig::default() });
    sync(&broker).unwrap();
    assert_eq!(broker.store.fenced(), None, "the journal has room where the disk has none");
    sim.fail_at(sim.operations() + 1, Fault::Io);
    broker.tables.topics.put(TopicConfig { topic_name: "c".into(), ..TopicConfig::default() });
    assert!(matches!(sync(&broker), Err(Refusal::Fenced(_))));
    assert!(broker.store.fenced().is_some_and(|why| why.contains("changes of topics")));
    broker.tables.groups.put(SubscriptionGroupConfig { group_name: "g".into(), ..Default::default() });
    assert!(matches!(sync(&broker), Err(Refusal::Fenced(_))), "and nothing is written any more");
}

#[test]
fn a_topic_that_a_start_found_is_there_after_a_crash() {
    let mut found = 0;
    for (seed, at) in (0..8).flat_map(|seed| (0..16).map(move |at| (seed, at))) {
        let (sim, clock) = (SimDisk::new(seed), Clock::manual(NOW_MS));
        let broker = try_open(&sim.disk(), &clock, config()).unwrap();
        sync(&broker).unwrap();
        broker.tables.topics.put(TopicConfig { topic_name: "a".into(), ..TopicConfig::default() });
        // Its table is written, and perhaps not durable.
        sim.fail_at(sim.operations() + at, Fault::NoSpace);
        saving::save_tables(&broker);
        drop(broker);
        sim.kill();
        sim.clear_faults();
        let broker = try_open(&sim.disk(), &clock, config()).unwrap();
        let is_found = broker.tables.topics.find("a").is_some();
        drop(broker);
        sim.crash();
        let broker = try_open(&sim.disk(), &clock, config()).unwrap();
        assert!(!is_found || broker.tables.topics.find("a").is_some(), "seed {seed}, operation {at}");
        found += u32::from(is_found);
    }
    assert!(found > 0);
}
