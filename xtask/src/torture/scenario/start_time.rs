//! How long does a start take after kill -9, with little and with much in the log? It must depend on what was not yet indexed when the broker
//! died, not on the size of the log.
//!
//! One folder on a real disk grows by `roxmq bench send`; at each size the broker is killed under load and started again, some times, with
//! the folder's files dropped from memory in between. What counts is the time from the start of the process to the first acknowledgement.

use crate::rig::broker::{Broker, Launch, verify};
use crate::rig::command;
use crate::torture::contract::{Options, Outcome};
use crate::torture::ledger::{Fact, Ledger};
use crate::torture::load::{Load, Shape};
use crate::torture::small_store::tail;
use fastrand::Rng;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Grows a store and measures starts.
pub fn independent_of_size(options: &Options) -> Result<Outcome, String> {
    let sizes = [options.gigabytes / 20.0, options.gigabytes / 4.0, options.gigabytes].map(|gigabytes| (gigabytes * 1e9) as u64);
    let folder = Folder::create(options, sizes[2])?;
    let data = folder.path.join("data");
    // The settings of a user, but for what is taken over from the log at a start: with 64 MiB of it chance would decide.
    let settings = ["tailCheckpointBytes=4194304", "maxTransferCountOnMessageInMemory=1024"].map(str::to_owned).to_vec();
    let launch = Launch { binary: options.binary.clone(), settings, environment: Vec::new(), log: options.folder.join("broker.log") };
    let mut random = Rng::with_seed(options.seed);
    let mut outcome = Outcome::default();
    let mut medians = Vec::new();
    for size in sizes {
        fill(&launch, &data, size)?;
        let mut starts = Vec::new();
        for _ in 0..options.cycles.max(1) {
            starts.push(killed_and_started(&launch, &data, outcome.cycles + 1, &mut random, &mut outcome.violations)?);
            outcome.cycles += 1;
        }
        starts.sort();
        if options.verbose {
            println!("  {} MB: {starts:?}", size / 1_000_000);
        }
        medians.push(starts[starts.len() / 2]);
    }
    let (least, most) = (medians.iter().min().copied().unwrap_or_default(), medians.iter().max().copied().unwrap_or_default());
    if most > least.mul_f64(WITHIN) + NOISE {
        outcome.violations.push(format!("starts take {medians:?} at {sizes:?} bytes: not within {WITHIN} and {NOISE:?}"));
    }
    let (is_sound, text) = verify(&options.binary, &data)?;
    if !is_sound {
        outcome.violations.push(format!("verify: {text}"));
    }
    let shown = sizes.iter().zip(&medians).map(|(size, median)| format!("{} MB {} ms", size / 1_000_000, median.as_millis()));
    outcome.figures = vec![("median starts", shown.collect::<Vec<_>>().join(" / "))];
    Ok(outcome)
}

/// Sends until the log has this many bytes.
fn fill(launch: &Launch, data: &Path, bytes: u64) -> Result<(), String> {
    let broker = Broker::start(launch, data)?;
    while log_end(data)? < bytes {
        let words = ["bench", "send", "--topic", "Filling", "--body", "4096", "--batch", "32", "-c", "4", "-w", "4", "--binary"];
        let address = broker.address.to_string();
        let mut bench = Command::new(&launch.binary);
        bench.args(words).args(["--warm-up", "0", "--duration", FILL_S, "--broker", &address]);
        command::run(&mut bench)?;
    }
    broker.stop()
}

/// Kills the broker under load; the time of the next start.
fn killed_and_started(launch: &Launch, data: &Path, life: u64, random: &mut Rng, violations: &mut Vec<String>) -> Result<Duration, String> {
    let broker = Broker::start(launch, data)?;
    let mut ledger = Ledger::default();
    let shape = Shape { writers: 2, readers: 0, late: false, in_flight: 24 };
    let load = Load::start(&broker, life, shape, random)?;
    let mut learn = |fact: Fact| ledger.learn(fact, violations);
    load.run(usize::MAX, Duration::from_millis(random.u64(500..1500)), &mut learn);
    broker.kill();
    load.finish(&mut learn)?;
    forget_pages(data)?;
    let broker = Broker::start(launch, data)?;
    let shape = Shape { writers: 1, readers: 0, late: false, in_flight: 1 };
    let load = Load::start(&broker, life + FIRST_AFTER, shape, random)?;
    let acknowledged = load.run(1, Duration::from_secs(60), |fact| ledger.learn(fact, violations));
    let took = broker.started.elapsed();
    load.finish(|fact| ledger.learn(fact, violations))?;
    if acknowledged == 0 {
        return Err(format!("nothing is acknowledged after a start\n{}", tail(&broker.logged())));
    }
    // Earlier rounds are in these queues as well: what they were is not known here any more, only that this round's is there.
    let missing = ledger.missing(&mut broker.connect()?)?;
    violations.extend(missing.iter().map(|missing| format!("LOST: {missing}")));
    broker.stop()?;
    Ok(took)
}

/// Where the log ends: files are as long as they will be from the beginning, so the broker's own mark is asked.
fn log_end(data: &Path) -> Result<u64, String> {
    let mark = std::fs::read(data.join("store.flushed")).map_err(|error| error.to_string())?;
    Ok(mark.first_chunk().map_or(0, |end| u64::from_be_bytes(*end)))
}

/// Has the system read the folder's files from the disk again, as after a boot.
fn forget_pages(data: &Path) -> Result<(), String> {
    for folder in [data.to_owned(), data.join("commitlog"), data.join("index"), data.join("config")] {
        for entry in std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?.flatten() {
            let Ok(file) = File::open(entry.path()) else { continue };
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                // Only clean pages can be forgotten.
                file.sync_all().map_err(|error| error.to_string())?;
                let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
            }
        }
    }
    Ok(())
}

/// A folder on a real disk.
struct Folder {
    path: std::path::PathBuf,
}

impl Folder {
    fn create(options: &Options, bytes: u64) -> Result<Folder, String> {
        let parent = match std::env::var_os("ROXMQ_TORTURE_DIR") {
            Some(folder) => folder.into(),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        };
        let path = parent.join(format!("start-time-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let folder = Folder { path };
        let space = rustix::fs::statvfs(&folder.path).map_err(|error| error.to_string())?;
        let (free, needed) = (space.f_bavail * space.f_frsize, bytes + bytes / 8 + SPARE_BYTES);
        if free < needed {
            let where_ = folder.path.display();
            return Err(format!(
                "{where_} has {} MB free, and {} MB are needed (ROXMQ_TORTURE_DIR names another folder)",
                free >> 20,
                needed >> 20
            ));
        }
        if options.verbose {
            println!("  in {}", folder.path.display());
        }
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

const FILL_S: &str = "2";
/// The medians may differ by this factor,
const WITHIN: f64 = 1.2;
/// and by this much, which is other work on the machine.
const NOISE: Duration = Duration::from_millis(100);
/// Room for two more segments, the one in use and the next.
const SPARE_BYTES: u64 = 4 << 30;
/// Messages before and after a kill have different ids.
const FIRST_AFTER: u64 = 1 << 16;
