//! What does each connection of a run do, and when?

use crate::check::expected::Expected;
use crate::load::idle::Idler;
use crate::load::pace::{DUE_IN_FLIGHT_MAX, Pace};
use crate::load::pull::{Cursor, Progress, Puller, PullerShape, Reading};
use crate::load::send::{Sender, SenderShape};
use crate::load::transact::{Transactor, TransactorShape};
use crate::measure::clock::{self, Clock, Nanos, Window};
use crate::measure::tally::Offsets;
use crate::options::{Delay, Options, Workload};
use crate::wire::sends::{SendFrames, SendShape, WaitsFor};
use crate::wire::stamp::run_number;
use std::sync::Arc;
use std::time::Duration;

/// What one connection does.
pub enum Job {
    /// Sends.
    Send(Sender),
    /// Pulls.
    Pull(Puller),
    /// Carries out transactions.
    Transact(Transactor),
    /// Sends heartbeats.
    Idle(Idler),
    /// Pulls beside the senders.
    Beside(Puller),
}

/// What the connections do, and when.
pub struct Plan {
    /// One job for each connection.
    pub jobs: Vec<Job>,
    /// The run's clock.
    pub clock: Clock,
    /// When to send or pull.
    pub window: Window,
    /// What senders and receivers know of each other.
    pub progress: Arc<Progress>,
    /// What the run knows of itself before anything was answered.
    pub expected: Expected,
}

impl Plan {
    /// For a topic whose queues hold what is between these offsets.
    pub fn new(options: &Options, first: &[i64], end: &[i64]) -> Plan {
        let clock = Clock::start();
        let lead = (LEAD + LEAD_PER_CONNECTION * options.connections as u32).as_nanos() as u64;
        let window = Window::new(clock.now() + lead, options.warm_up, options.duration, options.slices);
        let progress = Arc::new(Progress::default());
        let now = Duration::from_nanos(clock::wall_nanos());
        let run = run_number();
        let deliver_after = match options.delay() {
            Some(Delay::Time(delay)) => (now + delay).as_nanos() as Nanos - clock.now(),
            Some(Delay::Level(_)) | None => 0,
        };
        let expected = Expected {
            run,
            deliver_after,
            acknowledged: vec![Offsets::default(); options.queues().count() as usize],
            outcomes: vec![Vec::new(); options.connections],
            ..Expected::default()
        };
        let at_end = |queue: usize, _: f64| Some(Cursor::new(queue as u32, end[queue], end[queue]));
        let jobs = match options.workload {
            Workload::Idle => (0..options.connections).map(|number| Job::Idle(Idler::new(options, number, window))).collect(),
            Workload::Send => {
                let mut jobs = senders(options, window, &expected, now);
                let oldest = |queue: usize, share: f64| {
                    let (first, end) = (first[queue], end[queue]);
                    (first < end).then(|| Cursor::new(queue as u32, first + ((end - first) as f64 * share) as i64, first))
                };
                if options.readers > 0 {
                    let beside = pullers(options, window, Reading::Backlog, options.readers, oldest).into_iter();
                    jobs.extend(beside.map(|job| if let Job::Pull(puller) = job { Job::Beside(puller) } else { job }));
                }
                jobs
            }
            Workload::Transaction => transactors(options, window, run, now),
            Workload::Pull => pullers(options, window, Reading::Backlog, options.connections, |queue, share| {
                let (first, end) = (first[queue], end[queue]);
                (first < end).then(|| Cursor::new(queue as u32, first + ((end - first) as f64 * share) as i64, first))
            }),
            Workload::Tail => pullers(options, window, Reading::Tail, options.connections, at_end),
            Workload::EndToEnd => {
                let reading = Reading::EndToEnd { run, progress: Arc::clone(&progress) };
                let mut jobs = senders(options, window, &expected, now);
                jobs.extend(pullers(options, window, reading, options.consumers, at_end));
                jobs
            }
        };
        Plan { jobs, clock, window, progress, expected }
    }
}

