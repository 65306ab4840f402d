//! Is damage named, and is everything else still served?
//!
//! Bits are flipped, files cut and derived files deleted in a folder that a broker left: `roxmq verify` names the damage, the broker starts,
//! serves nothing that was not sent, and misses at most what was hit. Half of the folders were stopped; in the others the broker was killed
//! after topics had been made, which only the journal of changes knows of.

use crate::rig::broker::{Broker, Launch, verify};
use crate::rig::client::Client;
use crate::rig::command;
use crate::torture::contract::{Options, Outcome};
use crate::torture::load::{Load, Shape};
use crate::torture::messages::{self, Queue, TOPICS, queues};
use crate::torture::small_store::{launch, tail};
use fastrand::Rng;
use roxmq_protocol::body::TopicConfigAndMappingSerializeWrapper;
use roxmq_protocol::json;
use roxmq_protocol::permission::Permission;
use roxmq_protocol::record::Record;
use roxmq_protocol::request::{AllTopicConfig, UpdateTopic};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What the sound folder serves: hash of each message, and where its record lies in the log.
type Messages = HashMap<(Queue, i64), (u32, Place)>;

/// What the sound folder has.
struct Sound {
    messages: Messages,
    /// Topics that were made before the broker was killed.
    topics: Vec<String>,
}

/// A range of log offsets.
type Place = std::ops::Range<u64>;

#[derive(Default)]
struct Counts {
    flips: u64,
    cuts: u64,
    deletions: u64,
    records_lost: u64,
    changes_lost: u64,
    unwitnessed: u64,
}

/// Damages folders.
pub fn damage(options: &Options) -> Result<Outcome, String> {
    let mut random = Rng::with_seed(options.seed);
    let mut launch = launch(options, "ASYNC_FLUSH");
    launch.settings.extend(["mappedFileSizeCommitLog=65536", "maxMessageSize=16384"].map(str::to_owned));
    let mut outcome = Outcome::default();
    let mut counts = Counts::default();
    let (original, copy) = (options.folder.join("sound"), options.folder.join("data"));
    while outcome.cycles < options.cycles && outcome.violations.is_empty() {
        let _ = std::fs::remove_dir_all(&original);
        let sound = make(&launch, &original, &mut random)?;
        for _ in 0..FOLDER_CYCLES.min(options.cycles - outcome.cycles) {
            let _ = std::fs::remove_dir_all(&copy);
            command::run(Command::new("cp").arg("-r").arg(&original).arg(&copy))?;
            one(options, &launch, &copy, &sound, &mut random, &mut counts, &mut outcome)?;
            outcome.cycles += 1;
            if !outcome.violations.is_empty() {
                break;
            }
        }
    }
    outcome.figures = vec![
        ("bits flipped", counts.flips.to_string()),
        ("files cut", counts.cuts.to_string()),
        ("derived files deleted", counts.deletions.to_string()),
        ("records lost, each of them hit or cut off", counts.records_lost.to_string()),
        ("changes of topics lost, each of them hit or cut off", counts.changes_lost.to_string()),
        ("flips in bytes without a second witness", counts.unwitnessed.to_string()),
    ];
    Ok(outcome)
}

/// Fills a folder and stops the broker cleanly; or has it make topics after that, and kills it.
fn make(launch: &Launch, folder: &Path, random: &mut Rng) -> Result<Sound, String> {
    let broker = Broker::start(launch, folder)?;
    let shape = Shape { writers: 1, readers: 1, late: false, in_flight: 4 };
    let load = Load::start(&broker, 1, shape, random)?;
    load.run(150, Duration::from_secs(20), |_| ());
    load.finish(|_| ())?;
    // Two rounds of each table of offsets, so that each has one before it.
    std::thread::sleep(Duration::from_millis(250));
    let mut client = broker.connect()?;
    let mut sound = Sound { messages: Messages::new(), topics: Vec::new() };
    for queue in queues() {
        client.read_queue(TOPICS[queue.0], queue.1, |record| {
            sound.messages.insert((queue, record.queue_offset.0), (messages::hash(record.body), place(record)));
        })?;
    }
    broker.stop()?;
    if random.bool() {
        let broker = Broker::start(launch, folder)?;
        sound.topics = (0..random.u32(1..30)).map(|number| format!("Made-{number}")).collect();
        let mut client = broker.connect()?;
        // The tables were saved right after the start; what comes now is in the journal alone.
        std::thread::sleep(Duration::from_millis(250));
        for topic in &sound.topics {
            make_topic(&mut client, topic)?;
        }
        broker.kill();
    }
    Ok(sound)
}

