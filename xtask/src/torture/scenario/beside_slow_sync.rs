//! Do lookups wait for the disk?
//!
//! Every sync takes two seconds, and six clients of each kind wait for one all the time: with sends, give-backs, transactions, delayed and
//! timed messages, and topics that they make. Lookups do not wait with them.

use super::shim;
use crate::rig::broker::Broker;
use crate::rig::client::{Answer, Client};
use crate::torture::contract::{Options, Outcome};
use crate::torture::small_store::launch;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a writer does; no two writes have the same number.
type Write = fn(&mut Client, u64) -> io::Result<Answer>;

const WRITES: [(&str, Write); 6] = [
    ("sends", |client, n| send(client, TOPIC, &property("UNIQ_KEY", &n.to_string()))),
    ("give-backs", |client, _| client.ask(36, &[("offset", "0"), ("group", GROUP), ("delayLevel", "1")], b"")),
    ("transactions", transact),
    ("delayed", |client, _| send(client, TOPIC, &property("DELAY", "1"))),
    ("timed", |client, _| send(client, TOPIC, &property("TIMER_DELAY_MS", "5000"))),
    ("topics", make_topic),
];

/// What is asked meanwhile.
struct Lookup {
    name: &'static str,
    code: i32,
    fields: &'static [(&'static str, &'static str)],
    body: &'static str,
}

const fn lookup(name: &'static str, code: i32, fields: &'static [(&'static str, &'static str)]) -> Lookup {
    Lookup { name, code, fields, body: "" }
}

