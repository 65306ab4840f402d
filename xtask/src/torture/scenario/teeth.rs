//! Does the harness bite? Each bug of a list is planted in a build that has them, and the scenario that is made for it must find it.

use super::{SCENARIOS, Scenario};
use crate::rig::{command, programs};
use crate::torture::contract::{Options, Outcome};
use roxmq_env::teeth::Tooth;
use std::path::PathBuf;
use std::process::Command;

/// Bug, the scenario that must find it, and the cycles it may take.
const TEETH: &[(Tooth, &str, u64)] = &[
    (Tooth::FsyncSkipped, "powercut-sync", 50),
    (Tooth::AckBeforeFlush, "powercut-sync", 100),
    (Tooth::AckBeforeFlush, "slow-sync", 20),
    (Tooth::FenceUntold, "read-only", 5),
    (Tooth::IndexBeforeLog, "powercut-async", 400),
    (Tooth::NoFolderSync, "simulated", 2000),
    (Tooth::AnswerBeforeJournal, "powercut-metadata", 300),
    (Tooth::StaleRecord, "simulated", 2000),
    (Tooth::FsyncSkipped, "simulated", 2000),
    (Tooth::AckBeforeFlush, "simulated", 2000),
    (Tooth::SyncBelieved, "simulated", 2000),
];

/// Plants each bug and waits for it to be found.
pub fn all(options: &Options) -> Result<Outcome, String> {
    let _ = std::fs::create_dir_all(&options.folder);
    let binary = build(options)?;
    let mut outcome = Outcome::default();
    for (tooth, name, cycles_max) in TEETH {
        let tooth = tooth.name();
        let scenario: &Scenario = SCENARIOS.iter().find(|scenario| scenario.name == *name).ok_or("no such scenario")?;
        let planted = Options { cycles: *cycles_max, binary: binary.clone(), tooth: Some(tooth.to_owned()), ..options.clone() };
        match (scenario.run)(&planted) {
            Ok(bitten) if bitten.violations.is_empty() => {
                outcome.violations.push(format!("{tooth} was not found by {name} in {} cycles", bitten.cycles));
            }
            Ok(bitten) => {
                println!("  {tooth}: {name} found it in cycle {}: {}", bitten.cycles + 1, bitten.violations[0]);
                outcome.cycles += 1;
            }
            Err(why) => {
                // A broker that does not start any more is a find as well, a harness that cannot run is not.
                match why.contains("does not start") {
                    true => println!("  {tooth}: {name} found it: {}", why.trim()),
                    false => return Err(format!("{tooth}: {why}")),
                }
                outcome.cycles += 1;
            }
        }
    }
    outcome.figures = vec![("bugs planted", TEETH.len().to_string())];
    Ok(outcome)
}

/// Builds a binary that has the bugs, beside what is built anyway, and takes it away from there.
fn build(options: &Options) -> Result<PathBuf, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let words = ["build", "-p", "roxmq"];
    let binary = options.folder.join("roxmq-with-teeth");
    command::run(Command::new(&cargo).args(words).args(["--features", "teeth"]))?;
    let built = programs::target_folder().join("debug/roxmq");
    std::fs::copy(&built, &binary).map_err(|error| format!("{}: {error}", built.display()))?;
    command::run(Command::new(&cargo).args(words))?;
    Ok(binary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_planted_and_has_a_scenario_that_exists() {
        for tooth in Tooth::ALL {
            assert!(TEETH.iter().any(|(planted, ..)| planted == tooth), "{}", tooth.name());
        }
        for (tooth, name, _) in TEETH {
            assert!(SCENARIOS.iter().any(|scenario| scenario.name == *name), "{}: {name}", tooth.name());
        }
    }
}
