//! How does one run go? Connections, threads, the window that is counted, and the comparison at the end.

pub(crate) mod description;
pub(crate) mod meters;
pub(crate) mod plan;
pub(crate) mod serve;
pub(crate) mod slices;

use crate::check::Before;
use crate::check::expected::Expected;
use crate::measure::tally::Tally;
use crate::options::{Delay, Options, Target, Workload};
use crate::report::figures::{Cost, Latency, Slice};
use crate::report::{Beside, Check, Report};
use crate::run::meters::Meters;
use crate::run::plan::{Job, Plan};
use crate::run::serve::Shared;
use crate::wire::ask::{AskError, Asker};
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError};
use std::time::Instant;
use thiserror::Error;

/// Why there is nothing to report.
#[derive(Debug, Error)]
pub enum RunError {
    /// A question before or after the run.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// A connection or thread of the run.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Nothing to pull.
    #[error("topic {0} is empty; send something first")]
    Empty(String),
}

/// Runs what the options ask for.
///
/// # Errors
/// When it cannot start, or what was stored cannot be asked afterwards. What goes wrong in between is in the report.
pub fn run(options: &Options) -> Result<Report, RunError> {
    let address = match options.target() {
        Target::Broker(address) => address.to_owned(),
        Target::NameServer(address) => Asker::connect(first_of(address))?.broker_of(&options.queues().topic(0))?,
    };
    let mut asker = Asker::connect(&address)?;
    let made_from = Instant::now();
    asker.make_topics(&options.queues())?;
    let topic_ms = made_from.elapsed().as_secs_f64() * 1e3 / f64::from(options.topics);
    let first = asker.first_offsets(&options.queues())?;
    let before = Before::look(&mut asker, options)?;
    if (options.workload == Workload::Pull || options.readers > 0) && first == before.ends() {
        return Err(RunError::Empty(options.topic.clone()));
    }

    let plan = Plan::new(options, &first, before.ends());
    let meters = Meters::find(options.process, &address);
    let measured = measure(options, &address, plan, &meters)?;

    let mut asker = Asker::connect(&address)?;
    let check = before.compare(&mut asker, &address, options, &measured.expected)?;
    Ok(Report { topic_ms, ..report(options, &address, measured, check) })
}

/// The first of several NameServers; one knows as much as another.
fn first_of(addresses: &str) -> &str {
    addresses.split(';').next().unwrap_or(addresses)
}

/// What a run gave.
struct Measured {
    tally: Tally,
    /// What the readers beside the load saw.
    beside: Tally,
    slices: Vec<Slice>,
    expected: Expected,
    broker: Option<Cost>,
    generator: Option<Cost>,
    seconds: f64,
}

fn measure(options: &Options, address: &str, plan: Plan, meters: &Meters) -> Result<Measured, RunError> {
    let Plan { jobs, clock, window, progress, expected } = plan;
    let sending = Arc::new(AtomicUsize::new(jobs.iter().filter(|job| matches!(job, Job::Send(_))).count()));
    // Readers beside the load have a thread of their own, so that they do not delay sends in the generator.
    let mut shares: Vec<Vec<(TcpStream, Job)>> = (0..=options.threads).map(|_| Vec::new()).collect();
    for (number, job) in jobs.into_iter().enumerate() {
        let share = if matches!(job, Job::Beside(_)) { options.threads } else { number % options.threads };
        shares[share].push((connect(address)?, job));
    }
    let run = Shared {
        clock,
        window,
        progress,
        sending,
        patience: options.patience,
        groups: u64::from(options.groups),
        is_paced: options.rate.is_some() && !options.spin,
        metering: Arc::default(),
    };
    // The system reports nothing about threads that have ended, so they stay until their CPU time is read.
    let metering = run.metering.lock().unwrap_or_else(PoisonError::into_inner);
    let threads: Vec<_> = shares
        .into_iter()
        .filter(|share| !share.is_empty())
        .map(|share| {
            let run = run.clone();
            std::thread::Builder::new().name("bench".into()).spawn(move || serve::serve(share, &run))
        })
        .collect::<Result<_, _>>()?;

    clock.sleep_until(window.counted_from);
    let (from, cpu_from) = (clock.now(), meters.cpu());
    let looks = slices::look(&clock, &window, meters);
    let (until, cpu_until) = (clock.now(), meters.cpu());
    let memory = meters.memory();
    drop(metering);

    let mut measured = Measured {
        tally: Tally::default(),
        beside: Tally::default(),
        slices: Vec::new(),
        expected,
        broker: None,
        generator: None,
        seconds: (window.end - window.counted_from) as f64 / 1e9,
    };
    for thread in threads {
        let jobs = thread.join().map_err(|_| io::Error::other("a thread of the generator panicked"))??;
        jobs.into_iter().for_each(|job| measured.take(job, options));
    }
    measured.slices = slices::of(&looks, &measured.tally.slices, &window);
    let costs = meters.costs(until - from, cpu_from, cpu_until, memory, measured.tally.messages);
    (measured.broker, measured.generator) = (costs[0], costs[1]);
    Ok(measured)
}

