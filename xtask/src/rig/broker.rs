//! How is the real binary run as a process? Started over a data folder, stopped, killed, paused.

use crate::rig::client::Client;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How brokers are started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub binary: PathBuf,
    /// Settings, `key=value`.
    pub settings: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// Where its error stream goes.
    pub log: PathBuf,
}

/// A broker with its NameServer in one process. Dropping it kills it.
pub struct Broker {
    /// Where the broker listens.
    pub address: SocketAddr,
    /// Where the NameServer listens.
    pub nameserver: SocketAddr,
    /// When it was started.
    pub started: Instant,
    log: PathBuf,
    log_begins: u64,
    process: Child,
    _screen: ChildStdout,
}

impl Broker {
    /// Starts it over a data folder without waiting until it serves.
    pub fn spawn(launch: &Launch, folder: &Path) -> Result<Broker, String> {
        let [broker, nameserver] = free_ports();
        let log =
            File::options().create(true).append(true).open(&launch.log).map_err(|error| format!("{}: {error}", launch.log.display()))?;
        let log_begins = log.metadata().map_or(0, |data| data.len());
        let started = Instant::now();
        let mut command = Command::new(&launch.binary);
        command
            .args(["--set", &format!("listenPort={broker}"), "--set", &format!("nameserver.listenPort={nameserver}")])
            .args(["--set", "brokerIP1=127.0.0.1", "--set", &format!("storePathRootDir={}", folder.display())])
            .args(launch.settings.iter().flat_map(|setting| ["--set", setting]))
            .env("ROXMQ_LOG", "warn")
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        // SAFETY: between fork and exec nothing but one system call is made.
        unsafe {
            command.pre_exec(|| {
                // A run that is killed leaves no broker behind.
                rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).map_err(Into::into)
            });
        }
        let mut process = command.spawn().map_err(|error| format!("{}: {error}", launch.binary.display()))?;
        let screen = process.stdout.take().ok_or("no output")?;
        let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (address, nameserver) = (here(broker), here(nameserver));
        Ok(Broker { address, nameserver, started, log: launch.log.clone(), log_begins, process, _screen: screen })
    }

    /// Starts it and waits until it listens.
    pub fn start(launch: &Launch, folder: &Path) -> Result<Broker, String> {
        let mut broker = Broker::spawn(launch, folder)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if TcpStream::connect(broker.address).is_ok() {
                return Ok(broker);
            }
            if let Some(status) = broker.ended() {
                return Err(format!("the broker does not start: {status}\n{}", broker.logged()));
            }
            if Instant::now() > deadline {
                return Err("the broker does not listen".to_owned());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// A connection to it.
    pub fn connect(&self) -> Result<Client, String> {
        Client::connect(self.address).map_err(|error| format!("connecting: {error}"))
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<String> {
        self.process.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// What it logged since it was started.
    pub fn logged(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(self.log_begins as usize..).unwrap_or_default()).into_owned()
    }

    /// Process id.
    pub fn id(&self) -> i32 {
        self.process.id() as i32
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        if let Some(id) = rustix::process::Pid::from_raw(self.id()) {
            // It may have ended by itself; that is seen elsewhere.
            let _ = rustix::process::kill_process(id, signal);
        }
    }

    /// Ends it without warning.
    pub fn kill(mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Stops it as a user does.
    pub fn stop(mut self) -> Result<(), String> {
        self.signal(rustix::process::Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("it stopped with {status}")),
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        Err("it does not stop".to_owned())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Three free ports: of the broker, of its fast port two below, and of the NameServer between them. No two calls give the same.
fn free_ports() -> [u16; 2] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 2_000) as u16 * 5;
    loop {
        let fast = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed) % 500 * 4) % 12_000 + 20_000;
        if [fast, fast + 1, fast + 2].iter().all(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok()) {
            return [fast + 2, fast + 1];
        }
    }
}

/// Runs `roxmq verify --json`: is the folder sound, and the answer.
pub fn verify(binary: &Path, folder: &Path) -> Result<(bool, String), String> {
    let output = Command::new(binary).args(["verify", "--json"]).arg(folder).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => Ok((true, text)),
        Some(1) => Ok((false, text)),
        other => Err(format!("verify ended with {other:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
