//! Work that must not stop a shard: rare or slow requests on a few threads, relays and services as tasks.
//!
//! Handlers are guarded by who hands them over, and a service guards each round of its own where it can go on after one. Any other panic
//! ends the process: else the service would just be gone, or requests wait for answers that nobody gives any more.

use parking_lot::Mutex;
use roxmq_env::vital;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tracing::warn;

/// Threads for requests that read the disk or walk whole tables.
const THREADS: usize = 4;
/// Requests that may wait for them, and relays that may be under way.
const WAITING_MAX: usize = 1024;
/// Reads of old messages that run at a time. Each may wait for the disk, and the other threads are there for other requests.
const OLD_READS_AT_ONCE: usize = 2;
/// Reads of old messages that may wait for their turn.
const OLD_READS_MAX: usize = 1024;
/// How long a stop waits for what is under way.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// The pool.
pub struct Pool {
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
    under_way: Arc<Lane>,
    old_reads: Arc<Mutex<Queue>>,
}

/// Work that takes turns on a few of the threads.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn FnOnce() + Send>>,
    running: usize,
}

/// Work of one kind, which takes no room from other kinds.
struct Lane {
    name: &'static str,
    max: usize,
    taken: AtomicUsize,
    is_full: AtomicBool,
}

impl Lane {
    fn new(name: &'static str, max: usize) -> Arc<Lane> {
        Arc::new(Lane { name, max, taken: AtomicUsize::new(0), is_full: AtomicBool::new(false) })
    }

    fn place(self: &Arc<Lane>) -> Option<Place> {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        if taken < self.max {
            return Some(place);
        }
        // Said once until it is empty again.
        if !self.is_full.swap(true, Ordering::Relaxed) {
            warn!(waiting = self.max, "too many {} wait; further ones are refused", self.name);
        }
        None
    }
}

impl Pool {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn start() -> io::Result<Pool> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(THREADS)
            .thread_name("broker-pool")
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        Ok(Pool { runtime: Mutex::new(Some(runtime)), handle, under_way: Lane::new("requests", WAITING_MAX), old_reads: Arc::default() })
    }

    /// Runs `work` on one of the threads. False when too much waits already.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) -> bool {
        let Some(place) = self.under_way.place() else { return false };
        self.handle.spawn_blocking(move || {
            let _place = place;
            vital::run(work);
        });
        true
    }

    /// Runs work that has a bound of its own, so that it is not counted.
    pub fn start_bounded(&self, work: impl FnOnce() + Send + 'static) {
        self.handle.spawn_blocking(move || vital::run(work));
    }

    /// Runs a read that waits for the disk, a few at a time. False when too many wait already.
    pub fn read_old(&self, work: impl FnOnce() + Send + 'static) -> bool {
        let mut queue = self.old_reads.lock();
        if queue.waiting.len() >= OLD_READS_MAX {
            return false;
        }
        queue.waiting.push_back(Box::new(work));
        if queue.running < OLD_READS_AT_ONCE {
            queue.running += 1;
            let queue = Arc::clone(&self.old_reads);
            self.handle.spawn_blocking(move || {
                while let Some(work) = next_of(&queue) {
                    vital::run(work);
                }
            });
        }
        true
    }

    /// Runs a task. False when too many are under way.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let Some(place) = self.under_way.place() else { return false };
        self.handle.spawn(async move {
            let _place = place;
            vital::task(task).await;
        });
        true
    }

    /// Starts a service, which is not counted: it lives as long as the broker.
    pub fn service(&self, service: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(vital::task(service));
    }

    /// Runs a future to its end on the calling thread.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }

    /// Ends services and waits a little for requests.
    pub fn stop(&self) {
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_timeout(STOP_PATIENCE);
        }
    }
}

/// The work that is next; whoever gets none stops running.
fn next_of(queue: &Mutex<Queue>) -> Option<Box<dyn FnOnce() + Send>> {
    let mut queue = queue.lock();
    let next = queue.waiting.pop_front();
    queue.running -= usize::from(next.is_none());
    next
}

struct Place(Arc<Lane>);

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.taken.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.is_full.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;
    use std::sync::mpsc;

    #[test]
    fn old_reads_leave_threads_to_others_and_have_a_bound() {
        let pool = Pool::start().unwrap();
        let (open, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let (done, finished) = mpsc::channel();
        let read = |pool: &Pool| {
            let (gate, done) = (Arc::clone(&gate), done.clone());
            pool.read_old(move || {
                let _ = gate.lock().recv();
                done.send(()).unwrap();
            })
        };
        // Those that run have left the queue sooner or later; no more than that may be taken than run and wait.
        let taken = (0..OLD_READS_MAX * 2).filter(|_| read(&pool)).count();
        assert!((OLD_READS_MAX..=OLD_READS_MAX + OLD_READS_AT_ONCE).contains(&taken), "{taken}");
        let (told, other) = mpsc::channel();
        assert!(pool.run(move || told.send(()).unwrap()));
        other.recv().unwrap();
        assert!(finished.try_recv().is_err(), "not one read is done, and another request is");
        assert!(pool.old_reads.lock().running <= OLD_READS_AT_ONCE);
        drop(open);
        (0..taken).for_each(|_| finished.recv().unwrap());
        assert!(read(&pool), "there is room again");
        finished.recv().unwrap();
        pool.stop();
    }

    const CHILD: &str = "ROXMQ_TEST_POOL_CHILD";

    #[test]
    fn work_that_panics_on_the_pool_ends_the_process() {
        for work in ["run", "bounded", "old read", "task", "service"] {
            let mut child = Command::new(std::env::current_exe().unwrap());
            let ended = child.args(["--exact", "pool::tests::child", "--ignored"]).env(CHILD, work).output().unwrap();
            assert_eq!(ended.status.signal(), Some(6), "{work}: {ended:?}");
        }
    }

    #[test]
    #[ignore = "the process that the other test starts"]
    fn child() {
        let Ok(work) = std::env::var(CHILD) else { return };
        let pool = Pool::start().unwrap();
        let (lives, ended) = mpsc::channel::<()>();
        let panics = move || {
            let _lives = lives;
            panic!("planted");
        };
        match &*work {
            "run" => assert!(pool.run(panics)),
            "bounded" => pool.start_bounded(panics),
            "old read" => assert!(pool.read_old(panics)),
            "task" => assert!(pool.spawn(async move { panics() })),
            _ => pool.service(async move { panics() }),
        }
        // The process has ended before this can tell.
        let _ = ended.recv();
        pool.stop();
    }

    #[test]
    fn what_has_no_room_is_refused_until_there_is_some() {
        let requests = Lane::new("requests", 2);
        let held: Vec<Place> = std::iter::from_fn(|| requests.place()).collect();
        assert_eq!((held.len(), requests.is_full.load(Ordering::Relaxed)), (2, true));
        drop(held);
        assert!(requests.place().is_some());
        assert!(!requests.is_full.load(Ordering::Relaxed), "said anew the next time");
    }
}
