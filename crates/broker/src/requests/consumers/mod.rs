//! Which clients are there, and how do they come and go?

pub mod connections;
pub mod heartbeats;