const LOOKUPS: [Lookup; 9] = [
    lookup("12", 12, &[("topic", TOPIC), ("key", "first"), ("maxNum", "32"), ("beginTimestamp", "0"), ("endTimestamp", "9999999999999")]),
    lookup("21", 21, &[]),
    lookup("26", 26, &[]),
    lookup("28", 28, &[]),
    lookup("202", 202, &[("topic", TOPIC)]),
    lookup("11", 11, PULL),
    lookup("15", 15, &[("consumerGroup", GROUP), ("topic", TOPIC), ("queueId", "0"), ("commitOffset", "1")]),
    lookup("30", 30, &[("topic", TOPIC), ("queueId", "0")]),
    Lookup { body: r#"{"clientID":"c","consumerDataSet":[{"groupName":"torture"}]}"#, ..lookup("34", 34, &[]) },
];
const PULL: &[(&str, &str)] = &[
    ("consumerGroup", GROUP),
    ("topic", TOPIC),
    ("queueId", "0"),
    ("queueOffset", "0"),
    ("maxMsgNums", "1"),
    ("sysFlag", "4"),
    ("commitOffset", "0"),
    ("suspendTimeoutMillis", "0"),
    ("subscription", "*"),
    ("subVersion", "0"),
];

/// Looks things up beside a disk that is slow.
pub fn lookups(options: &Options) -> Result<Outcome, String> {
    let shim = shim::build(options)?;
    let slow = options.folder.join("slow");
    let file = std::fs::File::create(&slow).map_err(|error| error.to_string())?;
    let set_slow = |ms: u64| file.write_all_at(&ms.to_le_bytes(), 0).map_err(|error| error.to_string());
    set_slow(0)?;
    let mut launch = launch(options, "SYNC_FLUSH");
    launch.environment.extend(shim::environment(&shim, &[("SLOW_FILE", slow.to_string_lossy().into_owned())]));
    let mut outcome = Outcome::default();
    let mut all = vec![Vec::new(); LOOKUPS.len()];
    let mut written = 0;
    while outcome.cycles < options.cycles && outcome.violations.is_empty() {
        let data = options.folder.join("data");
        let _ = std::fs::remove_dir_all(&data);
        let broker = Broker::start(&launch, &data)?;
        let mut client = broker.connect()?;
        let first = send(&mut client, TOPIC, &property("KEYS", "first")).map_err(|error| error.to_string())?;
        expect("the first send", &first)?;
        set_slow(SYNC_MS)?;
        written += beside_writers(&broker, &mut client, &mut all)?;
        set_slow(0)?;
        for (Lookup { name, .. }, times) in LOOKUPS.iter().zip(&mut all) {
            times.sort_unstable();
            let p99 = times[(times.len() * 99).div_ceil(100) - 1];
            if p99 > MAY_TAKE {
                outcome.violations.push(format!("request {name} takes {} ms (p99 of {})", p99.as_millis(), times.len()));
            }
        }
        broker.kill();
        outcome.cycles += 1;
    }
    for (Lookup { name, .. }, times) in LOOKUPS.iter().zip(&all) {
        let ms = |share: usize| times[(times.len() * share).div_ceil(100) - 1].as_secs_f64() * 1000.0;
        let figure = format!("p50 {:.1} p99 {:.1} max {:.1} ms of {}", ms(50), ms(99), ms(100), times.len());
        outcome.figures.push((name, figure));
    }
    outcome.figures.push(("writes done", written.to_string()));
    Ok(outcome)
}

/// How many writes were answered while the lookups were timed.
fn beside_writers(broker: &Broker, client: &mut Client, all: &mut [Vec<Duration>]) -> Result<u64, String> {
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    for (kind, (_, write)) in WRITES.iter().enumerate() {
        for writer in 0..WRITERS {
            let (mut client, stop, written) = (broker.connect()?, Arc::clone(&stop), Arc::clone(&written));
            // They end with their broker.
            std::thread::spawn(move || {
                let mut number = (kind as u64 * WRITERS + writer) * 1_000_000;
                while !stop.load(Ordering::Relaxed) && write(&mut client, number).is_ok() {
                    number += 1;
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    }
    // All of them wait by then.
    std::thread::sleep(Duration::from_millis(SYNC_MS));
    let until = Instant::now() + TIMED_FOR;
    while Instant::now() < until {
        for (Lookup { name, code, fields, body }, times) in LOOKUPS.iter().zip(all.iter_mut()) {
            let began = Instant::now();
            let answer = client.ask(*code, fields, body.as_bytes()).map_err(|error| format!("request {name}: {error}"))?;
            times.push(began.elapsed());
            expect(&format!("request {name}"), &answer)?;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    stop.store(true, Ordering::Relaxed);
    match written.load(Ordering::Relaxed) {
        0 => Err("nothing was written meanwhile".to_owned()),
        written => Ok(written),
    }
}

fn expect(what: &str, answer: &Answer) -> Result<(), String> {
    if answer.code == 0 { Ok(()) } else { Err(format!("{what} is answered {} {}", answer.code, answer.remark)) }
}

fn property(name: &str, value: &str) -> String {
    format!("{name}\u{1}{value}\u{2}")
}

fn send(client: &mut Client, topic: &str, properties: &str) -> io::Result<Answer> {
    let fields = [("a", "p"), ("b", topic), ("c", "TBW102"), ("d", "4"), ("e", "0"), ("f", "0"), ("g", "0"), ("h", "0"), ("i", properties)];
    client.ask(310, &[&fields[..], &[("j", "0"), ("k", "false"), ("m", "false")]].concat(), b"body")
}

/// A half message, and its commit.
fn transact(client: &mut Client, _: u64) -> io::Result<Answer> {
    let half = send(client, TOPIC, &(property("TRAN_MSG", "true") + &property("PGROUP", "p")))?;
    let id = half.field("msgId").unwrap_or_default();
    let log_offset = i64::from_str_radix(id.get(16..).unwrap_or_default(), 16).unwrap_or(0).to_string();
    let offset = half.field("queueOffset").unwrap_or("0").to_owned();
    let decision = [
        ("producerGroup", "p"),
        ("tranStateTableOffset", &*offset),
        ("commitLogOffset", &*log_offset),
        ("commitOrRollback", "8"),
        ("fromTransactionCheck", "false"),
    ];
    client.ask(37, &decision, b"")
}

/// By hand, and by the first delayed message to it, in turn.
fn make_topic(client: &mut Client, number: u64) -> io::Result<Answer> {
    let topic = format!("made-{number}");
    match number % 2 {
        0 => client.ask(17, &[("topic", &topic), ("readQueueNums", "1"), ("writeQueueNums", "1"), ("perm", "6")], b""),
        _ => send(client, &topic, &property("DELAY", "1")),
    }
}

const TOPIC: &str = "torture-a";
const GROUP: &str = "torture";
const WRITERS: u64 = 6;
const SYNC_MS: u64 = 2000;
const TIMED_FOR: Duration = Duration::from_secs(8);
/// The p99 of a lookup.
const MAY_TAKE: Duration = Duration::from_millis(100);
