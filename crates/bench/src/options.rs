//! What is measured, and how?

use crate::values::{seconds, whole, within};
use crate::wire::queues::Queues;
use crate::wire::stamp::STAMP_BYTES;
use clap::Args;
use roxmq_protocol::frame::Encoding;
use std::time::Duration;
use thiserror::Error;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Sends.
    Send,
    /// Pulls of stored messages.
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
    /// At a time of their own, this long after they are sent.
    Time(Duration),
}

/// Where the broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Its address.
    Broker(&'a str),
    /// A NameServer that knows it.
    NameServer(&'a str),
}

/// How to measure. The comments are what `--help` prints.
#[derive(Clone, Debug, PartialEq, Args)]
#[command(args_override_self = true, after_help = NOTES)]
pub struct Options {
    /// Named by the command, not by a flag.
    #[arg(skip = Workload::Send)]
    pub workload: Workload,

    /// The broker
    #[arg(short, long, value_name = "ADDR", default_value = "127.0.0.1:10911", overrides_with = "name_server", help_heading = WHERE)]
    broker: String,
    /// A NameServer that knows the broker, instead
    #[arg(short, long = "namesrvAddr", value_name = "ADDR", overrides_with = "broker", help_heading = WHERE)]
    name_server: Option<String>,
    /// The topic; created if it does not exist
    #[arg(short, long, value_name = "NAME", default_value = "RoxBench", help_heading = WHERE)]
    pub topic: String,
    /// Number of topics; with several, each name ends in a number
    #[arg(long, value_name = "N", default_value = "1", value_parser = within(1..=QUEUES_MAX), help_heading = WHERE)]
    pub topics: u32,
    /// Queues of each topic
    #[arg(short, long, value_name = "N", default_value = "8", value_parser = within(1..=65_535u32), help_heading = WHERE)]
    pub queues: u32,
    /// The broker's process, for its CPU and memory [default: the one on this machine that listens on the port]
    #[arg(long = "pid", value_name = "PID", value_parser = within(1..=u32::MAX), help_heading = WHERE)]
    pub process: Option<u32>,

    /// Connections that send, or that pull where nothing is sent
    #[arg(short, value_name = "N", default_value = "16", value_parser = within(1..=50_000usize), help_heading = LOAD)]
    pub connections: usize,
    /// Unanswered requests on each connection
    #[arg(short = 'w', value_name = "N", default_value = "16", value_parser = within(1..=16_384usize), help_heading = LOAD)]
    pub in_flight: usize,
    /// Messages a second in all, each at its due time, however the answers come.
    /// Latency counts from the due time, which the generator keeps within 0.04 ms or so
    #[arg(long, value_name = "N", value_parser = within(1e-3..=1e8), verbatim_doc_comment, help_heading = LOAD)]
    pub rate: Option<f64>,
    /// Look at the clock without a pause at a --rate: exact, but the generator takes a whole core
    #[arg(long, help_heading = LOAD)]
    pub spin: bool,
    /// Body of a message, at least 32
    #[arg(long = "body", value_name = "BYTES", default_value = "1024", value_parser = within(STAMP_BYTES..=BODY_BYTES_MAX), help_heading = LOAD)]
    pub body_bytes: usize,
    /// Messages in one send
    #[arg(long, value_name = "N", default_value = "1", value_parser = within(1..=4096usize), help_heading = LOAD)]
    pub batch: usize,
    /// send: messages of this delay level, compared in SCHEDULE_TOPIC_XXXX,
    /// where no other producer may use that level
    #[arg(long, value_name = "N", overrides_with = "deliver_in", value_parser = within(1..=1000u32), verbatim_doc_comment, help_heading = LOAD)]
    delay_level: Option<u32>,
    /// send: messages to be delivered N ms after each is sent, at least 5000. Up to two minutes the bench
    /// waits for them and compares what was delivered; with a longer delay it compares how many wait
    #[arg(long = "deliver-in-ms", value_name = "N", overrides_with = "delay_level", value_parser = deliver_in(), verbatim_doc_comment, help_heading = LOAD)]
    deliver_in: Option<Duration>,
    /// transaction: the share that is rolled back, 0 to 1
    #[arg(long = "rollback", value_name = "SHARE", default_value = "0", value_parser = within(0.0..=1.0), help_heading = LOAD)]
    pub rollbacks: f64,
    /// transaction: ask for an answer to each decision and wait for it. Without this, decisions are oneway,
    /// as clients send them, and a transaction counts once its half message is acknowledged
    #[arg(long = "wait", verbatim_doc_comment, help_heading = LOAD)]
    pub is_decision_answered: bool,
    /// Messages in one pull
    #[arg(long = "pull-batch", value_name = "N", default_value = "32", value_parser = within(1..=1024), help_heading = LOAD)]
    pub pull_messages: i32,
    /// e2e: connections that receive
    #[arg(long, value_name = "N", default_value = "1", value_parser = within(1..=10_000usize), help_heading = LOAD)]
    pub consumers: usize,
    /// tail, e2e: groups that each read everything
    #[arg(long, value_name = "N", default_value = "1", value_parser = within(1..=10_000u32), help_heading = LOAD)]
    pub groups: u32,
    /// tail: how long the broker may hold a pull; clients ask for 15000
    /// [default: what suits the number of pulls]
    #[arg(long = "hold-ms", value_name = "N", value_parser = whole(Duration::from_millis(1), 1..=600_000), verbatim_doc_comment, help_heading = LOAD)]
    pub hold: Option<Duration>,
    /// send: connections that meanwhile read the topic from its oldest message, again and again,
    /// on a thread of their own
    #[arg(long, value_name = "N", default_value = "0", value_parser = within(0..=1000usize), verbatim_doc_comment, help_heading = LOAD)]
    pub readers: usize,
    /// send: the --rate is meant to be more than the broker takes. Refusals as busy (code 2) are counted
    /// and are no error; what is due while -w requests of a connection are unanswered is counted and not sent
    #[arg(long = "overload", verbatim_doc_comment, help_heading = LOAD)]
    pub is_overload: bool,

    /// send: afterwards read every message again and compare it, not only the offsets of all of them
    #[arg(long = "read-back", help_heading = LOAD)]
    pub is_read_back: bool,
    /// Seconds that are counted
    #[arg(short, long, value_name = "S", default_value = "10", value_parser = seconds(0.1), help_heading = LOAD)]
    pub duration: Duration,
    /// Cut the counted time into N parts and report latency and memory of each
    #[arg(long, value_name = "N", default_value = "1", value_parser = within(1..=SLICES_MAX), help_heading = LOAD)]
    pub slices: u32,
    /// Seconds before them that are not counted
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds(0.0), help_heading = LOAD)]
    pub warm_up: Duration,
    /// Seconds that answers are waited for after the end
    #[arg(long = "timeout", value_name = "S", default_value = "5", value_parser = seconds(0.1), help_heading = LOAD)]
    pub patience: Duration,
    /// Threads of the generator
    #[arg(long, value_name = "N", default_value = "1", value_parser = within(1..=256usize), help_heading = LOAD)]
    pub threads: usize,
    /// Headers in RocketMQ's binary form rather than in JSON
    #[arg(long = "binary", help_heading = LOAD)]
    is_binary: bool,

    /// Print one line of JSON
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

