//! One run: connections, threads, the window that is counted, and the comparison at the end.

use crate::ask::{self, AskError, Asker};
use crate::clock::{Clock, Window};
use crate::frames::{SendFrames, SendShape};
use crate::options::{Options, Target, Workload};
use crate::process;
use crate::pull::{Cursor, Progress, Puller, PullerShape, Reading};
use crate::report::{Check, Cost, Latency, Report};
use crate::send::{Pace, Sender, SenderShape};
use crate::tally::{Offsets, Tally};
use crate::wire::{self, Load, Pauses};
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
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
    let address = match &options.target {
        Target::Broker(address) => address.clone(),
        Target::NameServer(address) => Asker::connect(first_of(address))?.broker_of(&options.topic)?,
    };
    let mut asker = Asker::connect(&address)?;
    asker.make_topic(&options.topic, options.queues)?;
    let first = asker.first_offsets(&options.topic, options.queues)?;
    let before = asker.end_offsets(&options.topic, options.queues)?;
    if options.workload == Workload::Pull && first == before {
        return Err(RunError::Empty(options.topic.clone()));
    }

    let plan = Plan::new(options, &first, &before);
    let meters = Meters::find(options, &address);
    let measured = measure(options, &address, plan, &meters)?;

    let mut asker = Asker::connect(&address)?;
    let after = asker.end_offsets(&options.topic, options.queues)?;
    Ok(report(options, &address, measured, &ask::stored(&before, &after)))
}

/// The first of several NameServers; one knows as much as another.
fn first_of(addresses: &str) -> &str {
    addresses.split(';').next().unwrap_or(addresses)
}

/// What one connection does.
enum Job {
    Send(Sender),
    Pull(Puller),
}

/// What the connections do, and when.
struct Plan {
    jobs: Vec<Job>,
    clock: Clock,
    window: Window,
    progress: Arc<Progress>,
}

impl Plan {
    fn new(options: &Options, first: &[i64], end: &[i64]) -> Plan {
        let clock = Clock::start();
        let lead = (LEAD + LEAD_PER_CONNECTION * options.connections as u32).as_nanos() as u64;
        let window = Window::new(clock.now() + lead, options.warm_up, options.duration);
        let progress = Arc::new(Progress::default());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let run = now.as_millis() as u32 ^ std::process::id().rotate_left(16);
        let jobs = match options.workload {
            Workload::Send => senders(options, window, run, now),
            Workload::Pull => pullers(options, window, Reading::Backlog, options.connections, |queue, share| {
                let (first, end) = (first[queue], end[queue]);
                Cursor::new(queue as u32, first + ((end - first) as f64 * share) as i64, first)
            }),
            Workload::Tail => {
                pullers(options, window, Reading::Tail, options.connections, |queue, _| Cursor::new(queue as u32, end[queue], end[queue]))
            }
            Workload::EndToEnd => {
                let reading = Reading::EndToEnd { run, progress: Arc::clone(&progress) };
                let at_end = |queue: usize, _| Cursor::new(queue as u32, end[queue], end[queue]);
                let mut jobs = senders(options, window, run, now);
                jobs.extend(pullers(options, window, reading, options.consumers, at_end));
                jobs
            }
        };
        Plan { jobs, clock, window, progress }
    }
}

fn senders(options: &Options, window: Window, run: u32, now: Duration) -> Vec<Job> {
    let shape = SendShape {
        encoding: options.encoding,
        topic: options.topic.clone(),
        body_bytes: options.body_bytes,
        batch: options.batch,
        born_timestamp: now.as_millis() as i64,
    };
    let frames = Arc::new(SendFrames::new(&shape, options.queues));
    let shape = SenderShape { run, queues: options.queues, batch: options.batch, body_bytes: options.body_bytes, window };
    let sender = |number: usize| {
        let pace = match options.rate {
            None => Pace::InFlight(options.in_flight),
            Some(rate) => {
                let interval = 1e9 * options.batch as f64 / rate;
                Pace::Due { first: interval * number as f64, interval: interval * options.connections as f64 }
            }
        };
        Job::Send(Sender::new(number as u32, Arc::clone(&frames), pace, shape))
    };
    (0..options.connections).map(sender).collect()
}

