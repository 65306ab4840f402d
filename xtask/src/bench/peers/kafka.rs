//! How is Kafka started and loaded? As one process that is broker and controller, with its own tools as the generator.

use super::super::figures::{Figures, Metric};
use super::super::machine;
use super::super::stage::Stage;
use super::jvm::{self, Jvm, Launch};
use crate::rig::ports;
use crate::rig::programs::java_program;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// Kafka's version in Maven Central.
pub const VERSION: &str = "4.1.1";

/// A Kafka server and its tools.
pub struct Kafka {
    /// The server.
    pub jvm: Jvm,
    classpath: String,
}

/// What its producer does.
#[derive(Clone, Copy, Debug)]
pub struct Produce {
    /// Bytes of a message.
    pub record_bytes: u32,
    /// Bytes that go in one request at most; 16384 is the default, with 1 every message goes alone.
    pub batch_bytes: u32,
    /// Messages a second; none for as many as it takes.
    pub rate: Option<u32>,
    /// Whether the topic flushes each message before it is acknowledged.
    pub is_flushed: bool,
}

impl Kafka {
    /// Formats a folder and starts a server on it.
    pub fn start(stage: &Stage, classpath: &str) -> Result<Kafka, String> {
        let home = stage.folder.path().join("kafka");
        fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        let mut taken = Vec::new();
        let (port, controller) = (ports::free(&[0], &mut taken)?, ports::free(&[0], &mut taken)?);
        let file = home.join("server.properties");
        let lines = [
            "process.roles=broker,controller".to_owned(),
            "node.id=1".to_owned(),
            format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
            format!("listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"),
            "controller.listener.names=CONTROLLER".to_owned(),
            format!("log.dirs={}", home.join("data").display()),
            "num.partitions=8".to_owned(),
            "offsets.topic.replication.factor=1".to_owned(),
            "transaction.state.log.replication.factor=1".to_owned(),
            "transaction.state.log.min.isr=1".to_owned(),
            "group.initial.rebalance.delay.ms=0".to_owned(),
            // It is paused while others are measured, and is not to be thought dead for that.
            "broker.session.timeout.ms=3600000".to_owned(),
        ];
        fs::write(&file, lines.join("\n")).map_err(|error| format!("{}: {error}", file.display()))?;
        let file = file.display().to_string();
        let format = ["format", "-t", CLUSTER, "-c", &file];
        tool(classpath, "kafka.tools.StorageTool", &format.map(str::to_owned))?;
        let options = jvm::options(HEAP);
        let launch = Launch { options: &options, classpath, main: "kafka.Kafka", arguments: &[file], home: &home, port };
        Ok(Kafka { jvm: Jvm::start(&launch, stage.folder.path())?, classpath: classpath.to_owned() })
    }

    /// Loads it with everything that it will be measured with.
    pub fn warm_up(&self, seconds: f64) -> Result<(), String> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs_f64(seconds) {
            let batched = Produce { record_bytes: 1024, batch_bytes: 16_384, rate: None, is_flushed: false };
            self.produce("warm", &batched, 400_000)?;
            self.produce("warm", &Produce { batch_bytes: 1, ..batched }, 50_000)?;
            self.consume("warm", 200_000)?;
        }
        Ok(())
    }

    /// Makes a topic of eight partitions that flushes every message.
    fn make_flushed(&self, topic: &str) -> Result<(), String> {
        let words =
            ["--bootstrap-server", &self.jvm.address, "--create", "--topic", topic, "--partitions", "8", "--config", "flush.messages=1"];
        tool(&self.classpath, "org.apache.kafka.tools.TopicCommand", &words.map(str::to_owned)).map(|_| ())
    }

    /// Sends this many messages. All of them are acknowledged, or it is an error.
    pub fn produce(&self, topic: &str, produce: &Produce, records: u64) -> Result<Figures, String> {
        if produce.is_flushed {
            self.make_flushed(topic)?;
        }
        let throughput = produce.rate.map_or_else(|| "-1".to_owned(), |rate| rate.to_string());
        let (server, batch) = (format!("bootstrap.servers={}", self.jvm.address), format!("batch.size={}", produce.batch_bytes));
        let (records_text, size) = (records.to_string(), produce.record_bytes.to_string());
        let words = ["--topic", topic, "--num-records", &records_text, "--record-size", &size, "--throughput", &throughput];
        let properties = ["--producer-props", &server, &batch, "acks=1", "delivery.timeout.ms=600000"];
        let words: Vec<String> = words.into_iter().chain(properties).map(str::to_owned).collect();
        let cpu = machine::cpu_seconds(self.jvm.id());
        let said = tool(&self.classpath, "org.apache.kafka.tools.ProducerPerformance", &words)?;
        let cpu = machine::cpu_seconds(self.jvm.id()) - cpu;
        let mut figures = produced(&said, records)?;
        if produce.rate.is_none() {
            // Without a rate the tool fills a buffer of 32 MB and reports how long messages waited in it.
            figures.retain(|(metric, _)| *metric == Metric::Rate);
        }
        figures.push((Metric::Cpu, cpu * 1e6 / records as f64));
        Ok(self.with_memory(figures))
    }

    /// Reads this many messages of a topic from its start.
    pub fn consume(&self, topic: &str, records: u64) -> Result<Figures, String> {
        let records_text = records.to_string();
        let words = ["--bootstrap-server", &self.jvm.address, "--topic", topic, "--messages", &records_text, "--hide-header"];
        let cpu = machine::cpu_seconds(self.jvm.id());
        let said = tool(&self.classpath, "org.apache.kafka.tools.ConsumerPerformance", &words.map(str::to_owned))?;
        let cpu = machine::cpu_seconds(self.jvm.id()) - cpu;
        let mut figures = consumed(&said, records)?;
        figures.push((Metric::Cpu, cpu * 1e6 / records as f64));
        Ok(self.with_memory(figures))
    }

    fn with_memory(&self, mut figures: Figures) -> Figures {
        if let Some(memory) = machine::memory_mb(self.jvm.id()) {
            figures.extend([(Metric::Anonymous, memory.anonymous), (Metric::FilePages, memory.file)]);
        }
        figures
    }
}

