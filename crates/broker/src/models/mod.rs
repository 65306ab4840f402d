//! Small reference models of what waits and what keeps order, and random histories that compare the broker with them.
//!
//! A history is a list of steps: requests, time passing, rounds of the services, and mishaps, of which the worst is the power going at
//! any write. A failing one is printed as proptest has shrunk it, seed and all, and does the same when it is run again.
//!
//! What clients do in them goes by the wire: frames on a connection, turns of a shard, answers (`client.rs`, `world.rs`). Called directly is
//! what has no request: rounds of the services and housekeeping, messages that no send lets in (`poison.rs`), and what a model looks up to
//! learn what became of a request that was answered with an error: which half messages are open, how often they were asked about.
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

#[test]
fn the_same_history_is_the_same_whenever_it_is_run() {
    use client::message;
    use world::{ANYONE, Mishap, World};
    let run = |seed| {
        let mut world = World::new(seed, crate::settings::FlushDiskType::SyncFlush);
        let mut answers = Vec::new();
        for number in 0..60 {
            let message = message(crate::testing::TOPIC, number % 4, &number.to_string(), &[("DELAY", "1")]);
            answers.push(format!("{:?}", world.ask(ANYONE, &message, b"body")));
            crate::delivery::delay::deliver_due(world.broker());
            let mishap = [Mishap::Save, Mishap::PowerCutAt(u64::from(number)), Mishap::NoSpaceAt(1), Mishap::Kill];
            world.meet(&mishap[number as usize % mishap.len()]);
            world.clock.advance(std::time::Duration::from_millis(300));
        }
        (answers, world.log_end(), world.operations())
    };
    for seed in 0..8 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
