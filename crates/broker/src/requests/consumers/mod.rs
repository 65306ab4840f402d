//! Clients and their groups.

pub mod connections;
pub mod heartbeats;
