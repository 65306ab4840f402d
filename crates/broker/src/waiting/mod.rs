//! What becomes of messages that wait: for a delay level, a time, or a decision of their producer?

pub mod cursors;
pub mod delay;
pub mod deletions;
pub mod parking;
pub mod system_queue;
pub mod timer;
pub mod transaction;
