//! `cargo xtask bench`: are the goals reached, and what do the peers reach on the same machine in the same run?
//!
//! Every row gets a fresh broker, is run several times, and its verification (what is stored is what was acknowledged, each message once
//! and in order) is part of it. The table goes to the screen and to `docs/benchmarks.md`, between two marks.

mod figures;
mod goals;
mod machine;
mod measured;
mod page;
mod peers;
mod plot;
mod special;
mod stage;

use crate::rig::folder::Folder;
use crate::rig::programs;
use clap::Args;
use figures::Figures;
use goals::{Load, ROWS, Row};
use machine::Calibration;
use measured::Measured;
use page::Gave;
use stage::Stage;
use std::path::PathBuf;
use std::process::Command;

/// What the command line asks for.
#[derive(Debug, Args)]
#[command(after_help = rows())]
pub struct BenchArgs {
    /// Only this row; may be repeated [default: all]
    #[arg(long = "row", value_name = "NAME")]
    rows: Vec<String>,
    /// Runs of each row [default: 3; quick: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    runs: Option<u16>,
    /// Counted seconds of a run [default: 5; quick: 2]
    #[arg(long, value_name = "S", value_parser = positive)]
    seconds: Option<f64>,
    /// Length of the long run [default: 2; quick: 0.5]
    #[arg(long, value_name = "M", value_parser = positive)]
    soak_minutes: Option<f64>,
    /// What is stored before a start [default: 20; quick: 3]
    #[arg(long, value_name = "GB", value_parser = positive)]
    stored_gb: Option<f64>,
    /// Another program than target/release/roxmq, which is built first
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// One short run of each; no curves
    #[arg(long)]
    quick: bool,
    /// Instead of the goals: Java RocketMQ and Kafka, from Maven Central, beside RoxMQ
    #[arg(long)]
    peers: bool,
    /// Seconds that each virtual machine is warmed up [default: 90; quick: 15]
    #[arg(long, value_name = "S", value_parser = positive)]
    peer_warm_up: Option<f64>,
    /// With --peers: only the rows
    #[arg(long)]
    no_curves: bool,
    /// Write the table to docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

impl BenchArgs {
    /// A value that is given, else the one of a quick or of a full run.
    fn or<T>(&self, given: Option<T>, full: T, quick: T) -> T {
        given.unwrap_or(if self.quick { quick } else { full })
    }

    fn runs(&self) -> usize {
        self.or(self.runs, 3, 1).into()
    }

    /// The peers instead of the goals, if that is asked for.
    fn peers(&self) -> Option<peers::Wanted> {
        self.peers.then(|| peers::Wanted {
            rounds: self.runs(),
            warm_up: self.or(self.peer_warm_up, 90.0, 15.0),
            has_curves: !self.no_curves && !self.quick && self.rows.is_empty(),
            only: self.rows.clone(),
        })
    }

    /// The rows of the goals that are asked for.
    ///
    /// # Errors
    /// When there is no row of a name.
    fn goals(&self) -> Result<Vec<&'static Row>, String> {
        let is_known =
            |name: &&String| if self.peers { peers::names().contains(name.as_str()) } else { ROWS.iter().any(|row| row.name == **name) };
        if let Some(unknown) = self.rows.iter().find(|name| !is_known(name)) {
            return Err(format!("there is no row {unknown}\n{}", rows()));
        }
        let is_asked = |row: &&Row| self.rows.is_empty() || self.rows.iter().any(|name| name == row.name);
        Ok(ROWS.iter().filter(is_asked).collect())
    }
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|number| *number > 0.0).ok_or_else(|| "it must be a number above 0".to_owned())
}

fn rows() -> String {
    let goals: String = ROWS.iter().map(|row| format!("  {:18} {}\n", row.name, row.title)).collect();
    format!("Rows:\n{goals}\nRows with --peers:\n{}", peers::usage())
}

/// Runs what the command line asks for.
///
/// # Errors
/// When a verification failed.
pub fn run(args: BenchArgs) -> Result<(), String> {
    let (goals, runs, seconds) = (args.goals()?, args.runs(), args.or(args.seconds, 5.0, 2.0));
    let binary = args.binary.clone().map_or_else(programs::build_roxmq, Ok)?;
    let folder = Folder::create(false)?;
    let stage = Stage {
        binary,
        folder,
        seconds,
        warm_up: seconds.min(2.0),
        soak_minutes: args.or(args.soak_minutes, 2.0, 0.5),
        stored_gb: args.or(args.stored_gb, 20.0, 3.0),
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

    let gave = match args.peers() {
        Some(peers) => Gave::Peers(Box::new(peers::run(&stage, &peers)?)),
        None => {
            println!("\nrow | goal | median [min .. max] | verdict");
            Gave::Goals(goals.iter().map(|row| measure(&stage, row, runs)).collect())
        }
    };

    let after = Calibration::take(stage.folder.path())?;
    println!("\nafter        {}; moved by {:.0} %", after.text(), before.moved(&after) * 100.0);
    if args.write {
        let run = page::Run { machine: &machine, busy, before, after, seconds };
        page::write(&programs::repository(), &run, &gave)?;
        println!("written      {}", page::PATH);
    }
    let failures = match &gave {
        Gave::Goals(rows) => rows.iter().map(|row| row.failures.len()).sum(),
        Gave::Peers(peers) => peers.failures.len(),
    };
    if failures == 0 { Ok(()) } else { Err(format!("{failures} runs failed or were not verified")) }
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

/// Above this share of the cores a machine that should be idle is not quiet.
const BUSY_MAX: f64 = 0.1;
/// Linux notifies the host two seconds after memory is free.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(5);
