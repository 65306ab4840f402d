//! Which requests of a connection are unanswered? Each has a place, and an opaque that finds it again.

/// The unanswered requests of one connection: no more than there are places.
pub struct Slots<T> {
    places: Vec<Option<(i32, T)>>,
    free: Vec<u32>,
    taken: u64,
}

impl<T> Slots<T> {
    /// This many places, all free.
    pub fn new(places: usize) -> Slots<T> {
        Slots { places: (0..places).map(|_| None).collect(), free: (0..places as u32).rev().collect(), taken: 0 }
    }

    /// Requests that have no answer.
    pub fn unanswered(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Gives a request a place, and says its opaque; `None` when all are taken. An opaque comes again only after very many others, so
    /// that a second answer to a request is not taken for the answer to another.
    pub fn put(&mut self, request: T) -> Option<i32> {
        let at = self.free.pop()?;
        let round = (self.taken % (OPAQUES as u64 / self.places.len() as u64)) as i32;
        self.taken += 1;
        let opaque = OPAQUE_MIN + round * self.places.len() as i32 + at as i32;
        self.places[at as usize] = Some((opaque, request));
        Some(opaque)
    }

    /// The request that an answer belongs to; its place is free again.
    pub fn take(&mut self, opaque: i32) -> Option<T> {
        let at = opaque.checked_sub(OPAQUE_MIN)? as usize % self.places.len();
        let (_, request) = self.places.get_mut(at)?.take_if(|(of, _)| *of == opaque)?;
        self.free.push(at as u32);
        Some(request)
    }
}

/// The smallest opaque: ten digits, as all of them have.
pub const OPAQUE_MIN: i32 = 1_000_000_000;
/// How many opaques there are.
pub const OPAQUES: i32 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_finds_its_request_once() {
        let mut slots = Slots::new(2);
        let first = slots.put('a').expect("a place");
        let second = slots.put('b').expect("a place");
        assert!(slots.put('c').is_none());
        assert_eq!((slots.take(second), slots.take(second), slots.unanswered()), (Some('b'), None, 1));
        let third = slots.put('c').expect("a place");
        assert_ne!(third, second, "the same place, and yet another opaque");
        assert_eq!([slots.take(second), slots.take(7), slots.take(first), slots.take(third)], [None, None, Some('a'), Some('c')]);
        assert_eq!(slots.unanswered(), 0);
    }
}
