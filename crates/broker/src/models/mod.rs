//! Small reference models of what waits and what keeps order, and random histories that compare the broker with them.
//!
//! A history is a list of steps: requests, time passing, rounds of the services, and mishaps, of which the worst is the power going at
//! any write. A failing one is printed as proptest has shrunk it, seed and all, and does the same when it is run again.
//!
//! `ROXMQ_MODEL_CASES` says how many histories each model is given.

mod client;
mod delay;
mod order;
mod poison;
mod reader;
mod retry;
mod timers;
mod transactions;
mod world;

use proptest::test_runner::Config;

/// How many histories, and no files about failed ones: what is printed says everything.
fn cases() -> Config {
    let asked = std::env::var("ROXMQ_MODEL_CASES").ok().and_then(|cases| cases.parse().ok());
    Config { cases: asked.unwrap_or(CASES), failure_persistence: None, max_shrink_iters: 4000, ..Config::default() }
}

const CASES: u32 = 100;
