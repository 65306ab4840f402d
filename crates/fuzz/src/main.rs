//! Hostile input for every decoder: mutated golden inputs, for a given time or number, from a printed seed. Runs on a stable toolchain.
//!
//! `cargo run --release -p roxmq-fuzz -- [--seconds N | --runs N] [--seed N] [--threads N] [TARGET...]`
//!
//! A decoder may refuse anything. It must not panic, and must not take more memory than a small multiple of its input: a length that
//! is only claimed must cost nothing. What breaks one of these is printed as hex, with the seed.

mod memory;
mod mutate;
mod targets;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Memory every decoder may take beside what it may for each byte of its input.
const BYTES_MORE: usize = 128 * 1024;
/// Inputs that follow from one number: however many threads there are, the inputs are the same.
const BLOCK: u64 = 1024;

struct Options {
    seconds: u64,
    /// Inputs for each target, instead of a time.
    runs: Option<u64>,
    seed: u64,
    threads: usize,
    targets: Vec<String>,
}

/// What a target did.
#[derive(Default)]
struct Done {
    runs: AtomicU64,
    blocks: AtomicU64,
    stop: AtomicBool,
    /// The most memory taken for an input, and how long that was.
    most: Mutex<(usize, usize)>,
    failure: Mutex<Option<String>>,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("fuzz: {error}");
            return ExitCode::from(2);
        }
    };
    let corpus = mutate::corpus();
    let chosen: Vec<_> =
        targets::ALL.iter().filter(|target| options.targets.is_empty() || options.targets.iter().any(|name| name == target.name)).collect();
    let how_much = options.runs.map_or_else(|| format!("{} s", options.seconds), |runs| format!("{runs} inputs"));
    println!("seed {}, {how_much} for each of {} targets, {} threads", options.seed, chosen.len(), options.threads);
    // The default hook would print a trace for each of the panics that are looked for.
    std::panic::set_hook(Box::new(|_| ()));
    let mut failures = BTreeMap::new();
    let total = chosen.len();
    for target in chosen {
        let (began, done) = (Instant::now(), Done::default());
        std::thread::scope(|scope| {
            for _ in 0..options.threads {
                scope.spawn(|| run(target, &options, &corpus, began, &done));
            }
        });
        let seconds = began.elapsed().as_secs_f64();
        match done.failure.into_inner().ok().flatten() {
            Some(why) => {
                println!("FAIL {}: {why}", target.name);
                failures.insert(target.name, why);
            }
            None => {
                let (most, len) = done.most.into_inner().unwrap_or_default();
                let runs = done.runs.into_inner();
                println!("PASS {}: {runs} inputs in {seconds:.1} s, at most {most} bytes of memory, for an input of {len}", target.name);
            }
        }
    }
    println!("{} passed, {} failed", total - failures.len(), failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One thread's part of a target's inputs.
fn run(target: &targets::Target, options: &Options, corpus: &mutate::Corpus, began: Instant, done: &Done) {
    let until = began + Duration::from_secs(options.seconds);
    let mut input = Vec::new();
    let mut most = (0, 0);
    while !done.stop.load(Relaxed) {
        let block = done.blocks.fetch_add(1, Relaxed);
        let first = block * BLOCK;
        let count = match options.runs {
            Some(runs) => runs.saturating_sub(first).min(BLOCK),
            None if Instant::now() < until => BLOCK,
            None => 0,
        };
        if count == 0 {
            break;
        }
        let mut random = fastrand::Rng::with_seed(options.seed ^ block.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for _ in 0..count {
            mutate::next(&mut random, (target.source)(corpus), &mut input);
            match try_one(target, &input) {
                Ok(taken) if taken > most.0 => most = (taken, input.len()),
                Ok(_) => {}
                Err(why) => {
                    done.stop.store(true, Relaxed);
                    let mut failure = done.failure.lock().unwrap_or_else(|broken| broken.into_inner());
                    failure.get_or_insert(format!("{why}\n  input {}", hex(&input)));
                    return;
                }
            }
        }
        done.runs.fetch_add(count, Relaxed);
    }
    let mut all = done.most.lock().unwrap_or_else(|broken| broken.into_inner());
    *all = most.max(*all);
}

/// How much memory the input took.
fn try_one(target: &targets::Target, input: &[u8]) -> Result<usize, String> {
    let before = memory::start();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let taken = memory::peak_since(before);
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|text| text.to_string()));
        return Err(format!("panicked: {}", text.unwrap_or_default()));
    }
    let allowed = input.len() * target.bytes_per_byte + BYTES_MORE;
    if taken > allowed { Err(format!("took {taken} bytes for {} bytes of input", input.len())) } else { Ok(taken) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    let mut options = Options { seconds: 5, runs: None, seed: fastrand::u64(..), threads, targets: Vec::new() };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut number = |name: &str| {
            let value = arguments.next().ok_or(format!("{name} needs a number"))?;
            value.parse::<u64>().map_err(|_| format!("{name} {value}: not a number"))
        };
        match argument.as_str() {
            "--seconds" => options.seconds = number("--seconds")?,
            "--runs" => options.runs = Some(number("--runs")?),
            "--seed" => options.seed = number("--seed")?,
            "--threads" => options.threads = number("--threads")?.clamp(1, 1024) as usize,
            name if targets::ALL.iter().any(|target| target.name == name) => options.targets.push(argument),
            other => return Err(format!("unknown target {other}; there are {}", names())),
        }
    }
    Ok(options)
}

fn names() -> String {
    targets::ALL.iter().map(|target| target.name).collect::<Vec<_>>().join(", ")
}
