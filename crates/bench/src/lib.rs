//! `roxmq bench`: how fast is a broker, what does it cost, and is every answer right?
//!
//! The generator speaks RocketMQ's protocol, so it measures any broker that does. It must not be what is measured: requests are copies
//! of prepared frames, many go in one write, many answers come in one read.

pub mod ask;
pub mod check;
pub mod clock;
pub mod decided;
pub mod frames;
pub mod help;
pub mod histogram;
pub mod idle;
pub mod meters;
pub mod options;
pub mod plan;
pub mod process;
pub mod pull;
pub mod queues;
pub mod read_back;
pub mod report;
pub mod run;
pub mod send;
pub mod slices;
pub mod slots;
pub mod stamp;
pub mod tally;
pub mod timer;
pub mod touch;
pub mod transact;
pub mod wire;

use help::HELP;
use options::Command;
use serde::Serialize;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

/// Does what the words behind `bench` ask for, and prints what came of it.
pub fn main(words: Vec<OsString>) -> ExitCode {
    match options::parse(words) {
        Ok(Command::Measure(options)) => match run::run(&options) {
            Ok(report) => print(&report, options.json, report.text(), report.is_good()),
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
        Ok(Command::Timer(options)) => match timer::run(&options) {
            Ok(report) => print(&report, options.json, report.text(), report.is_good()),
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
        Ok(Command::Help) => tell(HELP),
        Ok(Command::TimerHelp) => tell(timer::options::HELP),
        Ok(Command::Touch) => match touch::touch() {
            Ok(bytes) => tell(&format!("{:.1} GB of memory touched\n", bytes as f64 / 1e9)),
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
        Err(error) => fail(&error, ExitCode::from(EXIT_USAGE)),
    }
}

/// Prints a report as JSON or as text.
fn print(report: &impl Serialize, as_json: bool, text: String, is_good: bool) -> ExitCode {
    tell(&if as_json { serde_json::to_string(report).unwrap_or_default() + "\n" } else { text });
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(text: &str) -> ExitCode {
    // Nobody is told if the reader of the output has gone.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn fail(error: &dyn std::fmt::Display, status: ExitCode) -> ExitCode {
    eprintln!("roxmq bench: {error}");
    status
}

const EXIT_USAGE: u8 = 2;
