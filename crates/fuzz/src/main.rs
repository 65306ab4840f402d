//! The runner: does a mutated golden input break a decoder? On a stable toolchain. What breaks a decoder is printed as hex, with the seed.

#![allow(clippy::disallowed_methods, reason = "a tool: it measures and drives the real world")]

mod mutate;
mod runner;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use roxmq_fuzz::corpus::{self, Corpus};
use roxmq_fuzz::{memory, targets};
use runner::{Amount, Passed};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Feed hostile input to the decoders: mutated golden inputs, from a printed seed.
#[derive(Debug, Parser)]
#[command(name = "roxmq-fuzz")]
struct FuzzArgs {
    /// Seconds for each target
    #[arg(long, value_name = "N", default_value = "5")]
    seconds: u64,
    /// Inputs for each target, instead of a time
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
    /// The same seed makes the same inputs [default: a random one]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// Write what inputs are made from to DIR/TARGET instead, for guided fuzzing to start from
    #[arg(long, value_name = "DIR")]
    write_corpus: Option<PathBuf>,
    /// Decoders to feed [default: all]
    #[arg(value_name = "TARGET", value_parser = PossibleValuesParser::new(targets::ALL.iter().map(|target| target.name)))]
    targets: Vec<String>,
}

fn main() -> ExitCode {
    let args = FuzzArgs::parse();
    let corpus = corpus::read();
    let is_chosen = |name: &str| args.targets.is_empty() || args.targets.iter().any(|chosen| chosen == name);
    let chosen: Vec<_> = targets::ALL.iter().filter(|target| is_chosen(target.name)).collect();
    match &args.write_corpus {
        Some(folder) => write_corpus(folder, &chosen, &corpus),
        None => feed(&args, &chosen, &corpus),
    }
}

fn feed(args: &FuzzArgs, chosen: &[&targets::Target], corpus: &Corpus) -> ExitCode {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64));
    let amount = args.runs.map_or(Amount::Time(Duration::from_secs(args.seconds)), Amount::Inputs);
    let how_much = args.runs.map_or_else(|| format!("{} s", args.seconds), |runs| format!("{runs} inputs"));
    println!("seed {seed}, {how_much} for each of {} targets, {threads} threads", chosen.len());
    // The default hook would print a trace for each of the panics that are looked for.
    std::panic::set_hook(Box::new(|_| ()));
    let mut failed = 0;
    for target in chosen {
        let (began, name) = (Instant::now(), target.name);
        match runner::run(target, corpus, amount, seed, threads) {
            Err(why) => {
                println!("FAIL {name}: {why}");
                failed += 1;
            }
            Ok(Passed { inputs, memory_bytes, input_bytes }) => {
                let seconds = began.elapsed().as_secs_f64();
                println!(
                    "PASS {name}: {inputs} inputs in {seconds:.1} s, at most {memory_bytes} bytes of memory, for an input of {input_bytes}"
                );
            }
        }
    }
    println!("{} passed, {failed} failed", chosen.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write_corpus(folder: &Path, chosen: &[&targets::Target], corpus: &Corpus) -> ExitCode {
    for target in chosen {
        let folder = folder.join(target.name);
        let written = std::fs::create_dir_all(&folder).and_then(|()| {
            let mut inputs = (target.source)(corpus).iter().enumerate();
            inputs.try_for_each(|(number, input)| std::fs::write(folder.join(format!("{number:04}")), input))
        });
        if let Err(error) = written {
            eprintln!("roxmq-fuzz: {}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
