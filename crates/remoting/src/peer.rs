//! How is a connection reached from any thread?

use crate::mailbox::{CallFrame, ConnectionId, Letter, ShardHandle};
use crate::message::{Answer, CallError, OUR_ENCODING, Received, Ticket};
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::request::Request;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::oneshot;

/// Reaches one connection from any thread, as long as it lives.
#[derive(Clone)]
pub struct Peer {
    shard: ShardHandle,
    id: ConnectionId,
    remote: SocketAddr,
    met_as: SocketAddr,
}

impl Peer {
    pub(crate) fn new(shard: ShardHandle, id: ConnectionId, remote: SocketAddr, met_as: SocketAddr) -> Peer {
        Peer { shard, id, remote, met_as }
    }

    /// A peer without a connection, for tests of handlers: answers and notices to it are lost.
    pub fn unconnected(id: ConnectionId, remote: SocketAddr, met_as: SocketAddr) -> Peer {
        Peer::new(ShardHandle::new(), id, remote, met_as)
    }

    /// The connection's number.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Who is at the other end.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Our own address in answers to the other end.
    pub fn met_as(&self) -> SocketAddr {
        self.met_as
    }

    /// Answers a request of the connection.
    pub fn answer(&self, ticket: Ticket, answer: Answer) {
        if !ticket.oneway {
            let mut frames = Vec::new();
            answer.write(ticket, &mut frames);
            self.shard.post_owed(Letter::Write { to: self.id, frames });
        }
    }

    /// Sends a request that has no answer. It is dropped when the mailbox of the connection's shard is full, of which the log tells.
    pub fn send_oneway<'a, R: Request<'a>>(&self, request: &R, body: &[u8]) {
        let mut frames = Vec::new();
        header::write_frame(&mut frames, OUR_ENCODING, Top::request(0, R::CODE, true), |sink| request.write(sink), body);
        self.shard.post(Letter::Write { to: self.id, frames });
    }

    /// Sends a request and waits for the client's answer.
    ///
    /// # Errors
    /// When the connection is gone or goes, when too many calls wait, or when no answer comes in time.
    pub async fn call<R>(&self, request: R, body: Vec<u8>, timeout: Duration) -> Result<Received, CallError>
    where
        R: Request<'static> + Send + 'static,
    {
        let (answer, received) = oneshot::channel();
        let request: CallFrame = Box::new(move |opaque, out| {
            header::write_frame(out, OUR_ENCODING, Top::request(opaque, R::CODE, false), |sink| request.write(sink), &body);
        });
        if !self.shard.post(Letter::Call { to: self.id, request, answer }) {
            return Err(CallError::Busy);
        }
        match tokio::time::timeout(timeout, received).await {
            Ok(Ok(received)) => Ok(received),
            Ok(Err(_)) => Err(CallError::Closed),
            Err(_) => Err(CallError::Timeout(timeout.as_millis() as u64)),
        }
    }

    /// Reports that `count` of the requests counted by [`crate::connection::Connection::owes`] have ended.
    pub fn finished(&self, count: usize) {
        // Without it the connection would never be read from again.
        self.shard.post_owed(Letter::Finished { to: self.id, count });
    }

    /// Ends the connection.
    pub fn close(&self) {
        self.shard.post_owed(Letter::Close { to: self.id });
    }
}
