//! What the store answers: messages of a queue, messages with a key, offsets of a time.

pub(crate) mod query;
pub(crate) mod read;
pub(crate) mod time;
