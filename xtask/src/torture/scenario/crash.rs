//! What is lost when the power is cut, the broker is killed or the disk dies under load?
//!
//! A data folder lives for some cycles; in each the broker is loaded, harmed at a random moment, started again (often harmed once more
//! while it starts), and everything is read back. At the end of a folder's life `roxmq verify` must find nothing.

use crate::rig::broker::{Broker, Launch, verify};
use crate::torture::contract::{Options, Outcome};
use crate::torture::drive::Drive;
use crate::torture::ledger::{Fact, Ledger, MayLose};
use crate::torture::load::{Load, SHAPE};
use crate::torture::small_store::{launch, tail};
use fastrand::Rng;
use rustix::process::Signal;
use std::path::Path;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Harm {
    PowerCut,
    Kill,
    /// The disk is gone, and the broker goes on for a while.
    DeadDisk,
}

struct Plan {
    harm: Harm,
    flush: &'static str,
    may_lose: bool,
}

/// Nothing acknowledged is lost.
pub fn power_cut_sync(options: &Options) -> Result<Outcome, String> {
    run(options, &Plan { harm: Harm::PowerCut, flush: "SYNC_FLUSH", may_lose: false })
}

/// At most the newest are lost.
pub fn power_cut_async(options: &Options) -> Result<Outcome, String> {
    run(options, &Plan { harm: Harm::PowerCut, flush: "ASYNC_FLUSH", may_lose: true })
}

/// Nothing acknowledged is lost.
pub fn kill_sync(options: &Options) -> Result<Outcome, String> {
    run(options, &Plan { harm: Harm::Kill, flush: "SYNC_FLUSH", may_lose: false })
}

/// Nothing acknowledged is lost.
pub fn kill_async(options: &Options) -> Result<Outcome, String> {
    run(options, &Plan { harm: Harm::Kill, flush: "ASYNC_FLUSH", may_lose: false })
}

/// Nothing acknowledged is lost, also of what was acknowledged after the disk had died.
pub fn dead_disk(options: &Options) -> Result<Outcome, String> {
    run(options, &Plan { harm: Harm::DeadDisk, flush: "SYNC_FLUSH", may_lose: false })
}

struct Run<'a> {
    options: &'a Options,
    plan: &'a Plan,
    launch: Launch,
    random: Rng,
    outcome: Outcome,
    starts: Vec<Duration>,
    acknowledged: u64,
    compared: u64,
    lost: u64,
    lost_age_ms: u64,
    refused_after_ms: Vec<u64>,
    interrupted_starts: u64,
    life: u64,
}

fn run(options: &Options, plan: &Plan) -> Result<Outcome, String> {
    let mut run = Run {
        options,
        plan,
        launch: launch(options, plan.flush),
        random: Rng::with_seed(options.seed),
        outcome: Outcome::default(),
        starts: Vec::new(),
        acknowledged: 0,
        compared: 0,
        lost: 0,
        lost_age_ms: 0,
        refused_after_ms: Vec::new(),
        interrupted_starts: 0,
        life: 0,
    };
    while run.outcome.cycles < options.cycles && run.outcome.violations.is_empty() {
        run.folder()?;
    }
    run.starts.sort();
    let start = |part: usize| run.starts.get(run.starts.len() * part / 100).map_or(0, |start| start.as_millis());
    let mut figures = vec![
        ("acknowledged", run.acknowledged.to_string()),
        ("compared", run.compared.to_string()),
        ("acknowledged and lost", run.lost.to_string()),
        ("interrupted starts", run.interrupted_starts.to_string()),
        ("start ms median/p99", format!("{}/{}", start(50), start(99))),
    ];
    if plan.may_lose {
        figures.push(("oldest lost ms before the cut", run.lost_age_ms.to_string()));
    }
    if let Some(most) = run.refused_after_ms.iter().max() {
        figures.push(("first refusal after ms at most", most.to_string()));
    }
    run.outcome.figures = figures;
    Ok(run.outcome)
}

