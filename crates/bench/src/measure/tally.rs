//! What did one connection see, and all of them together?

use crate::measure::clock::{Nanos, Window};
use crate::measure::histogram::Histogram;
use std::collections::BTreeMap;

/// Counts and latencies. "Counted" is what came between the end of the warm-up and the end of the run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Counted requests that were answered well.
    pub requests: u64,
    /// Counted messages in them.
    pub messages: u64,
    /// Counted body bytes of these messages.
    pub bytes: u64,
    /// Latency of counted requests; of counted messages where a workload goes end to end. In ns.
    pub latency: Histogram,
    /// The same by slice of the counted time, if it has several.
    pub slices: Vec<Histogram>,
    /// Messages that the broker refused as busy, where that is expected.
    pub refused: u64,
    /// Messages that were not sent because too much was unanswered.
    pub unsent: u64,
    /// All messages that were acknowledged or received, warm-up included.
    pub messages_in_all: u64,
    /// Errors, by kind.
    pub errors: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts something that went wrong. Kinds over [`ERROR_KINDS_MAX`] become one.
    pub fn error(&mut self, kind: String) {
        let is_known = self.errors.contains_key(&kind) || self.errors.len() < ERROR_KINDS_MAX;
        *self.errors.entry(if is_known { kind } else { "other".into() }).or_default() += 1;
    }

    /// Records a counted latency.
    pub fn took(&mut self, nanos: Nanos, window: &Window, now: Nanos) {
        self.latency.add(nanos);
        if window.slices > 1 {
            let slice = window.slice(now);
            if self.slices.len() <= slice {
                self.slices.resize(slice + 1, Histogram::default());
            }
            self.slices[slice].add(nanos);
        }
    }

    /// Adds what another connection saw.
    pub fn merge(&mut self, other: Tally) {
        self.requests += other.requests;
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.latency.merge(&other.latency);
        if self.slices.len() < other.slices.len() {
            self.slices.resize(other.slices.len(), Histogram::default());
        }
        for (mine, theirs) in self.slices.iter_mut().zip(&other.slices) {
            mine.merge(theirs);
        }
        self.refused += other.refused;
        self.unsent += other.unsent;
        self.messages_in_all += other.messages_in_all;
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
    }

    /// How many errors there were.
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// Acknowledged queue offsets, in a form in which two sets that differ hardly look alike: how many, and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// How many.
    pub count: u64,
    /// Their sum, which may wrap.
    pub sum: u64,
}

impl Offsets {
    /// Adds `count` offsets that begin with `first`.
    pub fn add(&mut self, first: i64, count: u64) {
        *self = self.plus(Offsets::range(first, count));
    }

    /// The offsets from `first` on, each once.
    pub fn range(first: i64, count: u64) -> Offsets {
        let pairs = if count.is_multiple_of(2) {
            (count / 2).wrapping_mul(count.wrapping_sub(1))
        } else {
            count.wrapping_mul(count.saturating_sub(1) / 2)
        };
        Offsets { count, sum: (first as u64).wrapping_mul(count).wrapping_add(pairs) }
    }

    /// Both together.
    pub fn plus(self, other: Offsets) -> Offsets {
        Offsets { count: self.count + other.count, sum: self.sum.wrapping_add(other.sum) }
    }
}

const ERROR_KINDS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_the_sum_of_its_parts() {
        for (first, count) in [(0, 0), (0, 1), (5, 1), (5, 2), (7, 1001), (1 << 40, 64)] {
            let mut one_by_one = Offsets::default();
            (first..first + count as i64).for_each(|offset| one_by_one.add(offset, 1));
            assert_eq!(one_by_one, Offsets::range(first, count));
        }
        let mut twice = Offsets::range(0, 10);
        twice.add(3, 1);
        assert_ne!(twice, Offsets::range(0, 11));
    }
}
