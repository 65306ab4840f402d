//! How are changed inputs fed to a decoder? By several threads, for a time or a number, from a seed.

use crate::mutate;
use roxmq_fuzz::corpus::Corpus;
use roxmq_fuzz::targets::Target;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much is fed to a decoder.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    /// As many inputs as fit in a time.
    Time(Duration),
    /// So many inputs.
    Inputs(u64),
}

/// What a decoder did with all inputs.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// How many there were.
    pub inputs: u64,
    /// The most memory that it took for one, in bytes.
    pub memory_bytes: usize,
    /// How long that one was, in bytes.
    pub input_bytes: usize,
}

/// What the threads share.
#[derive(Default)]
struct Shared {
    inputs: AtomicU64,
    blocks: AtomicU64,
    stop: AtomicBool,
    /// The most memory taken for an input, and how long that was.
    most: Mutex<(usize, usize)>,
    failure: Mutex<Option<String>>,
}

/// Feeds a decoder. The inputs depend on the seed alone, however many threads there are.
///
/// # Errors
/// The first input that it failed on, and why.
pub fn run(target: &Target, corpus: &Corpus, amount: Amount, seed: u64, threads: u64) -> Result<Passed, String> {
    let (began, shared) = (Instant::now(), Shared::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(target, corpus, amount, seed, began, &shared));
        }
    });
    if let Some(why) = shared.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(why);
    }
    let (memory_bytes, input_bytes) = shared.most.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Passed { inputs: shared.inputs.into_inner(), memory_bytes, input_bytes })
}

/// One thread's part.
fn work(target: &Target, corpus: &Corpus, amount: Amount, seed: u64, began: Instant, shared: &Shared) {
    let mut input = Vec::new();
    let mut most = (0, 0);
    while !shared.stop.load(Relaxed) {
        let block = shared.blocks.fetch_add(1, Relaxed);
        let count = match amount {
            Amount::Inputs(inputs) => inputs.saturating_sub(block * BLOCK).min(BLOCK),
            Amount::Time(time) if began.elapsed() < time => BLOCK,
            Amount::Time(_) => 0,
        };
        if count == 0 {
            break;
        }
        let mut random = fastrand::Rng::with_seed(seed ^ block.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for _ in 0..count {
            mutate::next(&mut random, (target.source)(corpus), &mut input);
            match feed(target, &input) {
                Ok(taken) if taken > most.0 => most = (taken, input.len()),
                Ok(_) => {}
                Err(why) => {
                    shared.stop.store(true, Relaxed);
                    let mut failure = shared.failure.lock().unwrap_or_else(PoisonError::into_inner);
                    failure.get_or_insert(format!("{why}\n  input {}", hex(&input)));
                    return;
                }
            }
        }
        shared.inputs.fetch_add(count, Relaxed);
    }
    let mut all = shared.most.lock().unwrap_or_else(PoisonError::into_inner);
    *all = most.max(*all);
}

/// How much memory the input took; a panic is an error.
fn feed(target: &Target, input: &[u8]) -> Result<usize, String> {
    catch_unwind(AssertUnwindSafe(|| roxmq_fuzz::feed(target, input))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|text| text.to_string()));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Inputs that follow from one number.
const BLOCK: u64 = 1024;
