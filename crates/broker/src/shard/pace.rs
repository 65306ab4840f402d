//! How many answers with few messages does a shard give in a second?
//!
//! A pull costs about as much as eight messages: it has to be read, looked up and written to a socket. When very many wait for the same
//! few messages, answering each at once fills the cores with pulls of one message, and everybody waits for a core. So each such answer
//! takes a place in time; who finds the shard ahead of its places waits a little, and then gets what has gathered. It is what network
//! cards do with interrupts. Below 40,000 answers a second nothing waits.

use std::time::Duration;

/// Answers with as many messages as this are worth their cost: they never wait and take no place.
const FEW: u32 = 8;
/// The time that an answer takes, of which making it is about a sixth.
const PLACE: Duration = Duration::from_micros(25);
/// How far ahead places may be before somebody waits: timers are no finer.
const AHEAD_MAX: Duration = Duration::from_millis(1);
/// Nobody waits longer than this, however many there are: where a message each is all that has gathered by then, waiting gains nothing.
const WAIT_MAX: Duration = Duration::from_millis(10);

/// Time as [`roxmq_env::clock::Clock::elapsed`] counts up to which places are taken.
#[derive(Debug, Default)]
pub(super) struct Pace {
    taken_until: Duration,
}

impl Pace {
    /// An answer with so many messages is given, and takes its place if they are few.
    pub(super) fn answered(&mut self, now: Duration, messages: u32) {
        if messages < FEW {
            self.taken_until = (self.taken_until.max(now) + PLACE).min(now + WAIT_MAX);
        }
    }

    /// Whether a pull that comes now has to wait its turn, for which so many messages are there; none is for the usual long poll.
    pub(super) fn is_ahead_of(&self, now: Duration, found: impl FnOnce() -> i64) -> bool {
        self.wait(now, now).is_some() && (1..i64::from(FEW)).contains(&found())
    }

    /// How long whoever has waited for such an answer since a time should go on waiting, if he should.
    pub(super) fn wait(&self, now: Duration, since: Duration) -> Option<Duration> {
        let (place, most) = (self.taken_until.saturating_sub(AHEAD_MAX), since + WAIT_MAX);
        place.min(most).checked_sub(now).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests;
