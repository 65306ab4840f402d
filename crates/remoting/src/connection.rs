//! One socket: reading frames off it, gathering answers for it, writing them once a turn.

use crate::message::{Answer, Incoming, Received, Ticket};
use crate::shard::{Peer, Shard};
use crate::{CallError, Service};
use roxmq_env::vital;
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tracing::debug;

/// Number of a connection, never used twice in a process.
pub type ConnectionId = u64;

/// Unsent answers above which no further request of the connection is looked at, in bytes.
const OUT_PAUSE_BYTES: usize = 4 * 1024 * 1024;
/// Unsent answers above which the connection is closed: answers to parked requests cannot be paused. In bytes.
const OUT_CLOSE_BYTES: usize = 64 * 1024 * 1024;
/// Requests under way elsewhere ([`Connection::owes`]) above which no further one of the connection is looked at.
const OWED_MAX: usize = 1024;
/// Buffers larger than this are given back once they are empty; smaller ones are kept for the next turn until the connection is idle
/// ([`Connection::rest`]), so that it then costs next to nothing. In bytes.
const KEEP_BUFFER_BYTES: usize = 64 * 1024;
/// Bodies from this on go to the socket at once. Shorter answers are gathered, and written with one call a turn. In bytes.
const WRITE_AT_ONCE_BYTES: usize = 16 * 1024;
/// Gathered answers from this on go to the socket before the turn's end: a buffer that stays this small is kept, and stays in the core's
/// caches. With one more short answer it is still smaller than [`KEEP_BUFFER_BYTES`]. In bytes.
const WRITE_GATHERED_BYTES: usize = 32 * 1024;
/// Bytes sent at once after which the other connections come first.
const SEND_IN_TURN_BYTES: usize = 1024 * 1024;
/// Calls to one client that may wait for an answer.
const CALLS_MAX: usize = 4096;

/// One accepted socket. It lives on its shard's thread.
pub struct Connection {
    /// Its number.
    pub id: ConnectionId,
    /// Who is at the other end.
    pub remote: SocketAddr,
    /// Which of our addresses the other end dialled.
    pub local: SocketAddr,
    /// What we call ourselves to the other end.
    pub met_as: SocketAddr,
    /// Which listener accepted it, by index.
    pub listener: usize,
    shard: Rc<Shard>,
    stream: TcpStream,
    out: RefCell<Out>,
    drained: Notify,
    closing: Notify,
    closed: Cell<bool>,
    dirty: Cell<bool>,
    /// A write failed: nothing more is written. What the peer had sent before it went is still read.
    deaf: Cell<bool>,
    /// Whole frames may be held back until answers have been sent, or requests are settled.
    paused: Cell<bool>,
    writing: Cell<bool>,
    owed: Cell<usize>,
    /// Bytes of answers that went out at once since frames of this connection were last looked at.
    sent_in_turn: Cell<usize>,
    last_active: Cell<Instant>,
    calls: RefCell<Calls>,
}

#[derive(Default)]
struct Out {
    bytes: Vec<u8>,
    sent: usize,
}

#[derive(Default)]
struct Calls {
    next_opaque: i32,
    waiting: HashMap<i32, oneshot::Sender<Received>>,
}

impl Connection {
    pub(crate) fn new<S: Service>(
        shard: Rc<Shard>,
        id: ConnectionId,
        stream: TcpStream,
        listener: usize,
        service: &S,
    ) -> io::Result<Connection> {
        let local = crate::message::canonical(stream.local_addr()?);
        Ok(Connection {
            id,
            remote: crate::message::canonical(stream.peer_addr()?),
            local,
            met_as: service.met_as(local),
            listener,
            shard,
            stream,
            out: RefCell::default(),
            drained: Notify::new(),
            closing: Notify::new(),
            closed: Cell::new(false),
            dirty: Cell::new(false),
            deaf: Cell::new(false),
            paused: Cell::new(false),
            writing: Cell::new(false),
            owed: Cell::new(0),
            sent_in_turn: Cell::new(0),
            last_active: Cell::new(Instant::now()),
            calls: RefCell::default(),
        })
    }

    /// A handle that other threads can keep.
    pub fn peer(&self) -> Peer {
        Peer::new(self.shard.handle(), self.id, self.remote, self.met_as)
    }

    /// Answers a request. Answers to oneway requests are dropped.
    pub fn answer(self: &Rc<Self>, ticket: Ticket, answer: Answer) {
        if !ticket.oneway {
            self.write(|out| answer.write(ticket, out));
        }
    }

