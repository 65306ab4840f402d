//! How are the hot parts of sending and pulling repeated, each by itself, so that their instructions can be counted?
//!
//! `roxmq-budget PART TIMES`, or without arguments the parts and their budgets. `cargo xtask budget` runs each part twice under
//! Valgrind's callgrind, with different numbers of times, and takes the difference: instructions of a repetition, which on a machine
//! are the same each time, whatever else it does. See [`parts::ALL`].

#![allow(clippy::disallowed_methods, reason = "a tool: it measures and drives the real world")]

mod parts;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => {
            for part in parts::ALL {
                println!("{} {} {}", part.name, part.budget, part.what);
            }
            ExitCode::SUCCESS
        }
        [name, times] => match (parts::ALL.iter().find(|part| part.name == name), times.parse()) {
            (Some(part), Ok(times)) => {
                (part.run)(times);
                ExitCode::SUCCESS
            }
            _ => refuse(),
        },
        _ => refuse(),
    }
}

fn refuse() -> ExitCode {
    eprintln!("usage: roxmq-budget [PART TIMES]");
    ExitCode::FAILURE
}
