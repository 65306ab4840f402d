//! How do other threads reach a shard? Letters in its mailbox, which it reads at the beginning of a turn.

#![expect(clippy::disallowed_methods, reason = "how often a line is logged is no business of the clock")]

use crate::message::Received;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};
use tracing::warn;

/// Number of a connection, never used twice in a process.
pub type ConnectionId = u64;

/// Letters that may lie in a mailbox. Above, it only takes answers, and letters that end a request or a connection.
const MAILBOX_MAX: usize = if cfg!(test) { 8 } else { 1 << 20 };
/// How often the log says at most that letters are dropped.
const DROPPED_SAID_EVERY: Duration = Duration::from_secs(60);

/// Something that another thread wants of a shard.
pub(crate) enum Letter {
    Accepted { stream: std::net::TcpStream },
    Write { to: ConnectionId, frames: Vec<u8> },
    Call { to: ConnectionId, request: CallFrame, answer: oneshot::Sender<Received> },
    Finished { to: ConnectionId, count: usize },
    Close { to: ConnectionId },
    Stop,
}

/// Appends a request with the number that it is given.
pub(crate) type CallFrame = Box<dyn FnOnce(i32, &mut Vec<u8>) + Send>;

/// Reaches a shard from any thread.
#[derive(Clone)]
pub struct ShardHandle(Arc<Mailbox>);

struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    waiting: Notify,
    connections: AtomicUsize,
    dropped: Mutex<Dropped>,
}

/// Letters that a full mailbox did not take.
#[derive(Default)]
struct Dropped {
    /// Since the log said so.
    count: u64,
    said: Option<Instant>,
}

static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// The number that the next connection gets: those that are there, or were, have lower ones.
pub fn next_connection() -> ConnectionId {
    NEXT_CONNECTION.load(Ordering::Relaxed)
}

/// A number for a connection that was accepted now.
pub(crate) fn new_connection() -> ConnectionId {
    NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed)
}

impl ShardHandle {
    pub(crate) fn new() -> ShardHandle {
        ShardHandle(Arc::new(Mailbox {
            letters: Mutex::default(),
            waiting: Notify::new(),
            connections: AtomicUsize::new(0),
            dropped: Mutex::default(),
        }))
    }

    /// Has the shard take a turn soon.
    pub fn wake(&self) {
        self.0.waiting.notify_one();
    }

    /// Waits until a turn is asked for.
    pub(crate) async fn woken(&self) {
        self.0.waiting.notified().await;
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// Leaves a letter that may be dropped when too many lie there: a notice that the other end also notices by itself, a call, whose
    /// caller hears of it, or a new connection, which is then closed.
    pub(crate) fn post(&self, letter: Letter) -> bool {
        let mut letters = self.0.letters.lock();
        if letters.len() >= MAILBOX_MAX {
            drop(letters);
            if let Some(dropped) = self.0.dropped.lock().add(Instant::now()) {
                warn!(dropped, "mailbox full: dropping notices, calls and new connections of a shard");
            }
            return false;
        }
        letters.push(letter);
        drop(letters);
        self.wake();
        true
    }

    /// Leaves a letter that must not get lost. There is at most one for each request under way, which have a bound of their own, and one
    /// for each connection that is to end.
    pub(crate) fn post_owed(&self, letter: Letter) {
        self.0.letters.lock().push(letter);
        self.wake();
    }

    /// Takes all letters.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        std::mem::take(&mut *self.0.letters.lock())
    }

    pub(crate) fn accepted(&self, stream: std::net::TcpStream) {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        if !self.post(Letter::Accepted { stream }) {
            self.connection_ended();
        }
    }

    pub(crate) fn connection_ended(&self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn stop(&self) {
        self.post_owed(Letter::Stop);
    }
}

impl Dropped {
    /// One more at time `now`. How many there were, when it is time to say so.
    fn add(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.said.is_some_and(|said| now.duration_since(said) < DROPPED_SAID_EVERY) {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Answer, Ticket};
    use crate::peer::Peer;
    use roxmq_protocol::frame::Encoding;
    use roxmq_protocol::request::NotifyConsumerIdsChanged;

    #[test]
    fn a_full_mailbox_still_takes_answers_and_ends() {
        let handle = ShardHandle::new();
        let peer = Peer::new(handle.clone(), 1, "127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let lie_there = || handle.0.letters.lock().len();
        handle.0.letters.lock().extend((0..MAILBOX_MAX).map(|_| Letter::Finished { to: 2, count: 1 }));
        (0..3).for_each(|_| peer.send_oneway(&NotifyConsumerIdsChanged { consumer_group: "g".into() }, b""));
        assert_eq!(lie_there(), MAILBOX_MAX);
        // The first was said at once.
        assert_eq!(handle.0.dropped.lock().count, 2);
        peer.answer(Ticket { opaque: 7, encoding: Encoding::Json, oneway: false }, Answer::ok());
        peer.finished(1);
        peer.close();
        assert_eq!(lie_there(), MAILBOX_MAX + 3);
    }

    #[test]
    fn dropped_letters_are_said_once_a_minute() {
        let (mut dropped, start) = (Dropped::default(), Instant::now());
        let said = [0, 1, 59, 60, 61, 200].map(|second| dropped.add(start + Duration::from_secs(second)));
        assert_eq!(said, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
