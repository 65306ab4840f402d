//! A turn takes what was read from every connection that was ready: one append and one write for many messages rests on it. It also comes
//! when a clock has moved that stood still.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

use roxmq_env::clock::Clock;
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use roxmq_remoting::{Answer, Connection, Incoming, Listen, Server, ServerOptions, Service};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
/// As many as share a turn, less one that holds the shard up; see `shard.rs`.
const READY: usize = 60;

/// A request that is counted.
const COUNTED: i32 = 1;
/// A request that holds its shard up until the test lets it go on.
const HOLDS_UP: i32 = 2;

struct Counting {
    in_turn: Cell<usize>,
    turns: Sender<usize>,
    is_held_up: Sender<()>,
    go_on: Arc<Mutex<Receiver<()>>>,
}

impl Service for Counting {
    fn request(&self, from: &Rc<Connection>, request: Incoming<'_>) {
        match request.header.code {
            HOLDS_UP => {
                self.is_held_up.send(()).unwrap();
                self.go_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            }
            _ => self.in_turn.set(self.in_turn.get() + 1),
        }
        from.answer(request.ticket(), Answer::ok());
    }

    fn turn(&self) -> Duration {
        if self.in_turn.get() > 0 {
            self.turns.send(self.in_turn.take()).unwrap();
        }
        Duration::MAX
    }

    fn closed(&self, _: &Connection) {}
}

fn send(stream: &mut TcpStream, code: i32) {
    let mut out = Vec::new();
    header::write_frame(&mut out, Encoding::Json, Top::request(1, code, false), |_| (), b"");
    stream.write_all(&out).unwrap();
}

fn wait_for_answer(stream: &mut TcpStream) {
    let mut held = Vec::new();
    let mut chunk = [0; 1024];
    while frame::split(&held).unwrap().is_none() {
        let read = stream.read(&mut chunk).expect("an answer in time");
        assert_ne!(read, 0);
        held.extend_from_slice(&chunk[..read]);
    }
}

#[test]
fn connections_that_are_ready_share_a_turn() {
    let (turns, turns_seen) = channel();
    let (is_held_up, held_up) = channel();
    let (go, go_on) = channel();
    let go_on = Arc::new(Mutex::new(go_on));
    let listen = [Listen { address: "127.0.0.1:0".parse().unwrap() }];
    let options =
        ServerOptions { name: "turns", shards: 1, idle_max: Duration::from_secs(3600), connections_max: 1000, clock: Clock::system() };
    let server = Server::start(&listen, options, move |_| Counting {
        in_turn: Cell::new(0),
        turns: turns.clone(),
        is_held_up: is_held_up.clone(),
        go_on: Arc::clone(&go_on),
    });
    let server = server.unwrap();
    let mut streams: Vec<TcpStream> = (0..=READY)
        .map(|_| {
            let stream = TcpStream::connect(server.addresses()[0]).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream
        })
        .collect();
    for stream in &mut streams {
        send(stream, COUNTED);
        wait_for_answer(stream);
        assert_eq!(turns_seen.recv_timeout(PATIENCE), Ok(1));
    }
    let mut round = || {
        let (blocker, others) = streams.split_first_mut().unwrap();
        send(blocker, HOLDS_UP);
        held_up.recv_timeout(PATIENCE).unwrap();
        others.iter_mut().for_each(|stream| send(stream, COUNTED));
        go.send(()).unwrap();
        wait_for_answer(blocker);
        others.iter_mut().for_each(wait_for_answer);
        let mut sizes = Vec::new();
        while sizes.iter().sum::<usize>() < READY {
            sizes.push(turns_seen.recv_timeout(PATIENCE).unwrap());
        }
        sizes
    };
    // The system may show some of what was sent a little later; not always.
    let rounds: Vec<Vec<usize>> = (0..20).map(|_| round()).collect();
    assert!(rounds.iter().any(|sizes| *sizes == [READY]), "{rounds:?}");
    server.stop();
}

/// Says what its clock shows in each turn.
struct Watching {
    clock: Clock,
    shown: Sender<i64>,
}

impl Service for Watching {
    fn request(&self, _: &Rc<Connection>, _: Incoming<'_>) {}

    fn turn(&self) -> Duration {
        let _ = self.shown.send(self.clock.now_ms());
        Duration::MAX
    }

    fn closed(&self, _: &Connection) {}
}

#[test]
fn a_clock_that_moves_is_looked_at() {
    let clock = Clock::manual(0);
    let (shown, seen) = channel();
    let listen = [Listen { address: "127.0.0.1:0".parse().unwrap() }];
    let options =
        ServerOptions { name: "clock", shards: 1, idle_max: Duration::from_secs(3600), connections_max: 1000, clock: clock.clone() };
    let watched = clock.clone();
    let server = Server::start(&listen, options, move |_| Watching { clock: watched.clone(), shown: shown.clone() }).unwrap();
    // A shard that only looked once a second would try the patience of this test.
    let until = Instant::now() + PATIENCE;
    for ms in 1..=100 {
        clock.advance(Duration::from_millis(1));
        while seen.recv_timeout(until.saturating_duration_since(Instant::now())).expect("a turn in time") != ms {}
    }
    server.stop();
}
