//! What does a run report?

pub(crate) mod figures;
pub(crate) mod words;

use crate::measure::tally::Tally;
use crate::report::figures::{Cost, Latency, Lateness, Slice};
use crate::report::words::{duration, grouped};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The figures of one run. Its JSON form is what `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was measured, as on the command line.
    pub workload: &'static str,
    /// What "message" means in the other fields: `msg`, or `tx` for a transaction.
    pub unit: &'static str,
    /// Broker, topic, connections and so on, for people.
    pub what: String,
    /// How long was counted, in seconds.
    pub seconds: f64,
    /// Counted requests.
    pub requests: u64,
    /// Counted messages.
    pub messages: u64,
    /// Counted messages a second.
    pub messages_per_second: f64,
    /// Counted bodies, in millions of bytes a second.
    pub megabytes_per_second: f64,
    /// Latencies.
    pub latency: Latency,
    /// The broker's process, when it is on this machine.
    pub broker: Option<Cost>,
    /// The generator's process.
    pub generator: Option<Cost>,
    /// How many messages were acknowledged or received in all.
    pub messages_in_all: u64,
    /// How long the broker took to make each topic before the run, in ms, many at a time.
    pub topic_ms: f64,
    /// Counted messages that were refused as busy (code 2), at an overload.
    pub refused: u64,
    /// Counted messages that were not sent because too many requests were unanswered, at an overload.
    pub unsent: u64,
    /// What the readers beside the load received.
    pub beside: Option<Beside>,
    /// The counted time in parts, if it was to be cut.
    pub slices: Vec<Slice>,
    /// What was compared at the end, and what came of it.
    pub check: Check,
    /// Errors, by kind.
    pub errors: BTreeMap<String, u64>,
}

/// What was read beside the workload.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Beside {
    /// Counted messages.
    pub messages: u64,
    /// Counted messages a second.
    pub messages_per_second: f64,
    /// Latency of the pulls.
    pub latency: Latency,
}

impl Beside {
    /// What was counted in this many seconds.
    pub fn of(tally: &Tally, seconds: f64) -> Beside {
        Beside { messages: tally.messages, messages_per_second: tally.messages as f64 / seconds, latency: Latency::of(&tally.latency) }
    }
}

/// A comparison at the end.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The topic holds exactly what was acknowledged, each message at the offset in its answer.
    StoredAsAcknowledged,
    /// The same, and each message was read again, once and unchanged, those of a connection in order in each queue.
    ReadBack {
        /// Messages that were read.
        messages: u64,
    },
    /// Every connection was open until the end.
    Alive,
    /// Everything that was acknowledged was received, once and in order.
    ReceivedAsAcknowledged,
    /// Every record was the next one of its queue and unchanged.
    InOrder,
    /// What was committed is in the topic, each message once, and nothing that was rolled back.
    AsDecided {
        /// Committed transactions.
        committed: u64,
        /// Transactions that were rolled back.
        rolled_back: u64,
        /// How long after the run the last committed message was there, in ms.
        settled_ms: f64,
    },
    /// Every timed message was delivered once, this late.
    DeliveredOnce(Lateness),
    /// Timed messages that are due too late to wait for: as many more wait as were acknowledged.
    Waiting,
    /// The comparison failed.
    Failed(String),
}

impl Report {
    /// Whether the run is without errors.
    pub fn is_good(&self) -> bool {
        self.errors.is_empty() && !matches!(self.check, Check::Failed(_))
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{}  {}\n", self.workload, self.what);
        let Latency { p50_us, p99_us, p999_us, max_us } = self.latency;
        let unit = self.unit;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  throughput  {} {unit}/s   {:.1} MB/s   {} {unit} in {} requests, {:.1} s",
            grouped(self.messages_per_second as u64),
            self.megabytes_per_second,
            grouped(self.messages),
            grouped(self.requests),
            self.seconds
        );
        let _ = writeln!(
            text,
            "  latency     p50 {}   p99 {}   p99.9 {}   max {}",
            duration(p50_us),
            duration(p99_us),
            duration(p999_us),
            duration(max_us)
        );
        for (name, cost) in [("broker   ", self.broker), ("generator", self.generator)] {
            let Some(cost) = cost else { continue };
            let Cost { cpu_us_per_message, cores, anonymous_mb, file_mb, process } = cost;
            let _ = writeln!(
                text,
                "  {name}   {cpu_us_per_message:.2} us CPU/{unit}   {cores:.2} cores   {anonymous_mb:.1} MB anonymous, {file_mb:.1} of files   (process {process})"
            );
        }
        let _ = writeln!(text, "  topics      {:.3} ms to make each", self.topic_ms);
        if self.refused + self.unsent > 0 {
            let (refused, unsent) = (grouped(self.refused), grouped(self.unsent));
            let _ = writeln!(text, "  overload    {refused} refused with code 2, {unsent} not sent because too much was unanswered");
        }
        if let Some(beside) = &self.beside {
            let (rate, p99) = (grouped(beside.messages_per_second as u64), duration(beside.latency.p99_us));
            let _ = writeln!(text, "  read beside {rate} msg/s   p99 of a pull {p99}");
        }
        for slice in &self.slices {
            let _ = writeln!(text, "  {}", slice.text());
        }
        let all = grouped(self.messages_in_all);
        let _ = match &self.check {
            Check::StoredAsAcknowledged => {
                writeln!(text, "  checked     {all} acknowledged, all of them stored at the offsets in the answers")
            }
            Check::ReadBack { messages } => {
                writeln!(text, "  checked     {all} acknowledged, {} read again: each once, in order, unchanged", grouped(*messages))
            }
            Check::Alive => writeln!(text, "  checked     all connections were open to the end"),
            Check::ReceivedAsAcknowledged => writeln!(text, "  checked     {all} received: all that was acknowledged, in order, unchanged"),
            Check::InOrder => writeln!(text, "  checked     {all} received in order, unchanged"),
            Check::AsDecided { committed, rolled_back, settled_ms } => {
                let (committed, rolled_back) = (grouped(*committed), grouped(*rolled_back));
                let settled = duration(settled_ms * 1e3);
                writeln!(
                    text,
                    "  checked     {committed} committed, in the topic once each, the last after {settled}; {rolled_back} rolled back, not there"
                )
            }
            Check::DeliveredOnce(late) => {
                writeln!(text, "  checked     {all} acknowledged, all of them delivered once, none early\n  late        {}", late.text())
            }
            Check::Waiting => writeln!(text, "  checked     {all} acknowledged, as many more wait"),
            Check::Failed(why) => writeln!(text, "  CHECK FAILED  {why}"),
        };
        for (kind, count) in &self.errors {
            let _ = writeln!(text, "  ERROR       {count} x {kind}");
        }
        text
    }
}
