//! What happens to the process when work that it cannot do without panics?
//!
//! It ends at once (SIGABRT). As after any kill, acknowledged messages are still there; clients turn to another broker, and a supervisor
//! starts the process again. If only the thread or task ended, its connections would stay unanswered, or the log unflushed, until an
//! operator noticed.

#![expect(clippy::disallowed_methods, reason = "vital threads are started here")]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::thread::{Builder, JoinHandle};

/// Starts a thread without which the process would only look alive. If it panics, the process ends.
///
/// # Errors
/// When the thread cannot be started.
pub fn spawn(name: impl Into<String>, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(move || run(work))
}

/// Does work that must not panic, on a thread that would go on without it. If it panics, the process ends.
pub fn run<T>(work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| end())
}

/// Like [`run`], for a task: a runtime catches the panic of a task and goes on as if the task had finished.
///
/// Only a panic of the task itself counts. A task that is dropped while something else panics, as at the end of a test, ends nothing.
pub async fn task<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    std::future::poll_fn(|context| run(|| work.as_mut().poll(context))).await
}

fn end() -> ! {
    tracing::error!(thread = std::thread::current().name(), "vital work panicked; the process ends");
    std::process::abort();
}