impl Options {
    /// Where the broker is.
    pub fn target(&self) -> Target<'_> {
        self.name_server.as_deref().map_or(Target::Broker(&self.broker), Target::NameServer)
    }

    /// The queues that are used.
    pub fn queues(&self) -> Queues {
        Queues::new(&self.topic, self.topics, self.queues)
    }

    /// When sent messages are to be delivered, if not at once.
    pub fn delay(&self) -> Option<Delay> {
        self.delay_level.map(Delay::Level).or(self.deliver_in.map(Delay::Time))
    }

    /// How headers are written.
    pub fn encoding(&self) -> Encoding {
        if self.is_binary { Encoding::Binary } else { Encoding::Json }
    }

    /// Checks that the flags fit the workload and each other.
    ///
    /// # Errors
    /// The first reason why they do not.
    pub fn check(&self) -> Result<(), OptionError> {
        let workload = self.workload;
        let not_for = |flag| Err(OptionError::NotFor { flag, workload: workload.name() });
        if self.delay().is_some() && workload != Workload::Send {
            return not_for("--delay-level or --deliver-in-ms");
        }
        if (self.rollbacks > 0.0 || self.is_decision_answered) && workload != Workload::Transaction {
            return not_for("--rollback or --wait");
        }
        if (self.readers > 0 || self.is_overload || self.is_read_back) && workload != Workload::Send {
            return not_for("--readers, --overload or --read-back");
        }
        if self.groups > 1 && !matches!(workload, Workload::Tail | Workload::EndToEnd) {
            return not_for("--groups");
        }
        if self.hold.is_some() && workload != Workload::Tail {
            return not_for("--hold-ms");
        }
        if self.is_overload && self.rate.is_none() {
            return Err(OptionError::NoRate);
        }
        if (self.is_read_back || self.is_overload) && self.delay().is_some() {
            return not_for("--read-back or --overload of delayed messages");
        }
        if self.topics.saturating_mul(self.queues) > QUEUES_MAX {
            return Err(OptionError::TooManyQueues);
        }
        if self.batch > 1 && (self.delay().is_some() || workload == Workload::Transaction) {
            return Err(OptionError::NoBatch);
        }
        if self.batch * (self.body_bytes + ITEM_BYTES) > BATCH_BYTES_MAX {
            return Err(OptionError::BatchTooLarge);
        }
        Ok(())
    }
}

