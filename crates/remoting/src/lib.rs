//! Connections: framing, shards, turns, answers in any order, and calls in both directions. No business rules.
//!
//! A server is a few *shards*, each a thread with a single-threaded runtime that owns its sockets. All sockets that are ready are
//! read before anything is acted upon: that is a *turn*. During a turn the [`Service`] gathers work and answers; at its end it acts
//! once for all of it, and every connection with answers is written once. One append and one write for many messages is the largest
//! lever there is on such machines.
//!
//! ```text
//!  acceptor -> shard with the fewest connections
//!  shard:  ready sockets --read--> frames --Service::request--> (drafts gathered, answers put into out buffers)
//!          end of turn   --Service::turn--> one append, more answers --write--> each socket once
//!  other threads -> mailbox of the shard -> next turn
//! ```

pub mod address;
pub mod client;
mod connection;
mod guard;
mod message;
mod routes;
mod server;
mod shard;

pub use connection::{Connection, ConnectionId};
pub use guard::{Panicked, guarded, guarded_later};
pub use message::{Answer, CallError, Incoming, Received, Ticket};
pub use routes::{Access, Call, Route, Served};
pub use server::{Listen, Server, ServerOptions};
pub use shard::{Peer, ShardHandle, next_connection};

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// What a server does with requests. There is one value per shard; it stays on the shard's thread.
///
/// A panic in any of these ends the process: what the connections of a shard share may be half changed then. What is done for one request
/// alone, and may fail alone, belongs into [`guarded`].
pub trait Service: 'static {
    /// What we call ourselves to who dialled `local`, in everything that he is told: asked once, when his connection is accepted.
    fn met_as(&self, local: SocketAddr) -> SocketAddr {
        local
    }

    /// Takes one request. It is answered now, at the end of the turn, or later, through `from` or its [`Peer`].
    fn request(&self, from: &Rc<Connection>, request: Incoming<'_>);

    /// All sockets that were ready have been read, somebody called [`ShardHandle::wake`], or the time that the turn before said is over.
    /// The next turn is taken after the time it says at the latest, and after a second in any case.
    fn turn(&self) -> Duration;

    /// The connection is gone; nothing written to it arrives any more.
    fn closed(&self, connection: &Connection);
}