fn senders(options: &Options, window: Window, expected: &Expected, now: Duration) -> Vec<Job> {
    let waits_for = match options.delay() {
        None => WaitsFor::Nothing,
        Some(Delay::Level(level)) => WaitsFor::Level(level),
        Some(Delay::Time(_)) => WaitsFor::Time,
    };
    let frames = frames(options, waits_for, now);
    let shape = SenderShape {
        run: expected.run,
        queues: options.queues().count(),
        connections: options.connections as u32,
        batch: options.batch,
        body_bytes: options.body_bytes,
        window,
        deliver_after: expected.deliver_after,
    };
    let sender = |number: usize| Job::Send(Sender::new(number as u32, Arc::clone(&frames), pace(options, number), shape));
    (0..options.connections).map(sender).collect()
}

fn transactors(options: &Options, window: Window, run: u32, now: Duration) -> Vec<Job> {
    let frames = frames(options, WaitsFor::Decision, now);
    let shape = TransactorShape {
        run,
        encoding: options.encoding(),
        body_bytes: options.body_bytes,
        window,
        rollbacks: options.rollbacks,
        is_decision_answered: options.is_decision_answered,
    };
    let transactor =
        |number: usize| Job::Transact(Transactor::new(number as u32, Arc::clone(&frames), pace(options, number), shape.clone()));
    (0..options.connections).map(transactor).collect()
}

fn frames(options: &Options, waits_for: WaitsFor, now: Duration) -> Arc<SendFrames> {
    let shape = SendShape {
        encoding: options.encoding(),
        queues: options.queues(),
        body_bytes: options.body_bytes,
        batch: options.batch,
        born_timestamp: now.as_millis() as i64,
        waits_for,
    };
    Arc::new(SendFrames::new(&shape))
}

fn pace(options: &Options, connection: usize) -> Pace {
    match options.rate {
        None => Pace::InFlight(options.in_flight),
        Some(rate) => {
            let interval = 1e9 * options.batch as f64 / rate;
            let unanswered_max = if options.is_overload { options.in_flight } else { DUE_IN_FLIGHT_MAX };
            let is_shed = options.is_overload;
            Pace::Due { unanswered_max, is_shed, first: interval * connection as f64, interval: interval * options.connections as f64 }
        }
    }
}

/// Deals cursors to connections. `cursor` makes one from a queue and, where several read the same queue, the share of it that is skipped;
/// none for a queue that is not read.
fn pullers(
    options: &Options,
    window: Window,
    reading: Reading,
    connections: usize,
    cursor: impl Fn(usize, f64) -> Option<Cursor>,
) -> Vec<Job> {
    let queues = options.queues();
    let count = queues.count() as usize;
    // Messages that are waited for are read once; a backlog may be read by several in each queue, some of which pull at a time.
    let (readers, in_flight) = match reading {
        // Readers beside the load take one answer after the other.
        Reading::Backlog if options.workload == Workload::Send => (connections.div_ceil(count), 1),
        Reading::Backlog => ((connections * options.in_flight).div_ceil(count), options.in_flight),
        Reading::Tail | Reading::EndToEnd { .. } | Reading::Timed(_) => (options.groups as usize, count * options.groups as usize),
    };
    let shape = PullerShape {
        encoding: options.encoding(),
        queues,
        groups: (0..options.groups).map(group).collect(),
        count: options.pull_messages,
        in_flight,
        window,
        reading,
        hold: options.hold,
    };
    let of_group = |at: usize| if options.groups > 1 { (at / count) as u32 } else { 0 };
    let cursors: Vec<Cursor> = (0..readers * count)
        .filter_map(|at| Some(cursor(at % count, (at / count) as f64 / readers as f64)?.of_group(of_group(at))))
        .collect();
    let mut dealt: Vec<Vec<Cursor>> = vec![Vec::new(); connections.min(cursors.len())];
    for (at, cursor) in cursors.into_iter().enumerate() {
        let connection = at % dealt.len();
        dealt[connection].push(cursor);
    }
    dealt.into_iter().map(|cursors| Job::Pull(Puller::new(shape.clone(), cursors))).collect()
}

/// The name of a consumer group, by its number.
fn group(number: u32) -> String {
    format!("roxmq-bench-consumer-{number}")
}

/// Time for the threads to start and connections to be made, before the first request.
const LEAD: Duration = Duration::from_millis(100);
const LEAD_PER_CONNECTION: Duration = Duration::from_micros(400);
