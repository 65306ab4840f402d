//! Which machine is this, is it quiet, and is it still the same at the end of a run? And what does a process on it take?

use super::figures::Spread;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The machine in words, one line each: name and value.
pub fn describe(folder: &Path) -> Vec<(&'static str, String)> {
    let first = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kilobytes: f64 = first("/proc/meminfo", "MemTotal").split(' ').next().and_then(|kb| kb.parse().ok()).unwrap_or(0.0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    vec![
        ("CPU", format!("{} x {}", cores, first("/proc/cpuinfo", "model name"))),
        ("memory", format!("{:.1} GiB", kilobytes / 1024.0 / 1024.0)),
        ("kernel", format!("Linux {}", kernel.trim().split('-').next().unwrap_or_default())),
        ("file system", file_system(folder)),
        ("date", said_by(Command::new("date").args(["-u", "+%Y-%m-%d"]))),
        ("commit", said_by(Command::new("git").args(["rev-parse", "--short", "HEAD"]))),
    ]
}

/// The first line that a command prints on either stream.
pub fn said_by(command: &mut Command) -> String {
    let output = command.output().map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().trim().to_owned()
}

/// The type of the file system that holds a folder.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let lines = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (mount, kind) = (words.nth(1)?, words.next()?);
        folder.starts_with(mount).then_some((mount.len(), kind.to_owned()))
    });
    lines.max_by_key(|(length, _)| *length).map(|(_, text)| text).unwrap_or_default()
}

/// What the machine takes for three things that have nothing to do with any broker.
#[derive(Clone, Copy, Debug)]
pub struct Calibration {
    /// Writing 4 KiB over old data and forcing it to the disk, half of the times, in µs.
    pub flush_us: f64,
    /// One byte there and back over loopback between two threads, half of the times, in µs.
    pub round_trip_us: f64,
    /// Copying memory, in GB/s.
    pub copy_gb: f64,
}

impl Calibration {
    /// Measures, with a file in `folder`.
    pub fn take(folder: &Path) -> Result<Calibration, String> {
        let told = |error: std::io::Error| format!("calibration: {error}");
        let flush_us = flush(&folder.join("calibration")).map_err(told)?;
        Ok(Calibration { flush_us, round_trip_us: round_trip().map_err(told)?, copy_gb: copy() })
    }

    /// For people.
    pub fn text(&self) -> String {
        let Calibration { flush_us, round_trip_us, copy_gb } = self;
        format!("fdatasync of 4 KiB p50 {flush_us:.0} us, loopback round trip p50 {round_trip_us:.0} us, memcpy {copy_gb:.1} GB/s")
    }

    /// The largest difference to another one, as a share.
    pub fn moved(&self, other: &Calibration) -> f64 {
        let pairs = [(self.flush_us, other.flush_us), (self.round_trip_us, other.round_trip_us), (self.copy_gb, other.copy_gb)];
        pairs.into_iter().map(|(a, b)| (a / b).max(b / a) - 1.0).fold(0.0, f64::max)
    }
}

fn flush(path: &Path) -> std::io::Result<f64> {
    use std::os::unix::fs::FileExt;
    let file = File::create(path)?;
    let block = [7u8; 4096];
    for at in 0..FLUSHES {
        file.write_at(&block, at * 4096)?;
    }
    file.sync_all()?;
    let mut times = Vec::new();
    for at in 0..FLUSHES {
        let from = Instant::now();
        file.write_at(&block, at * 4096)?;
        file.sync_data()?;
        times.push(from.elapsed().as_secs_f64() * 1e6);
    }
    fs::remove_file(path)?;
    Ok(median(&times))
}

