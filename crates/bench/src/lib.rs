//! `roxmq bench`: how fast is a broker, what does it cost, and is every answer right?
//!
//! The generator speaks RocketMQ's protocol, so it measures any broker that does. It must not be what is measured: requests are copies
//! of prepared frames, many go in one write, many answers come in one read. The rooms, from the bottom up:
//!
//! ```text
//! measure   time, latencies, counts, what processes cost; no protocol
//! wire      connections, prepared requests, questions before and after a run
//! load      what one connection does: send, pull, transact, idle
//! report    the figures of a run and how they are written
//! check     does the broker hold what it acknowledged?
//! run       plan, threads, the window that is counted
//! timer     timed messages over a kill -9, with a broker of its own
//! args      the command line
//! ```

#![allow(clippy::disallowed_methods, reason = "a tool: it measures and drives the real world")]

mod args;
mod check;
#[cfg(test)]
mod faulty_broker;
mod load;
mod measure;
mod options;
mod report;
mod run;
mod timer;
mod touch;
mod values;
mod wire;

pub use args::BenchArgs;
pub use measure::process::anonymous_bytes;

use args::Task;
use serde::Serialize;
use std::io::Write as _;
use std::process::ExitCode;

/// Does what the arguments ask for, and prints what came of it.
pub fn main(args: BenchArgs) -> ExitCode {
    match args.task() {
        Ok(Task::Measure(options)) => match run::run(&options) {
            Ok(report) => print(&report, options.json, report.text(), report.is_good()),
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
        Ok(Task::Timer(options)) => match timer::run(&options) {
            Ok(report) => print(&report, options.json, report.text(), report.is_good()),
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
        Ok(Task::Touch) => match touch::touch() {
            Ok(bytes) => write(&format!("{:.1} GB of memory touched\n", bytes as f64 / 1e9)),
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
        Err(error) => fail(&error, ExitCode::from(EXIT_USAGE)),
    }
}

/// Prints a report as JSON or as text.
fn print(report: &impl Serialize, as_json: bool, text: String, is_good: bool) -> ExitCode {
    write(&if as_json { serde_json::to_string(report).unwrap_or_default() + "\n" } else { text });
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write(text: &str) -> ExitCode {
    // The reader of the output may have gone, as with `roxmq bench send | head`.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn fail(error: &dyn std::fmt::Display, status: ExitCode) -> ExitCode {
    eprintln!("roxmq bench: {error}");
    status
}

const EXIT_USAGE: u8 = 2;