impl Measured {
    fn take(&mut self, job: Job, options: &Options) {
        match job {
            Job::Send(sender) => {
                for (queue, offsets) in sender.acknowledged() {
                    let sum = &mut self.expected.acknowledged[queue];
                    *sum = sum.plus(offsets);
                }
                self.expected.acknowledged_in_all += sender.tally.messages_in_all;
                if matches!(options.delay(), Some(Delay::Time(_))) || options.is_read_back {
                    self.expected.outcomes[sender.connection()] = sender.outcomes();
                }
                if options.workload == Workload::EndToEnd {
                    // What was received is what counts there.
                    self.tally.merge(Tally { errors: sender.tally.errors, ..Tally::default() });
                } else {
                    self.tally.merge(sender.tally);
                }
            }
            Job::Pull(puller) => {
                self.expected.received_in_all += puller.tally.messages_in_all;
                self.tally.merge(puller.tally);
            }
            Job::Beside(puller) => {
                self.tally.errors.extend(puller.tally.errors.iter().map(|(kind, count)| (format!("reading beside: {kind}"), *count)));
                self.beside.merge(puller.tally);
            }
            Job::Idle(idler) => self.tally.merge(idler.tally),
            Job::Transact(transactor) => {
                self.expected.outcomes[transactor.connection()] = transactor.outcomes().to_vec();
                self.tally.merge(transactor.tally);
            }
        }
    }
}

fn connect(address: &str) -> Result<TcpStream, RunError> {
    let failed = |error| AskError::Connect { address: address.to_owned(), error };
    let mut last = io::Error::other("the name has no address");
    for socket in address.to_socket_addrs().map_err(failed)? {
        match TcpStream::connect(socket) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(failed(last).into())
}

fn report(options: &Options, address: &str, measured: Measured, check: Check) -> Report {
    let tally = measured.tally;
    Report {
        workload: options.workload.name(),
        unit: match options.workload {
            Workload::Transaction => "tx",
            Workload::Idle => "heartbeat",
            Workload::Send | Workload::Pull | Workload::Tail | Workload::EndToEnd => "msg",
        },
        what: description::of(options, address),
        seconds: measured.seconds,
        requests: tally.requests,
        messages: tally.messages,
        messages_per_second: tally.messages as f64 / measured.seconds,
        megabytes_per_second: tally.bytes as f64 / 1e6 / measured.seconds,
        latency: Latency::of(&tally.latency),
        broker: measured.broker,
        generator: measured.generator,
        messages_in_all: tally.messages_in_all,
        topic_ms: 0.0,
        refused: tally.refused,
        unsent: tally.unsent,
        beside: (options.readers > 0).then(|| Beside::of(&measured.beside, measured.seconds)),
        slices: measured.slices,
        check,
        errors: tally.errors,
    }
}
