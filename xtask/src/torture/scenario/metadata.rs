//! Are answered changes of topics, groups and offsets there after a power cut?
//!
//! Topics, groups and offsets are changed while the power goes: every start succeeds, and whatever was answered about a topic or a group is there.

use crate::rig::broker::Broker;
use crate::rig::client::Client;
use crate::torture::contract::{Options, Outcome};
use crate::torture::drive::Drive;
use crate::torture::small_store::{launch, tail};
use fastrand::Rng;
use roxmq_protocol::body::{SubscriptionGroupConfig, SubscriptionGroupWrapper, TopicConfigAndMappingSerializeWrapper};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::permission::Permission;
use roxmq_protocol::request::{AllGroupConfig, AllTopicConfig, QueryConsumerOffset, UpdateConsumerOffset, UpdateGroup, UpdateTopic};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// What one thing may be after a cut: from what was answered last up to what was asked for last.
#[derive(Clone, Debug, Default)]
struct Values {
    /// What it was at the last start, or was answered since.
    answered: i64,
    /// What was asked for last.
    asked: i64,
}

type Table = BTreeMap<String, Values>;

/// Changes tables and cuts the power.
pub fn power_cut(options: &Options) -> Result<Outcome, String> {
    let mut random = Rng::with_seed(options.seed);
    let mut launch = launch(options, "SYNC_FLUSH");
    launch.settings.push("mappedFileSizeCommitLog=524288".to_owned());
    let mut outcome = Outcome::default();
    let (mut changes, mut interrupted) = (0, 0);
    while outcome.cycles < options.cycles && outcome.violations.is_empty() {
        let drive = Drive::create(&options.folder, 64)?;
        let data = drive.path().join("data");
        let mut table = Table::new();
        for _ in 0..FOLDER_CYCLES.min(options.cycles - outcome.cycles) {
            let broker = Broker::start(&launch, &data).map_err(|error| format!("in cycle {}: {error}", outcome.cycles + 1))?;
            changes += change_and_cut(broker, &drive, &mut table, &mut random)?;
            drive.remount()?;
            if random.bool() {
                let broker = Broker::spawn(&launch, &data)?;
                std::thread::sleep(Duration::from_micros(random.u64(0..30_000)));
                drive.cut_power()?;
                broker.kill();
                drive.remount()?;
                interrupted += 1;
            }
            let started = Broker::start(&launch, &data);
            let broker = match started {
                Ok(broker) => broker,
                Err(error) => {
                    outcome.violations.push(format!("in cycle {}: {error}", outcome.cycles + 1));
                    break;
                }
            };
            compare(&broker, &mut table, &mut outcome)?;
            outcome.cycles += 1;
            if !outcome.violations.is_empty() {
                outcome.violations.push(format!("in cycle {}; {}\n{}", outcome.cycles, listed(&data), tail(&broker.logged())));
                break;
            }
            broker.kill();
        }
    }
    outcome.figures = vec![("changes answered", changes.to_string()), ("interrupted starts", interrupted.to_string())];
    Ok(outcome)
}

/// How many changes had been answered when the power went.
fn change_and_cut(broker: Broker, drive: &Drive, table: &mut Table, random: &mut Rng) -> Result<u64, String> {
    let mut client = broker.connect()?;
    let mut mine = std::mem::take(table);
    let mut choices = random.fork();
    let (sender, answered) = mpsc::channel();
    let rests = Arc::new(AtomicBool::new(false));
    let resting = Arc::clone(&rests);
    let changing = std::thread::spawn(move || {
        while !resting.load(Ordering::Relaxed) && change(&mut client, &mut mine, &mut choices).is_ok() {
            let _ = sender.send(());
        }
        mine
    });
    std::thread::sleep(Duration::from_millis(random.u64(1..90)));
    // Now and then nothing is changed for a while. (While changes go on, each one's sync makes durable what was forgotten before it.)
    if random.u8(..8) == 0 {
        rests.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(random.u64(1..200)));
    }
    drive.cut_power()?;
    broker.kill();
    *table = changing.join().map_err(|_| "the changes panicked".to_owned())?;
    Ok(answered.iter().count() as u64)
}

