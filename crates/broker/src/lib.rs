//! The broker: requests of producers, consumers and tools, on one store.
//!
//! Start with three files: `routes.rs` (which handler serves a request, and in which lane), `services.rs` (which services run by
//! themselves) and `error.rs` (why requests are refused, and with which code). The folders:
//!
//! - `requests`: handlers, one file for each group of request codes;
//! - `shard`: the work of one thread: turns, unconfirmed sends, held pulls;
//! - `delivery`: how messages that wait are carried on, parked, or decided;
//! - `announce`: how changes are announced to NameServers;
//! - `message`: rules about single messages;
//! - `notify`: how other threads reach shards;
//! - `waiting`: which messages wait for a delay level, a time or a decision: state over the store;
//! - `registration`: what was announced, and which answers wait for that: state;
//! - `tables`: state, each part with its own lock and file;
//! - `counts`: counters and rates;
//! - `settings`: the keys of `broker.conf`, and the settings in force;
//! - `filter`: SQL92 expressions.
//!
//! `broker.rs` puts the parts together.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests may use clocks, files and threads directly"))]

mod announce;
mod append;
mod broker;
mod confirm;
mod counts;
#[cfg(feature = "fuzzing")]
pub mod decoders;
mod delivery;
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
mod registration;
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