    /// Appends whole frames to what is written at the end of the turn.
    pub fn write(self: &Rc<Self>, frames: impl FnOnce(&mut Vec<u8>)) {
        if self.closed.get() || self.deaf.get() {
            return;
        }
        let unsent = {
            let mut out = self.out.borrow_mut();
            frames(&mut out.bytes);
            out.bytes.len() - out.sent
        };
        if unsent > OUT_CLOSE_BYTES {
            debug!(remote = %self.remote, unsent, "closing a connection that does not read its answers");
            return self.close();
        }
        if unsent >= WRITE_GATHERED_BYTES && !self.writing.get() {
            self.sent_in_turn.set(self.sent_in_turn.get() + unsent);
            self.flush();
        } else if !self.dirty.replace(true) {
            self.shard.written_to(Rc::clone(self));
        }
    }

    /// A request of it waits elsewhere, perhaps without an answer that shows its end; [`Peer::settle`] does. Above 1024 of them the
    /// connection is not read from.
    pub fn owes(&self) {
        self.owed.set(self.owed.get() + 1);
    }

    pub(crate) fn settled(&self, count: usize) {
        self.owed.set(self.owed.get().saturating_sub(count));
        self.drained.notify_waiters();
    }

    /// Must what it sends wait?
    fn is_full(&self) -> bool {
        self.unsent() > OUT_PAUSE_BYTES || self.owed.get() > OWED_MAX
    }

    /// Writes a frame whose head `head` appends, and `body`. One that is long goes to the socket at once, from where it lies; only what
    /// the socket does not take is copied.
    pub fn write_frame(self: &Rc<Self>, head: impl FnOnce(&mut Vec<u8>), body: &[u8]) {
        if body.len() < WRITE_AT_ONCE_BYTES || self.writing.get() || self.closed.get() || self.deaf.get() {
            return self.write(|out| {
                head(out);
                out.extend_from_slice(body);
            });
        }
        let mut sent = {
            let mut out = self.out.borrow_mut();
            head(&mut out.bytes);
            // An error is met again, and acted on, when the rest is written at the end of the turn.
            self.stream.try_write_vectored(&[IoSlice::new(&out.bytes[out.sent..]), IoSlice::new(body)]).unwrap_or(0)
        };
        self.sent_in_turn.set(self.sent_in_turn.get() + sent);
        let mut out = self.out.borrow_mut();
        let before = sent.min(out.bytes.len() - out.sent);
        out.sent += before;
        sent -= before;
        if out.sent == out.bytes.len() {
            out.bytes.clear();
            out.sent = 0;
        }
        drop(out);
        self.last_active.set(Instant::now());
        if sent < body.len() {
            self.write(|out| out.extend_from_slice(&body[sent..]));
        }
    }

    /// Unsent bytes of answers.
    pub fn unsent(&self) -> usize {
        let out = self.out.borrow();
        out.bytes.len() - out.sent
    }

    /// Ends the connection; what is unsent is lost.
    pub fn close(&self) {
        if !self.closed.replace(true) {
            // Whoever waits has looked at `closed` in the same step of this thread, so none can miss this.
            self.closing.notify_waiters();
            self.drained.notify_waiters();
        }
    }

    /// Gives back the buffer of a connection that is idle.
    pub(crate) fn rest(&self) {
        let mut out = self.out.borrow_mut();
        if out.bytes.is_empty() {
            out.bytes = Vec::new();
        }
    }

    /// When bytes last went in either direction.
    pub(crate) fn last_active(&self) -> Instant {
        self.last_active.get()
    }

    pub(crate) fn call(
        self: &Rc<Self>,
        request: impl FnOnce(i32, &mut Vec<u8>),
        answer: oneshot::Sender<Received>,
    ) -> Result<(), CallError> {
        let opaque = {
            let mut calls = self.calls.borrow_mut();
            if calls.waiting.len() >= CALLS_MAX {
                calls.waiting.retain(|_, waiter| !waiter.is_closed());
                if calls.waiting.len() >= CALLS_MAX {
                    return Err(CallError::Busy);
                }
            }
            calls.next_opaque = calls.next_opaque.wrapping_add(1);
            let opaque = calls.next_opaque;
            calls.waiting.insert(opaque, answer);
            opaque
        };
        self.write(|out| request(opaque, out));
        Ok(())
    }

    /// Writes as much as the socket takes; the rest follows from a task of its own.
    pub(crate) fn flush(self: &Rc<Self>) {
        self.dirty.set(false);
        if !self.writing.get() && !self.write_out() {
            self.writing.set(true);
            let connection = Rc::clone(self);
            tokio::task::spawn_local(vital::task(connection.write_rest()));
        }
    }

    async fn write_rest(self: Rc<Self>) {
        while !self.closed.get() {
            tokio::select! {
                writable = self.stream.writable() => if writable.is_err() || self.write_out() { break },
                () = self.closing.notified() => break,
            }
        }
        self.writing.set(false);
    }

