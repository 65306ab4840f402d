//! Do real RocketMQ clients and tools work against this broker, exactly as against the Java one?
//!
//! For each suite: a fresh temporary folder, fresh servers on free ports, the suite's program, its `PASS`/`FAIL` lines, the servers stopped.
//! The interface of suites is described in `compat/README.md`.

pub mod control;
pub(crate) mod folder;
pub(crate) mod ports;
mod probe;
pub(crate) mod servers;
mod suites;
mod transcript;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use folder::Folder;
use servers::{Servers, Target};
use suites::{SUITES, Suite, Topology};
use transcript::Transcript;

/// Runs the suites that the arguments name; an error when anything failed or could not run.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let wanted = Wanted::parse(arguments)?;
    let target = match wanted.against.as_str() {
        "roxmq" => servers::build_roxmq(&repository())?,
        _ => servers::resolve_java(&repository())?,
    };
    let mut total = Transcript::default();
    for suite in &wanted.suites {
        let command = [&["run"], suite.arguments].concat().join(" ");
        if suite.topology == Topology::Own && target.roxmq().is_none() {
            println!("== {} is about RoxMQ alone", suite.name);
            continue;
        }
        println!("== {} against {}: compat/{}/{command}", suite.name, wanted.against, suite.folder);
        let start = Instant::now();
        match run_confirmed(suite, &target, &wanted) {
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
    if total.failures.is_empty() { Ok(()) } else { Err("compatibility is not given".to_owned()) }
}

/// What the command line asks for.
struct Wanted {
    against: String,
    suites: Vec<&'static Suite>,
    keep: bool,
    serve: bool,
    suite_arguments: Vec<String>,
}

impl Wanted {
    fn parse(arguments: &[String]) -> Result<Wanted, String> {
        let mut wanted = Wanted { against: "roxmq".to_owned(), suites: Vec::new(), keep: false, serve: false, suite_arguments: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--against" => {
                    wanted.against = match arguments.next().map(String::as_str) {
                        Some(against @ ("roxmq" | "java")) => against.to_owned(),
                        _ => return Err("--against takes roxmq or java".to_owned()),
                    }
                }
                "--suite" => {
                    let name = arguments.next().map_or("", String::as_str);
                    let suite = suites::named(name).ok_or_else(|| unknown_suite(name))?;
                    wanted.suites.push(suite);
                }
                "--keep" => wanted.keep = true,
                "--serve" => wanted.serve = true,
                "--" => wanted.suite_arguments.extend(arguments.by_ref().cloned()),
                other => {
                    // `--suite java55 go node` names three.
                    let suite = suites::named(other).ok_or_else(|| unknown_suite(other))?;
                    wanted.suites.push(suite);
                }
            }
        }
        if wanted.suites.is_empty() {
            wanted.suites = SUITES.iter().collect();
        }
        Ok(wanted)
    }
}

fn unknown_suite(name: &str) -> String {
    let names: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
    format!("no suite {name:?}; there are {}", names.join(", "))
}

/// Runs a suite, and once more when very little of it failed: a case has failed when it fails twice. The clients have races of their
/// own (a seek that loses its pull, a first heartbeat that comes late), and a loaded machine has more. What failed once is named.
fn run_confirmed(suite: &Suite, target: &Target, wanted: &Wanted) -> Result<Transcript, String> {
    let first = run_suite(suite, target, wanted)?;
    if first.failures.is_empty() || first.failures.len() > CONFIRMED_MAX || wanted.against != "roxmq" {
        return Ok(first);
    }
    println!("== {} once more, to see whether {} failed by chance", suite.name, first.failures.len());
    Ok(first.confirmed_by(run_suite(suite, target, wanted)?))
}

/// Starts the servers, runs the program, stops the servers. An error says why the suite could not run.
fn run_suite(suite: &Suite, target: &Target, wanted: &Wanted) -> Result<Transcript, String> {
    let folder = Folder::create(wanted.keep)?;
    let mut servers = Servers::plan(target, suite.topology, &folder, &repository())?;
    servers.start_all().map_err(|why| format!("servers did not start: {why}"))?;
    let servers = Arc::new(Mutex::new(servers));
    let control = control::serve(&folder, Arc::clone(&servers))?;
    let mut environment = environment(suite, &folder, &control, &wanted.against, &servers)?;
    environment.extend(target.roxmq().map(|program| ("COMPAT_PROGRAM", program.display().to_string())));
    if wanted.serve {
        return serve_until_stopped(&environment);
    }

    let source = repository().join("compat").join(suite.folder);
    let program = source.join("run");
    let mut child = Command::new(&program)
        .args(suite.arguments)
        .args(&wanted.suite_arguments)
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
        transcript.fail(suite.name, &format!("server {gone} ended without being asked"));
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
    against: &str,
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
        ("COMPAT_TARGET", against.to_owned()),
        ("COMPAT_RUN", unique_word()),
        ("COMPAT_CONTROL", control.display().to_string()),
        ("COMPAT_FOLDER", scratch.display().to_string()),
        ("COMPAT_CACHE", cache.display().to_string()),
        ("COMPAT_BROKER_ADDR", servers.first_broker_address()),
        ("COMPAT_BROKER_NAME", servers::FIRST_BROKER.to_owned()),
        ("COMPAT_CLUSTER_NAME", servers::CLUSTER.to_owned()),
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

pub(crate) fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// More failures than these are no chance.
const CONFIRMED_MAX: usize = 2;

/// A suite that takes longer is stopped and counts as failed.
const SUITE_TIME_MAX: Duration = Duration::from_secs(20 * 60);
