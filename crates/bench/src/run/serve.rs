//! How does one thread of the generator serve its connections?

use crate::load::pull::{Progress, Puller};
use crate::measure::clock::{Clock, Window};
use crate::run::plan::Job;
use crate::wire::connection::{self, Load, Pauses};
use std::io;
use std::net::TcpStream;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the threads of a run share.
#[derive(Clone)]
pub struct Shared {
    /// The run's clock.
    pub clock: Clock,
    /// When to send or pull.
    pub window: Window,
    /// What senders and receivers know of each other.
    pub progress: Arc<Progress>,
    /// Senders that have not ended.
    pub sending: Arc<AtomicUsize>,
    /// How long after the end answers are waited for.
    pub patience: Duration,
    /// How many groups receive each message.
    pub groups: u64,
    /// Whether a thread pauses when nothing is due.
    pub is_paced: bool,
    /// Held while the processes' CPU times are read.
    pub metering: Arc<Mutex<()>>,
}

/// One thread: serves all its connections until they are done.
///
/// # Errors
/// When a connection cannot be used at all. What goes wrong on it later is in its tally.
pub fn serve(share: Vec<(TcpStream, Job)>, run: &Shared) -> io::Result<Vec<Job>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pauses = Arc::new(Pauses::default());
    let jobs = runtime.block_on(async {
        if run.is_paced {
            keep_pauses_short();
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

/// Asks the system not to make this thread's sleeps longer than asked for, which it does by 50 us to save wake-ups.
fn keep_pauses_short() {
    // Where it refuses, due times are kept less exactly, which latencies show.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

async fn work(stream: TcpStream, job: Job, run: Shared, pauses: Arc<Pauses>) -> io::Result<Job> {
    let stream = tokio::net::TcpStream::from_std(stream)?;
    tokio::time::sleep_until(run.clock.instant(run.window.start).into()).await;
    match job {
        Job::Send(mut sender) => {
            if let Some(error) = drive(&stream, &mut sender, &run, &pauses, run.patience).await {
                sender.tally.error(error);
            }
            sender.give_up();
            run.progress.acknowledged.fetch_add(sender.tally.messages_in_all * run.groups, Ordering::AcqRel);
            if run.sending.fetch_sub(1, Ordering::AcqRel) == 1 {
                run.progress.sent.store(true, Ordering::Release);
            }
            Ok(Job::Send(sender))
        }
        Job::Transact(mut transactor) => {
            if let Some(error) = drive(&stream, &mut transactor, &run, &pauses, run.patience).await {
                transactor.tally.error(error);
            }
            transactor.give_up();
            Ok(Job::Transact(transactor))
        }
        Job::Idle(mut idler) => {
            if let Some(error) = drive(&stream, &mut idler, &run, &pauses, run.patience).await {
                idler.tally.error(error);
            }
            Ok(Job::Idle(idler))
        }
        Job::Pull(puller) => Ok(Job::Pull(pull(&stream, puller, &run, &pauses).await)),
        Job::Beside(puller) => Ok(Job::Beside(pull(&stream, puller, &run, &pauses).await)),
    }
}

async fn pull(stream: &tokio::net::TcpStream, mut puller: Puller, run: &Shared, pauses: &Pauses) -> Puller {
    if let Some(error) = drive(stream, &mut puller, run, pauses, 2 * run.patience).await {
        puller.tally.error(error);
    }
    puller
}

/// Runs a load until it is done, or the time is over; says what went wrong.
async fn drive(stream: &tokio::net::TcpStream, load: &mut impl Load, run: &Shared, pauses: &Pauses, grace: Duration) -> Option<String> {
    let deadline = run.clock.instant(run.window.end) + grace;
    match tokio::time::timeout_at(deadline.into(), connection::drive(stream, load, &run.clock, pauses)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("not done {} s after the end", grace.as_secs_f64())),
    }
}
