//! Hostile input for every decoder: mutated golden frames, for a given time, from a printed seed. Runs on a stable toolchain.
//!
//! `cargo run --release -p roxmq-fuzz -- [--seconds N] [--seed N] [TARGET...]`
//!
//! A decoder may refuse anything. It must not panic, and must not take more memory than a small multiple of its input: a length that
//! is only claimed must cost nothing. What breaks one of these is printed as hex, with the seed.

mod memory;
mod mutate;
mod targets;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Memory every decoder may take beside what it may for each byte of its input.
const BYTES_MORE: usize = 128 * 1024;

struct Options {
    seconds: u64,
    seed: u64,
    targets: Vec<String>,
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
    println!("seed {}, {} golden inputs, {} s for each of {} targets", options.seed, corpus.len(), options.seconds, chosen.len());
    // The default hook would print a trace for each of the panics that are looked for.
    std::panic::set_hook(Box::new(|_| ()));
    let mut failures = BTreeMap::new();
    let total = chosen.len();
    for target in chosen {
        let name = target.name;
        let mut rng = fastrand::Rng::with_seed(options.seed);
        let until = Instant::now() + Duration::from_secs(options.seconds);
        let mut runs = 0u64;
        let mut input = Vec::new();
        while !runs.is_multiple_of(256) || Instant::now() < until {
            mutate::next(&mut rng, &corpus, &mut input);
            if let Err(why) = try_one(target, &input) {
                println!("FAIL {name}: {why}\n  input {}", hex(&input));
                *failures.entry(name).or_insert(0u32) += 1;
                break;
            }
            runs += 1;
        }
        if !failures.contains_key(name) {
            println!("PASS {name}: {runs} inputs");
        }
    }
    println!("{} passed, {} failed", total - failures.len(), failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn try_one(target: &targets::Target, input: &[u8]) -> Result<(), String> {
    let before = memory::start();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let taken = memory::peak_since(before);
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|text| text.to_string()));
        return Err(format!("panicked: {}", text.unwrap_or_default()));
    }
    let allowed = input.len() * target.bytes_per_byte + BYTES_MORE;
    if taken > allowed { Err(format!("took {taken} bytes for {} bytes of input", input.len())) } else { Ok(()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { seconds: 5, seed: fastrand::u64(..), targets: Vec::new() };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut number = |name: &str| {
            let value = arguments.next().ok_or(format!("{name} needs a number"))?;
            value.parse::<u64>().map_err(|_| format!("{name} {value}: not a number"))
        };
        match argument.as_str() {
            "--seconds" => options.seconds = number("--seconds")?,
            "--seed" => options.seed = number("--seed")?,
            name if targets::ALL.iter().any(|target| target.name == name) => options.targets.push(argument),
            other => return Err(format!("unknown target {other}; there are {}", names())),
        }
    }
    Ok(options)
}

fn names() -> String {
    targets::ALL.iter().map(|target| target.name).collect::<Vec<_>>().join(", ")
}
