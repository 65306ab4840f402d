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
mod tests {
    use super::*;

    const fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    /// How many answers a shard gives in a second that is asked for one each `every`, and the longest wait.
    fn a_second_of(every: Duration) -> (u32, Duration) {
        let (mut pace, mut given, mut longest) = (Pace::default(), 0, Duration::ZERO);
        let mut now = Duration::ZERO;
        while now < Duration::from_secs(1) {
            match pace.wait(now, now) {
                None => {
                    pace.answered(now, 1);
                    given += 1;
                }
                Some(wait) => longest = longest.max(wait),
            }
            now += every;
        }
        (given, longest)
    }

    #[test]
    fn nobody_waits_below_the_rate_and_above_it_the_rate_is_kept() {
        assert_eq!(a_second_of(us(100)), (10_000, Duration::ZERO));
        assert_eq!(a_second_of(us(25)), (40_000, Duration::ZERO));
        let (given, longest) = a_second_of(us(5));
        assert!((40_000..=40_041).contains(&given), "{given}");
        assert!(longest <= PLACE, "{longest:?}");
    }

    #[test]
    fn many_at_once_wait_no_longer_than_the_most() {
        let mut pace = Pace::default();
        let all_since = us(7);
        let (mut now, mut at_once, mut later) = (all_since, 0, 0);
        while at_once + later < 100_000 {
            match pace.wait(now, all_since) {
                Some(wait) => now += wait,
                None => {
                    pace.answered(now, 1);
                    *if now < all_since + WAIT_MAX { &mut at_once } else { &mut later } += 1;
                }
            }
        }
        assert_eq!(now, all_since + WAIT_MAX);
        assert!((400..=441).contains(&at_once), "{at_once}");
        assert_eq!(pace.wait(now, now), Some(WAIT_MAX - AHEAD_MAX), "and those who come then wait no longer for it");
    }

    #[test]
    fn answers_with_many_messages_neither_wait_nor_make_others_wait() {
        let (mut pace, now) = (Pace::default(), us(7));
        for _ in 0..10_000 {
            pace.answered(now, FEW);
        }
        assert_eq!(pace.wait(now, now), None);
        for _ in 0..10_000 {
            pace.answered(now, FEW - 1);
        }
        assert_eq!(pace.wait(now, now), Some(WAIT_MAX - AHEAD_MAX));
        for (found, waits) in [(0, false), (1, true), (7, true), (8, false), (32, false), (-5, false)] {
            assert_eq!(pace.is_ahead_of(now, || found), waits, "{found}");
        }
        assert!(!Pace::default().is_ahead_of(now, || panic!("nobody need count while nobody waits")));
    }
}
