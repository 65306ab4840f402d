//! What does the store answer? Messages of a queue, messages with a key, offsets of a time.

mod message;
pub(crate) mod query;
pub(crate) mod read;
pub(crate) mod request;
pub(crate) mod time;

use crate::contents::Contents;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Reads what is confirmed.
pub(crate) struct Reader {
    contents: Arc<Contents>,
    /// Where the log ended when the store was opened.
    opened_at: LogOffset,
    damaged: AtomicU64,
}

impl Reader {
    pub fn new(contents: Arc<Contents>, opened_at: LogOffset) -> Reader {
        Reader { contents, opened_at, damaged: AtomicU64::new(0) }
    }

    /// Damaged records met since the store was opened.
    pub fn damaged_records(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Reports a record that is not what was written.
    fn report_damage(&self, topic: &str, queue_id: u32, offset: QueueOffset, log_offset: LogOffset) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
        tracing::error!(topic, queue_id, %offset, %log_offset, "record is damaged; it is not served");
    }
}
