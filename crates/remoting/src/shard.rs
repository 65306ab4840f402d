//! One thread's share of the connections: its turns, and the mailbox other threads reach it by.

use crate::connection::{Connection, ConnectionId, OUR_ENCODING};
use crate::message::{Answer, Received, Ticket};
use crate::{CallError, Service};
use parking_lot::Mutex;
use roxmq_env::vital;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::request::Request;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tracing::warn;

/// Bytes read from one socket in one turn at most; the buffer is shared by all connections of a shard.
const SCRATCH_BYTES: usize = 256 * 1024;
/// Letters that may lie in a mailbox. Above, only answers to requests and what ends them are taken.
const MAILBOX_MAX: usize = if cfg!(test) { 8 } else { 1 << 20 };
/// A turn is taken at least this often.
const REST_MAX: Duration = Duration::from_secs(1);
/// How often idle connections are looked for.
const IDLE_SCAN: Duration = Duration::from_secs(5);
/// How long a stopping shard goes on writing answers.
const DRAIN: Duration = Duration::from_secs(2);

enum Letter {
    Accepted { stream: std::net::TcpStream, listener: usize },
    Write { to: ConnectionId, frames: Vec<u8> },
    Call { to: ConnectionId, request: CallFrame, answer: oneshot::Sender<Received> },
    Settle { to: ConnectionId, count: usize },
    Close { to: ConnectionId },
    Stop,
}

type CallFrame = Box<dyn FnOnce(i32, &mut Vec<u8>) + Send>;

struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    waiting: Notify,
    connections: AtomicUsize,
}

/// Reaches a shard from any thread.
#[derive(Clone)]
pub struct ShardHandle(Arc<Mailbox>);

static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// The number that the next connection gets: those that are there, or were, have lower ones.
pub fn next_connection() -> ConnectionId {
    NEXT_CONNECTION.load(Ordering::Relaxed)
}

impl ShardHandle {
    pub(crate) fn new() -> ShardHandle {
        ShardHandle(Arc::new(Mailbox { letters: Mutex::default(), waiting: Notify::new(), connections: AtomicUsize::new(0) }))
    }

