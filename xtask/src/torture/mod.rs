//! `cargo xtask torture SCENARIO`: the real binary under load while its disk, its process and its files are treated badly.
//!
//! Each scenario repeats a cycle: load the broker (`load`), do harm, start it again, and compare all that it has with all that it ever
//! acknowledged (`ledger`). The first thing that must not be ends the run with exit code 1; the seed repeats the choices, though not the
//! timing. What a scenario needs and the machine refuses is a failure, never a skip.

pub(crate) mod broker;
pub(crate) mod client;
mod drive;
mod ledger;
mod load;
mod scenario;

use scenario::{SCENARIOS, Scenario};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many cycles.
    pub cycles: u64,
    /// What all choices follow from.
    pub seed: u64,
    /// The program that is tortured.
    pub binary: PathBuf,
    /// How large the largest store is, where that matters, in 10^9 bytes.
    pub gigabytes: f64,
    /// A folder for files of the run.
    pub folder: PathBuf,
    /// A bug to plant, in a build that has them.
    pub tooth: Option<String>,
    /// Print each cycle.
    pub verbose: bool,
    /// Keep the files of a run that ends badly, and the drive as it was before the last start.
    pub keep: bool,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Cycles that ended well.
    pub cycles: u64,
    /// What else there is to say: name and value.
    pub figures: Vec<(&'static str, String)>,
    /// What must not be.
    pub violations: Vec<String>,
}

/// Runs what the words ask for.
pub fn run(words: &[String]) -> Result<(), String> {
    let mut words = words.iter();
    let mut chosen = Vec::new();
    let (mut cycles, mut seed, mut binary, mut tooth, mut gigabytes) = (None, None, None, None, None);
    let (mut short, mut verbose, mut keep) = (false, false, false);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: &String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
        match word.as_str() {
            "--cycles" => cycles = Some(number(value()?)?),
            "--seed" => seed = Some(number(value()?)?),
            "--binary" => binary = Some(PathBuf::from(value()?)),
            "--tooth" => tooth = Some(value()?.clone()),
            "--gigabytes" => gigabytes = Some(number(value()?)? as f64),
            "--short" => short = true,
            "--verbose" => verbose = true,
            "--keep" => keep = true,
            name => chosen.push(scenario::find(name).ok_or_else(usage)?),
        }
    }
    if short && chosen.is_empty() {
        chosen = SCENARIOS.iter().collect();
    }
    if chosen.is_empty() {
        return Err(usage());
    }
    let binary = match binary {
        Some(binary) => binary,
        None => build()?,
    };
    let mut scratch = Scratch::create()?;
    let mut failed = Vec::new();
    for scenario in chosen {
        let seed =
            seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64 % 1_000_000_007));
        let cycles = cycles.unwrap_or(if short { scenario.short } else { scenario.long });
        let folder = scratch.path.join(scenario.name);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let options = Options {
            cycles,
            seed,
            binary: binary.clone(),
            gigabytes: gigabytes.unwrap_or(if short { SHORT_GIGABYTES } else { LONG_GIGABYTES }),
            folder: folder.clone(),
            tooth: tooth.clone(),
            verbose,
            keep,
        };
        if !tell(scenario, &options) {
            failed.push(scenario.name);
            if keep {
                println!("  files in {}", folder.display());
                scratch.kept = true;
                continue;
            }
        }
        let _ = std::fs::remove_dir_all(&folder);
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("FAILED: {}", failed.join(", "))) }
}

/// Runs one scenario and says what came of it. Did it end well?
fn tell(scenario: &Scenario, options: &Options) -> bool {
    let began = Instant::now();
    let outcome = (scenario.run)(options);
    let time = began.elapsed();
    let repeat = format!("cargo xtask torture {} --cycles {} --seed {}", scenario.name, options.cycles, options.seed);
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(why) => {
            println!("{}: could not run to its end after {}: {why}\n  repeat: {repeat}", scenario.name, shown(time));
            return false;
        }
    };
    let figures: Vec<String> = outcome.figures.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let verdict = if outcome.violations.is_empty() { "ok" } else { "VIOLATED" };
    println!("{}: {verdict}, {} cycles, {}, {}, seed {}", scenario.name, outcome.cycles, figures.join(", "), shown(time), options.seed);
    // The last one says in which cycle, and what the broker logged.
    let shown_at_most = outcome.violations.iter().take(9).chain(outcome.violations.iter().skip(9).last());
    for violation in shown_at_most {
        println!("  {violation}");
    }
    if !outcome.violations.is_empty() {
        println!("  repeat: {repeat}");
    }
    outcome.violations.is_empty()
}

fn shown(time: Duration) -> String {
    format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
}

fn usage() -> String {
    let mut text =
        "usage: cargo xtask torture SCENARIO... [--cycles N] [--seed S] [--binary PATH] [--tooth NAME] [--gigabytes N] [--verbose] [--keep]\n".to_owned();
    text += "       cargo xtask torture --short      every scenario, a few cycles of each\n\n";
    for scenario in SCENARIOS {
        text += &format!("  {:18} {} ({} cycles, short {})\n", scenario.name, scenario.what, scenario.long, scenario.short);
    }
    text
}

/// Builds the binary that users run.
fn build() -> Result<PathBuf, String> {
    drive::run(Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())).args(["build", "--release", "-p", "roxmq"]))?;
    Ok(target().join("release/roxmq"))
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var("CARGO_TARGET_DIR").map_or_else(|_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from)
}

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64)
}

/// A folder in memory where there is one: the disk under the disks must not be what is waited for.
struct Scratch {
    path: PathBuf,
    kept: bool,
}

impl Scratch {
    fn create() -> Result<Scratch, String> {
        let shared = PathBuf::from("/dev/shm");
        let parent = match std::env::var_os("ROXMQ_TORTURE_DIR") {
            Some(folder) => PathBuf::from(folder),
            None if shared.is_dir() => shared,
            None => std::env::temp_dir(),
        };
        remove_leftovers(&parent);
        let path = parent.join(format!("{SCRATCH}{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Scratch { path, kept: false })
    }
}

/// A run that was killed leaves its folder, and perhaps a mounted drive in it.
fn remove_leftovers(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let owner = entry.file_name().to_string_lossy().strip_prefix(SCRATCH).and_then(|id| id.parse::<u32>().ok());
        if owner.is_none_or(|id| Path::new(&format!("/proc/{id}")).exists()) {
            continue;
        }
        for scenario in SCENARIOS {
            // Most of them are not mounted.
            let _ = Command::new("umount").arg(entry.path().join(scenario.name).join("drive")).output();
        }
        let _ = std::fs::remove_dir_all(entry.path());
    }
}

/// The largest store of a full run, and of a short one.
const LONG_GIGABYTES: f64 = 20.0;
const SHORT_GIGABYTES: f64 = 1.0;
const SCRATCH: &str = "roxmq-torture-";

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
