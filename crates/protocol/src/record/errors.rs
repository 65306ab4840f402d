//! Why can a message not become a record, and why are bytes not one?

use super::layout::TOPIC_BYTES_MAX;
use crate::properties::PROPERTIES_BYTES_MAX;

/// Why a draft cannot become a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// No topic.
    #[error("the topic is empty")]
    TopicEmpty,
    /// More than [`TOPIC_BYTES_MAX`].
    #[error("the topic has {0} bytes, more than {TOPIC_BYTES_MAX}")]
    TopicTooLong(usize),
    /// More than [`PROPERTIES_BYTES_MAX`].
    #[error("the properties have {0} bytes, more than {PROPERTIES_BYTES_MAX}")]
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
    #[error("the record needs {needed} bytes, {there} are there")]
    Truncated {
        /// Bytes the record says it has, or the fewest it can have.
        needed: usize,
        /// Bytes there are.
        there: usize,
    },
    /// The total size cannot be one.
    #[error("a record cannot have {0} bytes")]
    TotalSize(i32),
    /// Neither V1 nor V2; zeros read as magic 0.
    #[error("{0:#010x} is not a record's magic")]
    Magic(u32),
    /// The blank that ends a file; not an error of the file.
    #[error("blank of {0} bytes at the end of the file")]
    Blank(u32),
    /// A length inside is negative or leads beyond the record.
    #[error("the length of the {0} leads out of the record")]
    Length(&'static str),
    /// The fields do not fill the total size.
    #[error("the fields take {used} of {total} bytes")]
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
