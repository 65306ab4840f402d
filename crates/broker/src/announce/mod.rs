//! How do NameServers learn what changes here, and what do they know of others?

pub mod changing;
pub mod elsewhere;
pub mod registration;