impl Run<'_> {
    /// The life of a data folder.
    fn folder(&mut self) -> Result<(), String> {
        let drive = match self.plan.harm {
            Harm::PowerCut | Harm::DeadDisk => Some(Drive::create(&self.options.folder, DRIVE_MEBIBYTES)?),
            Harm::Kill => None,
        };
        let data = match &drive {
            Some(drive) => drive.path().join("data"),
            None => self.options.folder.join("data"),
        };
        let lives = self.random.u64(2..=LIVES_MAX).min(self.options.cycles - self.outcome.cycles).max(1);
        let mut ledger = Ledger::default();
        let mut broker = Broker::start(&self.launch, &data)?;
        for life in 1..=lives {
            self.life += 1;
            let first_life = self.life;
            if self.plan.may_lose {
                self.flushed_load(&broker, &mut ledger)?;
            }
            let may_lose = self.harm(broker, drive.as_ref(), &mut ledger)?;
            broker = self.start_again(drive.as_ref(), &data)?;
            let mut client = broker.connect()?;
            self.starts.push(broker.started.elapsed());
            let is_last = life == lives;
            if is_last {
                std::thread::sleep(DELAYED_ARE_DUE);
            }
            let looked = ledger.look(&mut client, first_life, may_lose, is_last, &mut self.random)?;
            self.lost += looked.lost;
            self.lost_age_ms = self.lost_age_ms.max(looked.lost_age_ms);
            self.outcome.violations.extend(looked.violations);
            if !self.outcome.violations.is_empty() {
                self.outcome.violations.push(format!(
                    "in cycle {}; the broker's log ends with:\n{}",
                    self.outcome.cycles + 1,
                    tail(&broker.logged())
                ));
                break;
            }
            self.outcome.cycles += 1;
            if self.options.verbose {
                println!(
                    "  cycle {}: start {:?}, {} acknowledged in this folder",
                    self.outcome.cycles,
                    self.starts.last(),
                    ledger.acknowledged
                );
            }
        }
        self.acknowledged += ledger.acknowledged;
        self.compared += ledger.compared;
        if self.outcome.violations.is_empty() {
            broker.stop()?;
            let (is_sound, text) = verify(&self.options.binary, &data)?;
            if !is_sound {
                self.outcome.violations.push(format!("verify: {text}"));
            }
        } else {
            drop(broker);
        }
        let _ = std::fs::remove_dir_all(&data);
        Ok(())
    }

    /// Loads the broker and gives it some time, so that a part of what it has is durable when it is harmed.
    fn flushed_load(&mut self, broker: &Broker, ledger: &mut Ledger) -> Result<(), String> {
        let load = Load::start(broker, self.life, SHAPE, &mut self.random)?;
        let (mut refusals, mut violations) = (Vec::new(), Vec::new());
        let wanted = self.random.usize(1..ACKNOWLEDGEMENTS_MAX);
        load.run(wanted, Duration::from_millis(LOAD_MS_MAX), |fact| note(fact, ledger, &mut refusals, &mut violations));
        load.finish(|fact| note(fact, ledger, &mut refusals, &mut violations))?;
        self.outcome.violations.extend(violations);
        std::thread::sleep(Duration::from_millis(self.random.u64(0..700)));
        self.life += 1;
        Ok(())
    }

    /// Loads the broker and harms it. What may be lost by that.
    fn harm(&mut self, broker: Broker, drive: Option<&Drive>, ledger: &mut Ledger) -> Result<MayLose, String> {
        let load = Load::start(&broker, self.life, SHAPE, &mut self.random)?;
        let mut violations = Vec::new();
        let wanted = self.random.usize(1..ACKNOWLEDGEMENTS_MAX);
        let time = Duration::from_millis(self.random.u64(20..LOAD_MS_MAX));
        let mut refusals = Vec::new();
        load.run(wanted, time, |fact| note(fact, ledger, &mut refusals, &mut violations));
        if !refusals.is_empty() {
            violations.push(format!("refused before any harm: {:?}", refusals[0]));
        }
        let harmed = Instant::now();
        match (self.plan.harm, drive) {
            (Harm::Kill, _) => {
                if self.random.u8(..4) == 0 {
                    broker.signal(Signal::STOP);
                    load.run(usize::MAX, Duration::from_millis(self.random.u64(1..80)), |fact| {
                        note(fact, ledger, &mut refusals, &mut violations)
                    });
                    if self.random.bool() {
                        broker.signal(Signal::CONT);
                        load.run(usize::MAX, Duration::from_millis(self.random.u64(1..80)), |fact| {
                            note(fact, ledger, &mut refusals, &mut violations)
                        });
                    }
                }
                broker.kill();
            }
            (Harm::PowerCut, Some(drive)) => {
                drive.cut_power()?;
                broker.kill();
            }
            (Harm::DeadDisk, Some(drive)) => {
                drive.cut_power()?;
                let until = Duration::from_millis(self.random.u64(0..200));
                let mut first = None;
                while harmed.elapsed() < until {
                    load.run(1, until.saturating_sub(harmed.elapsed()), |fact| {
                        if matches!(fact, Fact::Refused { .. }) && first.is_none() {
                            first = Some(harmed.elapsed());
                        }
                        note(fact, ledger, &mut refusals, &mut violations);
                    });
                }
                self.check_refusals(first, until, &broker, &refusals, &mut violations)?;
                broker.kill();
            }
            (_, None) => return Err("there is no drive to harm".to_owned()),
        }
        load.finish(|fact| note(fact, ledger, &mut refusals, &mut violations))?;
        self.outcome.violations.extend(violations);
        ledger.harmed = Some(harmed);
        Ok(if self.plan.may_lose { MayLose::SuffixSince(harmed) } else { MayLose::Nothing })
    }

    /// A broker whose disk is dead says so within 100 ms, and still serves what it has.
    fn check_refusals(
        &mut self,
        first: Option<Duration>,
        until: Duration,
        broker: &Broker,
        refusals: &[(i32, String)],
        violations: &mut Vec<String>,
    ) -> Result<(), String> {
        match first {
            Some(first) => self.refused_after_ms.push(first.as_millis() as u64),
            None if until > REFUSES_WITHIN => violations.push(format!("no send was refused within {until:?} after the disk had died")),
            None => {}
        }
        if first.is_some_and(|first| first > REFUSES_WITHIN) {
            violations.push(format!("the first refusal came {first:?} after the disk had died"));
        }
        // A half message that the dead disk does not give back cannot be decided.
        let is_expected = |(code, remark): &&(i32, String)| {
            (*code == SERVICE_NOT_AVAILABLE && remark.contains("closed for writing")) || remark.contains("Find prepared")
        };
        if let Some(other) = refusals.iter().find(|refusal| !is_expected(refusal)) {
            violations.push(format!("a send is refused with {other:?}"));
        }
        if first.is_some() {
            let mut client = broker.connect()?;
            client.read_queue("TortureA", 0, |_| ()).map_err(|error| format!("reads do not go on: {error}"))?;
        }
        Ok(())
    }

    /// Starts the broker after harm, and perhaps harms it again while it starts.
    fn start_again(&mut self, drive: Option<&Drive>, data: &Path) -> Result<Broker, String> {
        if let Some(drive) = drive {
            if self.options.keep {
                drive.copy()?;
            }
            drive.remount()?;
        }
        for _ in 0..self.random.usize(..3) {
            if self.random.bool() {
                continue;
            }
            let broker = Broker::spawn(&self.launch, data)?;
            std::thread::sleep(Duration::from_micros(self.random.u64(0..START_US_MAX)));
            if let Some(drive) = drive {
                drive.cut_power()?;
            }
            broker.kill();
            drive.map_or(Ok(()), Drive::remount)?;
            self.interrupted_starts += 1;
        }
        Broker::start(&self.launch, data)
    }
}

fn note(fact: Fact, ledger: &mut Ledger, refusals: &mut Vec<(i32, String)>, violations: &mut Vec<String>) {
    if let Fact::Refused { code, remark } = &fact {
        refusals.push((*code, remark.clone()));
    }
    ledger.learn(fact, violations);
}

const DRIVE_MEBIBYTES: u64 = 256;
const LIVES_MAX: u64 = 9;
const ACKNOWLEDGEMENTS_MAX: usize = 2500;
const LOAD_MS_MAX: u64 = 400;
const START_US_MAX: u64 = 30_000;
const DELAYED_ARE_DUE: Duration = Duration::from_millis(1300);
const REFUSES_WITHIN: Duration = Duration::from_millis(100);
const SERVICE_NOT_AVAILABLE: i32 = 14;