    /// Has the shard take a turn soon.
    pub fn wake(&self) {
        self.0.waiting.notify_one();
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// Leaves what may be refused when too much lies there.
    fn post(&self, letter: Letter) -> bool {
        let mut letters = self.0.letters.lock();
        if letters.len() >= MAILBOX_MAX {
            return false;
        }
        letters.push(letter);
        drop(letters);
        self.wake();
        true
    }

    /// Leaves what must not get lost, of which there is at most one for each request under way, and these have a bound of their own.
    fn post_owed(&self, letter: Letter) {
        self.0.letters.lock().push(letter);
        self.wake();
    }

    pub(crate) fn accepted(&self, stream: std::net::TcpStream, listener: usize) {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        if !self.post(Letter::Accepted { stream, listener }) {
            self.0.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn stop(&self) {
        self.post_owed(Letter::Stop);
    }
}

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

    /// A peer without a connection, for tests of what is done with a request: what is sent to it is lost.
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

    /// What we call ourselves to the other end.
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

    /// Sends a request that nobody answers.
    pub fn tell<'a, R: Request<'a>>(&self, request: &R, body: &[u8]) {
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

    /// So many of the requests that the connection owed ([`Connection::owes`]) have come to their end.
    pub fn settle(&self, count: usize) {
        // Without it the connection would never be read from again.
        self.shard.post_owed(Letter::Settle { to: self.id, count });
    }

    /// Ends the connection.
    pub fn close(&self) {
        self.shard.post(Letter::Close { to: self.id });
    }
}

/// What a shard's connections share. Lives on the shard's thread.
pub(crate) struct Shard {
    handle: ShardHandle,
    pub(crate) scratch: RefCell<Box<[u8]>>,
    written_to: RefCell<Vec<Rc<Connection>>>,
    connections: RefCell<HashMap<ConnectionId, Weak<Connection>>>,
    woken: Cell<bool>,
    idle_max: Duration,
}

impl Shard {
    pub(crate) fn new(handle: ShardHandle, idle_max: Duration) -> Rc<Shard> {
        Rc::new(Shard {
            handle,
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            written_to: RefCell::default(),
            connections: RefCell::default(),
            woken: Cell::new(false),
            idle_max,
        })
    }

    pub(crate) fn handle(&self) -> ShardHandle {
        self.handle.clone()
    }

    /// Has the turn end after the connections that are ready now.
    pub(crate) fn wake(&self) {
        if !self.woken.replace(true) {
            self.handle.wake();
        }
    }

    pub(crate) fn written_to(&self, connection: Rc<Connection>) {
        self.written_to.borrow_mut().push(connection);
        self.wake();
    }

    /// Takes turns until a stop is posted.
    pub(crate) async fn run<S: Service>(self: Rc<Self>, service: Rc<S>) {
        let mut rest = std::pin::pin!(tokio::time::sleep(REST_MAX));
        let mut next_scan = Instant::now() + IDLE_SCAN;
        loop {
            tokio::select! {
                biased;
                () = self.handle.0.waiting.notified() => {}
                () = &mut rest => {}
            }
            let now = Instant::now();
            if now >= next_scan {
                next_scan = now + IDLE_SCAN;
                self.close_idle();
            }
            self.woken.set(false);
            let stop = self.read_letters(&service);
            let next_turn = now + service.turn().min(REST_MAX);
            // Turns that follow each other closely leave the timer where it is.
            if next_turn < rest.deadline() || rest.is_elapsed() {
                rest.as_mut().reset(next_turn);
            }
            self.flush();
            if stop {
                return self.drain(&*service).await;
            }
        }
    }

    fn flush(&self) {
        // Writing wakes nobody on this thread, so the list cannot grow meanwhile; its buffer is kept for the next turn.
        let mut list = self.written_to.take();
        for connection in list.drain(..) {
            connection.flush();
        }
        let mut slot = self.written_to.borrow_mut();
        if slot.is_empty() {
            *slot = list;
        }
    }

    fn read_letters<S: Service>(self: &Rc<Self>, service: &Rc<S>) -> bool {
        let letters = std::mem::take(&mut *self.handle.0.letters.lock());
        let mut stop = false;
        for letter in letters {
            match letter {
                Letter::Accepted { stream, listener } => self.accept(stream, listener, service),
                Letter::Write { to, frames } => {
                    if let Some(connection) = self.connection(to) {
                        connection.write(|out| out.extend_from_slice(&frames));
                    }
                }
                Letter::Call { to, request, answer } => {
                    if let Some(connection) = self.connection(to) {
                        // A refused call drops `answer`, which tells the caller.
                        let _ = connection.call(request, answer);
                    }
                }
                Letter::Settle { to, count } => self.connection(to).iter().for_each(|connection| connection.settled(count)),
                Letter::Close { to } => self.connection(to).iter().for_each(|connection| connection.close()),
                Letter::Stop => stop = true,
            }
        }
        stop
    }

    fn connection(&self, id: ConnectionId) -> Option<Rc<Connection>> {
        self.connections.borrow().get(&id).and_then(Weak::upgrade)
    }

    fn accept<S: Service>(self: &Rc<Self>, stream: std::net::TcpStream, listener: usize, service: &Rc<S>) {
        let id = NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed);
        let connection = TcpStream::from_std(stream).and_then(|stream| Connection::new(Rc::clone(self), id, stream, listener, &**service));
        let connection = match connection {
            Ok(connection) => Rc::new(connection),
            Err(error) => {
                warn!(%error, "an accepted socket was gone before it was served");
                self.handle.0.connections.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        };
        self.connections.borrow_mut().insert(id, Rc::downgrade(&connection));
        let (shard, service) = (Rc::clone(self), Rc::clone(service));
        tokio::task::spawn_local(vital::task(async move {
            connection.serve(service).await;
            shard.connections.borrow_mut().remove(&id);
            shard.handle.0.connections.fetch_sub(1, Ordering::Relaxed);
        }));
    }

    fn close_idle(&self) {
        let now = Instant::now();
        for connection in self.connections.borrow().values().filter_map(Weak::upgrade) {
            let idle = now.duration_since(connection.last_active());
            if idle >= self.idle_max {
                connection.close();
            } else if idle >= IDLE_SCAN {
                connection.rest();
            }
        }
    }

    /// Writes what is left of the answers, for a bounded time, then closes.
    async fn drain<S: Service>(self: &Rc<Self>, service: &S) {
        let until = Instant::now() + DRAIN;
        loop {
            self.read_letters_quietly();
            service.turn();
            self.flush();
            let unsent: usize = self.connections.borrow().values().filter_map(Weak::upgrade).map(|c| c.unsent()).sum();
            if unsent == 0 || Instant::now() >= until {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for connection in self.connections.borrow().values().filter_map(Weak::upgrade) {
            connection.close();
        }
        tokio::task::yield_now().await;
    }

    /// While stopping, only what is on its way to a client still counts.
    fn read_letters_quietly(&self) {
        for letter in std::mem::take(&mut *self.handle.0.letters.lock()) {
            if let Letter::Write { to, frames } = letter
                && let Some(connection) = self.connection(to)
            {
                connection.write(|out| out.extend_from_slice(&frames));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_protocol::frame::Encoding;
    use roxmq_protocol::request::NotifyConsumerIdsChanged;

    #[test]
    fn a_full_mailbox_still_takes_what_is_owed() {
        let handle = ShardHandle::new();
        let peer = Peer::new(handle.clone(), 1, "127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let lie_there = || handle.0.letters.lock().len();
        handle.0.letters.lock().extend((0..MAILBOX_MAX).map(|_| Letter::Close { to: 2 }));
        peer.tell(&NotifyConsumerIdsChanged { consumer_group: "g".into() }, b"");
        assert_eq!(lie_there(), MAILBOX_MAX);
        peer.answer(Ticket { opaque: 7, encoding: Encoding::Json, oneway: false }, Answer::ok());
        peer.settle(1);
        assert_eq!(lie_there(), MAILBOX_MAX + 2);
    }
}
