//! The NameServer: it knows which brokers are alive and which of them holds which topic, and tells clients and brokers that ask.
//!
//! NameServers do not know each other. Brokers register with all of them, clients ask any of them, and one that has lost its table
//! gets it again from the brokers. `table` is the state, `readiness` says from when on it is complete, `routes` says which request does what, and
//! `running` starts and stops all of it.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests are their own world"))]

#[cfg(feature = "fuzzing")]
pub mod decoders;
mod error;
mod handlers;
mod kv;
#[cfg(test)]
mod model;
mod nameserver;
mod readiness;
mod routes;
mod running;
pub mod settings;
mod shard;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod watch;

pub use readiness::BrokerIdentity;
pub use routes::served;
pub use running::{Running, serve};
