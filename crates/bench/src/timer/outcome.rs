//! Did every timed message come, once and not early, and how late?

use crate::load::arrivals::Arrival;
use crate::measure::histogram::Histogram;
use crate::report::figures::Lateness;
use serde::Serialize;

/// What happened when, in ms since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The broker was killed.
    pub kill_ms: i64,
    /// It had started again.
    pub ready_ms: i64,
    /// What was due by then must have come.
    pub until_ms: i64,
}

/// How late the messages of one part of the run were.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Late {
    /// Until they were stored.
    pub stored: Lateness,
    /// Until they were received.
    pub received: Lateness,
}

/// What came of the run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Outcome {
    /// Messages that were received before the kill.
    pub before_kill: Late,
    /// Messages due before the broker was there again that were not received before the kill: they are late by the time it was away.
    pub while_down: Late,
    /// Messages due afterwards.
    pub after_kill: Late,
    /// Messages that must have arrived.
    pub due: u64,
    /// Of these, never arrived.
    pub missing: u64,
    /// Messages stored or received before they were due.
    pub early: u64,
    /// Messages that arrived more than once.
    pub twice: u64,
    /// Messages that were never sent.
    pub unknown: u64,
}

impl Outcome {
    /// Compares what came with what was due, by number and in ms since 1970.
    pub fn of(dues: &[i64], arrivals: &[Arrival], times: Times) -> Outcome {
        let mut outcome = Outcome::default();
        let mut came = vec![0u8; dues.len()];
        let mut stored: [Histogram; PARTS] = Default::default();
        let mut received: [Histogram; PARTS] = Default::default();
        for arrival in arrivals {
            let Some(due_ms) = dues.get(arrival.number as usize).copied() else {
                outcome.unknown += 1;
                continue;
            };
            let came = &mut came[arrival.number as usize];
            *came = came.saturating_add(1);
            if *came > 1 {
                outcome.twice += u64::from(*came == 2);
                continue;
            }
            let due_ns = due_ms as u64 * 1_000_000;
            outcome.early += u64::from(arrival.stored_ms < due_ms || arrival.received_ns < due_ns);
            let part = part(arrival, due_ms, times);
            stored[part].add((arrival.stored_ms - due_ms).max(0) as u64 * 1_000_000);
            received[part].add(arrival.received_ns.saturating_sub(due_ns));
        }
        for (due_ms, came) in dues.iter().zip(&came) {
            let is_due = *due_ms <= times.until_ms;
            outcome.due += u64::from(is_due);
            outcome.missing += u64::from(is_due && *came == 0);
        }
        let late = |part: usize| Late { stored: Lateness::of(&stored[part]), received: Lateness::of(&received[part]) };
        (outcome.before_kill, outcome.while_down, outcome.after_kill) = (late(BEFORE), late(DOWN), late(AFTER));
        outcome
    }

    /// Whether every message arrived as it must.
    pub fn is_good(&self) -> bool {
        [self.missing, self.early, self.twice, self.unknown] == [0; 4]
    }
}

fn part(arrival: &Arrival, due_ms: i64, times: Times) -> usize {
    if arrival.received_ns < times.kill_ms as u64 * 1_000_000 {
        BEFORE
    } else if due_ms < times.ready_ms {
        DOWN
    } else {
        AFTER
    }
}

const BEFORE: usize = 0;
const DOWN: usize = 1;
const AFTER: usize = 2;
const PARTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times { kill_ms: 5000, ready_ms: 6000, until_ms: 9000 };

    fn arrival(number: u64, stored_ms: i64, received_ms: u64) -> Arrival {
        Arrival { number, stored_ms, received_ns: received_ms * 1_000_000 }
    }

    #[test]
    fn messages_belong_to_the_part_in_which_they_could_come() {
        let dues = [1000, 4990, 5500, 6000, 9000, 9001];
        let arrivals =
            [arrival(0, 1002, 1003), arrival(1, 4991, 6100), arrival(2, 6050, 6101), arrival(3, 6000, 6102), arrival(4, 9000, 9010)];
        let outcome = Outcome::of(&dues, &arrivals, TIMES);
        assert!(outcome.is_good(), "{outcome:?}");
        let parts = [outcome.before_kill, outcome.while_down, outcome.after_kill];
        assert_eq!(parts.map(|late| late.received.messages), [1, 2, 2]);
        assert_eq!(parts.map(|late| late.stored.max_ms), [2.0, 550.0, 0.0]);
        assert_eq!(parts.map(|late| late.received.max_ms), [3.0, 1110.0, 102.0]);
        assert_eq!(outcome.due, 5);
    }

    #[test]
    fn tells_what_is_wrong() {
        let dues = [1000, 2000];
        for (arrivals, expected) in [
            (&[arrival(0, 1000, 1000), arrival(1, 2000, 2000)][..], [0, 0, 0, 0]),
            (&[arrival(0, 1000, 1000)], [1, 0, 0, 0]),
            (&[arrival(0, 999, 1001), arrival(1, 2000, 1999)], [0, 2, 0, 0]),
            (&[arrival(0, 1000, 1000), arrival(1, 2000, 2000), arrival(1, 2000, 2001), arrival(1, 0, 0)], [0, 0, 1, 0]),
            (&[arrival(0, 1000, 1000), arrival(1, 2000, 2000), arrival(2, 3000, 3000)], [0, 0, 0, 1]),
        ] {
            let outcome = Outcome::of(&dues, arrivals, TIMES);
            assert_eq!([outcome.missing, outcome.early, outcome.twice, outcome.unknown], expected, "{arrivals:?}");
            assert_eq!(outcome.is_good(), expected == [0; 4]);
        }
    }
}
