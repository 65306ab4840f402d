//! How are changes announced to the NameServers, and when do they count as made?

pub mod changing;
pub mod elsewhere;
pub mod registering;
pub mod topics;
