//! Do random crash histories on a simulated disk end well?
//!
//! The disk loses what was not synced, tears sectors and reorders writes. The histories are of the store, and of the broker on top of
//! it, for which small models say what to expect. Needs no root.

use crate::torture::contract::{Options, Outcome};
use std::path::PathBuf;
use std::process::Command;

/// Runs this many histories of the store, from the seed on, and a few of each of the broker's models.
pub fn histories(options: &Options) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let store = run(options, "roxmq-store", &["--test", "crash", "in_random_histories"], &[("ROXMQ_HISTORIES", options.cycles)])?;
    match store.number("histories done:") {
        Some(done) if store.passed => outcome.cycles = done,
        _ if store.text.contains("panicked at") => {
            outcome.cycles = store.number("history failed:").unwrap_or(0);
            outcome.violations.push(store.first_panic());
        }
        _ => return Err(format!("the histories did not run: {}", store.end())),
    }
    // The planted bugs are the store's.
    if !outcome.violations.is_empty() || options.tooth.is_some() {
        return Ok(outcome);
    }
    let cases = (options.cycles / BROKER_SHARE).max(1);
    let broker = run(options, "roxmq-broker", &["--lib", "models::"], &[("ROXMQ_MODEL_CASES", cases)])?;
    let models = broker.text.lines().filter(|line| line.starts_with("test models::") && line.ends_with("... ok")).count() as u64;
    match broker.passed {
        true if models > 0 => {}
        _ if broker.text.contains("panicked at") => outcome.violations.push(broker.first_panic()),
        _ => return Err(format!("the broker's histories did not run: {}", broker.end())),
    }
    outcome.figures = vec![("histories of the broker", format!("{} ({models} models, {cases} of each)", models * cases))];
    Ok(outcome)
}

/// What a test said.
struct Said {
    passed: bool,
    text: String,
}

impl Said {
    fn number(&self, name: &str) -> Option<u64> {
        self.text.lines().rev().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    fn first_panic(&self) -> String {
        self.text.lines().skip_while(|line| !line.contains("panicked at")).take(2).collect::<Vec<_>>().join(" ")
    }

    fn end(&self) -> &str {
        let from = self.text.len().saturating_sub(2000);
        self.text.get(from..).unwrap_or(&self.text)
    }
}

fn run(options: &Options, package: &str, tests: &[&str], variables: &[(&str, u64)]) -> Result<Said, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["test", "-p", package]).current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."));
    match &options.tooth {
        Some(tooth) => command.args(["--features", "teeth"]).env("ROXMQ_TOOTH", tooth),
        // A short run would wait longer for the optimizer than for the histories.
        None if options.cycles < OPTIMIZED_FROM => &mut command,
        None => command.arg("--release"),
    };
    for (name, value) in variables {
        command.env(name, value.to_string());
    }
    let output = command.args(tests).args(["--", "--nocapture"]).env("ROXMQ_SEED", options.seed.to_string()).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok(Said { passed: output.status.success(), text })
}

/// How many histories of the store there are for one of each model of the broker.
const BROKER_SHARE: u64 = 100;
const OPTIMIZED_FROM: u64 = 5000;
