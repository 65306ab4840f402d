//! Crash histories of the store on a simulated disk, which loses what was not synced, tears sectors and reorders writes. Needs nothing.

use crate::torture::{Options, Outcome};
use std::path::PathBuf;
use std::process::Command;

/// Runs so many histories, from the seed on.
pub fn histories(options: &Options) -> Result<Outcome, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["test", "-q", "-p", "roxmq-store", "--test", "crash"]).current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."));
    match &options.tooth {
        Some(tooth) => command.args(["--features", "teeth", "--target-dir", "target/teeth"]).env("ROXMQ_TOOTH", tooth),
        None => command.arg("--release"),
    };
    let output = command
        .args(["in_random_histories", "--", "--nocapture"])
        .env("ROXMQ_HISTORIES", options.cycles.to_string())
        .env("ROXMQ_SEED", options.seed.to_string())
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let number = |name: &str| -> Option<u64> { text.lines().rev().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()) };
    let mut outcome = Outcome::default();
    match (output.status.success(), number("histories done:")) {
        (true, Some(done)) => outcome.cycles = done,
        (false, _) if text.contains("panicked at") => {
            outcome.cycles = number("history failed:").unwrap_or(0);
            let why = text.lines().skip_while(|line| !line.contains("panicked at")).take(2).collect::<Vec<_>>().join(" ");
            outcome.violations.push(why);
        }
        _ => return Err(format!("the histories did not run: {}", &text[text.len().saturating_sub(2000)..])),
    }
    Ok(outcome)
}
