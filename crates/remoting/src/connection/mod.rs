//! One socket of a shard: gathering answers for it, writing them once a turn, and when it is not read from.

#![expect(clippy::disallowed_methods, reason = "what sleeps in the runtime's time asks for that time")]

mod calls;
mod out;
mod reading;
pub(crate) mod wire;

use crate::mailbox::ConnectionId;
use crate::message::{Answer, CallError, Received, Ticket};
use crate::peer::Peer;
use crate::turn::Turn;
use calls::Calls;
use out::{OUT_PAUSE_BYTES, Out, Sent};
use roxmq_env::vital;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tracing::debug;
use wire::Wire;

/// Unsent answers above which the connection is closed: answers to held requests cannot be paused. In bytes.
const OUT_CLOSE_BYTES: usize = 64 * 1024 * 1024;
/// Requests under way elsewhere ([`Connection::owes`]) above which no further one of the connection is looked at.
const OWED_MAX: usize = 1024;
/// Bodies from this on go to the socket at once. Shorter answers are gathered, and written with one call a turn. In bytes.
const WRITE_AT_ONCE_BYTES: usize = 16 * 1024;
/// Gathered answers from this on go to the socket before the turn's end: a buffer that stays this small is used again, and stays in the
/// core's caches. In bytes.
const WRITE_GATHERED_BYTES: usize = 32 * 1024;

/// One accepted socket. It lives on its shard's thread.
pub struct Connection {
    /// Its number.
    pub id: ConnectionId,
    /// Who is at the other end.
    pub remote: SocketAddr,
    /// Our own address in answers to the other end.
    pub met_as: SocketAddr,
    turn: Rc<Turn<Connection>>,
    wire: Wire,
    out: RefCell<Out>,
    drained: Notify,
    closing: Notify,
    closed: Cell<bool>,
    /// It is on the list of those that are written to at the end of the turn.
    is_listed: Cell<bool>,
    /// A write failed: nothing more is written. Requests that the peer had sent before it went are still read.
    write_failed: Cell<bool>,
    /// Whole frames may be held back until answers have been sent, or requests have come to their end.
    paused: Cell<bool>,
    /// A task of its own writes.
    writing: Cell<bool>,
    owed: Cell<usize>,
    /// Bytes of answers that went out at once since frames of this connection were last looked at.
    sent_in_turn: Cell<usize>,
    last_active: Cell<Instant>,
    calls: RefCell<Calls>,
}

impl Connection {
    /// `met_as` says which address of ours stands in answers to a client that dialled another.
    pub(crate) fn new(
        turn: Rc<Turn<Connection>>,
        id: ConnectionId,
        wire: Wire,
        met_as: impl FnOnce(SocketAddr) -> SocketAddr,
    ) -> io::Result<Connection> {
        Ok(Connection {
            id,
            remote: wire.remote()?,
            met_as: met_as(wire.local()?),
            turn,
            wire,
            out: RefCell::default(),
            drained: Notify::new(),
            closing: Notify::new(),
            closed: Cell::new(false),
            is_listed: Cell::new(false),
            write_failed: Cell::new(false),
            paused: Cell::new(false),
            writing: Cell::new(false),
            owed: Cell::new(0),
            sent_in_turn: Cell::new(0),
            last_active: Cell::new(Instant::now()),
            calls: RefCell::default(),
        })
    }

    /// A handle for other threads.
    pub fn peer(&self) -> Peer {
        Peer::new(self.turn.handle(), self.id, self.remote, self.met_as)
    }

    /// Answers a request. Answers to oneway requests are dropped.
    pub fn answer(self: &Rc<Self>, ticket: Ticket, answer: Answer) {
        if !ticket.oneway {
            self.write(|out| answer.write(ticket, out));
        }
    }

    /// Appends whole frames to those that are written at the end of the turn.
    pub fn write(self: &Rc<Self>, frames: impl FnOnce(&mut Vec<u8>)) {
        if self.closed.get() || self.write_failed.get() {
            return;
        }
        let unsent = {
            let mut out = self.out.borrow_mut();
            frames(out.buffer());
            out.unsent()
        };
        if unsent > OUT_CLOSE_BYTES {
            debug!(remote = %self.remote, unsent, "closing a connection that does not read its answers");
            return self.close();
        }
        if unsent >= WRITE_GATHERED_BYTES && !self.writing.get() {
            self.sent_in_turn.set(self.sent_in_turn.get() + unsent);
            self.flush();
        } else if !self.is_listed.replace(true) {
            self.turn.written_to(Rc::clone(self));
        }
    }

