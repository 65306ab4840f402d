//! Where does work run that must not block a shard? Rare or slow requests on a few threads, relays and services as tasks.
//!
//! Writes that wait for the disk must not hold up lookups or reads of old messages: each kind of work has threads of its own.
//!
//! The caller guards its handler against panics, and a service guards each of its rounds if it can go on after one. Any other panic ends
//! the process: otherwise the service would be gone, or requests would wait for answers that never come.

use parking_lot::Mutex;
use roxmq_env::vital;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;
use tracing::warn;

/// Lookups that run at the same time: requests that walk whole tables or read the disk.
const LOOKUPS_AT_ONCE: usize = 4;
/// Writes that run at the same time: requests that wait until a change is durable. Most of their time they wait.
const WRITES_AT_ONCE: usize = 16;
/// Reads of old messages that run at the same time. Each may wait for the disk.
const OLD_READS_AT_ONCE: usize = 2;
/// Threads for services, at most one each, and for decisions on half messages.
const OTHERS_AT_ONCE: usize = 16;
/// How much work of each kind may wait for a thread, and how many relays may be under way.
const WAITING_MAX: usize = 1024;
/// How long a stop waits for work that is under way.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// The pool.
pub struct Pool {
    runtime: Mutex<Option<Runtime>>,
    threads: Threads,
    lookups: Arc<Workers>,
    writes: Arc<Workers>,
    old_reads: Arc<Workers>,
    relays: Arc<Count>,
}

/// The threads of a pool.
enum Threads {
    /// Its own.
    Own(Handle),
    /// The calling thread, which goes on when the work is done.
    #[cfg(test)]
    Callers,
}

type Work = Box<dyn FnOnce() + Send>;

/// The threads for one kind of work, and the work that waits for them.
struct Workers {
    at_once: usize,
    count: Arc<Count>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Work, Place)>,
    running: usize,
}

/// How much work of one kind runs or waits, and how much may.
struct Count {
    name: &'static str,
    max: usize,
    taken: AtomicUsize,
    is_full: AtomicBool,
}

impl Count {
    fn new(name: &'static str, max: usize) -> Arc<Count> {
        Arc::new(Count { name, max, taken: AtomicUsize::new(0), is_full: AtomicBool::new(false) })
    }

    fn place(self: &Arc<Count>) -> Option<Place> {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        if taken < self.max {
            return Some(place);
        }
        // Logged once until it is empty again.
        if !self.is_full.swap(true, Ordering::Relaxed) {
            warn!(waiting = self.max, "too many {} wait; refusing more", self.name);
        }
        None
    }
}

struct Place(Arc<Count>);

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.taken.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.is_full.store(false, Ordering::Relaxed);
        }
    }
}

impl Threads {
    /// Runs work that may take long or block.
    fn run(&self, work: impl FnOnce() + Send + 'static) {
        match self {
            Threads::Own(handle) => drop(handle.spawn_blocking(move || vital::run(work))),
            #[cfg(test)]
            Threads::Callers => work(),
        }
    }

    /// The runtime of tasks. A pool without threads has none: a task would wait there for ever.
    fn runtime(&self) -> &Handle {
        match self {
            Threads::Own(handle) => handle,
            #[cfg(test)]
            Threads::Callers => panic!("a pool without threads runs no tasks"),
        }
    }
}

impl Workers {
    fn new(name: &'static str, at_once: usize) -> Arc<Workers> {
        Arc::new(Workers { at_once, count: Count::new(name, WAITING_MAX), queue: Mutex::default() })
    }

    /// False if too much waits already.
    fn run(self: &Arc<Workers>, threads: &Threads, work: impl FnOnce() + Send + 'static) -> bool {
        let Some(place) = self.count.place() else { return false };
        let needs_thread = {
            let mut queue = self.queue.lock();
            queue.waiting.push_back((Box::new(work), place));
            let needs_thread = queue.running < self.at_once;
            queue.running += usize::from(needs_thread);
            needs_thread
        };
        if needs_thread {
            let workers = Arc::clone(self);
            threads.run(move || {
                while let Some((work, _place)) = workers.next() {
                    work();
                }
            });
        }
        true
    }

