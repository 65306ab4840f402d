//! Does everything hold that can be looked at without root, and without the tools of other languages?

mod arrows;
mod circles;
mod dependencies;
mod imports;
mod modules;
mod pages;
mod tokens;
mod workspace;

use clap::Args;
use clap::builder::PossibleValuesParser;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use workspace::Workspace;

/// The command line.
#[derive(Args, Debug)]
pub struct CiArgs {
    /// Steps to run [default: all]
    #[arg(value_name = "STEP", value_parser = step_names())]
    steps: Vec<String>,
    /// Leave out tests and hostile input
    #[arg(long)]
    quick: bool,
    /// Leave this step out; may be repeated
    #[arg(long, value_name = "STEP", value_parser = step_names())]
    without: Vec<String>,
}

/// One thing that must hold.
struct Step {
    name: &'static str,
    /// Left out by `--quick`.
    is_slow: bool,
    run: fn(&Path) -> Result<Outcome, String>,
}

/// How a step ended that did not fail.
enum Outcome {
    Passed,
    /// It could not run; why, and how to mend that.
    Skipped(&'static str),
}

const STEPS: &[Step] = &[
    Step { name: "format", is_slow: false, run: |root| cargo(root, &["fmt", "--all", "--check"], &[]) },
    Step { name: "crates", is_slow: false, run: |root| passed(arrows::check(&Workspace::read(root)?)) },
    Step { name: "modules", is_slow: false, run: modules_of_crates },
    Step { name: "dependencies", is_slow: false, run: |root| passed(dependencies::check(&Workspace::read(root)?)) },
    Step { name: "advisories", is_slow: false, run: advisories },
    Step { name: "pages", is_slow: false, run: |root| passed(pages::check(root)) },
    Step {
        name: "lints",
        is_slow: false,
        run: |root| cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], &[]),
    },
    Step {
        name: "rustdoc",
        is_slow: false,
        run: |root| {
            let words = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"];
            cargo(root, &words, &[("RUSTDOCFLAGS", "-D warnings")])
        },
    },
    Step { name: "tests", is_slow: true, run: |root| cargo(root, &["test", "--locked"], &[]) },
    Step {
        name: "fuzz",
        is_slow: true,
        run: |root| cargo(root, &["run", "--release", "--locked", "-p", "roxmq-fuzz", "--", "--seconds", "3"], &[]),
    },
];

/// Runs the steps that were asked for, all of them if none was; goes on after one that fails.
pub fn run(args: &CiArgs) -> Result<(), String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().map_err(|error| error.to_string())?;
    let (mut failed, mut report) = (Vec::new(), String::new());
    for step in chosen(args) {
        println!("\n=== {}", step.name);
        let began = Instant::now();
        let outcome = (step.run)(&root);
        let seconds = began.elapsed().as_secs_f64();
        let word = match &outcome {
            Ok(Outcome::Passed) => "passed",
            Ok(Outcome::Skipped(_)) => "SKIPPED",
            Err(_) => "FAILED",
        };
        report += &format!("{:14}{word:8}{seconds:8.1} s", step.name);
        match outcome {
            Ok(Outcome::Passed) => {}
            Ok(Outcome::Skipped(why)) => report += &format!("  {why}"),
            Err(why) => {
                eprintln!("{}", why.trim_end());
                failed.push(step.name);
            }
        }
        report.push('\n');
    }
    println!("\n{}", report.trim_end());
    if failed.is_empty() { Ok(()) } else { Err(format!("ci: FAILED: {}", failed.join(", "))) }
}

fn chosen(args: &CiArgs) -> Vec<&'static Step> {
    let has = |names: &[String], step: &Step| names.iter().any(|name| name == step.name);
    let is_wanted =
        |step: &&Step| (args.steps.is_empty() || has(&args.steps, step)) && !has(&args.without, step) && !(args.quick && step.is_slow);
    STEPS.iter().filter(is_wanted).collect()
}

fn step_names() -> PossibleValuesParser {
    PossibleValuesParser::new(STEPS.iter().map(|step| step.name))
}

fn passed(outcome: Result<(), String>) -> Result<Outcome, String> {
    outcome.map(|()| Outcome::Passed)
}

fn cargo(root: &Path, words: &[&str], environment: &[(&str, &str)]) -> Result<Outcome, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let shown = format!("cargo {}", words.join(" "));
    println!("{shown}");
    let status =
        Command::new(cargo).args(words).envs(environment.iter().copied()).current_dir(root).status().map_err(|error| error.to_string())?;
    if status.success() { Ok(Outcome::Passed) } else { Err(format!("{shown}: {status}")) }
}

fn modules_of_crates(root: &Path) -> Result<Outcome, String> {
    let workspace = Workspace::read(root)?;
    let crates: Result<Vec<_>, String> = workspace.ours().map(|package| modules::of_crate(root, &package.folder)).collect();
    let crates = crates?;
    println!("{} imports of one file by another", crates.iter().map(|imports| imports.arrows.len()).sum::<usize>());
    passed(circles::check(&crates))
}

/// The list of advisories is fetched over the network, so a machine without it cannot look.
fn advisories(root: &Path) -> Result<Outcome, String> {
    let is_there = Command::new("cargo-deny").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        return Ok(Outcome::Skipped("cargo-deny is not installed: cargo install --locked cargo-deny"));
    }
    cargo(root, &["deny", "--locked", "check", "advisories"], &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Ci {
        #[command(flatten)]
        args: CiArgs,
    }

    fn shown(words: &str) -> Option<String> {
        let args = Ci::try_parse_from(words.split_whitespace()).ok()?.args;
        Some(chosen(&args).iter().map(|step| step.name).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn steps_are_chosen() {
        let all = shown("ci").expect("all steps");
        assert_eq!(all, STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(" "));
        assert_eq!(shown("ci pages format").expect("two steps"), "format pages");
        assert_eq!(shown("ci --quick").expect("the quick steps"), all.replace(" tests fuzz", ""));
        assert_eq!(shown("ci --without tests --without format").expect("others"), all.replace(" tests", "").replace("format ", ""));
        assert_eq!(shown("ci --without"), None);
        assert_eq!(shown("ci no"), None);
    }
}
