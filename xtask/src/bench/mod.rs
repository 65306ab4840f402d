//! `cargo xtask bench`: are the goals reached, and what do the peers reach on the same machine in the same run?
//!
//! Every row gets a fresh broker, is run several times, and its verification (what is stored is what was acknowledged, each message once
//! and in order) is part of it. The table goes to the screen and to `docs/benchmarks.md`, between two marks.

mod figures;
mod goals;
mod machine;
mod page;
mod peers;
mod plot;
mod special;
mod stage;

use crate::compat::folder::Folder;
use crate::compat::servers::{self, Target};
use figures::{Figures, Spread};
use goals::{Load, ROWS, Row};
use machine::Calibration;
use stage::Stage;
use std::path::PathBuf;
use std::process::Command;

/// What the command line says.
struct Wanted {
    rows: Vec<&'static Row>,
    runs: usize,
    seconds: f64,
    soak_minutes: f64,
    stored_gb: f64,
    /// The peers, rather than the goals: their rows, and how long each virtual machine is warmed up.
    peers: Option<peers::Wanted>,
    binary: Option<PathBuf>,
    is_written: bool,
}

/// One row and what its runs gave.
pub struct Measured {
    row: &'static Row,
    runs: Vec<Figures>,
    failures: Vec<String>,
}

/// Runs what the words ask for. An error when a verification failed.
pub fn run(words: &[String]) -> Result<(), String> {
    let wanted = Wanted::read(words)?;
    let binary = match wanted.binary {
        Some(binary) => binary,
        None => match servers::build_roxmq(&crate::compat::repository())? {
            Target::RoxMq { program } => program,
            Target::Java { .. } => return Err("built something else".to_owned()),
        },
    };
    let folder = Folder::create(false)?;
    let stage = Stage {
        binary,
        folder,
        seconds: wanted.seconds,
        warm_up: wanted.seconds.min(2.0),
        soak_minutes: wanted.soak_minutes,
        stored_gb: wanted.stored_gb,
    };
    let machine = machine::describe(stage.folder.path());
    for (name, value) in &machine {
        println!("{name:12} {value}");
    }
    println!("touching the memory");
    machine::said_by(Command::new(&stage.binary).args(["bench", "touch"]));
    // A host that takes back what is free now begins with it after some seconds.
    std::thread::sleep(SETTLE);
    machine::wait_until_calm();
    let busy = machine::busy_share();
    let before = Calibration::take(stage.folder.path())?;
    println!("before       {}; {:.0} % of the cores were busy", before.text(), busy * 100.0);
    if busy > BUSY_MAX {
        println!("             THE MACHINE IS NOT QUIET: these figures say little");
    }

    let gave = match &wanted.peers {
        Some(peers) => Gave::Peers(Box::new(peers::run(&stage, peers)?)),
        None => {
            println!("\nrow | goal | median [min .. max] | verdict");
            Gave::Goals(wanted.rows.iter().map(|row| measure(&stage, row, wanted.runs)).collect())
        }
    };

    let after = Calibration::take(stage.folder.path())?;
    println!("\nafter        {}; moved by {:.0} %", after.text(), before.moved(&after) * 100.0);
    if wanted.is_written {
        let run = page::Run { machine: &machine, busy, before, after, seconds: wanted.seconds };
        page::write(&crate::compat::repository(), &run, &gave)?;
        println!("written      {}", page::PATH);
    }
    let failures = match &gave {
        Gave::Goals(rows) => rows.iter().map(|row| row.failures.len()).sum(),
        Gave::Peers(peers) => peers.failures.len(),
    };
    if failures == 0 { Ok(()) } else { Err(format!("{failures} runs failed or were not verified")) }
}

/// What a run gave.
pub enum Gave {
    /// The rows of the goals.
    Goals(Vec<Measured>),
    /// RoxMQ beside others.
    Peers(Box<peers::Outcome>),
}

fn measure(stage: &Stage, row: &'static Row, runs: usize) -> Measured {
    let mut measured = Measured { row, runs: Vec::new(), failures: Vec::new() };
    for _ in 0..if row.name == "soak" || row.name == "start-full" { 1 } else { runs } {
        match once(stage, row) {
            Ok(figures) => measured.runs.push(figures),
            Err(why) => measured.failures.push(why),
        }
    }
    for line in measured.lines() {
        println!("{line}");
    }
    println!("  repeat: {}", measured.command(runs));
    measured
}

fn once(stage: &Stage, row: &Row) -> Result<Figures, String> {
    if row.is_of_latency() {
        machine::wait_until_calm();
    }
    match &row.load {
        Load::Special(special) => special(stage, row.settings),
        Load::Bench { fill_seconds, words } => {
            let fresh = stage.fresh(row.settings)?;
            if *fill_seconds > 0.0 {
                stage.bench_for(&fresh.address(), "send -c 16 -w 16", *fill_seconds, 0.0)?;
            }
            Ok(stage.bench(&fresh.address(), words)?.figures)
        }
    }
}

