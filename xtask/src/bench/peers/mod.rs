//! `cargo xtask bench --peers`: what do Java RocketMQ and Kafka do with the same load, on the same machine, in the same run?
//!
//! All servers are warmed up first. Each contest is then run by one after the other, several rounds of that, while the others are paused.
//! Java is loaded by the generator that loads RoxMQ, with the same bytes; Kafka by its own tools, which is why a row with Kafka says what
//! its producer does. RoxMQ gets a fresh process and folder for every run, the others keep theirs, warm.

mod contests;
mod java;
mod jvm;
mod kafka;

use super::figures::{Figures, Metric, Spread, of};
use super::goals;
use super::plot::Series;
use super::stage::Stage;
use crate::compat::repository;
use crate::compat::servers::{self, JAVA_VERSION, Target};
use contests::{CONTESTS, Contest, KafkaLoad};
use jvm::Jvm;
use kafka::{Kafka, Produce};
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

/// What came of it.
pub struct Outcome {
    /// Each contest.
    pub contests: Vec<Played>,
    /// What else is told: name, and RoxMQ's, Java's and Kafka's value.
    pub also: Vec<[String; 4]>,
    /// p99 against throughput, of each server.
    pub latency: Vec<Series>,
    /// Memory against queues, of each server.
    pub memory: Vec<Series>,
    /// Runs that failed or were not verified.
    pub failures: Vec<String>,
    /// What was run: name and value.
    pub versions: Vec<(&'static str, String)>,
}

/// One contest and what each server's rounds gave: RoxMQ, Java, Kafka.
pub struct Played {
    /// Which.
    pub contest: &'static Contest,
    /// Rounds by server; empty for one that does not take part.
    pub rounds: [Vec<Figures>; 3],
}

/// The names of the servers, in the order of their figures.
pub const SERVERS: [&str; 3] = ["RoxMQ", "Java RocketMQ", "Kafka"];

/// The servers that keep running.
struct Peers<'a> {
    stage: &'a Stage,
    java: Jvm,
    java_flushing: Option<Jvm>,
    kafka: Kafka,
    failures: Vec<String>,
}

/// Runs everything.
pub fn run(stage: &Stage, wanted: &Wanted) -> Result<Outcome, String> {
    let Target::Java { classpath } = servers::resolve_java(&repository())? else { return Err("that is not Java".to_owned()) };
    println!("== resolving Kafka {}", kafka::VERSION);
    let of_kafka = servers::classpath(&repository(), "compat/java/kafka", &format!("-Dkafka.version={}", kafka::VERSION))?;
    let chosen: Vec<&'static Contest> =
        CONTESTS.iter().filter(|contest| wanted.only.is_empty() || wanted.only.iter().any(|name| name == contest.name)).collect();
    if chosen.is_empty() {
        return Err(format!("no such row; there are {}", CONTESTS.map(|contest| contest.name).join(", ")));
    }

    let mut also = Vec::new();
    let java = java::start(stage, &classpath, "java", &[])?;
    let java_ms = super::special::first_ack(&java.address, java.started, "first")?;
    let kafka = Kafka::start(stage, &of_kafka)?;
    let rox = super::special::start_empty(stage, &[])?;
    let start = |ms: f64| Metric::StartMs.text(ms);
    also.push([
        "start to the first acknowledged message".to_owned(),
        start(of(&rox, Metric::StartMs).unwrap_or(0.0)),
        start(java_ms),
        "-".to_owned(),
    ]);
    std::thread::sleep(std::time::Duration::from_secs(10));
    let idle = super::special::idle(stage, &[])?;
    let memory = |id: u32| super::machine::memory_mb(id).map_or_else(|| "-".to_owned(), |memory| format!("{:.0} MB", memory.anonymous));
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
        latency = peers.latency_curves();
    }
    let mut failures = std::mem::take(&mut peers.failures);
    // They go before others come, and with them the room that they take on the disk.
    drop(peers);
    if wanted.has_curves {
        memory = memory_curves(stage, &classpath, &mut failures);
    }
    let java_version = super::machine::said_by(std::process::Command::new(servers::java_program()).arg("-version"));
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