fn make_topic(client: &mut Client, topic: &str) -> Result<(), String> {
    let request = UpdateTopic {
        topic: topic.into(),
        default_topic: None,
        read_queue_nums: 3,
        write_queue_nums: 3,
        perm: Permission::READ_WRITE,
        topic_filter_type: None,
        topic_sys_flag: None,
        order: None,
        attributes: None,
        force: None,
    };
    let answer = client.call(&request, b"").map_err(|error| format!("making a topic: {error}"))?;
    if answer.code == 0 { Ok(()) } else { Err(format!("making a topic: {} {}", answer.code, answer.remark)) }
}

/// How many of the topics are not there any more.
fn topics_missing(client: &mut Client, topics: &[String]) -> Result<usize, String> {
    let request = AllTopicConfig { topic_seq: None, data_version: None, max_topic_num: None };
    let answer = client.call(&request, b"").map_err(|error| format!("asking for the topics: {error}"))?;
    let found: TopicConfigAndMappingSerializeWrapper = json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    let is_there = |name: &&String| found.topic_config_table.get(*name).is_some_and(|topic| topic.read_queue_nums == 3);
    Ok(topics.len() - topics.iter().filter(is_there).count())
}

fn place(record: &Record<'_>) -> Place {
    let start = record.log_offset.0 as u64;
    // Long enough for any field before the body, and the texts behind it.
    start..start + 91 + (record.body.len() + record.topic.len() + record.properties.len()) as u64
}

enum Harm {
    Flip { at: u64 },
    Cut { to: u64 },
    Delete,
}

fn one(
    options: &Options,
    launch: &Launch,
    folder: &Path,
    sound: &Sound,
    random: &mut Rng,
    counts: &mut Counts,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let files = files_of(folder)?;
    let path = files[random.usize(..files.len())].clone();
    let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
    let mut bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
    let is_log = name.starts_with("commitlog");
    let is_derived = name.starts_with("index") || name.starts_with("store.");
    // Most of the journal is zeros.
    let reach = if name == JOURNAL { 2 * changes_end(&bytes) } else { bytes.len() as u64 };
    let harm = match random.u8(..10) {
        0 if is_derived => Harm::Delete,
        1 if !bytes.is_empty() => Harm::Cut { to: random.u64(0..bytes.len() as u64) },
        _ if bytes.is_empty() => return Ok(()),
        _ => Harm::Flip { at: random.u64(0..reach) },
    };
    let base: u64 = if is_log { path.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0) } else { 0 };
    let (what, hit, must_be_named) = match harm {
        Harm::Delete => {
            counts.deletions += 1;
            std::fs::remove_file(&path).map_err(|error| error.to_string())?;
            (format!("{name} deleted"), 0..0, false)
        }
        Harm::Cut { to } => {
            counts.cuts += 1;
            let end = base + bytes.len() as u64;
            bytes.truncate(to as usize);
            std::fs::write(&path, &bytes).map_err(|error| error.to_string())?;
            let cuts_records = is_log && sound.messages.values().any(|(_, place)| place.end > base + to && place.start < end);
            (format!("{name} cut to {to} bytes"), base + to..end, cuts_records || !is_log)
        }
        Harm::Flip { at } => {
            counts.flips += 1;
            let witnessed = match name.as_str() {
                JOURNAL => at < changes_end(&bytes),
                _ => !is_log || is_witnessed(&sound.messages, base + at, &bytes, base),
            };
            counts.unwitnessed += u64::from(!witnessed);
            bytes[at as usize] ^= 1 << random.u8(..8);
            std::fs::write(&path, &bytes).map_err(|error| error.to_string())?;
            (format!("a bit of byte {at} of {name} flipped"), base + at..base + at + 1, witnessed)
        }
    };
    let (is_sound, report) = verify(&options.binary, folder)?;
    if must_be_named && (is_sound || !report.contains(path.file_name().and_then(|name| name.to_str()).unwrap_or("?"))) {
        outcome.violations.push(format!("{what}: verify does not name it: {report}"));
    }
    let broker = match Broker::start(launch, folder) {
        Ok(broker) => broker,
        Err(error) => {
            outcome.violations.push(format!("{what}: {error}"));
            return Ok(());
        }
    };
    let mut client = broker.connect()?;
    let missing = compare(&mut client, &sound.messages, &what, outcome)?;
    let changes_missing = topics_missing(&mut client, &sound.topics)?;
    match (name.as_str(), what.contains("flipped")) {
        (JOURNAL, true) if changes_missing <= 1 => counts.changes_lost += changes_missing as u64,
        (JOURNAL, false) => counts.changes_lost += changes_missing as u64,
        _ if changes_missing == 0 => {}
        _ => outcome.violations.push(format!("{what}: {changes_missing} topics are missing")),
    }
    if what.contains("flipped") && missing.len() > 1 {
        outcome.violations.push(format!("{what}: {} messages are missing", missing.len()));
    }
    for (at, place) in missing {
        let was_hit = is_log && place.start < hit.end && place.end > hit.start;
        match was_hit {
            true => counts.records_lost += 1,
            false => outcome.violations.push(format!("{what}: {at:?} is missing, and was not hit")),
        }
    }
    if !outcome.violations.is_empty() {
        outcome.violations.push(tail(&broker.logged()));
    }
    broker.kill();
    Ok(())
}

