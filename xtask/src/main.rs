//! Development tasks: `cargo xtask TASK`. Which tasks are there?

#![allow(clippy::disallowed_methods, reason = "a tool: it measures and drives the real world")]

mod bench;
mod budget;
mod ci;
mod compat;
mod rig;
mod torture;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Development tasks of RoxMQ
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

/// The comments are what `--help` prints.
#[derive(Debug, Subcommand)]
enum Task {
    /// Are the goals for speed reached, and what do other brokers reach? See docs/benchmarks.md
    Bench(bench::BenchArgs),
    /// Do the hot parts take as few instructions as they should?
    Budget {
        /// Parts to count [default: all]
        #[arg(value_name = "PART")]
        parts: Vec<String>,
    },
    /// Does everything hold that needs no root and no other language? See docs/STYLE.md
    Ci(ci::CiArgs),
    /// Run real clients against RoxMQ or Java RocketMQ. See compat/README.md
    Compat(compat::CompatArgs),
    /// Load the real binary while its disk, its process and its files are treated badly. See docs/evidence.md
    Torture(torture::TortureArgs),
    /// What `compat` gives its suites to stop and start servers; not for use by hand
    #[command(hide = true)]
    Control {
        /// SOCKET verb and, for some, a name
        words: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Xtask::parse().task {
        Task::Bench(args) => bench::run(args),
        Task::Budget { parts } => budget::run(&parts),
        Task::Ci(args) => ci::run(&args),
        Task::Compat(args) => compat::run(&args),
        Task::Torture(args) => torture::run(args),
        Task::Control { words } => compat::control::ask(&words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
