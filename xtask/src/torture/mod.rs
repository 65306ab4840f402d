//! `cargo xtask torture`: what becomes of the real binary under load when its disk, its process and its files are treated badly?
//!
//! Each scenario repeats a cycle: load the broker (`load`), do harm, start it again, and compare all that it has with all that it ever
//! acknowledged (`ledger`). The first thing that must not be ends the run with exit code 1; the seed repeats the choices, though not the
//! timing. What a scenario needs and the machine refuses is a failure, never a skip.

mod contract;
mod drive;
mod ledger;
mod load;
mod messages;
mod scenario;
mod scratch;
mod single;
mod small_store;

use crate::rig::programs;
use clap::Args;
use clap::builder::PossibleValuesParser;
use contract::Options;
use scenario::{SCENARIOS, Scenario};
use scratch::Scratch;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the command line asks for.
#[derive(Debug, Args)]
#[command(after_help = scenarios())]
pub struct TortureArgs {
    /// What is done to the broker, see below
    #[arg(value_name = "SCENARIO", required_unless_present = "short", value_parser = PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name)), hide_possible_values = true)]
    scenarios: Vec<String>,
    /// A few cycles of each scenario, or of all
    #[arg(long)]
    short: bool,
    /// Cycles of each [default: as below]
    #[arg(long, value_name = "N")]
    cycles: Option<u64>,
    /// What all choices follow from [default: a random number]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Another program than target/release/roxmq, which is built first
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// A bug to plant, in a program that has them
    #[arg(long, value_name = "NAME")]
    tooth: Option<String>,
    /// How large the largest store is, where that matters [default: 20; short: 1]
    #[arg(long, value_name = "N")]
    gigabytes: Option<u64>,
    /// Print each cycle
    #[arg(long)]
    verbose: bool,
    /// Keep the files of a run that ends badly, and the drive as it was before the last start
    #[arg(long)]
    keep: bool,
}

/// Runs what the command line asks for.
pub fn run(args: TortureArgs) -> Result<(), String> {
    let TortureArgs { scenarios, short, cycles, seed, binary, tooth, gigabytes, verbose, keep } = args;
    let mut chosen: Vec<&Scenario> = scenarios.iter().filter_map(|name| scenario::find(name)).collect();
    if chosen.is_empty() {
        chosen = SCENARIOS.iter().collect();
    }
    let binary = binary.map_or_else(programs::build_roxmq, Ok)?;
    let mut scratch = Scratch::create()?;
    let mut failed = Vec::new();
    for scenario in chosen {
        let seed =
            seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64 % 1_000_000_007));
        let cycles = cycles.unwrap_or(if short { scenario.short } else { scenario.long });
        let folder = scratch.path.join(scenario.name);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let options = Options {
            cycles,
            seed,
            binary: binary.clone(),
            gigabytes: gigabytes.map_or(if short { SHORT_GIGABYTES } else { LONG_GIGABYTES }, |number| number as f64),
            folder: folder.clone(),
            tooth: tooth.clone(),
            verbose,
            keep,
        };
        if !report(scenario, &options) {
            failed.push(scenario.name);
            if keep {
                println!("  files in {}", folder.display());
                scratch.kept = true;
                continue;
            }
        }
        let _ = std::fs::remove_dir_all(&folder);
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("FAILED: {}", failed.join(", "))) }
}

/// Runs one scenario and reports what came of it. Did it end well?
fn report(scenario: &Scenario, options: &Options) -> bool {
    let began = Instant::now();
    let outcome = (scenario.run)(options);
    let time = began.elapsed();
    let repeat = format!("cargo xtask torture {} --cycles {} --seed {}", scenario.name, options.cycles, options.seed);
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(why) => {
            println!("{}: could not run to its end after {}: {why}\n  repeat: {repeat}", scenario.name, shown(time));
            return false;
        }
    };
    let figures: Vec<String> = outcome.figures.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let verdict = if outcome.violations.is_empty() { "ok" } else { "VIOLATED" };
    println!("{}: {verdict}, {} cycles, {}, {}, seed {}", scenario.name, outcome.cycles, figures.join(", "), shown(time), options.seed);
    // The last one says in which cycle, and what the broker logged.
    let shown_at_most = outcome.violations.iter().take(9).chain(outcome.violations.iter().skip(9).last());
    for violation in shown_at_most {
        println!("  {violation}");
    }
    if !outcome.violations.is_empty() {
        println!("  repeat: {repeat}");
    }
    outcome.violations.is_empty()
}

fn shown(time: Duration) -> String {
    format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
}

fn scenarios() -> String {
    let line = |scenario: &Scenario| {
        let Scenario { name, what, long, short, .. } = scenario;
        format!("\n  {name:18} {what} ({long} cycles, short {short})")
    };
    "Scenarios:".to_owned() + &SCENARIOS.iter().map(line).collect::<String>()
}

/// The largest store of a full run, and of a short one.
const LONG_GIGABYTES: f64 = 20.0;
const SHORT_GIGABYTES: f64 = 1.0;
