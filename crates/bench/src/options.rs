//! What does the command line of `roxmq bench` ask for?

use crate::timer::{self, options::TimerOptions};
use crate::wire::queues::Queues;
use crate::wire::stamp::STAMP_BYTES;
use roxmq_protocol::frame::Encoding;
use std::ffi::OsString;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Measure.
    Measure(Box<Options>),
    /// Measure timers with a broker of its own.
    Timer(TimerOptions),
    /// Print how that is used.
    TimerHelp,
    /// Use the machine's memory once.
    Touch,
    /// Print [`HELP`](crate::help::HELP).
    Help,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Sends.
    Send,
    /// Pulls of what is there.
    Pull,
    /// Pulls that wait for what others send.
    Tail,
    /// Sends and the pulls that wait for them.
    EndToEnd,
    /// Half messages and the decisions about them.
    Transaction,
    /// Connections that only send heartbeats.
    Idle,
}

impl Workload {
    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Send => "send",
            Workload::Pull => "pull",
            Workload::Tail => "tail",
            Workload::EndToEnd => "e2e",
            Workload::Transaction => "transaction",
            Workload::Idle => "idle",
        }
    }
}

/// When sent messages are to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// After the time of a delay level.
    Level(u32),
    /// At a time of their own, so long after they are sent.
    Time(Duration),
}

impl Options {
    /// The queues that are used.
    pub fn queues(&self) -> Queues {
        Queues::new(&self.topic, self.topics, self.queues)
    }
}

/// Where the broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Its address.
    Broker(String),
    /// A NameServer that knows it.
    NameServer(String),
}

/// How to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What.
    pub workload: Workload,
    /// Where.
    pub target: Target,
    /// Topic, or what the names of several begin with.
    pub topic: String,
    /// Topics.
    pub topics: u32,
    /// Queues of each.
    pub queues: u32,
    /// Connections that send, or that pull in a workload without sends.
    pub connections: usize,
    /// Connections that pull, end to end.
    pub consumers: usize,
    /// Groups that each read everything, end to end or at the tail.
    pub groups: u32,
    /// Connections that read the oldest messages beside the sends.
    pub readers: usize,
    /// Whether more is sent than the broker is believed to take: refusals are counted, and what is due while too much is unanswered is
    /// not sent.
    pub is_overload: bool,
    /// Parts of the counted time that are reported one by one.
    pub slices: u32,
    /// How long the broker may hold a pull at the tail, if not as long as suits the number of pulls.
    pub hold: Option<Duration>,
    /// Whether all that was sent is read again afterwards and compared message by message.
    pub is_read_back: bool,
    /// Unanswered requests on each.
    pub in_flight: usize,
    /// Body of a message, in bytes.
    pub body_bytes: usize,
    /// Messages in one send.
    pub batch: usize,
    /// When sent messages are to be delivered, if not at once.
    pub delay: Option<Delay>,
    /// The share of transactions that is rolled back.
    pub rollbacks: f64,
    /// Whether answers to transactions' decisions are asked for and waited for.
    pub is_decision_answered: bool,
    /// Messages in one pull at most.
    pub pull_messages: i32,
    /// Messages a second in all; without it, as many as the answers allow.
    pub rate: Option<f64>,
    /// How long is counted.
    pub duration: Duration,
    /// How long is not counted, before.
    pub warm_up: Duration,
    /// How long after the end answers are waited for.
    pub patience: Duration,
    /// Threads of the generator.
    pub threads: usize,
    /// Whether the generator watches the clock without a pause at a rate.
    pub spin: bool,
    /// How headers are written.
    pub encoding: Encoding,
    /// The broker's process.
    pub process: Option<u32>,
    /// Print JSON instead of text.
    pub json: bool,
}

