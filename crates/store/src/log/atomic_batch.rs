//! Which records of the log's torn end may be taken, when some of them belong to an atomic batch?
//!
//! ```text
//! said by the first of them:   3   .   .   |   1   |   2   .
//!                              held held taken  taken  held  <- the log ends before this one if nothing follows
//! ```

use roxmq_protocol::position::LogOffset;
use roxmq_protocol::record::Record;

/// The first records of an atomic batch, until its last one is met.
#[derive(Default)]
pub(crate) struct UnfinishedBatch {
    bytes: Vec<u8>,
    starts: LogOffset,
    missing: usize,
}

impl UnfinishedBatch {
    /// Takes in the next record of the log; hands over those that can be taken now: none, itself, or all of the batch that it completes.
    pub fn next<E>(
        &mut self,
        record: &Record<'_>,
        bytes: &[u8],
        mut take: impl FnMut(&Record<'_>, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.missing == 0 {
            let together = record.atomic_batch_len();
            if together == 1 {
                return take(record, bytes);
            }
            (self.starts, self.missing) = (record.log_offset, together);
            self.bytes.clear();
        }
        self.bytes.extend_from_slice(bytes);
        self.missing -= 1;
        if self.missing > 0 {
            return Ok(());
        }
        let mut rest = &self.bytes[..];
        while let Ok((record, len)) = Record::parse(rest) {
            if let Err(why) = take(&record, &rest[..len]) {
                // No crash leaves such a one. Those before it were taken: the log ends here.
                (self.starts, self.missing) = (record.log_offset, 1);
                return Err(why);
            }
            rest = &rest[len..];
        }
        Ok(())
    }

    /// Where the log ends when its last sound record ends at `end`: before an atomic batch of which a record is missing.
    pub fn ends(&self, end: LogOffset) -> LogOffset {
        if self.missing > 0 { self.starts } else { end }
    }
}