/// Deals cursors to connections. `cursor` makes one from a queue and, where several read the same queue, the share of it that is skipped.
fn pullers(options: &Options, window: Window, reading: Reading, connections: usize, cursor: impl Fn(usize, f64) -> Cursor) -> Vec<Job> {
    let queues = options.queues as usize;
    // Messages that are waited for are read once; a backlog is read by as many as there may be pulls under way.
    let cursors = match reading {
        Reading::Backlog => connections * options.in_flight,
        Reading::Tail | Reading::EndToEnd { .. } => queues,
    };
    let shape = PullerShape {
        encoding: options.encoding,
        topic: options.topic.clone(),
        group: "roxmq-bench-consumer".into(),
        count: options.pull_messages,
        window,
        reading,
    };
    let readers_of_a_queue = cursors.div_ceil(queues);
    let cursor = |at: usize| cursor(at % queues, (at / queues) as f64 / readers_of_a_queue as f64);
    let mut dealt: Vec<Vec<Cursor>> = vec![Vec::new(); connections.min(cursors)];
    for at in 0..cursors {
        let connection = at % dealt.len();
        dealt[connection].push(cursor(at));
    }
    dealt.into_iter().map(|cursors| Job::Pull(Puller::new(shape.clone(), cursors))).collect()
}

/// What a run gave.
struct Measured {
    tally: Tally,
    acknowledged: Vec<Offsets>,
    acknowledged_in_all: u64,
    broker: Option<Cost>,
    generator: Option<Cost>,
    seconds: f64,
}

fn measure(options: &Options, address: &str, plan: Plan, meters: &Meters) -> Result<Measured, RunError> {
    let Plan { jobs, clock, window, progress } = plan;
    let sending = Arc::new(AtomicUsize::new(jobs.iter().filter(|job| matches!(job, Job::Send(_))).count()));
    let mut shares: Vec<Vec<(TcpStream, Job)>> = (0..options.threads).map(|_| Vec::new()).collect();
    for (number, job) in jobs.into_iter().enumerate() {
        shares[number % options.threads].push((connect(address)?, job));
    }
    let run = Run {
        clock,
        window,
        progress,
        sending,
        patience: options.patience,
        is_paced: options.rate.is_some() && !options.spin,
        metering: Arc::default(),
    };
    // Of threads that have ended the system tells nothing, so they stay until their CPU time is read.
    let metering = run.metering.lock().unwrap_or_else(PoisonError::into_inner);
    let threads: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let run = run.clone();
            std::thread::Builder::new().name("bench".into()).spawn(move || serve(share, &run))
        })
        .collect::<Result<_, _>>()?;

    sleep_until(&clock, window.counted_from);
    let (from, cpu_from) = (clock.now(), meters.cpu());
    sleep_until(&clock, window.end);
    let (until, cpu_until) = (clock.now(), meters.cpu());
    let memory = meters.memory();
    drop(metering);

    let mut measured = Measured {
        tally: Tally::default(),
        acknowledged: vec![Offsets::default(); options.queues as usize],
        acknowledged_in_all: 0,
        broker: None,
        generator: None,
        seconds: (window.end - window.counted_from) as f64 / 1e9,
    };
    for thread in threads {
        let jobs = thread.join().map_err(|_| io::Error::other("a thread of the generator panicked"))??;
        jobs.into_iter().for_each(|job| measured.take(job, options.workload));
    }
    let costs = meters.costs(until - from, cpu_from, cpu_until, memory, measured.tally.messages);
    (measured.broker, measured.generator) = (costs[0], costs[1]);
    Ok(measured)
}