/// A command line that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionError {
    /// No or no known workload.
    #[error("say what to measure: send, pull, tail, e2e, transaction, idle, timer or touch")]
    Workload,
    /// A flag that does not exist.
    #[error("unknown flag {0}; see roxmq bench --help")]
    Unknown(String),
    /// A flag without its value.
    #[error("{0} needs a value")]
    NoValue(String),
    /// A value that is not what the flag takes, or out of its range.
    #[error("{flag} {value}: it must be {wanted}")]
    Value {
        /// The flag.
        flag: String,
        /// What was given.
        value: String,
        /// What would do.
        wanted: &'static str,
    },
    /// A flag of another workload.
    #[error("{flag} says nothing to {workload}")]
    NotFor {
        /// The flag.
        flag: &'static str,
        /// The name of what is to be measured.
        workload: &'static str,
    },
    /// Batches of messages that wait for something.
    #[error("what is delayed or a transaction cannot be sent in a --batch")]
    NoBatch,
    /// An overload without a rate.
    #[error("--overload needs a --rate that is more than the broker takes")]
    NoRate,
    /// More queues than are kept count of.
    #[error("--topics times --queues is more than 1000000")]
    TooManyQueues,
    /// Batches that no frame carries.
    #[error("--batch times --body is more than a frame carries")]
    BatchTooLarge,
}

/// Reads the words behind `bench`.
///
/// # Errors
/// When they make no sense.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, OptionError> {
    let mut words = words.into_iter().map(|word| word.to_string_lossy().into_owned());
    let workload = match words.next().as_deref() {
        Some("send") => Workload::Send,
        Some("pull") => Workload::Pull,
        Some("tail") => Workload::Tail,
        Some("e2e") => Workload::EndToEnd,
        Some("transaction") => Workload::Transaction,
        Some("idle") => Workload::Idle,
        Some("timer") => return Ok(timer::options::parse(words)?.map_or(Command::TimerHelp, Command::Timer)),
        Some("touch") => return Ok(Command::Touch),
        Some("-h" | "--help" | "help") => return Ok(Command::Help),
        _ => return Err(OptionError::Workload),
    };
    let mut options = defaults(workload);
    while let Some(word) = words.next() {
        let (name, mut given) = flag_of(&word);
        let mut value = || given.take().or_else(|| words.next()).ok_or_else(|| OptionError::NoValue(name.clone()));
        match name.as_str() {
            "-b" | "--broker" => options.target = Target::Broker(value()?),
            "-n" | "--namesrvAddr" => options.target = Target::NameServer(value()?),
            "-t" | "--topic" => options.topic = value()?,
            "--topics" => options.topics = number(&name, &value()?, 1, QUEUES_MAX, "1 to 1000000")?,
            "-q" | "--queues" => options.queues = number(&name, &value()?, 1, 65_535, "1 to 65535")?,
            "--pid" => options.process = Some(number(&name, &value()?, 1, u32::MAX, "a process id")?),
            "-c" => options.connections = number(&name, &value()?, 1, 50_000, "1 to 50000")?,
            "-w" => options.in_flight = number(&name, &value()?, 1, 16_384, "1 to 16384")?,
            "--rate" => options.rate = Some(number(&name, &value()?, 1e-3, 1e8, "messages a second")?),
            "--body" => options.body_bytes = number(&name, &value()?, STAMP_BYTES, 4 << 20, "32 to 4194304")?,
            "--batch" => options.batch = number(&name, &value()?, 1, 4096, "1 to 4096")?,
            "--delay-level" => options.delay = Some(Delay::Level(number(&name, &value()?, 1, 1000, "1 to 1000")?)),
            "--deliver-in-ms" => {
                let ms = number(&name, &value()?, DELIVER_IN_MS_MIN, 34_560_000_000, "5000 to 34560000000, which is 400 days")?;
                options.delay = Some(Delay::Time(Duration::from_millis(ms)));
            }
            "--rollback" => options.rollbacks = number(&name, &value()?, 0.0, 1.0, "from 0 to 1")?,
            "--wait" => options.is_decision_answered = true,
            "--pull-batch" => options.pull_messages = number(&name, &value()?, 1, 1024, "1 to 1024")?,
            "--consumers" => options.consumers = number(&name, &value()?, 1, 10_000, "1 to 10000")?,
            "--groups" => options.groups = number(&name, &value()?, 1, 10_000, "1 to 10000")?,
            "--readers" => options.readers = number(&name, &value()?, 0, 1000, "0 to 1000")?,
            "--overload" => options.is_overload = true,
            "--slices" => options.slices = number(&name, &value()?, 1, SLICES_MAX, "1 to 1000")?,
            "--hold-ms" => {
                let ms = number(&name, &value()?, 1, 600_000, "1 to 600000")?;
                options.hold = Some(Duration::from_millis(ms));
            }
            "--read-back" => options.is_read_back = true,
            "-d" | "--duration" => options.duration = seconds(&name, &value()?, 0.1)?,
            "--warm-up" => options.warm_up = seconds(&name, &value()?, 0.0)?,
            "--timeout" => options.patience = seconds(&name, &value()?, 0.1)?,
            "--threads" => options.threads = number(&name, &value()?, 1, 256, "1 to 256")?,
            "--spin" => options.spin = true,
            "--binary" => options.encoding = Encoding::Binary,
            "--json" => options.json = true,
            "-h" | "--help" => return Ok(Command::Help),
            _ => return Err(OptionError::Unknown(word)),
        }
    }
    check(&options)?;
    Ok(Command::Measure(Box::new(options)))
}