    /// Writes a frame whose head `head` appends, and `body`. A long body goes to the socket at once without being copied; only the
    /// rest that the socket does not take is copied.
    pub fn write_frame(self: &Rc<Self>, head: impl FnOnce(&mut Vec<u8>), body: &[u8]) {
        if body.len() < WRITE_AT_ONCE_BYTES || self.writing.get() || self.closed.get() || self.write_failed.get() {
            return self.write(|out| {
                head(out);
                out.extend_from_slice(body);
            });
        }
        let (sent, sent_of_body) = {
            let mut out = self.out.borrow_mut();
            head(out.buffer());
            out.send_with(body, &self.wire)
        };
        self.sent_in_turn.set(self.sent_in_turn.get() + sent);
        self.last_active.set(Instant::now());
        if sent_of_body < body.len() {
            self.write(|out| out.extend_from_slice(&body[sent_of_body..]));
        }
    }

    /// Sends a request of ours; `answer` gets the answer.
    pub(crate) fn call(
        self: &Rc<Self>,
        request: impl FnOnce(i32, &mut Vec<u8>),
        answer: oneshot::Sender<Received>,
    ) -> Result<(), CallError> {
        let opaque = self.calls.borrow_mut().add(answer)?;
        self.write(|out| request(opaque, out));
        Ok(())
    }

    /// Counts a request that is handled elsewhere; [`Peer::finished`] reports its end. Above 1024 of them the connection is not read
    /// from.
    pub fn owes(&self) {
        self.owed.set(self.owed.get() + 1);
    }

    pub(crate) fn finished(&self, count: usize) {
        self.owed.set(self.owed.get().saturating_sub(count));
        self.drained.notify_waiters();
    }

    /// Must its requests wait?
    fn is_full(&self) -> bool {
        self.unsent() > OUT_PAUSE_BYTES || self.owed.get() > OWED_MAX
    }

    /// Unsent bytes of answers.
    pub fn unsent(&self) -> usize {
        self.out.borrow().unsent()
    }

    /// When bytes last went in either direction.
    pub(crate) fn last_active(&self) -> Instant {
        self.last_active.get()
    }

    /// Gives back the buffer of a connection that is idle.
    pub(crate) fn release_buffer(&self) {
        self.out.borrow_mut().release();
    }

    /// Ends the connection; unsent answers are lost.
    pub fn close(&self) {
        if !self.closed.replace(true) {
            // Every waiting task has looked at `closed` in the same step of this thread, so none can miss this.
            self.closing.notify_waiters();
            self.drained.notify_waiters();
        }
    }

    /// Writes as much as the socket takes; the rest follows from a task of its own.
    pub(crate) fn flush(self: &Rc<Self>) {
        self.is_listed.set(false);
        if !self.writing.get() && !self.write_out() {
            self.writing.set(true);
            let connection = Rc::clone(self);
            tokio::task::spawn_local(vital::task(connection.write_rest()));
        }
    }

    async fn write_rest(self: Rc<Self>) {
        while !self.closed.get() {
            tokio::select! {
                writable = self.wire.writable() => if writable.is_err() || self.write_out() { break },
                () = self.closing.notified() => break,
            }
        }
        self.writing.set(false);
    }

    /// Writes what the socket takes. Returns whether nothing is left to write.
    fn write_out(&self) -> bool {
        let mut out = self.out.borrow_mut();
        let before = out.unsent();
        let sent = out.send(&self.wire);
        if sent != Sent::Failed && out.unsent() < before {
            self.last_active.set(Instant::now());
        }
        self.write_failed.set(self.write_failed.get() || sent == Sent::Failed);
        if out.unsent() <= OUT_PAUSE_BYTES {
            self.drained.notify_waiters();
        }
        sent != Sent::Part
    }
}