    /// The next work; a thread that gets none stops.
    fn next(&self) -> Option<(Work, Place)> {
        let mut queue = self.queue.lock();
        let next = queue.waiting.pop_front();
        queue.running -= usize::from(next.is_none());
        next
    }
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no threads left.
    pub fn start() -> io::Result<Pool> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(LOOKUPS_AT_ONCE + WRITES_AT_ONCE + OLD_READS_AT_ONCE + OTHERS_AT_ONCE)
            .thread_name("broker-pool")
            .enable_all()
            .build()?;
        let threads = Threads::Own(runtime.handle().clone());
        Ok(Pool::on(threads, Some(runtime)))
    }

    /// A pool without threads: work runs on the calling thread, so that every run of a test is the same.
    #[cfg(test)]
    pub fn without_threads() -> Pool {
        Pool::on(Threads::Callers, None)
    }

    fn on(threads: Threads, runtime: Option<Runtime>) -> Pool {
        Pool {
            runtime: Mutex::new(runtime),
            threads,
            lookups: Workers::new("requests", LOOKUPS_AT_ONCE),
            writes: Workers::new("writing requests", WRITES_AT_ONCE),
            old_reads: Workers::new("reads of old messages", OLD_READS_AT_ONCE),
            relays: Count::new("relayed requests", WAITING_MAX),
        }
    }

    /// Runs work that waits for no write. False if too much waits already.
    pub fn look_up(&self, work: impl FnOnce() + Send + 'static) -> bool {
        self.lookups.run(&self.threads, work)
    }

    /// Runs work that waits for a write. False if too much waits already.
    pub fn write(&self, work: impl FnOnce() + Send + 'static) -> bool {
        self.writes.run(&self.threads, work)
    }

    /// Runs a read that waits for the disk. False if too many wait already.
    pub fn read_old(&self, work: impl FnOnce() + Send + 'static) -> bool {
        self.old_reads.run(&self.threads, work)
    }

    /// The result of a lookup; `None` if too much waits already.
    pub async fn found<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        // The caller may be gone.
        let work = move || drop(sender.send(work()));
        if self.look_up(work) { receiver.await.ok() } else { None }
    }

    /// The result of a write; `None` if too much waits already.
    pub async fn written<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let work = move || drop(sender.send(work()));
        if self.write(work) { receiver.await.ok() } else { None }
    }

    /// Runs work of a kind that never runs twice at a time.
    pub fn start_single(&self, work: impl FnOnce() + Send + 'static) {
        self.threads.run(work);
    }

    /// Runs a task. False if too many are under way.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let Some(place) = self.relays.place() else { return false };
        self.threads.runtime().spawn(async move {
            let _place = place;
            vital::task(task).await;
        });
        true
    }

    /// Starts a service, which is not counted: it lives as long as the broker.
    pub fn service(&self, service: impl Future<Output = ()> + Send + 'static) {
        self.threads.runtime().spawn(vital::task(service));
    }

    /// Runs a future to its end on the calling thread.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.threads.runtime().block_on(future)
    }

    /// Ends services, and waits a little for requests.
    pub fn stop(&self) {
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_timeout(STOP_PATIENCE);
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
    fn each_kind_of_work_has_threads_of_its_own_and_a_bound() {
        let pool = Pool::start().unwrap();
        let (open, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let (done, finished) = mpsc::channel();
        let held = || {
            let (gate, done) = (Arc::clone(&gate), done.clone());
            move || {
                let _ = gate.lock().recv();
                done.send(()).unwrap();
            }
        };
        // Running work counts, too.
        let reads = (0..WAITING_MAX * 2).filter(|_| pool.read_old(held())).count();
        let writes = (0..WAITING_MAX * 2).filter(|_| pool.write(held())).count();
        assert_eq!((reads, writes), (WAITING_MAX, WAITING_MAX));
        let (done_too, other) = mpsc::channel();
        assert!(pool.look_up(move || done_too.send(()).unwrap()));
        other.recv().unwrap();
        assert!(finished.try_recv().is_err(), "nothing is read or written yet, and lookups go on");
        assert_eq!(pool.block_on(pool.found(|| 7)), Some(7));
        assert_eq!(pool.block_on(pool.written(|| 7)), None, "too many wait");
        assert!(pool.old_reads.queue.lock().running <= OLD_READS_AT_ONCE);
        assert!(pool.writes.queue.lock().running <= WRITES_AT_ONCE);
        drop(open);
        (0..reads + writes).for_each(|_| finished.recv().unwrap());
        assert_eq!(pool.block_on(pool.written(|| 7)), Some(7), "there is room again");
        pool.stop();
    }

    const CHILD: &str = "ROXMQ_TEST_POOL_CHILD";

    #[test]
    fn a_panic_on_the_pool_ends_the_process() {
        for work in ["lookup", "write", "old read", "single", "task", "service"] {
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
            "lookup" => assert!(pool.look_up(panics)),
            "write" => assert!(pool.write(panics)),
            "single" => pool.start_single(panics),
            "old read" => assert!(pool.read_old(panics)),
            "task" => assert!(pool.spawn(async move { panics() })),
            _ => pool.service(async move { panics() }),
        }
        // The process ends before this returns.
        let _ = ended.recv();
        pool.stop();
    }

    #[test]
    fn work_without_room_is_refused_until_there_is_some() {
        let requests = Count::new("requests", 2);
        let held: Vec<Place> = std::iter::from_fn(|| requests.place()).collect();
        assert_eq!((held.len(), requests.is_full.load(Ordering::Relaxed)), (2, true));
        drop(held);
        assert!(requests.place().is_some());
        assert!(!requests.is_full.load(Ordering::Relaxed), "logged again the next time");
    }
}