impl Peers<'_> {
    /// All rounds of one contest.
    fn play(&mut self, contest: &'static Contest, rounds: usize) -> Played {
        let mut played = Played { contest, rounds: Default::default() };
        // What Kafka sends in a second: a guess at first, then from the round before.
        let mut kafka_rate = if contest.acknowledged == goals::DISK { 300.0 } else { 20_000.0 };
        for round in 0..rounds {
            let of_rox = self.rox(contest);
            let of_java = self.java(contest, round);
            let of_kafka = self.kafka(contest, round, &mut kafka_rate);
            for (server, figures) in [Some(of_rox), Some(of_java), of_kafka].into_iter().enumerate() {
                match figures {
                    Some(Ok(figures)) => played.rounds[server].push(figures),
                    Some(Err(why)) => {
                        println!("{} | {} FAILED | {why}", contest.name, SERVERS[server]);
                        self.failures.push(format!("{}, {}: {why}", contest.name, SERVERS[server]));
                    }
                    None => {}
                }
            }
        }
        played
    }

    fn rox(&self, contest: &Contest) -> Result<Figures, String> {
        let settings: &[&str] = if contest.acknowledged == goals::DISK { &["flushDiskType=SYNC_FLUSH"] } else { &[] };
        let fresh = self.stage.fresh(settings)?;
        if contest.fill_seconds > 0.0 {
            self.stage.bench_for(&fresh.address(), "send -c 16 -w 16", contest.fill_seconds, 0.0)?;
        }
        Ok(self.stage.bench(&fresh.address(), contest.words)?.figures)
    }

    fn java(&self, contest: &Contest, round: usize) -> Result<Figures, String> {
        let jvm = match (&self.java_flushing, contest.acknowledged == goals::DISK) {
            (Some(flushing), true) => flushing,
            _ => &self.java,
        };
        jvm.resume();
        let topic = format!("-t {}-{round}", contest.name);
        let run = || {
            if contest.fill_seconds > 0.0 {
                // It stores a tenth of what RoxMQ does in the time, so it gets more of it.
                self.stage.bench_for(&jvm.address, &format!("send -c 16 -w 16 {topic}"), contest.fill_seconds * 3.0, 0.0)?;
            }
            Ok(self.stage.bench(&jvm.address, &format!("{} {topic} --timeout 20", contest.words))?.figures)
        };
        let figures = run();
        jvm.pause();
        figures
    }

    fn kafka(&self, contest: &Contest, round: usize, rate: &mut f64) -> Option<Result<Figures, String>> {
        let load = contest.kafka.as_ref()?;
        self.kafka.jvm.resume();
        let topic = format!("{}-{round}", contest.name);
        let records = |rate: f64| self.kafka_records(rate);
        let figures = match load {
            KafkaLoad::Produce(produce) => {
                let wanted = produce.rate.map_or(*rate, f64::from);
                self.kafka.produce(&topic, produce, records(wanted).max(1000))
            }
            KafkaLoad::Consume(produce) => {
                let records = records(80_000.0);
                self.kafka.produce(&topic, produce, records).and_then(|_| self.kafka.consume(&topic, records))
            }
        };
        self.kafka.jvm.pause();
        if let Ok(figures) = &figures {
            *rate = of(figures, Metric::Rate).unwrap_or(*rate);
        }
        Some(figures)
    }

    /// How many messages Kafka's tools are given at a rate. They tell a rate and the longest latency every five seconds; what they do
    /// before the second of these is warming up.
    fn kafka_records(&self, rate: f64) -> u64 {
        (rate * (self.stage.seconds + 8.0)) as u64
    }

    /// p99 against throughput at fixed rates; of Kafka as its producer batches by itself.
    fn latency_curves(&mut self) -> Vec<Series> {
        let mut failures = Vec::new();
        let mut points = |name: &str, rates: &[u32], run: &dyn Fn(u32) -> Result<Figures, String>| {
            let mut points = Vec::new();
            for rate in rates {
                match run(*rate) {
                    Ok(figures) => {
                        let pair = of(&figures, Metric::Rate).zip(of(&figures, Metric::P99));
                        println!("curve | {name} at {rate}/s: {pair:?}");
                        points.extend(pair.map(|(rate, p99)| (rate, p99 / 1e3)));
                    }
                    // The last point is the one at which it no longer keeps up.
                    Err(why) => {
                        println!("curve | {name} at {rate}/s: {why}");
                        failures.push(format!("{name} at {rate}/s: {why}"));
                        break;
                    }
                }
            }
            Series { name: name.to_owned(), points }
        };
        let rox = points("RoxMQ", &ROX_RATES, &|rate| {
            let fresh = self.stage.fresh(&[])?;
            Ok(self.stage.bench(&fresh.address(), &format!("send -c 16 --rate {rate} --spin --timeout 60"))?.figures)
        });
        self.java.resume();
        let java = points("Java RocketMQ", &JAVA_RATES, &|rate| {
            Ok(self.stage.bench(&self.java.address, &format!("send -c 16 --rate {rate} --spin -t curve --timeout 60"))?.figures)
        });
        self.java.pause();
        self.kafka.jvm.resume();
        let kafka = points("Kafka, batching (linger.ms=5, its default)", &KAFKA_RATES, &|rate| {
            let produce = Produce { record_bytes: 1024, batch_bytes: 16_384, rate: Some(rate), is_flushed: false };
            self.kafka.produce("curve", &produce, self.kafka_records(f64::from(rate)))
        });
        self.kafka.jvm.pause();
        self.failures.extend(failures);
        vec![rox, java, kafka]
    }
}

