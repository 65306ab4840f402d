//! Why is a draft or a record refused?

use super::layout::TOPIC_BYTES_MAX;
use crate::properties::PROPERTIES_BYTES_MAX;

/// Why a draft cannot become a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// No topic.
    #[error("the topic is empty")]
    TopicEmpty,
    /// More than [`TOPIC_BYTES_MAX`].
    #[error("the topic has {0} bytes, the limit is {TOPIC_BYTES_MAX}")]
    TopicTooLong(usize),
    /// More than [`PROPERTIES_BYTES_MAX`].
    #[error("the properties have {0} bytes, the limit is {PROPERTIES_BYTES_MAX}")]
    PropertiesTooLong(usize),
    /// The queue id does not fit Java's int.
    #[error("the queue id {0} is out of range")]
    QueueId(u32),
    /// The record would not fit Java's int.
    #[error("the body has {0} bytes, more than a record can carry")]
    BodyTooLong(usize),
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end before the record does.
    #[error("record of {needed} bytes is cut off after {there}")]
    Truncated {
        /// Bytes the record says it has, or the fewest it can have.
        needed: usize,
        /// Bytes available.
        there: usize,
    },
    /// No record has this total size.
    #[error("impossible record size {0}")]
    TotalSize(i32),
    /// Neither V1 nor V2; zeros read as magic 0.
    #[error("unknown record magic {0:#010x}")]
    Magic(u32),
    /// The blank that ends a file; not an error of the file.
    #[error("blank of {0} bytes at the end of the file")]
    Blank(u32),
    /// A length is negative or exceeds the record.
    #[error("the length of the {0} exceeds the record")]
    Length(&'static str),
    /// The fields do not fill the record.
    #[error("the fields fill {used} of the record's {total} bytes")]
    Slack {
        /// Bytes the fields take.
        used: usize,
        /// The total size.
        total: usize,
    },
    /// A queue id or a port out of range.
    #[error("the {0} is out of range")]
    Range(&'static str),
    /// A text that is not UTF-8.
    #[error("the {0} is not UTF-8")]
    Text(&'static str),
}
