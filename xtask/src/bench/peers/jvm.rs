//! How is a server on a Java virtual machine started, watched and paused?

use crate::rig::folder;
use crate::rig::programs::java_program;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server. Dropping it kills it, and deletes what it stored.
pub struct Jvm {
    child: Child,
    folder: PathBuf,
    home: PathBuf,
    /// When it was started.
    pub started: Instant,
    /// Where clients reach it.
    pub address: String,
}

/// What is started.
pub struct Launch<'a> {
    /// Options of the virtual machine.
    pub options: &'a [String],
    /// Class path.
    pub classpath: &'a str,
    /// Main class.
    pub main: &'a str,
    /// Its arguments.
    pub arguments: &'a [String],
    /// Where it works; its output goes there too.
    pub home: &'a Path,
    /// Where clients reach it.
    pub port: u16,
}

impl Jvm {
    /// Starts a server and waits until it listens. `folder` is the run's, whose watchdog ends what is left behind.
    pub fn start(launch: &Launch<'_>, folder: &Path) -> Result<Jvm, String> {
        fs::create_dir_all(launch.home).map_err(|error| format!("{}: {error}", launch.home.display()))?;
        let path = launch.home.join("output.log");
        let log = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let also = log.try_clone().map_err(|error| error.to_string())?;
        let started = Instant::now();
        let child = Command::new(java_program())
            .args(launch.options)
            .args(["-cp", launch.classpath, launch.main])
            .args(launch.arguments)
            .current_dir(launch.home)
            .env("HOME", launch.home)
            .env("ROCKETMQ_HOME", launch.home)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also)
            .spawn()
            .map_err(|error| format!("java: {error}"))?;
        folder::note(folder, child.id());
        let address = format!("127.0.0.1:{}", launch.port);
        let mut jvm = Jvm { child, folder: folder.to_owned(), home: launch.home.to_owned(), started, address };
        while TcpStream::connect(&jvm.address).is_err() {
            let ended = jvm.child.try_wait().ok().flatten();
            if ended.is_some() || started.elapsed() > START_MAX {
                let said = fs::read_to_string(&path).unwrap_or_default();
                let tail: Vec<&str> = said.lines().rev().take(15).collect();
                return Err(format!("{} does not start ({ended:?}): {}", launch.main, tail.join("\n")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(jvm)
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes the processor from it, so that it does not disturb what is measured.
    pub fn pause(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// Gives the processor back, and time to find that out.
    pub fn resume(&self) {
        self.signal(rustix::process::Signal::CONT);
        std::thread::sleep(RESUME);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(id) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            // It may have ended; the next request shows.
            let _ = rustix::process::kill_process(id, signal);
        }
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        folder::forget(&self.folder, self.child.id());
        // It may be tens of GB, which the next one needs. What is left of it goes with the run's folder.
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// Options of every virtual machine: a heap of fixed size, and the collector that servers get by default.
pub fn options(heap: &str) -> Vec<String> {
    [&format!("-Xms{heap}"), &format!("-Xmx{heap}"), "-XX:+UseG1GC"].map(|option| option.to_owned()).to_vec()
}

const START_MAX: Duration = Duration::from_secs(90);
const RESUME: Duration = Duration::from_millis(500);