/// Do the flags fit each other?
fn check(options: &Options) -> Result<(), OptionError> {
    let workload = options.workload;
    let not_for = |flag| Err(OptionError::NotFor { flag, workload: workload.name() });
    if options.delay.is_some() && workload != Workload::Send {
        return not_for("--delay-level or --deliver-in-ms");
    }
    if (options.rollbacks > 0.0 || options.is_decision_answered) && workload != Workload::Transaction {
        return not_for("--rollback or --wait");
    }
    if (options.readers > 0 || options.is_overload || options.is_read_back) && workload != Workload::Send {
        return not_for("--readers, --overload or --read-back");
    }
    if options.groups > 1 && !matches!(workload, Workload::Tail | Workload::EndToEnd) {
        return not_for("--groups");
    }
    if options.hold.is_some() && workload != Workload::Tail {
        return not_for("--hold-ms");
    }
    if options.is_overload && options.rate.is_none() {
        return Err(OptionError::NoRate);
    }
    if (options.is_read_back || options.is_overload) && options.delay.is_some() {
        return not_for("--read-back or --overload of messages that wait");
    }
    if options.topics.saturating_mul(options.queues) > QUEUES_MAX {
        return Err(OptionError::TooManyQueues);
    }
    if options.batch > 1 && (options.delay.is_some() || workload == Workload::Transaction) {
        return Err(OptionError::NoBatch);
    }
    if options.batch * (options.body_bytes + ITEM_BYTES) > BATCH_BYTES_MAX {
        return Err(OptionError::BatchTooLarge);
    }
    Ok(())
}

fn defaults(workload: Workload) -> Options {
    let pulls_only = matches!(workload, Workload::Pull | Workload::Tail);
    Options {
        workload,
        target: Target::Broker("127.0.0.1:10911".into()),
        topic: "RoxBench".into(),
        topics: 1,
        queues: 8,
        connections: match workload {
            Workload::Pull | Workload::Tail => 8,
            Workload::Idle => 5000,
            Workload::Send | Workload::EndToEnd | Workload::Transaction => 16,
        },
        consumers: 1,
        groups: 1,
        readers: 0,
        is_overload: false,
        slices: 1,
        hold: None,
        is_read_back: false,
        in_flight: if pulls_only { 1 } else { 16 },
        body_bytes: 1024,
        batch: 1,
        delay: None,
        rollbacks: 0.0,
        is_decision_answered: false,
        pull_messages: 32,
        rate: None,
        duration: Duration::from_secs(10),
        warm_up: Duration::from_secs(2),
        patience: Duration::from_secs(5),
        threads: 1,
        spin: false,
        encoding: Encoding::Json,
        process: None,
        json: false,
    }
}

/// The name of a flag, and its value if it is written `--flag=value`.
pub(crate) fn flag_of(word: &str) -> (String, Option<String>) {
    match word.split_once('=') {
        Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
        _ => (word.to_owned(), None),
    }
}

pub(crate) fn number<T: FromStr + PartialOrd>(flag: &str, value: &str, min: T, max: T, wanted: &'static str) -> Result<T, OptionError> {
    let unusable = || OptionError::Value { flag: flag.to_owned(), value: value.to_owned(), wanted };
    value.parse().ok().filter(|number| (min..=max).contains(number)).ok_or_else(unusable)
}

