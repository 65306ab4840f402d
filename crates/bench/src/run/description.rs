//! How is a run described in its report?

use crate::options::{Delay, Options, Workload};

/// What is measured, and where, in one line.
pub fn of(options: &Options, address: &str) -> String {
    let Options { connections, in_flight, consumers, body_bytes, batch, pull_messages, .. } = options;
    let pace = match options.rate {
        Some(rate) if options.is_overload => format!("{connections} connections x {in_flight} in flight at most, {rate} msg/s due"),
        Some(rate) => format!("{connections} connections, {rate} msg/s"),
        None => format!("{connections} connections x {in_flight} in flight"),
    };
    let batches = if *batch > 1 { format!(" x {batch}") } else { String::new() };
    let load = match options.workload {
        Workload::Send => format!("{pace}, {body_bytes} B{batches}{}", delayed(options.delay())),
        Workload::Transaction => {
            let decided = if options.is_decision_answered { "decisions waited for" } else { "oneway decisions" };
            format!("{pace}, {body_bytes} B, {decided}, {} % rolled back", options.rollbacks * 100.0)
        }
        Workload::Pull => format!("{connections} connections x {in_flight} in flight, {pull_messages} a pull"),
        Workload::Idle => format!("{connections} connections that send heartbeats"),
        Workload::Tail => format!("{connections} connections, {pull_messages} a pull{}", groups(options.groups)),
        Workload::EndToEnd => format!("{pace}, {body_bytes} B{batches}, {consumers} connections that receive{}", groups(options.groups)),
    };
    format!("{load}, {}, {address}", options.queues().text())
}

fn groups(groups: u32) -> String {
    if groups > 1 { format!(", {groups} groups") } else { String::new() }
}

fn delayed(delay: Option<Delay>) -> String {
    match delay {
        None => String::new(),
        Some(Delay::Level(level)) => format!(", delay level {level}"),
        Some(Delay::Time(delay)) => format!(", delivered in {} s", delay.as_secs_f64()),
    }
}
