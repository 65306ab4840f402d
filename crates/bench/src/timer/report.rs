//! What does `roxmq bench timer` report?

use crate::report::words::{duration, grouped};
use crate::timer::broker::Start;
use crate::timer::outcome::{Late, Outcome};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The figures of one run. Its JSON form is what `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct TimerReport {
    /// `timer`.
    pub workload: &'static str,
    /// Messages, window and so on, for people.
    pub what: String,
    /// What sending them took.
    pub sent: Sent,
    /// The start in an empty folder.
    pub first_start: Start,
    /// The start after the kill.
    pub restart: Start,
    /// From the kill to the first message acknowledged after it, in ms.
    pub away_ms: f64,
    /// The broker's anonymous memory.
    pub memory: Memory,
    /// The broker's CPU while all messages wait, in cores.
    pub idle_cores: Option<f64>,
    /// The broker's CPU while messages come due, in cores.
    pub due_cores: Option<f64>,
    /// What came, and how late.
    pub outcome: Outcome,
    /// All other errors, by kind.
    pub errors: BTreeMap<String, u64>,
}

/// How sending went.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sent {
    /// Acknowledged messages.
    pub messages: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Messages a second.
    pub messages_per_second: f64,
    /// The broker's CPU for each, in µs.
    pub cpu_us_per_message: Option<f64>,
}

/// Resident anonymous memory of the broker's process, in MB, where the system reports it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// After the first start.
    pub empty_mb: Option<f64>,
    /// With all messages waiting.
    pub waiting_mb: Option<f64>,
    /// After the kill and the start.
    pub restarted_mb: Option<f64>,
    /// At the end.
    pub end_mb: Option<f64>,
}

impl TimerReport {
    /// Whether the run is without errors.
    pub fn is_good(&self) -> bool {
        self.errors.is_empty() && self.outcome.is_good()
    }

    /// For people.
    pub fn text(&self) -> String {
        let TimerReport { sent, first_start, restart, memory, outcome, .. } = self;
        let ms = |ms: f64| duration(ms * 1e3);
        let mut text = format!("timer  {}\n", self.what);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  sent        {} in {:.1} s   {} msg/s   {} us CPU/msg",
            grouped(sent.messages),
            sent.seconds,
            grouped(sent.messages_per_second as u64),
            known(sent.cpu_us_per_message, 2)
        );
        let _ = writeln!(
            text,
            "  memory      {} MB anonymous empty   {} with all waiting   {} after the kill and the start   {} at the end",
            known(memory.empty_mb, 1),
            known(memory.waiting_mb, 1),
            known(memory.restarted_mb, 1),
            known(memory.end_mb, 1)
        );
        let _ = writeln!(
            text,
            "  cpu         {} cores with all waiting   {} while they come due",
            known(self.idle_cores, 3),
            known(self.due_cores, 3)
        );
        for (name, start) in [("empty", first_start), ("kill -9", restart)] {
            let (listens, acknowledged) = (ms(start.listens_ms), ms(start.acknowledged_ms));
            let _ = writeln!(text, "  start       {name:<8} listens after {listens}   first send acknowledged after {acknowledged}");
        }
        let _ = writeln!(text, "  away        {} from the kill to the first send acknowledged", ms(self.away_ms));
        let parts = [("before the kill", &outcome.before_kill), ("while away", &outcome.while_down), ("after it", &outcome.after_kill)];
        for (name, Late { stored, received }) in parts {
            let _ = writeln!(text, "  late        {name:<16}{:>9} msg   stored    {}", grouped(stored.messages), stored.text());
            let _ = writeln!(text, "  {:41}received  {}", "", received.text());
        }
        let Outcome { due, missing, early, twice, unknown, .. } = outcome;
        let name = if outcome.is_good() { "checked     " } else { "CHECK FAILED  " };
        let _ = writeln!(text, "  {name}{} were due: {missing} missing, {early} early, {twice} twice, {unknown} never sent", grouped(*due));
        for (kind, count) in &self.errors {
            let _ = writeln!(text, "  ERROR       {count} x {kind}");
        }
        text
    }
}

fn known(number: Option<f64>, decimals: usize) -> String {
    number.map_or_else(|| "?".to_owned(), |number| format!("{number:.decimals$}"))
}
