//! `roxmq bench timer`: what does a million waiting messages cost, and do all of them come in time although the broker is killed?
//!
//! ```text
//! start ── send the far ones ── send the near ones ──┬── they come due ──┬─ kill -9 ─ start ─┬── they come due ──┬── compare
//!    memory              all are waiting: memory, CPU          memory, time to first ack              memory
//! ```

pub(crate) mod broker;
pub(crate) mod dues;
pub(crate) mod fill;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod report;
pub(crate) mod watch;

use crate::load::arrivals::Arrivals;
use crate::load::pull::Cursor;
use crate::measure::clock;
use crate::measure::process;
use crate::measure::tally::Tally;
use crate::wire::ask::{AskError, Asker};
use crate::wire::queues::Queues;
use crate::wire::stamp::run_number;
use broker::{BrokerError, Place, Running};
use fill::Batch;
use options::TimerOptions;
use outcome::{Outcome, Times};
use report::{Memory, Sent, TimerReport};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use watch::Watch;

/// Why there is nothing to report.
#[derive(Debug, Error)]
pub enum TimerError {
    /// The broker does not start.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A question to it.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// A connection or thread.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not take timed messages.
    #[error("the broker takes no timed messages: {0}")]
    Refused(String),
    /// Messages were due before all of them were sent.
    #[error("sending took so long that the first message was due before; take a lower --due-per-s")]
    TooSlow,
}

/// Runs what the options ask for.
///
/// # Errors
/// When the run cannot be finished. Messages that do not arrive as they must are in the report.
pub fn run(options: &TimerOptions) -> Result<TimerReport, TimerError> {
    let place = Place::new(options)?;
    let broker = place.start()?;
    let (first_start, empty_mb) = (broker.start, memory_mb(&broker));
    let arrivals = Arrivals::new(run_number());
    let watch = Watch::start(place.address(), queues(options), make_topic(&place, options)?, &arrivals)?;

    let Loaded { dues, start_ms, sent, mut errors } = load(options, &place, &broker, &arrivals)?;
    let until_ms = start_ms + options.window.as_millis() as i64;
    let idle = Cpu::of(&broker);
    sleep_until(start_ms - IDLE_MARGIN_MS);
    let (idle_cores, waiting_mb) = (idle.cores(&broker), memory_mb(&broker));

    let busy = Cpu::of(&broker);
    sleep_until(start_ms.midpoint(until_ms));
    let due_cores = busy.cores(&broker);
    let (kill_ms, killed) = (clock::wall_ms(), Instant::now());
    drop(broker);
    let (cursors, seen) = watch.broken()?;
    errors.merge(seen);
    std::thread::sleep(options.down.saturating_sub(killed.elapsed()));

    let broker = place.start()?;
    let (ready_ms, away, restarted_mb) = (clock::wall_ms(), killed.elapsed(), memory_mb(&broker));
    let watch = Watch::start(place.address(), queues(options), cursors, &arrivals)?;
    sleep_until(until_ms);
    wait_for(&arrivals, dues.iter().filter(|due| **due <= until_ms).count(), options.patience);
    let end_mb = memory_mb(&broker);
    errors.merge(watch.end(&arrivals)?);

    Ok(TimerReport {
        workload: "timer",
        what: what(options, &place),
        sent,
        first_start,
        restart: broker.start,
        away_ms: away.as_secs_f64() * 1e3,
        memory: Memory { empty_mb, waiting_mb, restarted_mb, end_mb },
        idle_cores,
        due_cores,
        outcome: Outcome::of(&dues, &arrivals.all(), Times { kill_ms, ready_ms, until_ms }),
        errors: errors.errors,
    })
}

/// Makes the topic. Its queues, to be read from where they end.
fn make_topic(place: &Place, options: &TimerOptions) -> Result<Vec<Cursor>, TimerError> {
    let mut asker = Asker::connect(&place.address().to_string())?;
    asker.make_topics(&queues(options))?;
    let ends = asker.end_offsets(&queues(options))?;
    Ok(ends.iter().zip(0..).map(|(end, queue)| Cursor::new(queue, *end, *end)).collect())
}

fn queues(options: &TimerOptions) -> Queues {
    Queues::new(TOPIC, 1, options.queues)
}

/// All messages wait.
struct Loaded {
    /// When each is due, by number, in ms since 1970.
    dues: Vec<i64>,
    /// When the first of the near ones is.
    start_ms: i64,
    sent: Sent,
    /// What went wrong.
    errors: Tally,
}