fn round_trip() -> std::io::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let echo = std::thread::spawn(move || {
        let mut byte = [0];
        while far.read_exact(&mut byte).is_ok() && far.write_all(&byte).is_ok() {}
    });
    let mut times = Vec::new();
    for _ in 0..ROUND_TRIPS {
        let from = Instant::now();
        let mut byte = [1];
        near.write_all(&byte)?;
        near.read_exact(&mut byte)?;
        times.push(from.elapsed().as_secs_f64() * 1e6);
    }
    drop(near);
    let _ = echo.join();
    Ok(median(&times))
}

fn copy() -> f64 {
    let from = vec![1u8; COPY_BYTES];
    let mut to = vec![2u8; COPY_BYTES];
    let mut speeds = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&to);
        speeds.push(COPY_BYTES as f64 / 1e9 / began.elapsed().as_secs_f64());
    }
    median(&speeds)
}

fn median(values: &[f64]) -> f64 {
    Spread::of(values).map_or(0.0, |spread| spread.median)
}

/// Memory of a process, in MB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Anonymous and resident.
    pub anonymous: f64,
    /// Resident pages of mapped files.
    pub file: f64,
}

/// What a process has resident.
pub fn memory_mb(process: u32) -> Option<Memory> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mb = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0 / 1e6)
    };
    Some(Memory { anonymous: mb("RssAnon:")?, file: mb("RssFile:")? })
}

/// How long the threads of a process have run, in seconds.
pub fn cpu_seconds(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e9
}

/// Whether a process is there and has not ended.
pub fn is_running(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next()).is_some_and(|state| state != 'Z')
}

/// What all cores did so far, in ticks (`/proc/stat`).
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    all: f64,
    idle: f64,
    stolen: f64,
}

impl Ticks {
    /// Up to now.
    pub fn now() -> Ticks {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let ticks: Vec<f64> =
            stat.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        let at = |place: usize| ticks.get(place).copied().unwrap_or(0.0);
        Ticks { all: ticks.iter().sum(), idle: at(3) + at(4), stolen: at(7) }
    }

    /// The share of the cores that anybody used since.
    pub fn busy_since(self) -> f64 {
        let now = Ticks::now();
        1.0 - (now.idle - self.idle) / (now.all - self.all).max(1.0)
    }

    /// The share of the cores' time that the host of a virtual machine took since, though there was something to do.
    pub fn stolen_since(self) -> f64 {
        let now = Ticks::now();
        (now.stolen - self.stolen) / (now.all - self.all).max(1.0)
    }
}

/// The share of all cores that anybody used in the last second.
pub fn busy_share() -> f64 {
    let before = Ticks::now();
    std::thread::sleep(Duration::from_secs(1));
    before.busy_since()
}

/// Waits until a thread that never stops is not held up on any core, and says so when that does not come. The host of a virtual machine that
/// takes back what was freed, some 10 GB after a row that stored much, holds everything up for tens of ms at a time.
pub fn wait_until_calm() {
    let began = Instant::now();
    while longest_gap(CALM_WATCHED) > CALM_GAP_MAX {
        if began.elapsed() >= CALM_WAIT_MAX {
            return println!("  the machine is not calm: threads are held up for more than {} ms", CALM_GAP_MAX.as_millis());
        }
    }
}

/// The longest time for which a thread did not run, though it wanted to, on as many threads as there are cores.
fn longest_gap(watched: Duration) -> Duration {
    let watch = || {
        let began = Instant::now();
        let (mut last, mut longest) = (began, Duration::ZERO);
        while last - began < watched {
            let now = Instant::now();
            longest = longest.max(now - last);
            last = now;
        }
        longest
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(watch)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).max().unwrap_or_default()
    })
}

const CALM_WATCHED: Duration = Duration::from_secs(1);
/// A time slice of another process, and a little.
const CALM_GAP_MAX: Duration = Duration::from_millis(5);
const CALM_WAIT_MAX: Duration = Duration::from_secs(45);
const FLUSHES: u64 = 200;
const ROUND_TRIPS: usize = 2000;
const COPY_BYTES: usize = 256 << 20;
