//! `roxmq bench`: how fast is a broker, what does it cost, and is every answer right?
//!
//! The generator speaks RocketMQ's protocol, so it measures any broker that does. It must not be what is measured: requests are copies
//! of prepared frames, many go in one write, many answers come in one read.

mod check;
#[cfg(test)]
mod faulty_broker;
mod help;
mod load;
mod measure;
mod options;
mod report;
mod run;
mod timer;
mod touch;
mod wire;

pub use measure::process::anonymous_bytes;

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
