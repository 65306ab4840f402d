//! A folder of scripts as tests: one for each script, by its place in the folder, and one that looks whether every request has a script.

use crate::script::{Line, Script, Step};
use libtest_mimic::{Arguments, Failed, Trial};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A server and everything around it, made for one script.
pub trait World: Sized {
    /// Can this machine play the script?
    fn is_possible(_script: &Script) -> bool {
        true
    }

    /// Starts the server as the script wants it.
    fn start(script: &Script) -> Self;

    /// Does one step, and says what is seen: lines that begin with `< `.
    fn step(&mut self, step: &Step) -> String;

    /// Stops the server, and looks at what it left.
    fn end(self, script: &Script);
}

/// A request that the server serves.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its code.
    pub code: i32,
    /// Its name.
    pub name: &'static str,
    /// The folder in which it must have a script.
    pub capability: &'static str,
}

/// Runs the scripts below `folder`, as the arguments of the program say.
pub fn run<W: World>(folder: &Path, routes: Vec<Route>) -> ExitCode {
    let mut trials = Vec::new();
    let mut asked: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for path in files(folder) {
        let text = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
        let script = Script::read(&text);
        let name = path.strip_prefix(folder).unwrap().with_extension("").to_string_lossy().replace('\\', "/");
        let capability = name.split_once('/').map_or("", |(capability, _)| capability);
        asked.entry(capability.to_owned()).or_default().extend(script.codes());
        let is_possible = W::is_possible(&script);
        trials.push(Trial::test(name, move || check::<W>(&path, &text, &script)).with_ignored_flag(!is_possible));
    }
    trials.push(Trial::test("every_request_has_a_script", move || every_request_has_a_script(&routes, &asked)));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// All scripts below a folder, in their order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn check<W: World>(path: &Path, text: &str, script: &Script) -> Result<(), Failed> {
    let seen = play::<W>(script)?;
    if std::env::var_os("UPDATE").is_some() {
        return Ok(std::fs::write(path, seen)?);
    }
    if seen == text { Ok(()) } else { Err(format!("{}\n{}", path.display(), difference(text, &seen)).into()) }
}

fn play<W: World>(script: &Script) -> Result<String, Failed> {
    let mut world = W::start(script);
    let mut seen = String::new();
    for line in &script.lines {
        match line {
            Line::Remark(text) => writeln!(seen, "{text}").unwrap(),
            Line::Step(step) => {
                let outcome = catch_unwind(AssertUnwindSafe(|| world.step(step)));
                let answer = outcome.map_err(|panic| format!("{}: {}", step.text.trim_end(), said(&*panic)))?;
                seen.push_str(&step.text);
                seen.push_str(&answer);
            }
        }
    }
    world.end(script);
    Ok(seen)
}

/// The words of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}

/// From the first line that differs to the last.
fn difference(text: &str, seen: &str) -> String {
    let (mut text, mut seen): (Vec<&str>, Vec<&str>) = (text.lines().collect(), seen.lines().collect());
    let same = text.iter().zip(&seen).take_while(|(a, b)| a == b).count();
    while text.len().min(seen.len()) > same && text.last() == seen.last() {
        text.pop();
        seen.pop();
    }
    let before = text[same.saturating_sub(3)..same].iter().map(|line| format!("  {line}\n"));
    let gone = text[same..].iter().map(|line| format!("- {line}\n"));
    let come = seen[same..].iter().map(|line| format!("+ {line}\n"));
    format!("line {}:\n{}", same + 1, before.chain(gone).chain(come).collect::<String>())
}

fn every_request_has_a_script(routes: &[Route], asked: &BTreeMap<String, BTreeSet<i32>>) -> Result<(), Failed> {
    let is_missing = |route: &&Route| asked.get(route.capability).is_none_or(|codes| !codes.contains(&route.code));
    let missing: Vec<String> =
        routes.iter().filter(is_missing).map(|route| format!("{}: {} {}", route.capability, route.code, route.name)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("no script for\n{}", missing.join("\n")).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_goes_from_the_first_line_to_the_last() {
        assert_eq!(difference("1\n2\n3\n4\nold\n5\n", "1\n2\n3\n4\nnew\nmore\n5\n"), "line 5:\n  2\n  3\n  4\n- old\n+ new\n+ more\n");
        assert_eq!(difference("1\n", "1\n2\n"), "line 2:\n  1\n+ 2\n");
    }

    #[test]
    fn a_request_needs_a_script_in_its_folder() {
        let routes = [(1, "a"), (2, "a"), (1, "b")].map(|(code, capability)| Route { code, name: "NAME", capability });
        let asked = |folders: &[(&str, &[i32])]| {
            folders.iter().map(|(folder, codes)| ((*folder).to_owned(), codes.iter().copied().collect())).collect()
        };
        assert!(every_request_has_a_script(&routes, &asked(&[("a", &[1, 2]), ("b", &[1])])).is_ok());
        let missing = every_request_has_a_script(&routes, &asked(&[("a", &[1])])).unwrap_err();
        assert_eq!(missing.message(), Some("no script for\na: 2 NAME\nb: 1 NAME"));
    }
}
