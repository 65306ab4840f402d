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
//! - `tables`: state, each part with its own lock and file;
//! - `filter`: SQL92 expressions;
//! - `settings`: the keys of `broker.conf`.
//!
//! `broker.rs` puts the parts together.

mod announce;
mod broker;
mod confirm;
pub mod decoders;
mod error;
mod figures;
mod filter;
mod message;
#[cfg(test)]
mod models;
mod names;
mod pool;
mod requests;
mod routes;
mod running;
mod services;
pub mod settings;
mod shard;
mod tables;
#[cfg(test)]
mod testing;
mod trouble;
mod waiting;

pub use broker::{Broker, Setup, StartError};
pub use error::Refusal;
pub use routes::served;
pub use running::RunningBroker;
pub use tables::verify::verify_tables;