pub(crate) fn seconds(flag: &str, value: &str, min: f64) -> Result<Duration, OptionError> {
    number(flag, value, min, 864_000.0, "seconds").map(Duration::from_secs_f64)
}

/// Each connection keeps count of all queues.
const QUEUES_MAX: u32 = 1_000_000;
/// Each slice keeps a histogram on each connection.
const SLICES_MAX: u32 = 1000;
/// The shortest delay that ends after the message is stored, however busy the broker is.
const DELIVER_IN_MS_MIN: u64 = 5000;
/// What a message of a batch takes besides its body.
const ITEM_BYTES: usize = 128;
/// Leaves room for the header in a frame of 16 MiB.
const BATCH_BYTES_MAX: usize = 15 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, OptionError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn reads_flags() {
        let expected = Options {
            target: Target::NameServer("n:9876".into()),
            connections: 1,
            in_flight: 64,
            rate: Some(50_000.0),
            duration: Duration::from_millis(1500),
            json: true,
            ..defaults(Workload::Send)
        };
        assert_eq!(read("send -c 1 -w 64 --rate=50000 -n n:9876 -d 1.5 --json"), Ok(Command::Measure(Box::new(expected))));
        let delayed = Options { delay: Some(Delay::Time(Duration::from_secs(60))), ..defaults(Workload::Send) };
        assert_eq!(read("send --delay-level 3 --deliver-in-ms 60000"), Ok(Command::Measure(Box::new(delayed))));
        let transaction = Options { rollbacks: 0.25, is_decision_answered: true, ..defaults(Workload::Transaction) };
        assert_eq!(read("transaction --rollback 0.25 --wait"), Ok(Command::Measure(Box::new(transaction))));
        let overload =
            Options { rate: Some(1e6), is_overload: true, readers: 2, is_read_back: true, slices: 30, ..defaults(Workload::Send) };
        assert_eq!(read("send --rate 1e6 --overload --readers 2 --read-back --slices 30"), Ok(Command::Measure(Box::new(overload))));
        let parked = Options { groups: 50, hold: Some(Duration::from_secs(15)), ..defaults(Workload::Tail) };
        assert_eq!(read("tail --groups 50 --hold-ms 15000"), Ok(Command::Measure(Box::new(parked))));
        assert_eq!(read("pull"), Ok(Command::Measure(Box::new(defaults(Workload::Pull)))));
        assert_eq!(read("touch"), Ok(Command::Touch));
        assert_eq!(read("timer"), Ok(Command::Timer(TimerOptions::default())));
        assert_eq!(read("timer -h"), Ok(Command::TimerHelp));
        assert_eq!(read("send --help"), Ok(Command::Help));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        assert_eq!(read(""), Err(OptionError::Workload));
        assert_eq!(read("send --what"), Err(OptionError::Unknown("--what".into())));
        assert_eq!(read("send -c"), Err(OptionError::NoValue("-c".into())));
        assert_eq!(read("send --topics 100000 -q 11"), Err(OptionError::TooManyQueues));
        assert_eq!(read("send --batch 4096 --body 1000000"), Err(OptionError::BatchTooLarge));
        assert_eq!(read("send --batch 2 --delay-level 3"), Err(OptionError::NoBatch));
        assert_eq!(read("transaction --batch 2"), Err(OptionError::NoBatch));
        assert!(matches!(read("e2e --delay-level 3"), Err(OptionError::NotFor { workload: "e2e", .. })));
        assert!(matches!(read("send --wait"), Err(OptionError::NotFor { workload: "send", .. })));
        assert_eq!(read("send --overload"), Err(OptionError::NoRate));
        for line in ["e2e --readers 1", "pull --groups 2", "e2e --hold-ms 5", "send --read-back --delay-level 1"] {
            assert!(matches!(read(line), Err(OptionError::NotFor { .. })), "{line}");
        }
        for line in ["send --deliver-in-ms 10", "transaction --rollback 1.5", "send --delay-level 0"] {
            assert!(matches!(read(line), Err(OptionError::Value { .. })), "{line}");
        }
        for line in ["send -c 0", "send --body 31", "send -d x", "e2e --rate nan", "send --warm-up -1"] {
            assert!(matches!(read(line), Err(OptionError::Value { .. })), "{line}");
        }
    }
}
