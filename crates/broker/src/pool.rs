//! Work that must not stop a shard: rare or slow requests on a few threads, relays and services as tasks.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};

/// Threads for requests that read the disk or walk whole tables.
const THREADS: usize = 4;
/// Requests that may wait for them, and relays that may be under way.
const WAITING_MAX: usize = 1024;
/// How long a stop waits for what is under way.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// The pool.
pub struct Pool {
    runtime: parking_lot::Mutex<Option<Runtime>>,
    handle: Handle,
    under_way: Arc<AtomicUsize>,
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
        Ok(Pool { runtime: parking_lot::Mutex::new(Some(runtime)), handle, under_way: Arc::default() })
    }

    /// Runs `work` on one of the threads. False when too much waits already.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) -> bool {
        let Some(place) = self.place() else { return false };
        self.handle.spawn_blocking(move || {
            let _place = place;
            work();
        });
        true
    }

    /// Runs a task. False when too many are under way.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let Some(place) = self.place() else { return false };
        self.handle.spawn(async move {
            let _place = place;
            task.await;
        });
        true
    }

    /// Starts a service, which is not counted: it lives as long as the broker.
    pub fn service(&self, service: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(service);
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

    fn place(&self) -> Option<Place> {
        let taken = self.under_way.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(&self.under_way));
        (taken < WAITING_MAX).then_some(place)
    }
}

struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
