//! When does a connection send its next request? When an answer has come, or at its due time.

use crate::measure::clock::{Nanos, Window};

/// When requests go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Whenever fewer than this many are unanswered.
    InFlight(usize),
    /// At due times, whatever the answers do; latency counts from there.
    Due {
        /// Requests that may be unanswered.
        unanswered_max: usize,
        /// Whether what is due when that many are is not sent at all, rather than later.
        is_shed: bool,
        /// When the first is due, in ns after the window's start.
        first: f64,
        /// ns between two of this connection.
        interval: f64,
    },
}

impl Pace {
    /// How many requests of a connection may be unanswered.
    pub fn slots(&self) -> usize {
        match self {
            Pace::InFlight(count) => *count,
            Pace::Due { unanswered_max, .. } => *unanswered_max,
        }
    }

    /// When a connection's request is due, by the number of those before; `None` when it may go at once.
    pub fn due(&self, window: &Window, requests: u64) -> Option<Nanos> {
        match self {
            Pace::InFlight(_) => None,
            Pace::Due { first, interval, .. } => Some(window.start + (first + interval * requests as f64) as Nanos),
        }
    }

    /// When the next request is to be sent, if that is now: the time from which its latency counts.
    pub fn next(&self, window: &Window, requests: u64, now: Nanos) -> Option<Nanos> {
        let due = self.due(window, requests).unwrap_or(now);
        (due <= now && due < window.end && now >= window.start).then_some(due)
    }

    /// Whether all requests have been sent.
    pub fn is_over(&self, window: &Window, requests: u64, now: Nanos) -> bool {
        now >= window.end && self.due(window, requests).is_none_or(|due| due >= window.end)
    }
}

/// Unanswered requests of one connection that sends at due times. Later ones wait, and their latency says so.
pub const DUE_IN_FLIGHT_MAX: usize = 16 * 1024;
