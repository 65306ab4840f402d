//! What did a suite say: which cases passed, which failed, and did it end as it should?

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Counted lines of one suite, or of several.
#[derive(Default)]
pub struct Transcript {
    /// Cases that passed.
    pub passed: usize,
    /// Cases put off by the suite's own list.
    pub later: usize,
    /// `FAIL suite/case: why`, one line each.
    pub failures: Vec<String>,
    /// `UNSTEADY suite/case: why` for what failed in one of two runs.
    pub unsteady: Vec<String>,
}

impl Transcript {
    /// Adds a failure that the suite itself could not report, and prints it.
    pub fn fail(&mut self, name: &str, why: &str) {
        let line = format!("FAIL {name}: {}", why.replace('\n', " | "));
        println!("{line}");
        self.failures.push(line);
    }

    /// Adds another suite's counts.
    pub fn add(&mut self, other: Transcript) {
        self.passed += other.passed;
        self.later += other.later;
        self.failures.extend(other.failures);
        self.unsteady.extend(other.unsteady);
    }

    /// The result of two runs: only what failed in both has failed.
    pub fn confirmed_by(self, second: Transcript) -> Transcript {
        let failed_in = |run: &Transcript, line: &str| run.failures.iter().any(|other| case_of(other) == case_of(line));
        let (failures, by_chance): (Vec<_>, Vec<_>) = second.failures.iter().cloned().partition(|line| failed_in(&self, line));
        let unsteady = self.failures.iter().filter(|line| !failed_in(&second, line)).chain(&by_chance);
        Transcript {
            passed: second.passed + by_chance.len(),
            later: second.later,
            unsteady: unsteady.map(|line| line.replacen("FAIL", "UNSTEADY", 1)).collect(),
            failures,
        }
    }

    /// Counts one line and returns it as it is printed.
    fn take(&mut self, suite: &str, line: &str) -> String {
        let Some((word, rest)) = line.split_once(' ') else {
            return line.to_owned();
        };
        let named = format!("{word} {suite}/{rest}");
        match word {
            "PASS" => self.passed += 1,
            "LATER" => self.later += 1,
            "FAIL" => self.failures.push(named.clone()),
            _ => return line.to_owned(),
        }
        named
    }
}

/// Prints and counts the child's lines until it ends, at most `time_max`.
pub fn follow(suite: &str, child: &mut Child, time_max: Duration) -> Transcript {
    let mut transcript = Transcript::default();
    let deadline = Instant::now() + time_max;
    let Some(stdout) = child.stdout.take() else {
        transcript.fail(suite, "its output is not connected");
        return transcript;
    };
    let (sender, lines) = sync_channel::<String>(1024);
    // Not joined: a grandchild that outlives the suite may hold the pipe open.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n') {
            let Ok(line) = line else { break };
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    let mut closing = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) => {
                closing = closing_counts(&line).or(closing);
                println!("{}", transcript.take(suite, &line));
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                // Gone already is as good as killed.
                let _ = child.kill();
                transcript.fail(suite, &format!("not done after {} s", time_max.as_secs()));
                break;
            }
        }
    }
    let counted = (transcript.passed, transcript.failures.len());
    match child.wait() {
        Ok(status) if status.success() == (counted.1 == 0) => {}
        Ok(status) => transcript.fail(suite, &format!("ended with {status}")),
        Err(error) => transcript.fail(suite, &format!("its end is unknown: {error}")),
    }
    if counted.0 == 0 {
        transcript.fail(suite, "no case passed");
    }
    match closing {
        Some(said) if said == counted => {}
        Some((passed, failed)) => {
            transcript.fail(suite, &format!("says {passed} passed, {failed} failed; its lines are {} and {}", counted.0, counted.1))
        }
        None => transcript.fail(suite, "no closing line `N passed, N failed`"),
    }
    transcript
}

/// `suite/case` of a failure's line.
fn case_of(line: &str) -> &str {
    line.split(": ").next().unwrap_or(line)
}

/// The counts of a line `N passed, N failed`.
fn closing_counts(line: &str) -> Option<(usize, usize)> {
    let (passed, failed) = line.trim().split_once(" passed, ")?;
    let failed = failed.strip_suffix(" failed")?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_named_after_their_suite() {
        let mut transcript = Transcript::default();
        let seen: Vec<String> =
            ["PASS tags", "FAIL keys: none", "LATER order: locks", "word", "a b"].iter().map(|line| transcript.take("go", line)).collect();
        assert_eq!(seen, ["PASS go/tags", "FAIL go/keys: none", "LATER go/order: locks", "word", "a b"]);
        assert_eq!((transcript.passed, transcript.failures.len(), transcript.later), (1, 1, 1));
    }

    #[test]
    fn only_what_fails_twice_has_failed() {
        let run = |lines: &[&str]| {
            let mut transcript = Transcript::default();
            for line in lines {
                transcript.take("go", line);
            }
            transcript
        };
        let both = run(&["PASS a", "FAIL b: late", "FAIL c: 3 of 4", "PASS d"]).confirmed_by(run(&[
            "PASS a",
            "PASS b",
            "FAIL c: 2 of 4",
            "FAIL d: late",
        ]));
        assert_eq!(both.failures, ["FAIL go/c: 2 of 4"]);
        assert_eq!(both.unsteady, ["UNSTEADY go/b: late", "UNSTEADY go/d: late"]);
        assert_eq!(both.passed, 3);
    }

    #[test]
    fn the_closing_line_is_read() {
        assert_eq!(closing_counts("12 passed, 3 failed"), Some((12, 3)));
        assert_eq!(closing_counts("12 passed"), None);
    }
}
