//! How are timers measured?

use crate::options::{BODY_BYTES_MAX, OptionError};
use crate::values::{seconds, whole, within};
use crate::wire::stamp::STAMP_BYTES;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// How to measure timers. The comments are what `--help` prints.
#[derive(Clone, Debug, PartialEq, Args)]
#[command(args_override_self = true, after_help = NOTES)]
pub struct TimerOptions {
    /// Messages in all
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = within(1..=100_000_000u64))]
    pub messages: u64,
    /// How many of them come due in each second of the window
    #[arg(long, value_name = "N", default_value = "2000", value_parser = within(1..=10_000_000u64))]
    pub due_per_s: u64,
    /// How long the window is, in seconds
    #[arg(short = 'd', long = "seconds", alias = "duration", value_name = "S", default_value = "30", value_parser = seconds(1.0))]
    pub window: Duration,
    /// The others are due evenly over this many days
    #[arg(long = "days", value_name = "N", default_value = "400", value_parser = whole(DAY, 1..=DAYS_MAX))]
    pub span: Duration,
    /// Seconds that the broker stays away after the kill
    #[arg(long, value_name = "S", default_value = "0", value_parser = seconds(0.0))]
    pub down: Duration,
    /// Seconds that messages are waited for after the end
    #[arg(long = "timeout", value_name = "S", default_value = "30", value_parser = seconds(0.1))]
    pub patience: Duration,
    /// Queues of the topic
    #[arg(short, long, value_name = "N", default_value = "8", value_parser = within(1..=10_000u32))]
    pub queues: u32,
    /// Connections that send
    #[arg(short, value_name = "N", default_value = "4", value_parser = within(1..=1000usize))]
    pub connections: usize,
    /// Unanswered requests on each connection
    #[arg(short = 'w', value_name = "N", default_value = "64", value_parser = within(1..=16_384usize))]
    pub in_flight: usize,
    /// Body of a message, at least 32
    #[arg(long = "body", value_name = "BYTES", default_value = "128", value_parser = within(STAMP_BYTES..=BODY_BYTES_MAX))]
    pub body_bytes: usize,
    /// Where the data folder is made; it takes about 1 KB for each message [default: the system's for temporary files]
    #[arg(long = "data", value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Leave the data folder there, with the broker's log in it
    #[arg(long = "keep")]
    pub is_kept: bool,
    /// A setting of the broker; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl TimerOptions {
    /// Messages that come due in the window.
    pub fn near(&self) -> u64 {
        (self.due_per_s as f64 * self.window.as_secs_f64()) as u64
    }

    /// Checks that the flags fit each other.
    ///
    /// # Errors
    /// When more messages come due than there are.
    pub fn check(&self) -> Result<(), OptionError> {
        if self.near() > self.messages { Err(OptionError::TooFewMessages) } else { Ok(()) }
    }
}

const NOTES: &str = "\
The broker is this binary, started on free ports of this machine and in a
folder of its own. Sends messages with a time of delivery, of which most wait for long and some come due in a window; in the middle
of the window the broker is killed and started again. Prints its memory, how long its starts took, how late messages came before,
during and after, and whether all of them came, once, and none early.

Lateness is from the time a message asks for to the time at which it was stored in its topic (stored), and to the time at which a
consumer that waits for it had it (received). What was due while the broker was away is late by that; it is counted apart. The exit
status is 1 when a message came early, twice, or not at all, or when anything else went wrong.";
const DAY: Duration = Duration::from_secs(86_400);
/// RoxMQ's `timerMaxDelaySec`, unless it is set.
const DAYS_MAX: u32 = 400;
