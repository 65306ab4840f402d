//! A queue of the broker's own, read from an offset on.

use crate::broker::Broker;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::{Record, records};
use roxmq_store::{Patience, ReadLimits, ReadStatus};

/// Records read at once.
pub const AT_ONCE: ReadLimits = ReadLimits { messages_max: 1024, bytes_max: 4 << 20, scan_max: 4096, patience: Patience::WaitForDisk };

/// How far a queue was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what could not be read must not be taken for nothing"]
pub struct Read {
    /// The offset behind the last record.
    pub next: i64,
    /// Whether that is the end of the queue. Otherwise the disk refuses, and what follows is not known.
    pub is_whole: bool,
}

/// Hands over the records of a queue from an offset on.
pub fn read_on(broker: &Broker, topic: &str, queue_id: u32, from: i64, mut each: impl FnMut(&Record<'_>)) -> Read {
    let mut next = from;
    let mut bytes = Vec::new();
    while broker.store.bounds(topic, queue_id).is_some_and(|(_, max)| max.0 > next) {
        bytes.clear();
        let read = broker.store.read(topic, queue_id, QueueOffset(next), AT_ONCE, &mut |_| true, &mut bytes);
        if read.status == ReadStatus::Found {
            records(&bytes).flatten().for_each(|record| each(&record));
        }
        if read.status == ReadStatus::OffsetFoundNull {
            return Read { next: read.next.0.max(next), is_whole: false };
        }
        // Without an advance there is nothing more now; an offset before the first message is moved to it.
        if read.next.0 <= next {
            break;
        }
        next = read.next.0;
    }
    Read { next, is_whole: true }
}
