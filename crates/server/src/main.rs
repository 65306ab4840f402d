//! The one binary: NameServer, broker, or both in one process.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests are their own world"))]

mod args;
mod check;
#[cfg(test)]
mod config_page;
#[cfg(test)]
mod requests_page;
mod screen;
mod serve;
mod settings;

use std::io::Write as _;
use std::process::ExitCode;

use args::{Command, EXIT_USAGE};

fn main() -> ExitCode {
    let command = match args::parse(std::env::args_os()) {
        Ok(command) => command,
        // Help and the version come this way too. The reader of the output may be gone, as with `roxmq --help | head`.
        Err(answer) => {
            let _ = answer.print();
            return ExitCode::from(if answer.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    match command {
        Command::PrintConfig(start) => match settings_of(&start) {
            Ok(settings) => {
                print_notices(&settings);
                write(&settings::print(&settings));
            }
            Err(error) => return refuse(&error),
        },
        Command::Serve(start) => match settings_of(&start) {
            Ok(settings) => {
                print_notices(&settings);
                roxmq_env::allocator::give_back_large_blocks();
                if let Err(error) = serve::run(settings) {
                    eprintln!("roxmq: {error}");
                    return ExitCode::FAILURE;
                }
            }
            Err(error) => return refuse(&error),
        },
        Command::Verify(check) => return check::verify(&check),
        Command::Repair(check, truncate_at) => return check::repair(&check, truncate_at),
        Command::Bench(args) => return roxmq_bench::main(args),
        Command::Completions(shell) => write(&args::completions(shell)),
    }
    ExitCode::SUCCESS
}

#[expect(clippy::disallowed_methods, reason = "settings are read before there is a disk")]
fn settings_of(start: &args::Start) -> Result<settings::Settings, settings::SettingsError> {
    let environment: Vec<(String, String)> =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    settings::gather(start, &environment, &|path| std::fs::read_to_string(path))
}

/// Writes to the output, whose reader may be gone, as with `roxmq config | head`.
fn write(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Says which settings have no effect, on the error stream: the output may be a file.
fn print_notices(settings: &settings::Settings) {
    for notice in &settings.notices {
        let level = if notice.is_warning() { "warning" } else { "note" };
        eprintln!("roxmq: {level}: {notice}");
    }
}

fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("roxmq: {error}");
    ExitCode::from(EXIT_USAGE)
}
