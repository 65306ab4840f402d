//! Which bytes of answers are not sent yet?

use super::wire::Wire;
use std::io;

/// Unsent answers above which no further request of the connection is looked at, in bytes.
pub(super) const OUT_PAUSE_BYTES: usize = 4 * 1024 * 1024;
/// Buffers larger than this are given back once they are empty; smaller ones are used again in the next turn, until the connection is
/// idle ([`Out::release`]), so that it then costs next to nothing. In bytes.
const BUFFER_REUSED_BYTES_MAX: usize = 64 * 1024;

/// Answers that are gathered for one socket.
#[derive(Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    sent: usize,
}

/// How far an attempt to write came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Nothing is left.
    All,
    /// The socket takes no more now.
    Part,
    /// The socket will take nothing any more; the rest is dropped.
    Failed,
}

impl Out {
    pub(super) fn unsent(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// The buffer, to append whole frames to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes the gathered answers, and `body` behind them without copying it, as far as the socket takes them at once. Returns how many
    /// bytes it took, and how many of those were of `body`.
    pub(super) fn send_with(&mut self, body: &[u8], wire: &Wire) -> (usize, usize) {
        // An error is met again, and acted on, when the rest is written at the end of the turn.
        let taken = wire.write_both(&self.bytes[self.sent..], body).unwrap_or(0);
        let gathered = taken.min(self.unsent());
        self.sent += gathered;
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
        (taken, taken - gathered)
    }

    /// Writes the gathered answers until the socket takes no more.
    pub(super) fn send(&mut self, wire: &Wire) -> Sent {
        while self.sent < self.bytes.len() {
            match wire.write(&self.bytes[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.sent > OUT_PAUSE_BYTES {
                        self.bytes.drain(..self.sent);
                        self.sent = 0;
                    }
                    return Sent::Part;
                }
                Err(_) => {
                    *self = Out::default();
                    return Sent::Failed;
                }
            }
        }
        self.sent = 0;
        if self.bytes.capacity() > BUFFER_REUSED_BYTES_MAX {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
        Sent::All
    }

    /// Gives back the buffer if it is empty.
    pub(super) fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }
}
