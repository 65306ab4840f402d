//! How is it checked that locks are taken in one order?
//!
//! Two threads that take the same two locks in different orders may wait for each other forever. So a lock may have a [`Rank`], and a
//! thread takes a lock only while every lock that it holds has a lower rank. A debug build checks that each time and panics with both
//! names; so every test checks it. In a release build a ranked lock is the `parking_lot` lock inside and nothing else.
//! The ranks are listed by the crate that has the locks, in its `locks.rs`.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// A lock's place in the order. Locks of one rank are never held together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    level: u16,
    name: &'static str,
}

impl Rank {
    /// Locks with a higher level are taken later.
    pub const fn new(level: u16, name: &'static str) -> Rank {
        Rank { level, name }
    }
}

/// A mutex with a rank.
pub struct Mutex<T> {
    place: Place,
    inner: parking_lot::Mutex<T>,
}

/// The value of a [`Mutex`], locked.
pub struct MutexGuard<'a, T> {
    inner: parking_lot::MutexGuard<'a, T>,
    _held: Held,
}

impl<T> Mutex<T> {
    /// An unlocked one.
    pub const fn new(rank: Rank, value: T) -> Mutex<T> {
        Mutex { place: Place::new(rank), inner: parking_lot::Mutex::new(value) }
    }

    /// Waits for the lock.
    ///
    /// # Panics
    /// In a debug build, if the thread holds a lock of this rank or a higher one.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let held = self.place.take_in_order();
        MutexGuard { inner: self.inner.lock(), _held: held }
    }

    /// Takes the lock if it is free. That may be out of order, as it waits for nothing.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.inner.try_lock().map(|inner| MutexGuard { inner, _held: self.place.take() })
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A reader-writer lock with a rank. A thread must not read it twice at once either: a writer that waits in between would
/// deadlock both.
pub struct RwLock<T> {
    place: Place,
    inner: parking_lot::RwLock<T>,
}

/// The value of a [`RwLock`], locked to read.
pub struct ReadGuard<'a, T> {
    inner: parking_lot::RwLockReadGuard<'a, T>,
    _held: Held,
}

/// The value of a [`RwLock`], locked to write.
pub struct WriteGuard<'a, T> {
    inner: parking_lot::RwLockWriteGuard<'a, T>,
    _held: Held,
}

impl<T> RwLock<T> {
    /// An unlocked one.
    pub const fn new(rank: Rank, value: T) -> RwLock<T> {
        RwLock { place: Place::new(rank), inner: parking_lot::RwLock::new(value) }
    }

    /// Waits until no thread writes.
    ///
    /// # Panics
    /// In a debug build, if the thread holds a lock of this rank or a higher one.
    #[inline]
    pub fn read(&self) -> ReadGuard<'_, T> {
        let held = self.place.take_in_order();
        ReadGuard { inner: self.inner.read(), _held: held }
    }

    /// Waits until no thread reads or writes.
    ///
    /// # Panics
    /// In a debug build, if the thread holds a lock of this rank or a higher one.
    #[inline]
    pub fn write(&self) -> WriteGuard<'_, T> {
        let held = self.place.take_in_order();
        WriteGuard { inner: self.inner.write(), _held: held }
    }
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The rank of a lock, as far as it is needed: not at all in a release build.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    #[cfg(debug_assertions)]
    rank: Rank,
}

/// Notes, in a debug build, that the thread holds a lock.
struct Held {
    #[cfg(debug_assertions)]
    place: Place,
}

#[cfg(debug_assertions)]
mod checked {
    use super::{Held, Place, Rank};
    use std::cell::Cell;

    /// A thread holds no more locks at once.
    const HELD_MAX: usize = 16;

    thread_local! {
        static RANKS: Cell<[Option<Rank>; HELD_MAX]> = const { Cell::new([None; HELD_MAX]) };
    }

    impl Place {
        pub(super) const fn new(rank: Rank) -> Place {
            Place { rank }
        }

        pub(super) fn take_in_order(self) -> Held {
            let highest = RANKS.get().into_iter().flatten().max_by_key(|held| held.level);
            if let Some(held) = highest.filter(|held| held.level >= self.rank.level) {
                panic!("the lock \"{}\" is taken while \"{}\" is held, which comes after it", self.rank.name, held.name);
            }
            self.take()
        }

        pub(super) fn take(self) -> Held {
            let mut ranks = RANKS.get();
            let Some(free) = ranks.iter_mut().find(|held| held.is_none()) else { panic!("a thread holds {HELD_MAX} locks") };
            *free = Some(self.rank);
            RANKS.set(ranks);
            Held { place: self }
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            let mut ranks = RANKS.get();
            if let Some(held) = ranks.iter_mut().find(|held| **held == Some(self.place.rank)) {
                *held = None;
            }
            RANKS.set(ranks);
        }
    }
}

#[cfg(not(debug_assertions))]
impl Place {
    const fn new(_: Rank) -> Place {
        Place {}
    }

    #[inline]
    fn take_in_order(self) -> Held {
        Held {}
    }

    #[inline]
    fn take(self) -> Held {
        Held {}
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    const FIRST: Rank = Rank::new(1, "first");
    const SECOND: Rank = Rank::new(2, "second");

    fn panics_with(call: impl FnOnce()) -> Option<String> {
        catch_unwind(AssertUnwindSafe(call)).err().map(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
    }

    #[test]
    fn a_wrong_order_panics_with_both_names_and_a_right_one_does_not() {
        let (first, second) = (Mutex::new(FIRST, 1), RwLock::new(SECOND, 2));
        let in_order = || assert_eq!(*first.lock() + *second.read(), 3);
        in_order();
        for is_write in [false, true] {
            let wrong = panics_with(|| {
                let (_read, _write) = if is_write { (None, Some(second.write())) } else { (Some(second.read()), None) };
                drop(first.lock());
            });
            let wrong = wrong.expect("panics");
            assert!(wrong.contains("\"first\"") && wrong.contains("\"second\""), "{wrong}");
        }
        // What was held is free again, and no longer noted.
        in_order();
    }

    #[test]
    fn two_of_one_rank_are_never_held_together() {
        let (one, other) = (RwLock::new(FIRST, ()), RwLock::new(FIRST, ()));
        let held = one.read();
        assert!(panics_with(|| drop(other.read())).is_some());
        assert!(panics_with(|| drop(one.read())).is_some(), "nor one twice");
        drop(held);
        drop(other.write());
    }

    #[test]
    fn locks_may_be_released_in_any_order() {
        let (first, second) = (Mutex::new(FIRST, ()), Mutex::new(SECOND, ()));
        let (one, two) = (first.lock(), second.lock());
        drop(one);
        assert!(panics_with(|| drop(first.lock())).is_some(), "the second is still held");
        drop(two);
        drop(first.lock());
    }

    #[test]
    fn a_lock_that_is_only_tried_may_be_out_of_order_and_counts_afterwards() {
        let (first, second) = (Mutex::new(FIRST, ()), Mutex::new(SECOND, ()));
        let two = second.lock();
        let one = first.try_lock().expect("free");
        assert!(first.try_lock().is_none());
        drop(two);
        assert!(panics_with(|| drop(first.lock())).is_some());
        drop(second.lock());
        drop(one);
    }

    #[test]
    fn other_threads_have_their_own_order() {
        let (first, second) = (Mutex::new(FIRST, ()), Mutex::new(SECOND, ()));
        let _held = second.lock();
        std::thread::scope(|scope| scope.spawn(|| drop(first.lock())).join().expect("does not panic"));
    }
}
