//! How do requests get from the socket to the server?

#![expect(clippy::disallowed_methods, reason = "what sleeps in the runtime's time asks for that time")]

use super::Connection;
use crate::message::{Incoming, Received};
use roxmq_protocol::{frame, header};
use std::io;
use std::rc::Rc;
use tokio::time::Instant;
use tracing::debug;

/// Bytes sent at once after which the other connections come first.
const SEND_IN_TURN_BYTES: usize = 1024 * 1024;

impl Connection {
    /// Reads until the connection ends, and hands over its requests.
    pub(crate) async fn serve(self: &Rc<Self>, take: impl Fn(&Rc<Connection>, Incoming<'_>)) {
        let mut held = Vec::new();
        while !self.closed.get() {
            if self.paused.get() {
                if self.is_full() {
                    self.drained.notified().await;
                } else if !self.take_held(&mut held, &take) {
                    break;
                } else {
                    tokio::task::yield_now().await;
                }
                continue;
            }
            tokio::select! {
                biased;
                () = self.closing.notified() => break,
                ready = self.wire.readable() => if ready.is_err() { break },
            }
            if !self.read_once(&mut held, &take) {
                break;
            }
            // One read a turn: the others that are ready come first, then the end of the turn.
            tokio::task::yield_now().await;
        }
        if !self.closed.get() {
            // The peer has closed its half. Answers of this turn still go out.
            self.turn.wake();
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            self.write_out();
        }
        self.end();
    }

    /// Nothing is read from it or written to it any more.
    pub(crate) fn end(&self) {
        self.closed.set(true);
        self.calls.borrow_mut().end();
    }

    /// One read and everything that is whole in it. False when the connection is to end.
    fn read_once(self: &Rc<Self>, held: &mut Vec<u8>, take: &impl Fn(&Rc<Connection>, Incoming<'_>)) -> bool {
        let claimed = frame::claimed_len(held);
        let mut scratch = self.turn.scratch.borrow_mut();
        // The rest of the read before comes in front of this one, so that a busy connection is always read in large pieces: read into
        // `held`, it would be read in pieces as small as the room that an unfinished frame needs.
        if held.len().max(claimed) <= scratch.len() / 2 {
            let left = held.len();
            let read = match self.wire.read(&mut scratch[left..]) {
                Ok(0) => return false,
                Ok(read) => read,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            };
            self.last_active.set(Instant::now());
            scratch[..left].copy_from_slice(held);
            let Some(consumed) = self.consume(&scratch[..left + read], take) else {
                return false;
            };
            *held = scratch[consumed..left + read].to_vec();
            return true;
        }
        // Room for what the frame still lacks, but no more ahead of its arrival than one scratch buffer.
        let missing = claimed.saturating_sub(held.len());
        held.reserve(missing.clamp(4096, scratch.len()));
        drop(scratch);
        match self.wire.read_behind(held) {
            Ok(0) => false,
            Ok(_) => {
                self.last_active.set(Instant::now());
                self.take_held(held, take)
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    fn take_held(self: &Rc<Self>, held: &mut Vec<u8>, take: &impl Fn(&Rc<Connection>, Incoming<'_>)) -> bool {
        let Some(consumed) = self.consume(held, take) else {
            return false;
        };
        if consumed == held.len() {
            *held = Vec::new();
        } else {
            held.drain(..consumed);
        }
        true
    }

    /// Hands over every whole frame, until answers or requests pile up. Returns how many bytes it consumed, or
    /// `None` if they are not frames.
    pub(crate) fn consume(self: &Rc<Self>, input: &[u8], take: &impl Fn(&Rc<Connection>, Incoming<'_>)) -> Option<usize> {
        let mut consumed = 0;
        self.sent_in_turn.set(0);
        loop {
            // Also in the middle of a read: the other connections come first, then the rest of it.
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
                if let Some(caller) = self.calls.borrow_mut().take(header.opaque) {
                    // The caller may have given up; then the answer is not missed.
                    let _ = caller.send(Received::copy_of(&frame));
                }
            } else {
                take(self, Incoming { header, frame });
            }
        }
        self.turn.wake();
        Some(consumed)
    }
}
