//! Do real RocketMQ clients and tools work against this broker, exactly as against the Java one?
//!
//! For each suite: a fresh temporary folder, fresh servers on free ports, the suite's program, its `PASS`/`FAIL` lines, the servers stopped.
//! The interface of suites is described in `compat/README.md`.

pub mod control;
mod faults;
mod liar;
mod plan;
mod probe;
mod servers;
mod suites;
mod teeth;
mod transcript;

use crate::rig::folder::Folder;
use crate::rig::ports;
use crate::rig::programs::{self, repository};
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use faults::Fault;
use liar::Liar;
use plan::Target;
use servers::Servers;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use suites::{SUITES, Suite, Topology};
use transcript::Transcript;

/// What the command line asks for.
#[derive(Debug, Args)]
pub struct CompatArgs {
    /// Suites to run [default: all]
    #[arg(value_name = "SUITE", value_parser = names(), hide_possible_values = true)]
    named: Vec<String>,
    /// The same
    #[arg(long, value_name = "SUITE", num_args = 1.., value_parser = names())]
    suite: Vec<String>,
    /// What the clients talk to
    #[arg(long, value_name = "SERVER", default_value = "roxmq")]
    against: Against,
    /// Another program of RoxMQ than target/release/roxmq, which is built first
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Keep the folder of each suite
    #[arg(long)]
    keep: bool,
    /// Start the servers of the first suite and keep them running
    #[arg(long)]
    serve: bool,
    /// Instead: put faults into the answers of RoxMQ, each of which a case of the Go suite must find
    #[arg(long, conflicts_with_all = ["named", "suite", "against", "serve", "suite_arguments"])]
    teeth: bool,
    /// Arguments for the suites' programs
    #[arg(last = true, value_name = "ARGUMENT")]
    suite_arguments: Vec<String>,
}

/// Which servers the clients talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Against {
    /// RoxMQ, built here
    Roxmq,
    /// Java RocketMQ, from Maven Central
    Java,
}

impl Against {
    fn name(self) -> &'static str {
        match self {
            Against::Roxmq => "roxmq",
            Against::Java => "java",
        }
    }
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(SUITES.iter().map(|suite| suite.name))
}

/// Runs the suites that are named, or all; an error when anything failed or could not run.
pub fn run(wanted: &CompatArgs) -> Result<(), String> {
    let target = match wanted.against {
        Against::Roxmq => Target::RoxMq { program: wanted.binary.clone().map_or_else(programs::build_roxmq, Ok)? },
        Against::Java => Target::Java { classpath: programs::resolve_java()? },
    };
    if wanted.teeth {
        return bite(&target, wanted);
    }
    let named: Vec<&Suite> = wanted.suite.iter().chain(&wanted.named).filter_map(|name| suites::named(name)).collect();
    let chosen = if named.is_empty() { SUITES.iter().collect() } else { named };
    let mut total = Transcript::default();
    for suite in chosen {
        let command = [&["run"], suite.arguments].concat().join(" ");
        if suite.topology == Topology::Own && target.roxmq().is_none() {
            println!("== {} is about RoxMQ alone", suite.name);
            continue;
        }
        println!("== {} against {}: compat/{}/{command}", suite.name, wanted.against.name(), suite.folder);
        let start = Instant::now();
        match run_confirmed(suite, &target, wanted) {
            Ok(transcript) => total.add(transcript),
            Err(why) => total.fail(suite.name, &why),
        }
        println!("== {} took {} s", suite.name, start.elapsed().as_secs());
    }
    if wanted.serve {
        return Ok(());
    }
    println!("== all");
    for line in total.unsteady.iter().chain(&total.failures) {
        println!("{line}");
    }
    if total.later > 0 {
        println!("{} later", total.later);
    }
    if !total.unsteady.is_empty() {
        println!("{} of those that passed needed a second run", total.unsteady.len());
    }
    println!("{} passed, {} failed", total.passed, total.failures.len());
    if total.failures.is_empty() { Ok(()) } else { Err("compat: some cases failed".to_owned()) }
}

/// Runs cases against a broker that answers wrongly: without a fault all of them must pass, with each the one that is made for it fail.
///
/// # Errors
/// When that is not so.
fn bite(target: &Target, wanted: &CompatArgs) -> Result<(), String> {
    let suite = suites::named(teeth::SUITE).ok_or("the suite is gone")?;
    let run = |fault, cases: &[&str]| {
        println!("== {fault:?}: {}", cases.join(", "));
        run_suite(suite, target, wanted, Some((fault, cases)))
    };
    let honest = run(Fault::None, &teeth::cases())?;
    if !honest.failures.is_empty() || honest.passed != teeth::cases().len() {
        return Err("not all cases pass through a proxy that changes nothing".to_owned());
    }
    let mut missed = Vec::new();
    for (fault, case) in teeth::TEETH {
        if run(*fault, &[case])?.failures.is_empty() {
            missed.push(format!("{fault:?} was not found by {case}"));
        }
    }
    println!("== {} faults, {} found", teeth::TEETH.len(), teeth::TEETH.len() - missed.len());
    if missed.is_empty() { Ok(()) } else { Err(missed.join("\n")) }
}

