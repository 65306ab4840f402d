//! How are the rows measured that take more than one run of the generator?

use super::figures::{Figures, Metric, Spread, of};
use super::stage::{self, Fresh, Report, Stage};
use crate::rig::broker::Broker;
use crate::rig::client::{Client, Send};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// Measures once.
pub type Special = fn(&Stage, &[&str]) -> Result<Figures, String>;

/// Pulls what was stored before, from its first message on, in a log that is larger than what was touched last.
pub fn backlog(stage: &Stage, settings: &[&str]) -> Result<Figures, String> {
    let fresh = stage.fresh(settings)?;
    fill(stage, &fresh, BACKLOG_GB.min(stage.stored_gb), "send -c 16 -w 16")?;
    let mut figures = stage.bench(&fresh.address(), "pull -c 8 -w 1")?.figures;
    figures.push((Metric::Stored, stage::log_gb(&fresh.data)));
    Ok(figures)
}

/// How much of the throughput to one queue is left with very many.
pub fn queues(stage: &Stage, settings: &[&str]) -> Result<Figures, String> {
    let few = stage.fresh(settings)?;
    let rate = of(&stage.bench(&few.address(), "send -c 16 -w 16 -q 1")?.figures, Metric::Rate).unwrap_or(0.0);
    let files = stage::files(&few.data);
    drop(few);
    let many = stage.fresh(settings)?;
    let mut figures = stage.bench(&many.address(), "send -c 16 -w 16 --topics 12500 -q 8")?.figures;
    let kept = of(&figures, Metric::Rate).unwrap_or(0.0) / rate.max(1.0) * 100.0;
    figures.extend([(Metric::Kept, kept), (Metric::Files, stage::files(&many.data) - files)]);
    Ok(figures)
}

/// What a broker costs that no client has spoken to.
pub fn idle(stage: &Stage, settings: &[&str]) -> Result<Figures, String> {
    let fresh = stage.fresh(settings)?;
    std::thread::sleep(IDLE);
    let process = fresh.broker.id() as u32;
    let memory = super::machine::memory_mb(process).ok_or("the broker's memory cannot be read")?;
    let before = super::machine::cpu_seconds(process);
    std::thread::sleep(IDLE);
    let cores = (super::machine::cpu_seconds(process) - before) / IDLE.as_secs_f64();
    Ok(vec![(Metric::Anonymous, memory.anonymous), (Metric::FilePages, memory.file), (Metric::Cores, cores)])
}

/// Connections that only send heartbeats.
pub fn idle_connections(stage: &Stage, settings: &[&str]) -> Result<Figures, String> {
    let fresh = stage.fresh(settings)?;
    Ok(stage.bench_for(&fresh.address(), "idle -c 5000", 10.0, 2.0)?.figures)
}

/// Long polls that nothing comes for. All of them come to their end once while it is counted.
pub fn parked(stage: &Stage, settings: &[&str]) -> Result<Figures, String> {
    let fresh = stage.fresh(settings)?;
    Ok(stage.bench_for(&fresh.address(), "tail -c 50 --topics 1250 -q 8 --hold-ms 15000", 15.0, 2.0)?.figures)
}

/// From the start of the process to the first acknowledged message.
pub fn start_empty(stage: &Stage, settings: &[&str]) -> Result<Figures, String> {
    let data = stage.new_folder()?;
    let (broker, ms) = start(stage, settings, &data, "first")?;
    let _gone = Fresh { broker, data };
    Ok(vec![(Metric::StartMs, ms)])
}

