//! Connections: framing, shards, turns, answers in any order, and calls in both directions. No business rules.
//!
//! A server is a few *shards*, each a thread with a single-threaded runtime that owns its sockets. Sockets that are ready, up to 61 of
//! them (see `shard.rs`), are read before anything is acted upon: that is a *turn*. During a turn the [`Service`] gathers work and
//! answers; at its end it acts once for all of it, and every connection with answers is written once. One append and one write for
//! many messages is the largest lever there is on such machines.
//!
//! ```text
//!  acceptor -> shard with the fewest connections
//!  shard:  ready sockets --read--> frames --Service::request--> (drafts gathered, answers put into out buffers)
//!          end of turn   --Service::turn--> one append, more answers --write--> each socket once
//!  other threads -> mailbox of the shard -> next turn
//! ```

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests are their own world"))]

pub mod address;
pub mod client;
mod connection;
mod mailbox;
mod message;
mod panics;
mod peer;
mod routes;
mod server;
mod service;
mod shard;
#[cfg(feature = "testing")]
pub mod testing;
mod turn;

pub use connection::Connection;
pub use mailbox::{ConnectionId, ShardHandle, next_connection};
pub use message::{Answer, CallError, Incoming, Received, Ticket};
pub use panics::{Panicked, guarded, guarded_later};
pub use peer::Peer;
pub use routes::{Access, Call, Route, Served};
pub use server::{Listen, Server, ServerOptions};
pub use service::Service;
