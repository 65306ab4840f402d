//! The commit log on the disk: its segments, and which of the records in them are sound.

pub(crate) mod atomic_batch;
pub(crate) mod next_segment;
pub(crate) mod segment;
pub(crate) mod segments;
pub(crate) mod walk;