/// The same with much that was stored before, after a clean stop and after a kill under load.
pub fn start_full(stage: &Stage, settings: &[&str]) -> Result<Figures, String> {
    let fresh = stage.fresh(settings)?;
    fill(stage, &fresh, stage.stored_gb, "send -c 16 -w 16 --topics 1250 -q 8")?;
    let stored = stage::log_gb(&fresh.data);
    // Its folder is to outlive it.
    let data = fresh.data.with_extension("kept");
    let Fresh { broker, data: made } = &fresh;
    signal(broker, rustix::process::Signal::TERM);
    wait_for_end(broker)?;
    std::fs::rename(made, &data).map_err(|error| error.to_string())?;
    drop(fresh);
    let (broker, clean_ms) = start(stage, settings, &data, "after-stop")?;
    let fresh = Fresh { broker, data };
    let address = fresh.address();
    std::thread::scope(|scope| {
        // It is killed while it is loaded; that the load notices is of no interest.
        scope.spawn(|| stage.bench_for(&address, "send -c 16 -w 16 --topics 1250 -q 8 --timeout 1", 4.0, 0.0).map(|_| ()));
        std::thread::sleep(Duration::from_secs(3));
        signal(&fresh.broker, rustix::process::Signal::KILL);
    });
    wait_for_end(&fresh.broker)?;
    let data = fresh.data.with_extension("killed");
    std::fs::rename(&fresh.data, &data).map_err(|error| error.to_string())?;
    drop(fresh);
    let (broker, killed_ms) = start(stage, settings, &data, "after-kill")?;
    let _gone = Fresh { broker, data };
    Ok(vec![(Metric::StartMs, clean_ms), (Metric::KilledMs, killed_ms), (Metric::Stored, stored)])
}

/// Three times as much is due as the broker takes.
pub fn overload(stage: &Stage, settings: &[&str]) -> Result<Figures, String> {
    let peak = peak(stage, settings)?;
    let fresh = stage.fresh(settings)?;
    let words = format!("send -c 16 -w 1024 --overload --read-back --rate {:.0}", peak * 3.0);
    let report = stage.bench(&fresh.address(), &words)?;
    let answered = report.number("/refused") + report.number("/messages");
    let mut figures = report.figures.clone();
    figures.push((Metric::Kept, report.number("/messages_per_second") / peak * 100.0));
    figures.push((Metric::Refused, report.number("/refused") / answered.max(1.0) * 100.0));
    Ok(figures)
}

/// Sends at a fixed rate, without and with a reader of the oldest messages.
pub fn beside(stage: &Stage, settings: &[&str]) -> Result<Figures, String> {
    let fresh = stage.fresh(settings)?;
    fill(stage, &fresh, BESIDE_GB.min(stage.stored_gb), "send -c 16 -w 16")?;
    let words = "send -c 4 --rate 20000";
    let p99 = |report: &Report| of(&report.figures, Metric::P99).unwrap_or(0.0);
    let alone = stage.bench(&fresh.address(), words)?;
    let beside = stage.bench(&fresh.address(), &format!("{words} --readers 1"))?;
    let rate = beside.number("/beside/messages_per_second");
    let stolen = of(&beside.figures, Metric::Stolen).unwrap_or(0.0);
    let ratio = p99(&beside) / p99(&alone).max(1.0);
    Ok(vec![(Metric::Ratio, ratio), (Metric::P99, p99(&beside)), (Metric::Rate, rate), (Metric::Stolen, stolen)])
}

/// A long run at 70 % of what the broker takes for long. What it takes for two seconds fits into the page cache; later the disk must keep up.
pub fn soak(stage: &Stage, settings: &[&str]) -> Result<Figures, String> {
    let peak = {
        let fresh = stage.fresh(settings)?;
        let (counted, before) = SUSTAINED_SECONDS;
        peak_of(&stage.bench_for(&fresh.address(), "send -c 16 -w 16 --timeout 30", counted, before)?)?
    };
    let fresh = stage.fresh(settings)?;
    let words = format!("send -c 16 --rate {:.0} --slices {SOAK_SLICES} --timeout 30", peak * 0.7);
    let report = stage.bench_for(&fresh.address(), &words, stage.soak_minutes * 60.0, 5.0)?;
    let slices = report.json["slices"].as_array().cloned().unwrap_or_default();
    let third = slices.len() / 3;
    let median = |slices: &[Value], pointer: &str| {
        let values: Vec<f64> = slices.iter().filter_map(|slice| slice.pointer(pointer)?.as_f64()).collect();
        Spread::of(&values).map_or(0.0, |spread| spread.median)
    };
    let (first, last) = (&slices[..third], &slices[slices.len() - third..]);
    let drift = median(last, "/latency/p999_us") / median(first, "/latency/p999_us").max(1.0);
    let growth = median(last, "/anonymous_mb") - median(first, "/anonymous_mb");
    let mut figures = report.figures;
    figures.extend([(Metric::Ratio, drift), (Metric::Growth, growth)]);
    Ok(figures)
}