/// Flags that do not fit the workload or each other.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionError {
    /// A flag of another workload.
    #[error("{flag} means nothing to {workload}")]
    NotFor {
        /// The flag.
        flag: &'static str,
        /// The name of the workload.
        workload: &'static str,
    },
    /// Batches of messages that wait for something.
    #[error("delayed messages and half messages cannot be sent in a --batch")]
    NoBatch,
    /// An overload without a rate.
    #[error("--overload needs a --rate that is more than the broker takes")]
    NoRate,
    /// More queues than are counted.
    #[error("--topics times --queues is more than 1000000")]
    TooManyQueues,
    /// Batches that no frame carries.
    #[error("--batch times --body is more than a frame carries")]
    BatchTooLarge,
    /// A timer run of too few messages.
    #[error("--messages must be at least --due-per-s times --seconds")]
    TooFewMessages,
}

fn deliver_in() -> impl Fn(&str) -> Result<Duration, String> + Clone {
    let ms = within(DELIVER_IN_MS_MIN..=DELIVER_IN_MS_MAX);
    move |value| ms(value).map(Duration::from_millis)
}

const NOTES: &str = "\
Latencies are of whole requests; at a --rate and e2e they include the time a request waited to be sent. CPU is what all threads
of the broker's process ran, so not what the system's own threads wrote to the disk. Whether the broker flushes before it
acknowledges is the broker's setting (flushDiskType). With --rate, 16384 requests may be unanswered on a connection.
The exit status is 1 when anything went wrong or is not stored as acknowledged.";
const WHERE: &str = "Where";
const LOAD: &str = "How much";
const OUTPUT: &str = "Output";
/// Each connection keeps count of all queues.
const QUEUES_MAX: u32 = 1_000_000;
/// Each slice keeps a histogram on each connection.
const SLICES_MAX: u32 = 1000;
/// The largest body of a message.
pub const BODY_BYTES_MAX: usize = 4 << 20;
/// The shortest delay that ends after the message is stored, however busy the broker is.
const DELIVER_IN_MS_MIN: u64 = 5000;
/// 400 days.
const DELIVER_IN_MS_MAX: u64 = 34_560_000_000;
/// What a message of a batch takes besides its body.
const ITEM_BYTES: usize = 128;
/// Leaves room for the header in a frame of 16 MiB.
const BATCH_BYTES_MAX: usize = 15 << 20;
