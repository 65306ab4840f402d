//! Troubles that last, of work that is tried again many times a second: said when they begin, and when they are over.

use parking_lot::Mutex;
use std::collections::BTreeSet;

/// What is in trouble, of several of a kind.
pub struct Troubles<K>(Mutex<BTreeSet<K>>);

impl<K> Default for Troubles<K> {
    fn default() -> Troubles<K> {
        Troubles(Mutex::default())
    }
}

impl<K: Ord> Troubles<K> {
    /// It failed. True if it did not before.
    pub fn begins(&self, what: K) -> bool {
        self.0.lock().insert(what)
    }

    /// It succeeded. True if it failed before.
    pub fn ends(&self, what: &K) -> bool {
        self.0.lock().remove(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_when_it_begins_and_when_it_is_over() {
        let troubles = Troubles::default();
        assert_eq!([1, 1, 2, 1].map(|what| troubles.begins(what)), [true, false, true, false]);
        assert_eq!([1, 1, 3].map(|what| troubles.ends(&what)), [true, false, false]);
        assert_eq!([1, 2].map(|what| troubles.begins(what)), [true, false]);
    }
}
