//! The one binary: NameServer, broker, or both in one process.

mod args;
mod screen;
mod settings;

use std::process::ExitCode;

use args::{Command, EXIT_USAGE};

fn main() -> ExitCode {
    let command = match args::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => return refuse(&error),
    };
    match command {
        Command::Help => print!("{}", args::HELP),
        Command::Version => println!("roxmq {}", env!("CARGO_PKG_VERSION")),
        Command::PrintConfig(start) => match settings_of(&start) {
            Ok(settings) => {
                tell(&settings);
                print!("{}", settings::print(&settings));
            }
            Err(error) => return refuse(&error),
        },
        Command::Serve(_) | Command::Bench(_) => return refuse(&"not built into this binary"),
    }
    ExitCode::SUCCESS
}

fn settings_of(start: &args::Start) -> Result<settings::Settings, settings::SettingsError> {
    let environment: Vec<(String, String)> =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    settings::gather(start, &environment, &|path| std::fs::read_to_string(path))
}

/// Says which settings have no effect, on the error stream: the output may be a file.
fn tell(settings: &settings::Settings) {
    for notice in &settings.notices {
        let level = if notice.is_warning() { "warning" } else { "note" };
        eprintln!("roxmq: {level}: {notice}");
    }
}

fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("roxmq: {error}");
    ExitCode::from(EXIT_USAGE)
}