/// Sends the far messages, and then those that come due in the window.
fn load(options: &TimerOptions, place: &Place, broker: &Running, arrivals: &Arrivals) -> Result<Loaded, TimerError> {
    let (cpu, started) = (Cpu::of(broker), Instant::now());
    let far = options.messages - options.near();
    let span = options.span.saturating_sub(2 * FAR_FROM);
    let far_dues = Arc::new(dues::spread(far, clock::wall_ms() + ms(FAR_FROM), ms(span) as u64));
    let fill = |first, dues| fill::fill(place.address(), queues(options), arrivals.run(), options, Batch { first, dues });
    let mut tally = fill(0, Arc::clone(&far_dues))?;
    let start_ms = clock::wall_ms() + ms(near_lead(options.near(), far, started.elapsed()));
    let near_dues = Arc::new(dues::spread(options.near(), start_ms, ms(options.window) as u64));
    tally.merge(fill(far, Arc::clone(&near_dues))?);
    if let (0, Some((error, _))) = (tally.messages_in_all, tally.errors.first_key_value()) {
        return Err(TimerError::Refused(error.clone()));
    }
    if clock::wall_ms() >= start_ms - IDLE_MARGIN_MS {
        return Err(TimerError::TooSlow);
    }
    let (messages, seconds) = (tally.messages_in_all, started.elapsed().as_secs_f64());
    let cpu_us_per_message = cpu.nanos(broker).map(|nanos| nanos as f64 / 1e3 / messages.max(1) as f64);
    let sent = Sent { messages, seconds, messages_per_second: messages as f64 / seconds, cpu_us_per_message };
    let dues = far_dues.iter().chain(near_dues.iter()).copied().collect();
    Ok(Loaded { dues, start_ms, sent, errors: tally })
}

/// How long after now the first of the near messages is due: long enough to send them all before, judged by how long the far ones took.
fn near_lead(near: u64, far: u64, far_took: Duration) -> Duration {
    let each = if far == 0 { EACH_UNKNOWN } else { far_took.div_f64(far as f64) };
    LEAD_MIN + each.mul_f64(2.0 * near as f64)
}

/// Waits for this many messages, and then a little for any beyond them.
fn wait_for(arrivals: &Arrivals, count: usize, patience: Duration) {
    let started = Instant::now();
    while arrivals.count() < count && started.elapsed() < patience {
        std::thread::sleep(LOOK_PERIOD);
    }
    std::thread::sleep(LINGER);
}

fn memory_mb(broker: &Running) -> Option<f64> {
    Some(process::anonymous_bytes(broker.id())? as f64 / 1e6)
}

/// The CPU that the broker had used at some time.
struct Cpu(Option<u64>, Instant);

impl Cpu {
    fn of(broker: &Running) -> Cpu {
        Cpu(process::cpu_nanos(broker.id()), Instant::now())
    }

    /// What it used since, in ns.
    fn nanos(&self, broker: &Running) -> Option<u64> {
        Some(process::cpu_nanos(broker.id())?.saturating_sub(self.0?))
    }

    /// The same in cores.
    fn cores(&self, broker: &Running) -> Option<f64> {
        Some(self.nanos(broker)? as f64 / self.1.elapsed().as_nanos().max(1) as f64)
    }
}

fn ms(time: Duration) -> i64 {
    time.as_millis() as i64
}

fn sleep_until(wall_ms: i64) {
    std::thread::sleep(Duration::from_millis((wall_ms - clock::wall_ms()).max(0) as u64));
}

fn what(options: &TimerOptions, place: &Place) -> String {
    let TimerOptions { due_per_s, body_bytes, queues, connections, in_flight, .. } = options;
    let (days, seconds) = (options.span.as_secs() / 86_400, options.window.as_secs_f64());
    let kept = if options.is_kept { format!(", data in {}", place.folder().display()) } else { String::new() };
    format!(
        "{} messages over {days} days, {due_per_s} due a second for {seconds} s, {body_bytes} B, {queues} queues, \
         sent by {connections} connections x {in_flight}{kept}",
        crate::report::words::grouped(options.messages)
    )
}

const TOPIC: &str = "RoxBenchTimer";
/// The far messages are due no earlier, and no later than this before the end of their span: none comes due meanwhile, and none is
/// refused for being too far ahead.
const FAR_FROM: Duration = Duration::from_secs(600);
/// Assumed time to send one message while nothing is measured.
const EACH_UNKNOWN: Duration = Duration::from_micros(200);
const LEAD_MIN: Duration = Duration::from_secs(5);
/// The idle broker is measured until this long before the first message is due.
const IDLE_MARGIN_MS: i64 = 50;
const LOOK_PERIOD: Duration = Duration::from_millis(20);
/// How long to wait for messages that arrive twice.
const LINGER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_messages_have_twice_the_time_they_need() {
        assert_eq!(near_lead(1000, 10_000, Duration::from_secs(10)), LEAD_MIN + Duration::from_secs(2));
        assert_eq!(near_lead(1000, 0, Duration::from_secs(1)), LEAD_MIN + Duration::from_millis(400));
    }
}
