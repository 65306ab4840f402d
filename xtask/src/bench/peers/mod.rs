//! `cargo xtask bench --peers`: what do Java RocketMQ and Kafka do with the same load, on the same machine, in the same run?
//!
//! All servers are warmed up first. Each contest is then run by one after the other, several rounds of that, while the others are paused.
//! Java is loaded by the generator that loads RoxMQ, with the same bytes; Kafka by its own tools, which is why a row with Kafka says what
//! its producer does. RoxMQ gets a fresh process and folder for every run, the others keep theirs, warm.

mod contests;
mod curves;
mod java;
mod jvm;
mod kafka;
pub mod outcome;
mod rounds;

use super::figures::{Metric, of};
use super::stage::Stage;
use super::{goals, machine, special};
use crate::rig::programs::{self, JAVA_VERSION};
use contests::{CONTESTS, Contest};
use kafka::Kafka;
use outcome::Outcome;
use rounds::Peers;
use std::collections::BTreeSet;

/// How it is done.
pub struct Wanted {
    /// Rounds of each contest.
    pub rounds: usize,
    /// Seconds of warm-up for each virtual machine.
    pub warm_up: f64,
    /// Whether the curves are measured too.
    pub has_curves: bool,
    /// Only these contests; none for all.
    pub only: Vec<String>,
}

/// Runs everything.
pub fn run(stage: &Stage, wanted: &Wanted) -> Result<Outcome, String> {
    let classpath = programs::resolve_java()?;
    println!("== resolving Kafka {}", kafka::VERSION);
    let of_kafka = programs::classpath("compat/java/kafka", &format!("-Dkafka.version={}", kafka::VERSION))?;
    let chosen: Vec<&'static Contest> =
        CONTESTS.iter().filter(|contest| wanted.only.is_empty() || wanted.only.iter().any(|name| name == contest.name)).collect();
    if chosen.is_empty() {
        return Err(format!("no such row; there are {}", CONTESTS.map(|contest| contest.name).join(", ")));
    }

    let mut also = Vec::new();
    let java = java::start(stage, &classpath, "java", &[])?;
    let java_ms = special::first_ack(&java.address, java.started, "first")?;
    let kafka = Kafka::start(stage, &of_kafka)?;
    let rox = special::start_empty(stage, &[])?;
    let start = |ms: f64| Metric::StartMs.text(ms);
    also.push([
        "start to the first acknowledged message".to_owned(),
        start(of(&rox, Metric::StartMs).unwrap_or(0.0)),
        start(java_ms),
        "-".to_owned(),
    ]);
    std::thread::sleep(std::time::Duration::from_secs(10));
    let idle = special::idle(stage, &[])?;
    let memory = |id: u32| machine::memory_mb(id).map_or_else(|| "-".to_owned(), |memory| format!("{:.0} MB", memory.anonymous));
    let rox_memory = of(&idle, Metric::Anonymous).map_or_else(|| "-".to_owned(), |mb| format!("{mb:.1} MB"));
    also.push(["anonymous memory when idle, just started".to_owned(), rox_memory, memory(java.id()), memory(kafka.jvm.id())]);

    println!("== warming up, {} s each", wanted.warm_up);
    kafka.jvm.pause();
    java::warm_up(stage, &java, wanted.warm_up);
    java.pause();
    let java_flushing = match chosen.iter().any(|contest| contest.acknowledged == goals::DISK) {
        true => {
            let flushing = java::start(stage, &classpath, "java-flushing", &["flushDiskType=SYNC_FLUSH"])?;
            java::warm_up(stage, &flushing, wanted.warm_up);
            flushing.pause();
            Some(flushing)
        }
        false => None,
    };
    kafka.jvm.resume();
    kafka.warm_up(wanted.warm_up)?;
    kafka.jvm.pause();

    let mut peers = Peers { stage, java, java_flushing, kafka, failures: Vec::new() };
    println!("\nrow | figure | RoxMQ | Java | Kafka | RoxMQ against Java | against Kafka");
    let mut played = Vec::new();
    for contest in chosen {
        let contest = peers.play(contest, wanted.rounds);
        contest.lines().iter().for_each(|line| println!("{line}"));
        println!("  repeat: cargo xtask bench --peers --row {} --runs {}", contest.contest.name, wanted.rounds);
        played.push(contest);
    }
    let loaded = [peers.java.id(), peers.kafka.jvm.id()].map(memory);
    let of_rox = played.iter().flat_map(|played| &played.rounds[0]).filter_map(|round| of(round, Metric::Anonymous)).fold(0.0, f64::max);
    let [of_java, of_kafka] = loaded;
    also.push(["anonymous memory after all rows (RoxMQ: the most of any)".to_owned(), format!("{of_rox:.1} MB"), of_java, of_kafka]);
    let (mut latency, mut memory) = (Vec::new(), Vec::new());
    if wanted.has_curves {
        latency = curves::latency(&mut peers);
    }
    let mut failures = std::mem::take(&mut peers.failures);
    // They go before others come, and with them the room that they take on the disk.
    drop(peers);
    if wanted.has_curves {
        memory = curves::memory(stage, &classpath, &mut failures);
    }
    let java_version = machine::said_by(std::process::Command::new(programs::java_program()).arg("-version"));
    let versions = vec![
        (
            "Java RocketMQ",
            format!("{JAVA_VERSION} from Maven Central, {java_version}, G1, heap {}, defaults (its script asks for 8 GiB)", java::HEAP),
        ),
        (
            "Kafka",
            format!(
                "{} from Maven Central, KRaft, G1, heap {}, acks=1, 8 partitions, its own tools as the generator",
                kafka::VERSION,
                kafka::HEAP
            ),
        ),
        ("warm-up", format!("{} s each", wanted.warm_up)),
    ];
    Ok(Outcome { contests: played, also, latency, memory, failures, versions })
}

/// Names that `--row` takes here.
pub fn names() -> BTreeSet<&'static str> {
    CONTESTS.iter().map(|contest| contest.name).collect()
}

/// What the names mean.
pub fn usage() -> String {
    CONTESTS.iter().map(|contest| format!("  {:18} {}\n", contest.name, contest.title)).collect()
}