impl Measured {
    fn take(&mut self, job: Job, workload: Workload) {
        match job {
            Job::Send(sender) => {
                for (sum, of_connection) in self.acknowledged.iter_mut().zip(sender.acknowledged()) {
                    *sum = sum.plus(*of_connection);
                }
                self.acknowledged_in_all += sender.tally.messages_in_all;
                if workload == Workload::EndToEnd {
                    // What was received is what counts there.
                    self.tally.merge(Tally { errors: sender.tally.errors, ..Tally::default() });
                } else {
                    self.tally.merge(sender.tally);
                }
            }
            Job::Pull(puller) => self.tally.merge(puller.tally),
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

fn sleep_until(clock: &Clock, at: u64) {
    std::thread::sleep(Duration::from_nanos(at.saturating_sub(clock.now())));
}

/// What the threads of a run share.
#[derive(Clone)]
struct Run {
    clock: Clock,
    window: Window,
    progress: Arc<Progress>,
    /// Senders that have not ended.
    sending: Arc<AtomicUsize>,
    patience: Duration,
    /// Whether a thread pauses when nothing is due.
    is_paced: bool,
    /// Held while the processes' CPU times are read.
    metering: Arc<Mutex<()>>,
}

/// One thread: all its connections until they are done.
fn serve(share: Vec<(TcpStream, Job)>, run: &Run) -> io::Result<Vec<Job>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pauses = Arc::new(Pauses::default());
    let jobs = runtime.block_on(async {
        if run.is_paced {
            let pauses = Arc::clone(&pauses);
            tokio::spawn(async move { pauses.take().await });
        }
        let tasks: Vec<_> =
            share.into_iter().map(|(stream, job)| tokio::spawn(work(stream, job, run.clone(), Arc::clone(&pauses)))).collect();
        let mut jobs = Vec::with_capacity(tasks.len());
        for task in tasks {
            jobs.push(task.await.map_err(io::Error::other)??);
        }
        Ok(jobs)
    });
    drop(run.metering.lock());
    jobs
}

async fn work(stream: TcpStream, job: Job, run: Run, pauses: Arc<Pauses>) -> io::Result<Job> {
    let stream = tokio::net::TcpStream::from_std(stream)?;
    tokio::time::sleep_until(run.clock.instant(run.window.start).into()).await;
    match job {
        Job::Send(mut sender) => {
            if let Some(error) = drive(&stream, &mut sender, &run, &pauses, run.patience).await {
                sender.tally.error(error);
            }
            sender.give_up();
            run.progress.acknowledged.fetch_add(sender.tally.messages_in_all, Ordering::AcqRel);
            if run.sending.fetch_sub(1, Ordering::AcqRel) == 1 {
                run.progress.sent.store(true, Ordering::Release);
            }
            Ok(Job::Send(sender))
        }
        Job::Pull(mut puller) => {
            if let Some(error) = drive(&stream, &mut puller, &run, &pauses, 2 * run.patience).await {
                puller.tally.error(error);
            }
            Ok(Job::Pull(puller))
        }
    }
}

/// Runs a load until it is done, or the time is over; says what went wrong.
async fn drive(stream: &tokio::net::TcpStream, load: &mut impl Load, run: &Run, pauses: &Pauses, grace: Duration) -> Option<String> {
    let deadline = run.clock.instant(run.window.end) + grace;
    match tokio::time::timeout_at(deadline.into(), wire::drive(stream, load, &run.clock, pauses)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("not done {} s after the end", grace.as_secs_f64())),
    }
}

/// The processes whose CPU and memory are looked at: the broker's and the generator's own.
struct Meters([Option<u32>; 2]);

impl Meters {
    fn find(options: &Options, address: &str) -> Meters {
        let own = std::process::id();
        let listener = || {
            let socket = address.to_socket_addrs().ok()?.next()?;
            is_here(socket.ip()).then(|| process::listener(socket.port()))?
        };
        Meters([options.process.or_else(listener).filter(|process| *process != own), Some(own)])
    }

    fn cpu(&self) -> [Option<u64>; 2] {
        self.0.map(|process| process.and_then(process::cpu_nanos))
    }

