//! How does an append find the number of a queue without a look at the table?
//!
//! An append looks for each message's queue by its name, which with very many queues is in no cache of the core. A caller that
//! appends to the same queues again and again remembers what the last append found.

use crate::index::queue::QueueNo;
use smallvec::SmallVec;

/// A queue's number, as an append found it. The store that said so believes it until a topic is deleted; it is for no other store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueHint {
    pub(crate) no: QueueNo,
    /// [`crate::index::table::Index::generation`] then.
    pub(crate) generation: u64,
}

/// The hints about one topic's queues.
#[derive(Debug, Default)]
pub struct QueueHints {
    generation: u64,
    /// By queue id; `UNKNOWN` where no append has said so yet.
    numbers: SmallVec<[QueueNo; 8]>,
}

const UNKNOWN: QueueNo = QueueNo::MAX;
/// Queues of a topic whose numbers are remembered.
const QUEUES_MAX: usize = 256;

impl QueueHints {
    /// What is known of a queue.
    pub fn of(&self, queue_id: u32) -> Option<QueueHint> {
        let no = *self.numbers.get(queue_id as usize)?;
        (no != UNKNOWN).then_some(QueueHint { no, generation: self.generation })
    }

    /// Remembers what an append found.
    pub fn note(&mut self, queue_id: u32, hint: QueueHint) {
        let at = queue_id as usize;
        if hint.generation != self.generation {
            self.generation = hint.generation;
            self.numbers.clear();
        }
        if at < QUEUES_MAX {
            if self.numbers.len() <= at {
                self.numbers.resize(at + 1, UNKNOWN);
            }
            self.numbers[at] = hint.no;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_numbers_of_one_generation() {
        let hint = |no, generation| QueueHint { no, generation };
        let mut hints = QueueHints::default();
        assert_eq!(hints.of(0), None);
        hints.note(3, hint(70, 1));
        hints.note(0, hint(71, 1));
        hints.note(QUEUES_MAX as u32, hint(72, 1));
        let known = |hints: &QueueHints| [0, 1, 3, QUEUES_MAX as u32].map(|id| hints.of(id));
        assert_eq!(known(&hints), [Some(hint(71, 1)), None, Some(hint(70, 1)), None]);
        hints.note(1, hint(5, 2));
        assert_eq!(known(&hints), [None, Some(hint(5, 2)), None, None]);
    }
}
