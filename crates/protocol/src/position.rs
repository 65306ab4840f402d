//! Where is a record: in the log, and in its queue?

use std::fmt;

/// A byte position in the commit log, counted from the first byte ever written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogOffset(pub i64);

/// A message's position in its queue, counted in messages from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueOffset(pub i64);

impl LogOffset {
    /// The position `bytes` further on.
    pub fn plus(self, bytes: usize) -> LogOffset {
        LogOffset(self.0 + bytes as i64)
    }
}

impl QueueOffset {
    /// The position `messages` further on.
    pub fn plus(self, messages: i64) -> QueueOffset {
        QueueOffset(self.0 + messages)
    }
}

impl fmt::Display for LogOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for QueueOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
