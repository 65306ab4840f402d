//! How many instructions do the hot parts take, and is that within their budgets?
//!
//! Times differ from run to run, and on a busy machine by a lot; instructions hardly do. Each part runs twice under callgrind, and the
//! difference is what its repetitions took, without what the program does at its start and end. Needs Valgrind.

use crate::rig::{command, programs};
use std::path::PathBuf;
use std::process::Command;

/// Repetitions of the shorter run, and how many more the longer one makes.
const TIMES: u64 = 2048;

/// Builds, counts and compares; an error names the parts that take more than they may.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let program = build()?;
    let listed = output(Command::new(&program))?;
    let mut exceeded = Vec::new();
    println!("{:20} {:>12} {:>8}", "part", "instructions", "budget");
    for line in listed.lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(name), Some(budget), Some(what)) = (words.next(), words.next().and_then(|word| word.parse::<u64>().ok()), words.next())
        else {
            return Err(format!("the list of parts cannot be read: {line}"));
        };
        if !arguments.is_empty() && !arguments.iter().any(|wanted| wanted == name) {
            continue;
        }
        let taken = (instructions(&program, name, 2 * TIMES)?.saturating_sub(instructions(&program, name, TIMES)?)) / TIMES;
        println!("{name:20} {taken:>12} {budget:>8}  {what}");
        if taken > budget {
            exceeded.push(name.to_owned());
        }
    }
    if exceeded.is_empty() { Ok(()) } else { Err(format!("more instructions than budgeted: {}", exceeded.join(", "))) }
}

fn build() -> Result<PathBuf, String> {
    command::run(programs::cargo().args(["build", "--release", "-p", "roxmq-budget"]))?;
    Ok(programs::target_folder().join("release/roxmq-budget"))
}

fn instructions(program: &PathBuf, part: &str, times: u64) -> Result<u64, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).args([part, &times.to_string()]);
    let output = command.output().map_err(|error| format!("valgrind, which counts instructions, does not run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    match collected {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!("{part} did not run under valgrind: {text}")),
    }
}

fn output(mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}
