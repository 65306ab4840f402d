//! What becomes of the process when a thread ends that it cannot do without?

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread without which the process would only seem to be alive. Should it panic, the process ends at once (SIGABRT): what was
/// acknowledged is kept as it is when the process is killed, clients turn to another broker, and whoever watches the process starts it again.
/// A thread that was merely gone would leave its connections unanswered, or the log unflushed, until somebody noticed.
///
/// # Errors
/// When the thread cannot be started.
pub fn spawn(name: impl Into<String>, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(move || {
        let _ending = Ending;
        work();
    })
}

struct Ending;

impl Drop for Ending {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(
                thread = std::thread::current().name(),
                "a thread that the process cannot do without has panicked; the process ends"
            );
            std::process::abort();
        }
    }
}
