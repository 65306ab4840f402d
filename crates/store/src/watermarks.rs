//! How far has the log come?

use roxmq_protocol::position::LogOffset;
use std::sync::atomic::{AtomicI64, Ordering};

/// Positions in the log that everything else waits for. Each only grows while the store is open.
#[derive(Debug, Default)]
pub struct Watermarks {
    written: AtomicI64,
    flushed: AtomicI64,
}

impl Watermarks {
    /// The end of what was appended, and of what the index knows; a process that dies loses nothing before it.
    pub fn written(&self) -> LogOffset {
        LogOffset(self.written.load(Ordering::Acquire))
    }

    /// The end of what is durable; a machine that dies loses nothing before it.
    pub fn flushed(&self) -> LogOffset {
        LogOffset(self.flushed.load(Ordering::Acquire))
    }

    pub(crate) fn set_all(&self, end: LogOffset) {
        self.set_written(end);
        self.set_flushed(end);
    }

    /// The index knows what is before it.
    pub(crate) fn set_written(&self, end: LogOffset) {
        self.written.store(end.0, Ordering::Release);
    }

    pub(crate) fn set_flushed(&self, end: LogOffset) {
        self.flushed.store(end.0, Ordering::Release);
    }
}
