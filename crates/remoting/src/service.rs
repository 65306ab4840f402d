//! What does a server have to be able to do?

use crate::connection::Connection;
use crate::message::Incoming;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// A server's work on one shard. There is one value per shard; it stays on the shard's thread.
///
/// A panic in any of these ends the process: what the connections of a shard share may be half changed then. Work that is done for one
/// request alone, and may fail alone, belongs into [`crate::guarded`].
pub trait Service: 'static {
    /// Our own address in every answer to a client that dialled `local`; asked once, when its connection is accepted.
    fn met_as(&self, local: SocketAddr) -> SocketAddr {
        local
    }

    /// Takes one request. It is answered now, at the end of the turn, or later, through `from` or its [`crate::Peer`].
    fn request(&self, from: &Rc<Connection>, request: Incoming<'_>);

    /// All sockets that were ready have been read, [`crate::ShardHandle::wake`] was called, or the time that the turn before said is over.
    /// The next turn is taken after the time it says at the latest, and after a second in any case.
    fn turn(&self) -> Duration;

    /// The connection is gone; nothing written to it arrives any more.
    fn closed(&self, connection: &Connection);
}