/// A message that is not there any more: its queue, its offset there, and where it was in the log.
type Missing = ((Queue, i64), Place);

/// Reads all; what is served must be what was sent. What is missing.
fn compare(client: &mut Client, sound: &Messages, what: &str, outcome: &mut Outcome) -> Result<Vec<Missing>, String> {
    let mut missing = Vec::new();
    // An index file whose damage shows only when it is read is rebuilt then.
    for attempt in 0..ATTEMPTS {
        let mut found = HashMap::new();
        for queue in queues() {
            let violations = &mut outcome.violations;
            client.read_queue(TOPICS[queue.0], queue.1, |record| {
                let at = (queue, record.queue_offset.0);
                let hash = messages::hash(record.body);
                if (record.topic, record.queue_id) != (TOPICS[queue.0], queue.1) || sound.get(&at).is_none_or(|(sent, _)| *sent != hash) {
                    violations.push(format!("{what}: {at:?} is served and was not sent"));
                }
                found.insert(at, hash);
            })?;
        }
        missing = sound.iter().filter(|(at, _)| !found.contains_key(at)).map(|(at, (_, place))| (*at, place.clone())).collect();
        if missing.is_empty() || !what.contains("index") {
            break;
        }
        std::thread::sleep(Duration::from_millis(100 * attempt));
    }
    Ok(missing)
}

/// Can anything reveal a change of this byte of the log? Nothing can behind the records, and in store times.
fn is_witnessed(sound: &Messages, at: u64, bytes: &[u8], base: u64) -> bool {
    if let Some((_, place)) = sound.values().find(|(_, place)| place.contains(&at)) {
        return !(place.start + 56..place.start + 64).contains(&at);
    }
    // A blank record's first eight bytes end the file; records of system topics are not among those read.
    let mut start = 0;
    while let Ok((record, len)) = Record::parse(&bytes[start..]) {
        let range = base + start as u64..base + (start + len) as u64;
        if range.contains(&at) {
            return !(range.start + 56..range.start + 64).contains(&at) && record.body_is_intact();
        }
        start += len;
    }
    let blank = bytes.get(start..start + 8).is_some_and(|header| header.iter().any(|byte| *byte != 0));
    blank && at < base + start as u64 + 8
}

/// Where the changes in the journal end, and zeros begin.
fn changes_end(journal: &[u8]) -> u64 {
    journal.get(16..20).and_then(|end| end.try_into().ok()).map_or(0, |end| u64::from(u32::from_be_bytes(end)))
}

/// Every file but the lock, which has no contents.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for folder in [folder.to_owned(), folder.join("commitlog"), folder.join("index"), folder.join("config")] {
        for entry in std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) && entry.file_name() != "lock" {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

const JOURNAL: &str = "config/changes.log";
const FOLDER_CYCLES: u64 = 200;
const ATTEMPTS: u64 = 20;
