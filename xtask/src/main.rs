//! Development tasks: `cargo xtask <task>`. Which tasks are there?
//!
//! - `bench`: are the goals for speed reached, and what do other brokers reach (`docs/benchmarks.md`)?
//! - `budget`: do the hot parts take as few instructions as they should?
//! - `ci`: does everything hold that needs no root and no other language (`docs/STYLE.md`)?
//! - `compat`: real clients against RoxMQ or Java RocketMQ (`compat/README.md`).
//! - `torture`: the real binary under load while its disk, its process and its files are treated badly (`docs/evidence.md`).
//! - `control`: what `compat` gives its suites to stop and start servers; not for use by hand.

mod bench;
mod budget;
mod ci;
mod compat;
mod torture;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match task.as_str() {
        "bench" => bench::run(&rest),
        "budget" => budget::run(&rest),
        "ci" => ci::run(&rest),
        "compat" => compat::run(&rest),
        "torture" => torture::run(&rest),
        "control" => compat::control::ask(&rest),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "\
usage: cargo xtask bench [--peers] [--quick] [--row NAME ...] [--write]
       (see docs/benchmarks.md)
       cargo xtask budget [PART ...]
       cargo xtask ci [STEP ...] [--quick] [--without STEP ...]
       cargo xtask compat [--against roxmq|java] [--suite NAME ...] [--keep] [--serve] [-- SUITE ARGUMENTS]
       (see compat/README.md)
       cargo xtask torture SCENARIO... [--cycles N] [--seed S], or --short for a few cycles of each
       (see docs/evidence.md)";
