//! What happens when one write or sync fails?
//!
//! The n-th write, or sync, of a run fails with EIO, for every n; or a write is cut short first, and then fails.
//!
//! A shim (`shim.c`) counts the calls that concern the data folder. After the failure the
//! broker must be fenced: it refuses sends within 100 ms and for good, its route loses write permission within 1 s, reads go on, and what
//! it acknowledged before is there after a restart.

use super::shim;
use crate::rig::broker::Broker;
use crate::rig::client::Client;
use crate::torture::contract::{Options, Outcome};
use crate::torture::ledger::{Ledger, MayLose};
use crate::torture::messages::{QUEUES, TOPICS};
use crate::torture::single::{self, Sent};
use crate::torture::small_store::{launch, tail};
use fastrand::Rng;
use roxmq_protocol::body::TopicRouteData;
use roxmq_protocol::json;
use roxmq_protocol::request::RouteByTopic;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

struct Fault<'a> {
    kind: &'static str,
    /// Which of the calls fails, from 1.
    at: u64,
    shim: &'a Path,
}

#[derive(Default)]
struct Counts {
    calls: u64,
    fenced: u64,
    refused_to_start: u64,
    refused_ms: u64,
    route_ms: u64,
    acknowledged: u64,
}

/// Fails every call of a run once, or as many as there are cycles.
pub fn every_call(options: &Options) -> Result<Outcome, String> {
    let shim = shim::build(options)?;
    let mut random = Rng::with_seed(options.seed);
    let mut outcome = Outcome::default();
    let mut counts = Counts::default();
    // How many calls a run has, without a fault.
    let none = Fault { kind: "eio", at: u64::MAX, shim: &shim };
    let calls = one(options, &none, &mut random, &mut counts, &mut outcome)?;
    counts.calls = calls;
    // Every call of the run, as far as the cycles reach; with fewer cycles than calls, evenly over the run.
    let kinds = ["eio", "short"];
    let wanted = calls * kinds.len() as u64;
    let cycles = options.cycles.min(wanted);
    for cycle in 0..cycles {
        let n = cycle * wanted / cycles;
        let fault = Fault { kind: kinds[(n % 2) as usize], at: n / 2 + 1, shim: &shim };
        one(options, &fault, &mut random, &mut counts, &mut outcome)?;
        outcome.cycles += 1;
        if !outcome.violations.is_empty() {
            break;
        }
    }
    outcome.figures = vec![
        ("calls of a run", counts.calls.to_string()),
        ("fenced", counts.fenced.to_string()),
        ("refused to start", counts.refused_to_start.to_string()),
        ("acknowledged", counts.acknowledged.to_string()),
        ("first refusal after ms at most", counts.refused_ms.to_string()),
        ("route without write permission after ms at most", counts.route_ms.to_string()),
    ];
    Ok(outcome)
}

/// One run with a fault; how many calls it had.
fn one(options: &Options, fault: &Fault<'_>, random: &mut Rng, counts: &mut Counts, outcome: &mut Outcome) -> Result<u64, String> {
    let data = options.folder.join("data");
    let _ = std::fs::remove_dir_all(&data);
    let counter = options.folder.join("counter");
    std::fs::write(&counter, [0; 8]).map_err(|error| error.to_string())?;
    let flush = if random.bool() { "SYNC_FLUSH" } else { "ASYNC_FLUSH" };
    let mut launch = launch(options, flush);
    launch.settings.extend(["mappedFileSizeCommitLog=131072", "maxMessageSize=65536"].map(str::to_owned));
    // The NameServer's file is not the broker's: it can be written or not, and sends go on.
    launch.settings.push(format!("nameserver.kvConfigPath={}", options.folder.join("namesrv/kvConfig.json").display()));
    let sound = launch.clone();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let what = [
        ("EIO_UNDER", text(&data)),
        ("EIO_COUNTER", text(&counter)),
        ("EIO_AT", fault.at.to_string()),
        ("EIO_KIND", fault.kind.to_owned()),
    ];
    launch.environment.extend(shim::environment(fault.shim, &what));
    let what = format!("{} at call {} with {flush}", fault.kind, fault.at);
    let mut ledger = Ledger::default();
    let mut violations = Vec::new();
    match Broker::start(&launch, &data) {
        Err(_) if calls_in(&counter) >= fault.at => counts.refused_to_start += 1,
        Err(error) => return Err(format!("{what}: {error}")),
        Ok(broker) => {
            let mut run =
                Sending { client: broker.connect()?, ledger: &mut ledger, violations: &mut violations, number: 0, random: random.fork() };
            let failed = run.send_until_failure(&counter, fault.at)?;
            if let Some(failed) = failed {
                counts.fenced += 1;
                let refused = run.refused_since(failed)?;
                counts.refused_ms = counts.refused_ms.max(refused);
                counts.route_ms = counts.route_ms.max(route_is_read_only(&broker, failed, run.violations)?);
                for queue in 0..QUEUES {
                    run.client.read_queue(TOPICS[0], queue, |_| ()).map_err(|error| format!("{what}: reads do not go on: {error}"))?;
                }
            }
            if !violations.is_empty() {
                violations.push(tail(&broker.logged()));
            }
            broker.kill();
        }
    }
    let calls = calls_in(&counter);
    let broker = Broker::start(&sound, &data).map_err(|error| format!("{what}: {error}"))?;
    let looked = ledger.look(&mut broker.connect()?, 1, MayLose::Nothing, true, random)?;
    violations.extend(looked.violations);
    counts.acknowledged += ledger.acknowledged;
    outcome.violations.extend(violations.into_iter().map(|violation| format!("{what}: {violation}")));
    broker.kill();
    Ok(calls)
}

