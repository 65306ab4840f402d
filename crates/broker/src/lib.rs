//! The broker: requests of producers, consumers and tools, on one store.
//!
//! Three files tell everything: `routes.rs` (which request goes to which handler, and how it is run), `services.rs` (what runs by
//! itself) and `error.rs` (what is answered when something fails). The rooms:
//!
//! - `requests`: handlers, one file for each group of request codes;
//! - `shard`: the work of one thread: turns, answers that wait, held pulls;
//! - `waiting`: messages that wait for a delay level, a time or a decision;
//! - `announce`: what NameServers are told, and when a change counts as made;
//! - `message`: rules about single messages;
//! - `notify`: how shards hear of what happened elsewhere;
//! - `tables`: state, each part with its own lock and file;
//! - `counts`: what was done;
//! - `settings`: what can be configured, and what is in force;
//! - `filter`: SQL92 expressions;
//! - `settings`: the keys of `broker.conf`.
//!
//! `broker.rs` puts the parts together.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests are their own world"))]

mod announce;
mod append;
mod broker;
mod confirm;
mod counts;
#[cfg(feature = "fuzzing")]
pub mod decoders;
mod error;
mod filter;
mod identity;
mod message;
#[cfg(test)]
mod models;
mod names;
mod notify;
mod outages;
mod pool;
mod requests;
mod routes;
mod running;
mod saving;
mod services;
pub mod settings;
mod shard;
mod tables;
#[cfg(test)]
mod testing;
mod verify;
mod waiting;

pub use broker::{Broker, Setup, StartError};
pub use error::Refusal;
pub use routes::served;
pub use running::RunningBroker;
pub use verify::verify_tables;
