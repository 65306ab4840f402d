//! What happens when the file system turns read-only?
//!
//! It does so under load, as Linux makes it after an error: sends are refused within 100 ms, the route loses its write
//! permission within a second, reads go on, and what was acknowledged is there once it is mounted again.

use super::io_error::route_is_read_only;
use crate::rig::broker::{Broker, verify};
use crate::torture::contract::{Options, Outcome};
use crate::torture::drive::Drive;
use crate::torture::ledger::{Fact, Ledger, MayLose};
use crate::torture::load::{Load, SHAPE};
use crate::torture::messages::{TOPICS, queues};
use crate::torture::small_store::{launch, tail};
use fastrand::Rng;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Counts {
    acknowledged: u64,
    refused_ms: u64,
    route_ms: u64,
}

/// Makes the file system read-only, again and again.
pub fn read_only(options: &Options) -> Result<Outcome, String> {
    let mut random = Rng::with_seed(options.seed);
    let mut outcome = Outcome::default();
    let mut counts = Counts::default();
    let mut life = 0;
    while outcome.cycles < options.cycles && outcome.violations.is_empty() {
        let launch = launch(options, if random.bool() { "SYNC_FLUSH" } else { "ASYNC_FLUSH" });
        let drive = Drive::create(&options.folder, DRIVE_MEBIBYTES)?;
        let data = drive.path().join("data");
        let mut ledger = Ledger::default();
        let lives = random.u64(2..=LIVES_MAX).min(options.cycles - outcome.cycles);
        for n in 1..=lives {
            life += 1;
            let broker = Broker::start(&launch, &data)?;
            outcome.violations.extend(harm(&broker, &drive, life, &mut ledger, &mut counts, &mut random)?);
            let log = tail(&broker.logged());
            broker.kill();
            drive.remount()?;
            let broker = Broker::start(&launch, &data)?;
            if n == lives {
                std::thread::sleep(DELAYED_ARE_DUE);
            }
            // Whether the newest of ASYNC_FLUSH still reach the disk is up to the kernel: the log may end before them.
            let may_lose = match (launch.settings.iter().any(|setting| setting.ends_with("=SYNC_FLUSH")), ledger.harmed) {
                (false, Some(harmed)) => MayLose::SuffixSince(harmed),
                _ => MayLose::Nothing,
            };
            outcome.violations.extend(ledger.look(&mut broker.connect()?, life, may_lose, n == lives, &mut random)?.violations);
            if !outcome.violations.is_empty() {
                let mode = launch.settings.join(" ");
                outcome
                    .violations
                    .push(format!("in cycle {} with {mode}; before the restart the log ended with:\n{log}", outcome.cycles + 1));
                break;
            }
            outcome.cycles += 1;
            if n == lives {
                broker.stop()?;
                let (is_sound, text) = verify(&options.binary, &data)?;
                if !is_sound {
                    outcome.violations.push(format!("verify: {text}"));
                }
            } else {
                broker.kill();
            }
        }
        counts.acknowledged += ledger.acknowledged;
    }
    outcome.figures = vec![
        ("acknowledged", counts.acknowledged.to_string()),
        ("first refusal after ms at most", counts.refused_ms.to_string()),
        ("route without write permission after ms at most", counts.route_ms.to_string()),
    ];
    Ok(outcome)
}

/// Loads the broker and takes its disk's writing away.
fn harm(
    broker: &Broker,
    drive: &Drive,
    life: u64,
    ledger: &mut Ledger,
    counts: &mut Counts,
    random: &mut Rng,
) -> Result<Vec<String>, String> {
    let load = Load::start(broker, life, SHAPE, random)?;
    let mut violations = Vec::new();
    let wanted = random.usize(1..ACKNOWLEDGEMENTS_MAX);
    load.run(wanted, Duration::from_millis(random.u64(20..400)), |fact| {
        if let Fact::Refused { code, remark } = &fact {
            violations.push(format!("refused before any harm: {code} {remark}"));
        }
        let mut found = Vec::new();
        ledger.learn(fact, &mut found);
        violations.append(&mut found);
    });
    // Asking for the error takes a while by itself: what counts begins when it is there.
    drive.make_read_only()?;
    let harmed = Instant::now();
    ledger.harmed = Some(harmed);
    let mut first = None;
    let mut expect = |fact: Fact, first: &mut Option<Duration>, violations: &mut Vec<String>| {
        if let Fact::Refused { code, remark } = &fact {
            first.get_or_insert(harmed.elapsed());
            let is_expected = (*code == SERVICE_NOT_AVAILABLE && remark.contains("closed for writing")) || remark.contains("Find prepared");
            if !is_expected {
                violations.push(format!("a send is refused with {code} {remark}"));
            }
        }
        ledger.learn(fact, violations);
    };
    while first.is_none() && harmed.elapsed() < REFUSES_WITHIN * 2 {
        load.run(1, Duration::from_millis(5), |fact| expect(fact, &mut first, &mut violations));
    }
    match first {
        Some(first) if first <= REFUSES_WITHIN => counts.refused_ms = counts.refused_ms.max(first.as_millis() as u64),
        late => violations.push(format!("the first refusal came {late:?} after the file system had turned read-only")),
    }
    counts.route_ms = counts.route_ms.max(route_is_read_only(broker, harmed, &mut violations)?);
    let mut client = broker.connect()?;
    for queue in queues() {
        client.read_queue(TOPICS[queue.0], queue.1, |_| ()).map_err(|error| format!("reads do not go on: {error}"))?;
    }
    load.finish(|fact| expect(fact, &mut first, &mut violations))?;
    Ok(violations)
}

const DRIVE_MEBIBYTES: u64 = 256;
const LIVES_MAX: u64 = 6;
const ACKNOWLEDGEMENTS_MAX: usize = 2500;
const DELAYED_ARE_DUE: Duration = Duration::from_millis(1300);
const REFUSES_WITHIN: Duration = Duration::from_millis(100);
const SERVICE_NOT_AVAILABLE: i32 = 14;