    /// Is everything sent, or nothing left to be done?
    fn write_out(&self) -> bool {
        let mut out = self.out.borrow_mut();
        let out = &mut *out;
        while out.sent < out.bytes.len() {
            match self.stream.try_write(&out.bytes[out.sent..]) {
                Ok(written) => {
                    out.sent += written;
                    self.last_active.set(Instant::now());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if out.sent > OUT_PAUSE_BYTES {
                        out.bytes.drain(..out.sent);
                        out.sent = 0;
                    }
                    if out.bytes.len() - out.sent <= OUT_PAUSE_BYTES {
                        self.drained.notify_waiters();
                    }
                    return false;
                }
                Err(_) => {
                    self.deaf.set(true);
                    *out = Out::default();
                    self.drained.notify_waiters();
                    return true;
                }
            }
        }
        out.sent = 0;
        if out.bytes.capacity() > KEEP_BUFFER_BYTES {
            out.bytes = Vec::new();
        } else {
            out.bytes.clear();
        }
        self.drained.notify_waiters();
        true
    }

    /// Reads until the connection ends.
    pub(crate) async fn serve<S: Service>(self: Rc<Self>, service: Rc<S>) {
        let mut held = Vec::new();
        while !self.closed.get() {
            if self.paused.get() {
                if self.is_full() {
                    self.drained.notified().await;
                } else if !self.take_held(&mut held, &*service) {
                    break;
                } else {
                    tokio::task::yield_now().await;
                }
                continue;
            }
            tokio::select! {
                biased;
                () = self.closing.notified() => break,
                ready = self.stream.readable() => if ready.is_err() { break },
            }
            if !self.read_once(&mut held, &*service) {
                break;
            }
            // One read a turn: the others that are ready come first, then the end of the turn.
            tokio::task::yield_now().await;
        }
        if !self.closed.get() {
            // The peer has closed its half. What was answered in this turn still goes out.
            self.shard.wake();
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            self.write_out();
        }
        self.closed.set(true);
        self.calls.borrow_mut().waiting.clear();
        service.closed(&self);
    }

    /// One read and everything that is whole in it. False when the connection is to end.
    fn read_once<S: Service>(self: &Rc<Self>, held: &mut Vec<u8>, service: &S) -> bool {
        let claimed = frame::claimed_len(held);
        let mut scratch = self.shard.scratch.borrow_mut();
        // What was left of the read before comes in front of this one, so that a connection with much to say is always read in large
        // pieces: were it read into what is held, it would stay with the small pieces that an unfinished frame has room for.
        if held.len().max(claimed) <= scratch.len() / 2 {
            let kept = held.len();
            let read = match self.stream.try_read(&mut scratch[kept..]) {
                Ok(0) => return false,
                Ok(read) => read,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            };
            self.last_active.set(Instant::now());
            scratch[..kept].copy_from_slice(held);
            let Some(consumed) = self.consume(&scratch[..kept + read], service) else {
                return false;
            };
            *held = scratch[consumed..kept + read].to_vec();
            return true;
        }
        // Room for what the frame still lacks, but no more ahead of its arrival than one scratch buffer.
        let missing = claimed.saturating_sub(held.len());
        held.reserve(missing.clamp(4096, scratch.len()));
        drop(scratch);
        match self.stream.try_read_buf(held) {
            Ok(0) => false,
            Ok(_) => {
                self.last_active.set(Instant::now());
                self.take_held(held, service)
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    fn take_held<S: Service>(self: &Rc<Self>, held: &mut Vec<u8>, service: &S) -> bool {
        let Some(consumed) = self.consume(held, service) else {
            return false;
        };
        if consumed == held.len() {
            *held = Vec::new();
        } else {
            held.drain(..consumed);
        }
        true
    }

    /// Hands over every whole frame, until answers or requests pile up. How many bytes are done with; `None` when they are no frames.
    fn consume<S: Service>(self: &Rc<Self>, input: &[u8], service: &S) -> Option<usize> {
        let mut consumed = 0;
        self.sent_in_turn.set(0);
        loop {
            // Also in the middle of what was read: the others come first, then the rest of it.
            self.paused.set(self.is_full() || self.sent_in_turn.get() > SEND_IN_TURN_BYTES);
            if self.paused.get() || self.closed.get() {
                break;
            }
            let frame = match frame::split(&input[consumed..]) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    debug!(remote = %self.remote, %error, "closing a connection that sends no frames");
                    return None;
                }
            };
            let header = match header::read(&frame) {
                Ok(header) => header,
                Err(error) => {
                    debug!(remote = %self.remote, %error, "closing a connection that sends no header");
                    return None;
                }
            };
            consumed += frame.len;
            if header.is_response() {
                if let Some(waiter) = self.calls.borrow_mut().waiting.remove(&header.opaque) {
                    // The caller may have given up; then nobody misses the answer.
                    let _ = waiter.send(Received::keep(&frame));
                }
            } else {
                service.request(self, Incoming { header, frame });
            }
        }
        self.shard.wake();
        Some(consumed)
    }
}

/// Requests of ours are written as JSON: the C++ client reads nothing else.
pub(crate) const OUR_ENCODING: Encoding = Encoding::Json;
