//! Where is a record: in the log, and in its queue?

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A byte position in the commit log, counted from the first byte ever written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogOffset(pub i64);

/// A message's position in its queue, counted in messages from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueueOffset(pub i64);

impl LogOffset {
    /// After every other position.
    pub const MAX: LogOffset = LogOffset(i64::MAX);

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

/// Positions of one kind have distances, in bytes or messages; positions of two kinds have nothing to do with each other.
macro_rules! distances {
    ($($position:ident)*) => {$(
        impl Add<i64> for $position {
            type Output = $position;

            fn add(self, distance: i64) -> $position {
                $position(self.0 + distance)
            }
        }

        impl AddAssign<i64> for $position {
            fn add_assign(&mut self, distance: i64) {
                self.0 += distance;
            }
        }

        impl Sub for $position {
            type Output = i64;

            fn sub(self, earlier: $position) -> i64 {
                self.0 - earlier.0
            }
        }
    )*};
}

distances!(LogOffset QueueOffset);
