//! What does the command line of `roxmq bench timer` ask for?

use crate::options::{OptionError, flag_of, number, seconds};
use crate::wire::stamp::STAMP_BYTES;
use std::path::PathBuf;
use std::time::Duration;

/// How to measure timers.
#[derive(Clone, Debug, PartialEq)]
pub struct TimerOptions {
    /// Messages in all.
    pub messages: u64,
    /// How many of them come due in a second of the window.
    pub due_per_s: u64,
    /// How long the window is.
    pub window: Duration,
    /// The others are due evenly over this time.
    pub span: Duration,
    /// How long the broker stays away after it was killed.
    pub down: Duration,
    /// How long after the window messages are waited for.
    pub patience: Duration,
    /// Queues of the topic.
    pub queues: u32,
    /// Connections that send.
    pub connections: usize,
    /// Unanswered requests on each.
    pub in_flight: usize,
    /// Body of a message, in bytes.
    pub body_bytes: usize,
    /// Where the data folder is made; the system's folder for temporary files without it.
    pub folder: Option<PathBuf>,
    /// Whether the data folder is left there.
    pub is_kept: bool,
    /// The broker's settings, as `key=value`.
    pub settings: Vec<String>,
    /// Print JSON instead of text.
    pub json: bool,
}

impl TimerOptions {
    /// Messages that come due in the window.
    pub fn near(&self) -> u64 {
        (self.due_per_s as f64 * self.window.as_secs_f64()) as u64
    }
}

impl Default for TimerOptions {
    fn default() -> TimerOptions {
        TimerOptions {
            messages: 1_000_000,
            due_per_s: 2000,
            window: Duration::from_secs(30),
            span: Duration::from_secs(DAYS_MAX * DAY_S),
            down: Duration::ZERO,
            patience: Duration::from_secs(30),
            queues: 8,
            connections: 4,
            in_flight: 64,
            body_bytes: 128,
            folder: None,
            is_kept: false,
            settings: Vec::new(),
            json: false,
        }
    }
}

/// How it is used.
pub const HELP: &str = "\
Measures timed messages over a kill -9, with a broker of its own: this binary, started on free ports of this machine and in a
folder of its own. Sends messages with a time of delivery, of which most wait for long and some come due in a window; in the middle
of the window the broker is killed and started again. Prints its memory, how long its starts took, how late messages came before,
during and after, and whether all of them came, once, and none early.

Usage: roxmq bench timer [FLAGS]

      --messages N     messages in all                                      (1000000)
      --due-per-s N    of these, come due in each second of the window      (2000)
  -d, --seconds S      the window                                           (30)
      --days N         the others are due evenly over so many days          (400)
      --down S         seconds that the broker stays away after the kill    (0)
      --timeout S      seconds that messages are waited for after the end   (30)
  -q, --queues N       queues of the topic                                  (8)
  -c N                 connections that send                                (4)
  -w N                 unanswered requests on each                          (64)
      --body BYTES     body of a message, at least 32                       (128)
      --data DIR       where the data folder is made; it takes about 1 KB for each message   (the system's for temporary files)
      --keep           leave it there, with the broker's log in it
      --set KEY=VALUE  a setting of the broker; may be repeated
      --json           one line of JSON
  -h, --help           print this

Lateness is from the time a message asks for to the time at which it was stored in its topic (stored), and to the time at which a
consumer that waits for it had it (received). What was due while the broker was away is late by that; it is counted apart. The exit
status is 1 when a message came early, twice, or not at all, or when anything else went wrong.
";

/// Reads the words behind `bench timer`; `None` asks for help.
///
/// # Errors
/// When they make no sense.
pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<TimerOptions>, OptionError> {
    let mut options = TimerOptions::default();
    while let Some(word) = words.next() {
        let (name, mut given) = flag_of(&word);
        let mut value = || given.take().or_else(|| words.next()).ok_or_else(|| OptionError::NoValue(name.clone()));
        match name.as_str() {
            "--messages" => options.messages = number(&name, &value()?, 1, 100_000_000, "1 to 100000000")?,
            "--due-per-s" => options.due_per_s = number(&name, &value()?, 1, 10_000_000, "1 to 10000000")?,
            "-d" | "--seconds" | "--duration" => options.window = seconds(&name, &value()?, 1.0)?,
            "--days" => {
                let days: u64 = number(&name, &value()?, 1, DAYS_MAX, "1 to 400")?;
                options.span = Duration::from_secs(days * DAY_S);
            }
            "--down" => options.down = seconds(&name, &value()?, 0.0)?,
            "--timeout" => options.patience = seconds(&name, &value()?, 0.1)?,
            "-q" | "--queues" => options.queues = number(&name, &value()?, 1, 10_000, "1 to 10000")?,
            "-c" => options.connections = number(&name, &value()?, 1, 1000, "1 to 1000")?,
            "-w" => options.in_flight = number(&name, &value()?, 1, 16_384, "1 to 16384")?,
            "--body" => options.body_bytes = number(&name, &value()?, STAMP_BYTES, 4 << 20, "32 to 4194304")?,
            "--data" => options.folder = Some(value()?.into()),
            "--keep" => options.is_kept = true,
            "--set" => options.settings.push(value()?),
            "--json" => options.json = true,
            "-h" | "--help" => return Ok(None),
            _ => return Err(OptionError::Unknown(word)),
        }
    }
    if options.near() > options.messages {
        return Err(OptionError::Value {
            flag: "--messages".into(),
            value: options.messages.to_string(),
            wanted: "at least --due-per-s times --seconds",
        });
    }
    Ok(Some(options))
}

const DAY_S: u64 = 86_400;
/// RoxMQ's `timerMaxDelaySec`, unless it is set.
const DAYS_MAX: u64 = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<TimerOptions>, OptionError> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_flags() {
        let expected = TimerOptions {
            messages: 5000,
            due_per_s: 100,
            window: Duration::from_secs(50),
            span: Duration::from_secs(3 * 86_400),
            folder: Some("d".into()),
            settings: vec!["a=b=c".into(), "d=".into()],
            is_kept: true,
            ..TimerOptions::default()
        };
        let line = "--messages 5000 --due-per-s=100 --seconds 50 --days 3 --data d --set a=b=c --set=d= --keep";
        assert_eq!(read(line), Ok(Some(expected)));
        assert_eq!(read("--json --help"), Ok(None));
        assert_eq!(TimerOptions::default().near(), 60_000);
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for line in ["--messages 10 --due-per-s 10 -d 2", "--days 401", "--seconds 0"] {
            assert!(matches!(read(line), Err(OptionError::Value { .. })), "{line}");
        }
        assert_eq!(read("--set"), Err(OptionError::NoValue("--set".into())));
        assert_eq!(read("x"), Err(OptionError::Unknown("x".into())));
    }
}