/// One change: a topic's queues, a group's retries, or a committed offset.
fn change(client: &mut Client, table: &mut Table, random: &mut Rng) -> std::io::Result<()> {
    let number = random.u32(..6);
    let (kind, name) = match random.u8(..3) {
        0 => ("topic", format!("Meta{number}")),
        1 => ("group", format!("meta-group-{number}")),
        _ => ("offset", "Meta0".to_owned()),
    };
    let values = table.entry(format!("{kind} {name}")).or_default();
    let value = match kind {
        // Committed offsets beyond the end are moved back at a start, and these queues are empty.
        "offset" => 0,
        // Below what a topic may have of queues, for as long as a folder lives.
        _ => values.asked + 1,
    };
    values.asked = value;
    let answer = match kind {
        "topic" => client.call(
            &UpdateTopic {
                topic: name.as_str().into(),
                default_topic: None,
                read_queue_nums: value as i32,
                write_queue_nums: value as i32,
                perm: Permission::READ_WRITE,
                topic_filter_type: None,
                topic_sys_flag: None,
                order: None,
                attributes: None,
                force: None,
            },
            b"",
        ),
        "group" => {
            let group = SubscriptionGroupConfig { group_name: name, retry_max_times: value as i32, ..SubscriptionGroupConfig::default() };
            client.call(&UpdateGroup {}, &json::to_vec(&group, Dialect::Standard))
        }
        _ => client.call(
            &UpdateConsumerOffset {
                consumer_group: "meta-group-0".into(),
                topic: name.as_str().into(),
                queue_id: random.i32(..4),
                commit_offset: value,
            },
            b"",
        ),
    }?;
    if answer.code == 0 {
        values.answered = value;
    }
    Ok(())
}

fn compare(broker: &Broker, table: &mut Table, outcome: &mut Outcome) -> Result<(), String> {
    let mut client = broker.connect()?;
    let failed = |error: std::io::Error| format!("asking for the tables: {error}");
    let topics = client.call(&AllTopicConfig { topic_seq: None, data_version: None, max_topic_num: None }, b"").map_err(failed)?;
    let topics: TopicConfigAndMappingSerializeWrapper = json::from_slice(&topics.body).map_err(|error| error.to_string())?;
    let groups = client.call(&AllGroupConfig { group_seq: None, data_version: None, max_group_num: None }, b"").map_err(failed)?;
    let groups: SubscriptionGroupWrapper = json::from_slice(&groups.body).map_err(|error| error.to_string())?;
    let commited = QueryConsumerOffset {
        consumer_group: "meta-group-0".into(),
        topic: "Meta0".into(),
        queue_id: 0,
        set_zero_if_not_found: Some(false),
    };
    client.call(&commited, b"").map_err(failed)?;
    if !topics.topic_config_table.contains_key("TBW102") {
        outcome.violations.push("the table of topics is empty".to_owned());
    }
    for (name, values) in table.iter_mut() {
        let (kind, key) = name.split_once(' ').unwrap_or_default();
        let found = match kind {
            "topic" => topics.topic_config_table.get(key).map(|topic| i64::from(topic.read_queue_nums)),
            "group" => groups.subscription_group_table.get(key).map(|group| i64::from(group.retry_max_times)),
            _ => continue,
        };
        let found = found.unwrap_or(0);
        let Values { answered, asked } = *values;
        if !(answered..=asked).contains(&found) {
            outcome.violations.push(format!("{name} is {found}; {answered} was answered before the cut, and {asked} was asked for"));
        }
        *values = Values { answered: found, asked: found };
    }
    Ok(())
}

fn listed(data: &Path) -> String {
    let names = std::fs::read_dir(data.join("config")).into_iter().flatten().flatten();
    let names: Vec<String> =
        names.map(|entry| format!("{} {}", entry.file_name().to_string_lossy(), entry.metadata().map_or(0, |data| data.len()))).collect();
    names.join(", ")
}

const FOLDER_CYCLES: u64 = 50;
