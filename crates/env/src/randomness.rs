//! Where does chance come from?
//!
//! One value, handed down from `main`. A seeded one gives the same numbers again, so that a test that fails can be repeated.

#![expect(clippy::disallowed_methods, reason = "the system's randomness is handed out here")]

use fastrand::Rng;
use parking_lot::Mutex;
use std::sync::Arc;

/// A source of random numbers, not for secrets; clones are the same one.
#[derive(Clone, Debug)]
pub struct Randomness(Source);

#[derive(Clone, Debug)]
enum Source {
    /// Each thread has numbers of its own, so that threads do not wait for each other.
    System,
    Seeded(Arc<Mutex<Rng>>),
}

impl Randomness {
    /// Numbers that cannot be foretold.
    pub fn system() -> Randomness {
        Randomness(Source::System)
    }

    /// The same numbers for the same seed, as long as one thread asks.
    pub fn seeded(seed: u64) -> Randomness {
        Randomness(Source::Seeded(Arc::new(Mutex::new(Rng::with_seed(seed)))))
    }

    /// A number below `bound`, each as likely as the others.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&self, bound: u32) -> u32 {
        match &self.0 {
            Source::System => fastrand::u32(..bound),
            Source::Seeded(numbers) => numbers.lock().u32(..bound),
        }
    }

    /// One of the list, each as likely as the others; none of an empty one.
    pub fn pick<'a, T>(&self, list: &'a [T]) -> Option<&'a T> {
        let count = u32::try_from(list.len()).unwrap_or(u32::MAX);
        (count > 0).then(|| &list[self.below(count) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        let numbers = |source: Randomness| (0..100).map(|_| source.below(1000)).collect::<Vec<_>>();
        assert_eq!(numbers(Randomness::seeded(7)), numbers(Randomness::seeded(7)));
        assert_ne!(numbers(Randomness::seeded(7)), numbers(Randomness::seeded(8)));
        assert_ne!(numbers(Randomness::system()), numbers(Randomness::system()));
    }

    #[test]
    fn every_number_below_the_bound_comes_up() {
        for source in [Randomness::system(), Randomness::seeded(1)] {
            let mut seen = [false; 5];
            (0..1000).for_each(|_| seen[source.below(5) as usize] = true);
            assert_eq!(seen, [true; 5]);
            assert_eq!(source.pick::<u8>(&[]), None);
            assert_eq!(source.pick(&["only"]), Some(&"only"));
        }
    }
}
