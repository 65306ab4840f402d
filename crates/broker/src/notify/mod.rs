//! How do other threads reach shards?

pub mod arrivals;
pub mod shards;
