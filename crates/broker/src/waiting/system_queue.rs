//! How is a queue of a system topic read from an offset on?

use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::{Record, records};
use roxmq_store::{Filter, Patience, ReadLimits, ReadRequest, ReadStatus, Store};

/// Records read at once.
pub const AT_ONCE: ReadLimits = ReadLimits { messages_max: 1024, bytes_max: 4 << 20, scan_max: 4096, patience: Patience::WaitForDisk };

/// A queue of a system topic, and how far it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemQueue {
    topic: &'static str,
    queue_id: u32,
    /// The next offset to read.
    pub next: QueueOffset,
}

/// How far a read came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "records that could not be read must not be taken for none"]
pub enum Reached {
    /// The end of the queue.
    End,
    /// A record that the disk refuses to read. Those behind it are not known.
    Unreadable,
}

impl Reached {
    /// The end if both reads reached it.
    pub fn and(self, other: Reached) -> Reached {
        match (self, other) {
            (Reached::End, Reached::End) => Reached::End,
            (Reached::Unreadable, _) | (_, Reached::Unreadable) => Reached::Unreadable,
        }
    }
}

impl SystemQueue {
    /// A queue to read from `next` on.
    pub fn new(topic: &'static str, queue_id: u32, next: QueueOffset) -> SystemQueue {
        SystemQueue { topic, queue_id, next }
    }

    /// Passes the next records to `each`, in order.
    pub fn read_on(&mut self, store: &Store, mut each: impl FnMut(&Record<'_>)) -> Reached {
        let mut bytes = Vec::new();
        while store.bounds(self.topic, self.queue_id).is_some_and(|(_, max)| max > self.next) {
            bytes.clear();
            let read = store.read(
                &ReadRequest { topic: self.topic, queue_id: self.queue_id, from: self.next, limits: AT_ONCE },
                Filter::ALL,
                &mut bytes,
            );
            if read.status == ReadStatus::Found {
                records(&bytes).flatten().for_each(|record| each(&record));
            }
            let before = self.next;
            self.next = read.next.max(before);
            if read.status == ReadStatus::OffsetFoundNull {
                return Reached::Unreadable;
            }
            // Without an advance this is the end. An offset before the first message was moved to it.
            if self.next == before {
                break;
            }
        }
        Reached::End
    }
}
