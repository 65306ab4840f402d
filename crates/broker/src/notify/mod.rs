//! How do shards hear of what happened elsewhere?

pub mod arrivals;
pub mod shards;