/// Anonymous memory against the number of queues that hold messages.
fn memory_curves(stage: &Stage, classpath: &str, failures: &mut Vec<String>) -> Vec<Series> {
    let run = |address: &str, topics: u32| {
        let words = format!("send -c 16 -w 16 --topics {topics} -q 8 -t many{topics} --timeout 60");
        let report = stage.bench(address, &words)?;
        of(&report.figures, Metric::Anonymous).ok_or_else(|| "its memory cannot be read".to_owned())
    };
    let mut series = |name: &str, address: Result<String, String>, topics: &[u32]| {
        let mut points = Vec::new();
        for topics in topics {
            match address.clone().and_then(|address| run(&address, *topics)) {
                Ok(mb) => {
                    println!("curve | {name} with {} queues: {mb:.1} MB", topics * 8);
                    points.push((f64::from(topics * 8), mb));
                }
                Err(why) => {
                    println!("curve | {name} with {} queues: {why}", topics * 8);
                    failures.push(format!("{name} with {} queues: {why}", topics * 8));
                    break;
                }
            }
        }
        Series { name: name.to_owned(), points }
    };
    let fresh = stage.fresh(&[]);
    let rox = series("RoxMQ", fresh.as_ref().map(|fresh| fresh.address()).map_err(String::clone), &[1, 12, 125, 1250, 12_500]);
    drop(fresh);
    let jvm = java::start(stage, classpath, "java-many", &[]);
    let java = series("Java RocketMQ", jvm.as_ref().map(|jvm| jvm.address.clone()).map_err(String::clone), &[1, 12, 125, 1250]);
    vec![rox, java]
}

impl Played {
    /// A line for each figure: row, figure, each server's, and RoxMQ against the others.
    pub fn lines(&self) -> Vec<String> {
        self.cells().iter().map(|cells| format!("{} | {}", self.contest.name, cells.join(" | "))).collect()
    }

    /// The figure's name, each server's figure, and RoxMQ against the others.
    pub fn cells(&self) -> Vec<[String; 6]> {
        let cells = |metric: &Metric| {
            let of_server = |server: usize| {
                Spread::of_runs(&self.rounds[server], *metric).map_or_else(|| "-".to_owned(), |spread| spread.text(*metric))
            };
            [metric.name().to_owned(), of_server(0), of_server(1), of_server(2), self.against(*metric, 1), self.against(*metric, 2)]
        };
        self.contest.metrics.iter().map(cells).collect()
    }

    /// How many times better RoxMQ is than another server, round by round.
    fn against(&self, metric: Metric, server: usize) -> String {
        let pairs = self.rounds[0].iter().zip(&self.rounds[server]).filter_map(|(rox, peer)| of(rox, metric).zip(of(peer, metric)));
        let ratio = |(rox, peer): (f64, f64)| if metric == Metric::Rate { rox / peer } else { peer / rox };
        match Spread::of(&pairs.filter(|(rox, peer)| *rox > 0.0 && *peer > 0.0).map(ratio).collect::<Vec<f64>>()) {
            None => "-".to_owned(),
            Some(spread) if (1.0 / EQUAL..EQUAL).contains(&spread.median) => format!("equal ({})", spread.text(Metric::Ratio)),
            Some(spread) => spread.text(Metric::Ratio),
        }
    }
}

/// Names that `--row` takes here.
pub fn names() -> BTreeSet<&'static str> {
    CONTESTS.iter().map(|contest| contest.name).collect()
}

/// What the names mean.
pub fn usage() -> String {
    CONTESTS.iter().map(|contest| format!("  {:18} {}\n", contest.name, contest.title)).collect()
}

/// A smaller difference is none.
const EQUAL: f64 = 1.2;
const ROX_RATES: [u32; 8] = [1_000, 5_000, 20_000, 50_000, 100_000, 150_000, 200_000, 300_000];
const JAVA_RATES: [u32; 5] = [1_000, 5_000, 10_000, 15_000, 20_000];
const KAFKA_RATES: [u32; 4] = [1_000, 5_000, 20_000, 50_000];