fn calls_in(counter: &PathBuf) -> u64 {
    std::fs::read(counter).ok().and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

struct Sending<'a> {
    client: Client,
    ledger: &'a mut Ledger,
    violations: &'a mut Vec<String>,
    number: u64,
    random: Rng,
}

impl Sending<'_> {
    /// Sends message after message until the fault has struck, or the run is over; when it struck.
    fn send_until_failure(&mut self, counter: &PathBuf, at: u64) -> Result<Option<Instant>, String> {
        for _ in 0..MESSAGES {
            let before = calls_in(counter);
            let sent = self.send()?;
            if before >= at || calls_in(counter) >= at {
                return Ok(Some(Instant::now()));
            }
            if let Sent::Refused(code, remark) = sent {
                self.violations.push(format!("refused before any fault: {code} {remark}"));
                return Ok(None);
            }
        }
        // What the broker writes by itself goes on for a while: tables, the flush of ASYNC_FLUSH, the next file.
        let until = Instant::now() + Duration::from_millis(700);
        while Instant::now() < until {
            if calls_in(counter) >= at {
                return Ok(Some(Instant::now()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(None)
    }

    /// How long after the failure the first send is refused, in ms; from then on all must be.
    fn refused_since(&mut self, failed: Instant) -> Result<u64, String> {
        loop {
            match self.send()? {
                Sent::Refused(SERVICE_NOT_AVAILABLE, remark) if remark.contains("closed for writing") => break,
                Sent::Refused(code, remark) => {
                    self.violations.push(format!("refused with {code} {remark}"));
                    break;
                }
                Sent::Acknowledged if failed.elapsed() > REFUSES_WITHIN => {
                    self.violations.push(format!("sends are taken {:?} after the failure", failed.elapsed()));
                    break;
                }
                Sent::Acknowledged => {}
            }
        }
        let took = failed.elapsed().as_millis() as u64;
        for _ in 0..5 {
            if matches!(self.send()?, Sent::Acknowledged) {
                self.violations.push("a send was taken after one had been refused".to_owned());
            }
        }
        Ok(took)
    }

    /// Sends one message.
    fn send(&mut self) -> Result<Sent, String> {
        self.number += 1;
        let queue = (0, self.random.u32(..QUEUES));
        let bytes = self.random.usize(10..9000);
        single::send(&mut self.client, self.ledger, self.violations, self.number - 1, queue, bytes)
    }
}

/// How long after the failure the route of the topic is without write permission, in ms.
pub fn route_is_read_only(broker: &Broker, failed: Instant, violations: &mut Vec<String>) -> Result<u64, String> {
    let mut client = Client::connect(broker.nameserver).map_err(|error| format!("the NameServer: {error}"))?;
    loop {
        let request = RouteByTopic { topic: TOPICS[0].into(), accept_standard_json_only: Some(true) };
        let answer = client.call(&request, b"").map_err(|error| format!("asking for the route: {error}"))?;
        let route = json::from_slice::<TopicRouteData>(&answer.body).ok().filter(|_| answer.code == 0);
        let took = failed.elapsed();
        // A topic that was not made before the failure has no route at all, which is no permission either.
        if route.is_none_or(|route| route.queue_datas.iter().all(|queue| !queue.perm.is_writable())) {
            return Ok(took.as_millis() as u64);
        }
        if took > ROUTE_WITHIN {
            violations.push(format!("the route still has write permission {took:?} after the failure"));
            return Ok(took.as_millis() as u64);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

const MESSAGES: u64 = 120;
const SERVICE_NOT_AVAILABLE: i32 = 14;
const REFUSES_WITHIN: Duration = Duration::from_millis(100);
const ROUTE_WITHIN: Duration = Duration::from_secs(1);