    fn memory(&self) -> [Option<u64>; 2] {
        self.0.map(|process| process.and_then(process::anonymous_bytes))
    }

    fn costs(
        &self,
        nanos: u64,
        from: [Option<u64>; 2],
        until: [Option<u64>; 2],
        memory: [Option<u64>; 2],
        messages: u64,
    ) -> [Option<Cost>; 2] {
        [0, 1].map(|at| {
            let cpu = until[at]?.saturating_sub(from[at]?) as f64;
            Some(Cost {
                process: self.0[at]?,
                cpu_us_per_message: cpu / 1e3 / messages.max(1) as f64,
                cores: cpu / nanos.max(1) as f64,
                anonymous_mb: memory[at]? as f64 / 1e6,
            })
        })
    }
}

/// Whether an address is this machine's: one can listen there.
fn is_here(ip: std::net::IpAddr) -> bool {
    ip.is_loopback() || std::net::TcpListener::bind((ip, 0)).is_ok()
}

fn report(options: &Options, address: &str, measured: Measured, stored: &[Offsets]) -> Report {
    let tally = measured.tally;
    let check = match options.workload {
        Workload::Send => stored_as_acknowledged(stored, &measured.acknowledged),
        Workload::Pull | Workload::Tail => Check::InOrder,
        Workload::EndToEnd if tally.messages_in_all == measured.acknowledged_in_all => Check::ReceivedAsAcknowledged,
        Workload::EndToEnd => {
            Check::Failed(format!("{} messages acknowledged, {} received", measured.acknowledged_in_all, tally.messages_in_all))
        }
    };
    Report {
        workload: match options.workload {
            Workload::Send => "send",
            Workload::Pull => "pull",
            Workload::Tail => "tail",
            Workload::EndToEnd => "e2e",
        },
        what: what(options, address),
        seconds: measured.seconds,
        requests: tally.requests,
        messages: tally.messages,
        messages_per_second: tally.messages as f64 / measured.seconds,
        megabytes_per_second: tally.bytes as f64 / 1e6 / measured.seconds,
        latency: Latency::of(&tally.latency),
        broker: measured.broker,
        generator: measured.generator,
        messages_in_all: tally.messages_in_all,
        check,
        errors: tally.errors,
    }
}

fn stored_as_acknowledged(stored: &[Offsets], acknowledged: &[Offsets]) -> Check {
    let differing = stored.iter().zip(acknowledged).enumerate().find(|(_, (stored, acknowledged))| stored != acknowledged);
    match differing {
        None => Check::StoredAsAcknowledged,
        Some((queue, (stored, acknowledged))) if stored.count != acknowledged.count => {
            Check::Failed(format!("queue {queue}: {} messages stored, {} acknowledged", stored.count, acknowledged.count))
        }
        Some((queue, _)) => Check::Failed(format!("queue {queue}: the offsets told are not those of its messages")),
    }
}

fn what(options: &Options, address: &str) -> String {
    let Options { topic, queues, connections, in_flight, consumers, body_bytes, batch, pull_messages, .. } = options;
    let pace = match options.rate {
        Some(rate) => format!("{connections} connections, {rate} msg/s"),
        None => format!("{connections} connections x {in_flight} in flight"),
    };
    let batches = if *batch > 1 { format!(" x {batch}") } else { String::new() };
    let load = match options.workload {
        Workload::Send => format!("{pace}, {body_bytes} B{batches}"),
        Workload::Pull => format!("{connections} connections x {in_flight} in flight, {pull_messages} a pull"),
        Workload::Tail => format!("{connections} connections, {pull_messages} a pull"),
        Workload::EndToEnd => format!("{pace}, {body_bytes} B{batches}, {consumers} consumers"),
    };
    format!("{load}, topic {topic} of {queues} queues, {address}")
}

/// Time for the threads to start and connections to be made, before the first request.
const LEAD: Duration = Duration::from_millis(100);
const LEAD_PER_CONNECTION: Duration = Duration::from_micros(200);