/// Runs a suite, and once more when very little of it failed: a case has failed when it fails twice. The clients have races of their
/// own (a seek that loses its pull, a first heartbeat that comes late), and a loaded machine has more. What failed once is named.
fn run_confirmed(suite: &Suite, target: &Target, wanted: &CompatArgs) -> Result<Transcript, String> {
    let first = run_suite(suite, target, wanted, None)?;
    if first.failures.is_empty() || first.failures.len() > CONFIRMED_MAX || wanted.against != Against::Roxmq {
        return Ok(first);
    }
    println!("== {} once more, to see whether {} failed by chance", suite.name, first.failures.len());
    Ok(first.confirmed_by(run_suite(suite, target, wanted, None)?))
}

/// Starts the servers, runs the program, stops the servers; with a fault, those cases alone meet a broker that has it. An error says why
/// the suite could not run.
fn run_suite(suite: &Suite, target: &Target, wanted: &CompatArgs, wrong: Option<(Fault, &[&str])>) -> Result<Transcript, String> {
    let folder = Folder::create(wanted.keep)?;
    let mut servers = Servers::plan(target, suite.topology, &folder)?;
    servers.start_all().map_err(|why| format!("servers did not start: {why}"))?;
    let servers = Arc::new(Mutex::new(servers));
    let control = control::serve(&folder, Arc::clone(&servers))?;
    let mut environment = environment(suite, &folder, &control, wanted.against, &servers)?;
    environment.extend(target.roxmq().map(|program| ("COMPAT_PROGRAM", program.display().to_string())));
    if let Some((fault, _)) = wrong {
        let of = |name: &str| environment.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.as_str());
        let liar = Liar::start(fault, of("NAMESRV_ADDR"), of("COMPAT_BROKER_ADDR"))?;
        environment.retain(|(name, _)| !["NAMESRV_ADDR", "COMPAT_BROKER_ADDR"].contains(name));
        environment.extend([("NAMESRV_ADDR", liar.nameserver), ("COMPAT_BROKER_ADDR", liar.broker)]);
    }
    if wanted.serve {
        return serve_until_stopped(&environment);
    }

    let source = repository().join("compat").join(suite.folder);
    let program = source.join("run");
    let mut child = Command::new(&program)
        .args(suite.arguments)
        .args(&wanted.suite_arguments)
        .args(wrong.map_or(&[][..], |(_, cases)| cases))
        .envs(environment)
        .current_dir(&source)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("compat/{}/run: {error}", suite.folder))?;
    folder.note_process(child.id());
    let mut transcript = transcript::follow(suite.name, &mut child, SUITE_TIME_MAX);
    folder.forget_process(child.id());

    let mut servers = servers.lock().map_err(|_| "control thread panicked")?;
    for gone in servers.ended_by_themselves() {
        transcript.fail(suite.name, &format!("server {gone} ended by itself"));
    }
    if !transcript.failures.is_empty() {
        for (name, tail) in servers.log_tails() {
            println!("-- end of the log of {name}\n{tail}");
        }
    }
    servers.stop_all();
    Ok(transcript)
}

/// The variables of `compat/README.md`.
fn environment(
    suite: &Suite,
    folder: &Folder,
    control: &Path,
    against: Against,
    servers: &Mutex<Servers>,
) -> Result<Vec<(&'static str, String)>, String> {
    let cache = repository().join("target").join("compat").join(suite.folder);
    let scratch = folder.path().join("suite");
    for made in [&cache, &scratch] {
        std::fs::create_dir_all(made).map_err(|error| format!("{}: {error}", made.display()))?;
    }
    let servers = servers.lock().map_err(|_| "control thread panicked")?;
    Ok(vec![
        ("NAMESRV_ADDR", servers.nameserver_addresses().join(";")),
        ("COMPAT_TARGET", against.name().to_owned()),
        ("COMPAT_RUN", unique_word()),
        ("COMPAT_CONTROL", control.display().to_string()),
        ("COMPAT_FOLDER", scratch.display().to_string()),
        ("COMPAT_CACHE", cache.display().to_string()),
        ("COMPAT_BROKER_ADDR", servers.first_broker_address()),
        ("COMPAT_BROKER_NAME", plan::FIRST_BROKER.to_owned()),
        ("COMPAT_CLUSTER_NAME", plan::CLUSTER.to_owned()),
    ])
}

fn serve_until_stopped(environment: &[(&'static str, String)]) -> Result<Transcript, String> {
    for (name, value) in environment {
        println!("export {name}='{value}'");
    }
    println!("servers run; Ctrl-C stops them");
    loop {
        std::thread::park();
    }
}

/// Eight letters and digits that no other run of this hour has.
fn unique_word() -> String {
    let mut number = ports::seed();
    (0..8)
        .map(|_| {
            let digit = (number % 36) as u32;
            number /= 36;
            char::from_digit(digit, 36).unwrap_or('0')
        })
        .collect()
}

/// More failures than these are no chance.
const CONFIRMED_MAX: usize = 2;

/// A suite that takes longer is stopped and counts as failed.
const SUITE_TIME_MAX: Duration = Duration::from_secs(20 * 60);
