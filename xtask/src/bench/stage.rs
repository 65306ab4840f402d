//! Where does a measurement take place? A fresh broker on a fresh folder, and the generator as a process of its own.

use super::figures::{self, Figures, Metric};
use super::machine::Ticks;
use crate::rig::broker::{Broker, Launch};
use crate::rig::folder::Folder;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// What all measurements of a run share.
pub struct Stage {
    /// The program: broker and generator.
    pub binary: PathBuf,
    /// A folder for everything, removed at the end.
    pub folder: Folder,
    /// Seconds that are counted in a run of no particular length.
    pub seconds: f64,
    /// Seconds before that are not.
    pub warm_up: f64,
    /// Minutes of the long run.
    pub soak_minutes: f64,
    /// GB that are stored before a broker is started again.
    pub stored_gb: f64,
}

/// A report of the generator.
pub struct Report {
    /// Its JSON.
    pub json: Value,
    /// The figures in it.
    pub figures: Figures,
}

impl Report {
    /// A number in it.
    pub fn number(&self, pointer: &str) -> f64 {
        self.json.pointer(pointer).and_then(Value::as_f64).unwrap_or(0.0)
    }
}

/// A RoxMQ broker with an empty data folder, which goes with it.
pub struct Fresh {
    /// The process.
    pub broker: Broker,
    /// Its data.
    pub data: PathBuf,
}

impl Fresh {
    /// Where it listens.
    pub fn address(&self) -> String {
        self.broker.address.to_string()
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = rustix::process::Pid::from_raw(self.broker.id()).map(|id| rustix::process::kill_process(id, rustix::process::Signal::KILL));
        let _ = fs::remove_dir_all(&self.data);
    }
}

impl Stage {
    /// A broker that has nothing yet.
    pub fn fresh(&self, settings: &[&str]) -> Result<Fresh, String> {
        let data = self.new_folder()?;
        let broker = Broker::start(&self.launch(settings), &data)?;
        Ok(Fresh { broker, data })
    }

    /// How brokers are started.
    pub fn launch(&self, settings: &[&str]) -> Launch {
        Launch {
            binary: self.binary.clone(),
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            environment: Vec::new(),
            log: self.folder.path().join("roxmq.log"),
        }
    }

    /// An empty folder.
    pub fn new_folder(&self) -> Result<PathBuf, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = self.folder.path().join(format!("data-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        // What was written before is no longer a load on the disk.
        rustix::fs::sync();
        Ok(folder)
    }

    /// Runs the generator with its usual times.
    pub fn bench(&self, address: &str, words: &str) -> Result<Report, String> {
        self.bench_for(address, words, self.seconds, self.warm_up)
    }

    /// Runs the generator for some seconds. A failed verification is an error.
    pub fn bench_for(&self, address: &str, words: &str, seconds: f64, warm_up: f64) -> Result<Report, String> {
        let mut command = Command::new(&self.binary);
        command.arg("bench").args(words.split_whitespace()).args(["-b", address, "--json"]);
        command.args(["-d", &seconds.to_string(), "--warm-up", &warm_up.to_string()]);
        let before = Ticks::now();
        let output = command.output().map_err(|error| format!("{}: {error}", self.binary.display()))?;
        let stolen = before.stolen_since() * 100.0;
        let json: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| format!("bench {words}: {}", String::from_utf8_lossy(&output.stderr).trim().to_owned()))?;
        if !output.status.success() {
            return Err(format!("bench {words}: verification failed: {} {}", json["check"], json["errors"]));
        }
        let mut figures = figures::read(&json);
        figures.push((Metric::Stolen, stolen));
        Ok(Report { figures, json })
    }
}

/// How many files there are outside of the log and the index that goes with its pieces.
pub fn files(folder: &Path) -> f64 {
    let count = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() && ["commitlog", "index"].iter().any(|name| entry.file_name() == *name) => 0.0,
        Ok(kind) if kind.is_dir() => files(&entry.path()),
        _ => 1.0,
    };
    fs::read_dir(folder).into_iter().flatten().flatten().map(count).sum()
}

/// The bytes that the log's files take on the disk, in GB.
pub fn log_gb(folder: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(folder.join("commitlog")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|data| data.blocks() as f64 * 512.0).sum::<f64>() / 1e9
}