/// What a fresh broker takes, in messages a second.
fn peak(stage: &Stage, settings: &[&str]) -> Result<f64, String> {
    let fresh = stage.fresh(settings)?;
    peak_of(&stage.bench(&fresh.address(), "send -c 16 -w 16")?)
}

fn peak_of(report: &Report) -> Result<f64, String> {
    of(&report.figures, Metric::Rate).filter(|rate| *rate > 0.0).ok_or_else(|| "nothing was stored".to_owned())
}

/// Stores about this many GB.
fn fill(stage: &Stage, fresh: &Fresh, gb: f64, words: &str) -> Result<(), String> {
    let deadline = Instant::now() + FILL_MAX;
    let mut stored = 0.0;
    while stored < gb && Instant::now() < deadline {
        let report = stage.bench_for(&fresh.address(), words, 2.0, 0.0)?;
        stored += report.number("/messages_in_all") * RECORD_BYTES / 1e9;
    }
    Ok(())
}

/// Starts a broker and sends until a message is acknowledged. How long that took, in ms.
fn start(stage: &Stage, settings: &[&str], data: &Path, topic: &str) -> Result<(Broker, f64), String> {
    let broker = Broker::start(&stage.launch(settings), data)?;
    let ms = first_ack(&broker.address.to_string(), broker.started, topic)?;
    Ok((broker, ms))
}

/// Sends to a broker until a message is acknowledged. How long after `started` that was, in ms.
pub fn first_ack(address: &str, started: Instant, topic: &str) -> Result<f64, String> {
    let address = address.parse().map_err(|_| format!("{address} is no address"))?;
    let send = Send { topic, queue: 0, properties: "", body: b"first", is_batch: false };
    loop {
        let acknowledged = Client::connect(address).map_err(|error| error.to_string()).and_then(|mut client| {
            let mut out = Vec::new();
            client.put_send(&mut out, &send);
            client.write(&out).and_then(|()| client.next()).map_err(|error| error.to_string())
        });
        let taken = started.elapsed();
        match acknowledged {
            Ok(answer) if answer.code == 0 => return Ok(taken.as_secs_f64() * 1e3),
            Ok(_) | Err(_) if taken < START_MAX => std::thread::sleep(Duration::from_millis(1)),
            Ok(answer) => return Err(format!("the first message is answered {} {}", answer.code, answer.remark)),
            Err(error) => return Err(error),
        }
    }
}

fn signal(broker: &Broker, signal: rustix::process::Signal) {
    broker.signal(signal);
}

fn wait_for_end(broker: &Broker) -> Result<(), String> {
    let deadline = Instant::now() + START_MAX;
    while super::machine::is_running(broker.id() as u32) {
        if Instant::now() > deadline {
            return Err("the broker does not end".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

const BACKLOG_GB: f64 = 10.7;
const BESIDE_GB: f64 = 4.0;
/// A message with a body of 1 KiB, in the log.
const RECORD_BYTES: f64 = 1200.0;
const FILL_MAX: Duration = Duration::from_secs(240);
const START_MAX: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(5);
const SOAK_SLICES: u32 = 12;
/// Counted, and before that not counted: enough for the page cache to be full of what is not written back.
const SUSTAINED_SECONDS: (f64, f64) = (30.0, 30.0);
