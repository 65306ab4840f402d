//! Which broker do timer runs kill? This binary, on free ports and in a folder of its own.

use crate::timer::options::TimerOptions;
use crate::wire::ask::{AskError, Asker};
use serde::Serialize;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Why there is no broker.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// The folder, or the process.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It ended, or does not listen in time.
    #[error("the broker {what}; its log ends with:\n{log}")]
    NotUp {
        /// What it does instead.
        what: String,
        /// The last lines of its log.
        log: String,
    },
    /// It listens, and does not take a message.
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// Where it runs, every time.
pub struct Place {
    folder: PathBuf,
    is_kept: bool,
    address: SocketAddr,
    settings: Vec<String>,
}

/// A process, until it is dropped.
pub struct Running {
    child: Child,
    /// What its start took.
    pub start: Start,
}

/// How long a start took, in ms from the start of the process.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Start {
    /// Until it listened.
    pub listens_ms: f64,
    /// Until it had acknowledged a message.
    pub acknowledged_ms: f64,
}

impl Place {
    /// Makes the folder and looks for ports.
    ///
    /// # Errors
    /// When the folder cannot be made, or no ports are free.
    pub fn new(options: &TimerOptions) -> io::Result<Place> {
        let root = options.folder.clone().unwrap_or_else(std::env::temp_dir);
        let folder = root.join(format!("roxmq-bench-timer-{}", std::process::id()));
        fs::create_dir_all(&root)?;
        // Not one that exists already: it is removed at the end.
        fs::create_dir(&folder)?;
        Ok(Place { folder, is_kept: options.is_kept, address: free_address()?, settings: options.settings.clone() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its data folder and its log are in here.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts it, and waits until it has acknowledged a message.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(&self) -> Result<Running, BrokerError> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let port = self.address.port();
        let own = [
            format!("listenPort={port}"),
            "brokerIP1=127.0.0.1".into(),
            "bindAddress=127.0.0.1".into(),
            format!("storePathRootDir={}", self.folder.join("data").display()),
        ];
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("broker").args(own.iter().chain(&self.settings).flat_map(|setting| ["--set", setting]));
        command.env_remove("NAMESRV_ADDR").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let child = command.spawn()?;
        let mut running = Running { child, start: Start { listens_ms: 0.0, acknowledged_ms: 0.0 } };
        while let Err(error) = TcpStream::connect(self.address) {
            if let Some(status) = running.child.try_wait()? {
                return Err(self.not_up(format!("ended with {status}")));
            }
            if started.elapsed() > START_MAX {
                return Err(self.not_up(format!("does not listen: {error}")));
            }
            std::thread::sleep(LOOK_PERIOD);
        }
        running.start.listens_ms = started.elapsed().as_secs_f64() * 1e3;
        Asker::connect(&self.address.to_string())?.send(PROBE_TOPIC, 0, b"Is it up?")?;
        running.start.acknowledged_ms = started.elapsed().as_secs_f64() * 1e3;
        Ok(running)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("broker.log")
    }

    fn not_up(&self, what: String) -> BrokerError {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        BrokerError::NotUp { what, log: lines[lines.len().saturating_sub(LOG_LINES)..].join("\n") }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_kept {
            // A folder that cannot be removed stays.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl Running {
    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    /// Ends it without warning: kill -9.
    fn drop(&mut self) {
        // Both fail once the process has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address whose port is free, and the port two below, where a broker listens too. Both lie below those that systems give to
/// outgoing connections, so that they are unlikely to be taken between the look and the start.
fn free_address() -> io::Result<SocketAddr> {
    let first = std::process::id() % 2500 * 4;
    let mut ports = (0..2500).map(|at| 10_000 + ((first + at * 4) % 10_000) as u16);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let fast = ports.find(|port| is_free(*port) && is_free(port + 2)).ok_or_else(|| io::Error::other("no port is free"))?;
    Ok(SocketAddr::from(([127, 0, 0, 1], fast + 2)))
}

const PROBE_TOPIC: &str = "RoxBenchProbe";
const LOOK_PERIOD: Duration = Duration::from_micros(500);
const START_MAX: Duration = Duration::from_secs(120);
const LOG_LINES: usize = 10;
