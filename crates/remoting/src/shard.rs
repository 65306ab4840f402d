//! One thread's share of the connections, and its turns.
//!
//! A turn takes the requests of every socket that was ready. That rests on the order in which tokio polls: a wake-up of the runtime's
//! driver puts the task of each ready connection on the `LocalSet`'s queue; these run, up to 61 before [`Shard::run`] is polled again,
//! and read once each; the first of them asks for the turn. So up to 61 connections share a turn, and with more of them each turn has 61
//! (`MAX_TASKS_PER_TICK` in tokio's `task/local.rs`). Were it otherwise, turns would be as right, but smaller; a test counts.

#![expect(clippy::disallowed_methods, reason = "what sleeps in the runtime's time asks for that time")]

use crate::connection::Connection;
use crate::connection::wire::Wire;
use crate::mailbox::{ConnectionId, Letter, ShardHandle, new_connection};
use crate::service::Service;
use crate::turn::Turn;
use roxmq_env::vital;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::rc::{Rc, Weak};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tracing::warn;

/// A turn is taken at least this often.
const REST_MAX: Duration = Duration::from_secs(1);
/// How often idle connections are looked for.
const IDLE_SCAN: Duration = Duration::from_secs(5);
/// How long a stopping shard goes on writing answers.
const DRAIN: Duration = Duration::from_secs(2);

/// The connections of one thread. Lives on it.
pub(crate) struct Shard {
    handle: ShardHandle,
    turn: Rc<Turn<Connection>>,
    connections: RefCell<HashMap<ConnectionId, Weak<Connection>>>,
    idle_max: Duration,
}

impl Shard {
    pub(crate) fn new(handle: ShardHandle, idle_max: Duration) -> Rc<Shard> {
        Rc::new(Shard { turn: Turn::new(handle.clone()), handle, connections: RefCell::default(), idle_max })
    }

    /// Takes turns until a stop is posted.
    pub(crate) async fn run<S: Service>(self: Rc<Self>, service: Rc<S>) {
        let mut rest = std::pin::pin!(tokio::time::sleep(REST_MAX));
        let mut next_scan = Instant::now() + IDLE_SCAN;
        loop {
            tokio::select! {
                biased;
                () = self.handle.woken() => {}
                () = &mut rest => {}
            }
            let now = Instant::now();
            if now >= next_scan {
                next_scan = now + IDLE_SCAN;
                self.close_idle();
            }
            let ControlFlow::Continue(pause) = self.take_turn(&service) else {
                return self.drain(&*service).await;
            };
            let next_turn = now + pause.min(REST_MAX);
            // Turns that follow each other closely leave the timer where it is.
            if next_turn < rest.deadline() || rest.is_elapsed() {
                rest.as_mut().reset(next_turn);
            }
        }
    }

    /// Takes one turn, and says within what time the next one follows; a stop was posted otherwise.
    pub(crate) fn take_turn<S: Service>(self: &Rc<Self>, service: &Rc<S>) -> ControlFlow<(), Duration> {
        self.turn.begins();
        let stop = self.read_letters(service);
        let pause = service.turn();
        self.flush();
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(pause) }
    }

    fn flush(&self) {
        self.turn.for_each_written_to(|connection| connection.flush());
    }

    fn read_letters<S: Service>(self: &Rc<Self>, service: &Rc<S>) -> bool {
        let letters = self.handle.letters();
        let mut stop = false;
        for letter in letters {
            match letter {
                Letter::Accepted { stream } => self.accept(stream, service),
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
                Letter::Finished { to, count } => self.connection(to).iter().for_each(|connection| connection.finished(count)),
                Letter::Close { to } => self.connection(to).iter().for_each(|connection| connection.close()),
                Letter::Stop => stop = true,
            }
        }
        stop
    }

    fn connection(&self, id: ConnectionId) -> Option<Rc<Connection>> {
        self.connections.borrow().get(&id).and_then(Weak::upgrade)
    }

    fn accept<S: Service>(self: &Rc<Self>, stream: std::net::TcpStream, service: &Rc<S>) {
        let connection = TcpStream::from_std(stream).and_then(|stream| self.connection_over(Wire::Socket(stream), &**service));
        let connection = match connection {
            Ok(connection) => connection,
            Err(error) => {
                warn!(%error, "an accepted socket was gone before it was served");
                self.handle.connection_ended();
                return;
            }
        };
        let (shard, service) = (Rc::clone(self), Rc::clone(service));
        tokio::task::spawn_local(vital::task(async move {
            connection.serve(|from, request| service.request(from, request)).await;
            service.closed(&connection);
            shard.connections.borrow_mut().remove(&connection.id);
            shard.handle.connection_ended();
        }));
    }

    /// A connection of this shard, with a number of its own.
    pub(crate) fn connection_over<S: Service>(&self, wire: Wire, service: &S) -> io::Result<Rc<Connection>> {
        let connection = Connection::new(Rc::clone(&self.turn), new_connection(), wire, |local| service.met_as(local))?;
        let connection = Rc::new(connection);
        self.connections.borrow_mut().insert(connection.id, Rc::downgrade(&connection));
        Ok(connection)
    }

    fn close_idle(&self) {
        let now = Instant::now();
        for connection in self.connections.borrow().values().filter_map(Weak::upgrade) {
            let idle = now.duration_since(connection.last_active());
            if idle >= self.idle_max {
                connection.close();
            } else if idle >= IDLE_SCAN {
                connection.release_buffer();
            }
        }
    }

    /// Writes the answers that are left, for a bounded time, then closes.
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

    /// While stopping, only bytes for clients still count.
    fn read_letters_quietly(&self) {
        for letter in self.handle.letters() {
            if let Letter::Write { to, frames } = letter
                && let Some(connection) = self.connection(to)
            {
                connection.write(|out| out.extend_from_slice(&frames));
            }
        }
    }
}
