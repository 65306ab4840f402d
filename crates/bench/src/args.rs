//! What does the command line of `roxmq bench` ask for?

use crate::options::{OptionError, Options, Workload};
use crate::timer::options::TimerOptions;
use clap::{Parser, Subcommand};

/// Measure a RocketMQ broker, RoxMQ or any other, over the protocol that clients speak; every answer is checked.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "roxmq bench")]
pub struct BenchArgs {
    #[command(subcommand)]
    subject: Subject,
}

/// What is measured. The comments are what `--help` prints.
#[derive(Clone, Debug, PartialEq, Subcommand)]
enum Subject {
    /// Send messages; afterwards compare what is stored with what was acknowledged
    Send(Box<Options>),
    /// Pull what a topic holds, again from the start at its end; check order and content
    #[command(mut_arg("connections", |arg| arg.default_value("8")), mut_arg("in_flight", |arg| arg.default_value("1")))]
    Pull(Box<Options>),
    /// Pull what others send meanwhile, by long polling
    #[command(mut_arg("connections", |arg| arg.default_value("8")), mut_arg("in_flight", |arg| arg.default_value("1")))]
    Tail(Box<Options>),
    /// Send and receive; latency is from the time a message was to be sent until it was received
    #[command(name = "e2e")]
    EndToEnd(Box<Options>),
    /// Send half messages and decide about them; afterwards compare the topic with what was committed and rolled back
    Transaction(Box<Options>),
    /// Open connections that only send heartbeats, as clients do every 30 s
    #[command(mut_arg("connections", |arg| arg.default_value("5000")))]
    Idle(Box<Options>),
    /// Start a broker, give it a million timed messages, kill it while they come due, and report how late they came
    Timer(TimerOptions),
    /// Write to most of this machine's free memory once, before the first measurement: a virtual machine may get
    /// its memory from its host only then, and would measure the host
    #[command(verbatim_doc_comment)]
    Touch,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Measure.
    Measure(Box<Options>),
    /// Measure timers with a broker of its own.
    Timer(TimerOptions),
    /// Use the machine's memory once.
    Touch,
}

impl BenchArgs {
    /// What they ask for.
    ///
    /// # Errors
    /// When flags do not fit each other.
    pub(crate) fn task(self) -> Result<Task, OptionError> {
        let (workload, mut options) = match self.subject {
            Subject::Send(options) => (Workload::Send, options),
            Subject::Pull(options) => (Workload::Pull, options),
            Subject::Tail(options) => (Workload::Tail, options),
            Subject::EndToEnd(options) => (Workload::EndToEnd, options),
            Subject::Transaction(options) => (Workload::Transaction, options),
            Subject::Idle(options) => (Workload::Idle, options),
            Subject::Timer(options) => {
                options.check()?;
                return Ok(Task::Timer(options));
            }
            Subject::Touch => return Ok(Task::Touch),
        };
        options.workload = workload;
        options.check()?;
        Ok(Task::Measure(options))
    }
}

#[cfg(test)]
mod tests;
