//! How does work that retries many times a second log a lasting failure? Once when it begins, and once when it is over.

use parking_lot::Mutex;
use std::collections::BTreeSet;

/// The keys whose work fails at present.
pub struct Outages<K>(Mutex<BTreeSet<K>>);

impl<K> Default for Outages<K> {
    fn default() -> Outages<K> {
        Outages(Mutex::default())
    }
}

impl<K: Ord> Outages<K> {
    /// It failed. Is that new?
    pub fn begins(&self, key: K) -> bool {
        self.0.lock().insert(key)
    }

    /// It succeeded. Did it fail before?
    pub fn ends(&self, key: &K) -> bool {
        self.0.lock().remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_reported_when_it_begins_and_when_it_is_over() {
        let outages = Outages::default();
        assert_eq!([1, 1, 2, 1].map(|key| outages.begins(key)), [true, false, true, false]);
        assert_eq!([1, 1, 3].map(|key| outages.ends(&key)), [true, false, false]);
        assert_eq!([1, 2].map(|key| outages.begins(key)), [true, false]);
    }
}