impl Measured {
    /// Row, goal, figures and verdict, a line for each limit.
    fn lines(&self) -> Vec<String> {
        let told = self.row.limits.iter().map(|limit| {
            let spread = Spread::of_runs(&self.runs, limit.metric);
            let figure = spread.map_or_else(|| "not measured".to_owned(), |spread| spread.text(limit.metric));
            format!("{} | {} | {figure} | {}", self.row.name, limit.text(), self.verdict(limit))
        });
        told.chain(self.failures.iter().map(|why| format!("{} | FAILED | {why}", self.row.name))).collect()
    }

    /// What is to be said of one limit.
    fn verdict(&self, limit: &goals::Limit) -> &'static str {
        match (Spread::of_runs(&self.runs, limit.metric), limit.goal) {
            _ if !self.failures.is_empty() => "not verified",
            (None, _) => "not measured",
            (_, goals::Goal::Told) => "-",
            (Some(spread), _) if limit.holds(spread.median) => "reached",
            _ => "missed",
        }
    }

    /// What repeats it.
    fn command(&self, runs: usize) -> String {
        format!("cargo xtask bench --row {} --runs {runs}", self.row.name)
    }
}

impl Wanted {
    fn read(words: &[String]) -> Result<Wanted, String> {
        let mut wanted = Wanted {
            rows: Vec::new(),
            runs: 3,
            seconds: 5.0,
            soak_minutes: 2.0,
            stored_gb: 20.0,
            peers: None,
            binary: None,
            is_written: false,
        };
        let mut names = Vec::new();
        let (mut are_peers, mut warm_up, mut has_curves) = (false, 90.0, true);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{}", usage()));
            let number =
                |text: &String| text.parse::<f64>().ok().filter(|number| *number > 0.0).ok_or_else(|| format!("{text}: a number?"));
            match word.as_str() {
                "--row" => names.push(value()?.clone()),
                "--peers" => are_peers = true,
                "--peer-warm-up" => warm_up = number(value()?)?,
                "--no-curves" => has_curves = false,
                "--runs" => wanted.runs = number(value()?)? as usize,
                "--seconds" => wanted.seconds = number(value()?)?,
                "--soak-minutes" => wanted.soak_minutes = number(value()?)?,
                "--stored-gb" => wanted.stored_gb = number(value()?)?,
                "--binary" => wanted.binary = Some(PathBuf::from(value()?)),
                "--quick" => {
                    (wanted.runs, wanted.seconds, wanted.soak_minutes, wanted.stored_gb) = (1, 2.0, 0.5, 3.0);
                    (warm_up, has_curves) = (15.0, false);
                }
                "--write" => wanted.is_written = true,
                _ => return Err(usage()),
            }
        }
        let known =
            |name: &String| if are_peers { peers::names().contains(name.as_str()) } else { ROWS.iter().any(|row| row.name == name) };
        if !names.iter().all(known) {
            return Err(usage());
        }
        wanted.rows = ROWS.iter().filter(|row| names.is_empty() || names.iter().any(|name| name == row.name)).collect();
        let has_curves = has_curves && names.is_empty();
        wanted.peers = are_peers.then_some(peers::Wanted { rounds: wanted.runs, warm_up, has_curves, only: names });
        Ok(wanted)
    }
}

fn usage() -> String {
    let mut text = USAGE.to_owned();
    for row in ROWS {
        text += &format!("  {:18} {}\n", row.name, row.title);
    }
    text + "\nrows with --peers:\n" + &peers::usage()
}

const USAGE: &str = "\
usage: cargo xtask bench [FLAGS]        (see docs/benchmarks.md)
  --row NAME          only this row, may be repeated       (all)
  --runs N            runs of each row                     (3)
  --seconds S         counted seconds of a run             (5)
  --soak-minutes M    length of the long run               (2)
  --stored-gb GB      what is stored before a start        (20)
  --binary PATH       another program than target/release/roxmq, built first
  --quick             one short run of each; virtual machines warmed up for 15 s, no curves
  --peers             instead of the goals: Java RocketMQ and Kafka, from Maven Central, beside RoxMQ
  --peer-warm-up S    how long each virtual machine is warmed up (90)
  --no-curves         with --peers: only the rows
  --write             writes the table to docs/benchmarks.md

rows:
";
/// Above this share of the cores a machine that should be idle is not quiet.
const BUSY_MAX: f64 = 0.1;
/// Linux tells the host two seconds after memory is free.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(5);
