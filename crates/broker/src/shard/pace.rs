//! How many answers with few messages does a shard give in a second?
//!
//! A pull costs about as much as eight messages: it has to be read, looked up and written to a socket. When very many pulls wait for the
//! same few messages, answering each at once fills the cores with pulls of one message each, and all clients wait for a core. So each
//! such answer takes a slot in time. A pull that finds the shard ahead of its slots waits a little, and then gets all messages that have
//! gathered. Network cards do the same with interrupts. Below 40,000 answers a second no pull waits.

use std::time::Duration;

/// Answers with at least this many messages are worth their cost: they never wait and take no slot.
const FEW: u32 = 8;
/// The time of an answer, of which making it is about a sixth.
const SLOT: Duration = Duration::from_micros(25);
/// How far ahead slots may be before a pull waits: timers are no finer.
const AHEAD_MAX: Duration = Duration::from_millis(1);
/// No pull waits longer than this, however many there are: if only one message each has gathered by then, waiting gains nothing.
const WAIT_MAX: Duration = Duration::from_millis(10);

/// The time up to which slots are taken, as [`roxmq_env::clock::Clock::elapsed`] counts.
#[derive(Debug, Default)]
pub(super) struct Pace {
    taken_until: Duration,
}

impl Pace {
    /// An answer with so many messages is given. It takes a slot if they are few.
    pub(super) fn answered(&mut self, now: Duration, messages: u32) {
        if messages < FEW {
            self.taken_until = (self.taken_until.max(now) + SLOT).min(now + WAIT_MAX);
        }
    }

    /// Whether a pull that comes now and finds so many messages must wait its turn. One that finds none is an ordinary long poll.
    pub(super) fn is_ahead_of(&self, now: Duration, found: impl FnOnce() -> i64) -> bool {
        self.wait(now, now).is_some() && (1..i64::from(FEW)).contains(&found())
    }

    /// How much longer a pull waits that has waited since a time, if it does.
    pub(super) fn wait(&self, now: Duration, since: Duration) -> Option<Duration> {
        let (slot, latest) = (self.taken_until.saturating_sub(AHEAD_MAX), since + WAIT_MAX);
        slot.min(latest).checked_sub(now).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests;