/// Runs one of Kafka's tools and returns what it prints.
fn tool(classpath: &str, main: &str, words: &[String]) -> Result<String, String> {
    let output = Command::new(java_program())
        .args(["-Xmx512m", "-cp", classpath, main])
        .args(words)
        .output()
        .map_err(|error| format!("java: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(said) } else { Err(format!("{main}: {said}{}", String::from_utf8_lossy(&output.stderr))) }
}

/// The last line of the producer's tool: "N records sent, R records/sec (..), A ms avg latency, .., B ms 50th, C ms 95th, D ms 99th, E ms
/// 99.9th." Its latency counts from the call of its client. The rate is the better of the whole run's and, without the first of them, the
/// mean of the five-second windows before: in the first one the tool itself is still being compiled. For the same reason a latency is never
/// reported to be more than the longest one of the later windows.
fn produced(said: &str, records: u64) -> Result<Figures, String> {
    let unreadable = || format!("what the producer's tool says is not understood: {said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("records sent")).collect();
    let last = lines.last().ok_or_else(unreadable)?;
    if before(last, " records sent") != Some(records as f64) {
        return Err(format!("not all of {records} messages were acknowledged: {last}"));
    }
    let windows: Vec<f64> = lines[..lines.len() - 1].iter().skip(1).filter_map(|line| before(line, " records/sec")).collect();
    let overall = before(last, " records/sec").ok_or_else(unreadable)?;
    let mean = windows.iter().sum::<f64>() / windows.len().max(1) as f64;
    let later = lines[..lines.len() - 1].iter().skip(1).filter_map(|line| before(line, " ms max latency"));
    let longest = later.fold(f64::NAN, f64::max);
    let mut figures = vec![(Metric::Rate, overall.max(mean))];
    for (metric, name) in [(Metric::P50, " ms 50th"), (Metric::P99, " ms 99th"), (Metric::P999, " ms 99.9th")] {
        figures.push((metric, before(last, name).ok_or_else(unreadable)?.min(longest) * 1e3));
    }
    Ok(figures)
}

/// The line of the consumer's tool: start, end, MB, MB/s, messages, messages/s, rebalance ms, fetch ms, fetch MB/s, fetch messages/s. The
/// last is the rate without the time for joining the group.
fn consumed(said: &str, records: u64) -> Result<Figures, String> {
    let unreadable = || format!("what the consumer's tool says is not understood: {said}");
    let line = said.lines().rev().find(|line| line.split(',').count() == 10).ok_or_else(unreadable)?;
    let numbers: Vec<f64> = line.split(',').map(|word| word.trim().parse().unwrap_or(f64::NAN)).collect();
    if numbers[4] < records as f64 {
        return Err(format!("only {} of {records} messages were read", numbers[4]));
    }
    Ok(vec![(Metric::Rate, numbers[9])])
}

/// The number in front of some words.
fn before(line: &str, words: &str) -> Option<f64> {
    line.split_once(words)?.0.rsplit([' ', ',']).next()?.parse().ok()
}

/// What its heap is given; also what its script asks for.
pub const HEAP: &str = "1g";
/// Names the cluster; any will do.
const CLUSTER: &str = "cm94bXEtYmVuY2gtMDAwMA";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_the_tools() {
        let said = "21600 records sent, 4318.3 records/sec (4.22 MB/sec), 1527.1 ms avg latency, 2544.0 ms max latency.\n\
            51000 records sent, 20000.0 records/sec (9.91 MB/sec), 3124.1 ms avg latency, 3727.0 ms max latency.\n\
            200000 records sent, 13227.5 records/sec (12.92 MB/sec), 1872.34 ms avg latency, 3727.00 ms max latency, 1474 ms 50th, 3344 ms 95th, 3633 ms 99th, 3685 ms 99.9th.\n";
        let expected = vec![(Metric::Rate, 20000.0), (Metric::P50, 1.474e6), (Metric::P99, 3.633e6), (Metric::P999, 3.685e6)];
        assert_eq!(produced(said, 200_000), Ok(expected));
        let calm = said.replace("3727.0 ms max", "2000.0 ms max");
        let calm = produced(&calm, 200_000).map(|figures| figures[2]);
        assert_eq!(calm, Ok((Metric::P99, 2e6)));
        assert!(produced(said, 200_001).is_err() && produced("", 1).is_err());
        let said =
            "2026-11-23 19:48:19:937, 2026-11-23 19:48:26:465, 195.3125, 29.9192, 200000, 30637.2549, 2788, 3740, 52.2226, 53475.9358\n";
        assert_eq!(consumed(said, 200_000), Ok(vec![(Metric::Rate, 53475.9358)]));
        assert!(consumed(said, 200_001).is_err());
    }
}
