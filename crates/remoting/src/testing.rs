//! How does a test take the place of sockets and threads? It connects, hands over bytes and takes turns itself, on one thread.
//!
//! Frames, connections, the mailbox and the service are those of a server. What a server does by itself is left out: reading sockets,
//! looking for idle connections, and taking a turn when its time has come.

use crate::connection::Connection;
use crate::connection::wire::Wire;
use crate::connection::wire::memory::Memory;
use crate::mailbox::ShardHandle;
use crate::message::Received;
use crate::service::Service;
use crate::shard::Shard;
use roxmq_protocol::frame;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

/// A shard that takes turns when its test says so.
pub struct TestShard<S> {
    shard: Rc<Shard>,
    service: Rc<S>,
}

/// The client's end of a connection to a [`TestShard`].
pub struct TestClient {
    connection: Rc<Connection>,
    written: Rc<RefCell<Vec<u8>>>,
}

impl<S: Service> TestShard<S> {
    /// A shard whose service `service` makes.
    pub fn new(service: impl FnOnce(ShardHandle) -> S) -> TestShard<S> {
        let handle = ShardHandle::new();
        TestShard { shard: Shard::new(handle.clone(), Duration::MAX), service: Rc::new(service(handle)) }
    }

    /// A connection of a client at `remote` that dialled `local`.
    pub fn connect(&self, remote: SocketAddr, local: SocketAddr) -> TestClient {
        let written = Rc::<RefCell<Vec<u8>>>::default();
        let wire = Wire::Memory(Memory { remote, local, written: Rc::clone(&written) });
        let connection = self.shard.connection_over(wire, &*self.service).expect("memory has addresses");
        TestClient { connection, written }
    }

    /// Whole frames of a client arrive: its requests are handed to the service, and its answers to who waits for them.
    ///
    /// # Panics
    /// When they are no whole frames, or the connection is not read from any more.
    pub fn hand_over(&self, client: &TestClient, frames: &[u8]) {
        let consumed = client.connection.consume(frames, &|from, request| self.service.request(from, request));
        assert_eq!(consumed, Some(frames.len()), "a part of the frames was not taken");
    }

    /// Takes one turn.
    ///
    /// # Panics
    /// When a stop was posted: no server does that here.
    pub fn turn(&self) -> Duration {
        match self.shard.take_turn(&self.service) {
            ControlFlow::Continue(pause) => pause,
            ControlFlow::Break(()) => unreachable!("only a server posts a stop"),
        }
    }

    /// The client closes its connection.
    pub fn close(&self, client: TestClient) {
        client.connection.end();
        self.service.closed(&client.connection);
    }
}

impl TestClient {
    /// What has arrived at the client since it looked last: answers, and requests of the server.
    ///
    /// # Panics
    /// When a frame that was written cannot be read.
    pub fn received(&self) -> Vec<Received> {
        let written = self.written.take();
        let mut rest = &*written;
        let mut received = Vec::new();
        while !rest.is_empty() {
            let frame = frame::split(rest).expect("a frame").expect("whole frames are written");
            received.push(Received::copy_of(&frame));
            rest = &rest[frame.len..];
        }
        received
    }
}
