//! A server on a real socket: what clients can do to it, and what it must go on doing for others.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

use roxmq_env::clock::Clock;
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::request::{ConsumerRunningInfo, MaxOffset, OffsetReply};
use roxmq_remoting::client::Client;
use roxmq_remoting::{Answer, CallError, Connection, Incoming, Listen, Peer, Server, ServerOptions, Service, Ticket};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// Code 30 is answered at the end of the turn with the queue id as offset, code 1 with a large body, code 2 with one of
/// that many kilobytes that is written at once, code 7 keeps the peer for a call back,
/// and code 37 as well, after which the connection owes something.
struct Echo {
    late: RefCell<Vec<(Rc<Connection>, Ticket, i64)>>,
    peers: Sender<Peer>,
    closed: Sender<u64>,
}

impl Service for Echo {
    fn request(&self, from: &Rc<Connection>, request: Incoming<'_>) {
        match request.header.code {
            30 => {
                let offset = request.header.fields.text("queueId").and_then(|text| text.parse().ok()).unwrap_or(-1);
                self.late.borrow_mut().push((Rc::clone(from), request.ticket(), offset));
            }
            1 => from.answer(request.ticket(), Answer::body(vec![7; 1 << 20])),
            2 => {
                let ticket = request.ticket();
                let kilobytes = request.header.fields.text("queueId").and_then(|text| text.parse().ok()).unwrap_or(0);
                let body: Vec<u8> = (0..kilobytes * 1024).map(|at: usize| (at / 7) as u8).collect();
                let top = Top::answer(ticket.opaque, 0, None);
                let head = |out: &mut Vec<u8>| header::write_head(out, ticket.encoding, top, |_| (), body.len());
                from.write_frame(head, &body);
            }
            7 => self.peers.send(from.peer()).unwrap(),
            37 => {
                from.owes();
                self.peers.send(from.peer()).unwrap();
            }
            other => from.answer(request.ticket(), Answer::refused(3, format!("no code {other}"))),
        }
    }

    fn turn(&self) -> Duration {
        for (from, ticket, offset) in self.late.borrow_mut().drain(..) {
            from.answer(ticket, Answer::with(OffsetReply { offset }));
        }
        Duration::MAX
    }

    fn closed(&self, connection: &Connection) {
        let _ = self.closed.send(connection.id);
    }
}

struct Running {
    server: Server,
    address: SocketAddr,
    peers: Receiver<Peer>,
    closed: Receiver<u64>,
}

fn start(shards: usize) -> Running {
    let listen = [Listen { address: "127.0.0.1:0".parse().unwrap() }];
    let options =
        ServerOptions { name: "echo", shards, idle_max: Duration::from_secs(3600), connections_max: 1000, clock: Clock::system() };
    let (peers, peers_seen) = channel();
    let (closed, closed_seen) = channel();
    let server = Server::start(&listen, options, move |_| Echo { late: RefCell::default(), peers: peers.clone(), closed: closed.clone() });
    let server = server.unwrap();
    Running { address: server.addresses()[0], server, peers: peers_seen, closed: closed_seen }
}

fn request(opaque: i32, code: i32, queue: i32) -> Vec<u8> {
    let mut out = Vec::new();
    header::write_frame(&mut out, Encoding::Json, Top::request(opaque, code, false), |sink| sink.number("queueId", queue), b"");
    out
}

fn connect(running: &Running) -> TcpStream {
    let stream = TcpStream::connect(running.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads whole answers: opaque, code and the offset field.
fn answers(stream: &mut TcpStream, count: usize) -> Vec<(i32, i32, Option<String>)> {
    let mut held = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    let mut found = Vec::new();
    while found.len() < count {
        let read = stream.read(&mut chunk).expect("an answer in time");
        assert_ne!(read, 0, "the connection was closed after {} of {count} answers", found.len());
        held.extend_from_slice(&chunk[..read]);
        let mut consumed = 0;
        while let Some(frame) = frame::split(&held[consumed..]).unwrap() {
            let header = header::read(&frame).unwrap();
            found.push((header.opaque, header.code, header.fields.text("offset").map(|offset| offset.into_owned())));
            consumed += frame.len;
        }
        held.drain(..consumed);
    }
    found
}

fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_thousand_requests_in_one_write_and_one_byte_at_a_time() {
    let running = start(2);
    let mut stream = connect(&running);
    let all: Vec<u8> = (0..1000).flat_map(|n| request(n, 30, n * 2)).collect();
    stream.write_all(&all).unwrap();
    let found = answers(&mut stream, 1000);
    assert!(found.iter().enumerate().all(|(n, (opaque, code, offset))| {
        *opaque == n as i32 && *code == 0 && offset.as_deref() == Some((n * 2).to_string().as_str())
    }));

    stream.set_nodelay(true).unwrap();
    for byte in request(-5, 30, 9) {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(answers(&mut stream, 1), [(-5, 0, Some("9".into()))]);
    stream.write_all(&request(1, 99, 0)).unwrap();
    assert_eq!(answers(&mut stream, 1), [(1, 3, None)]);
    running.server.stop();
}

#[test]
fn what_is_no_frame_ends_that_connection_only() {
    let running = start(1);
    let mut healthy = connect(&running);
    for garbage in [
        &(17i32 << 20).to_be_bytes()[..],
        &(-1i32).to_be_bytes(),
        &[0, 0, 0, 10, 0, 0, 0, 9],
        &[0, 0, 0, 6, 0, 0, 0, 2, b'{', b'x'],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x16, 3, 1, 0, 5, 1],
    ] {
        let mut stream = connect(&running);
        stream.write_all(garbage).unwrap();
        assert!(is_closed(&mut stream), "{garbage:?}");
        running.closed.recv_timeout(PATIENCE).unwrap();
        healthy.write_all(&request(1, 30, 1)).unwrap();
        assert_eq!(answers(&mut healthy, 1).len(), 1);
    }
    running.server.stop();
}

#[test]
fn a_half_closed_peer_gets_its_answers_and_is_closed() {
    let running = start(1);
    let mut stream = connect(&running);
    stream.write_all(&request(4, 30, 4)).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(answers(&mut stream, 1), [(4, 0, Some("4".into()))]);
    assert!(is_closed(&mut stream));
    running.server.stop();
}

#[test]
fn a_peer_that_does_not_read_is_not_read_from() {
    let running = start(1);
    let mut stream = connect(&running);
    // 100 answers of 1 MiB: far more than sockets and the pause allow. All of them come once the peer reads.
    let all: Vec<u8> = (0..100).flat_map(|n| request(n, 1, 0)).collect();
    stream.write_all(&all).unwrap();
    let mut other = connect(&running);
    other.write_all(&request(1, 30, 1)).unwrap();
    assert_eq!(answers(&mut other, 1).len(), 1);
    let found = answers(&mut stream, 100);
    assert!(found.iter().enumerate().all(|(n, (opaque, ..))| *opaque == n as i32));
    running.server.stop();
}

#[test]
fn a_peer_whose_requests_pile_up_elsewhere_is_not_read_from() {
    let running = start(1);
    let mut stream = connect(&running);
    let all: Vec<u8> = (0..3000).flat_map(|n| request(n, 37, 0)).collect();
    stream.write_all(&all).unwrap();
    let peer = running.peers.recv_timeout(PATIENCE).unwrap();
    let mut taken = 1;
    while taken < 1025 {
        running.peers.recv_timeout(PATIENCE).unwrap();
        taken += 1;
    }
    // Turns go by, and nothing more is taken.
    let mut other = connect(&running);
    for n in 0..5 {
        other.write_all(&request(n, 30, 1)).unwrap();
        assert_eq!(answers(&mut other, 1).len(), 1);
    }
    assert!(running.peers.try_recv().is_err());
    while taken < 3000 {
        peer.finished(100);
        for _ in 0..100.min(3000 - taken) {
            running.peers.recv_timeout(PATIENCE).unwrap();
            taken += 1;
        }
    }
    // It is read from again, to its end.
    peer.finished(3000);
    stream.write_all(&request(1, 30, 5)).unwrap();
    assert_eq!(answers(&mut stream, 1), [(1, 0, Some("5".to_owned()))]);
    running.server.stop();
}

#[test]
fn long_and_short_answers_come_whole_and_in_order() {
    let running = start(1);
    let mut stream = connect(&running);
    // Three long ones, then an unknown code; up to 300 KB each, 12 MB in all, more than a socket takes while nobody reads.
    let kilobytes = |n: i32| if n % 4 == 3 { 0 } else { n * 37 % 300 };
    let all: Vec<u8> = (0..100).flat_map(|n| request(n, if n % 4 == 3 { 99 } else { 2 }, kilobytes(n))).collect();
    stream.write_all(&all).unwrap();
    let mut other = connect(&running);
    other.write_all(&request(1, 30, 1)).unwrap();
    assert_eq!(answers(&mut other, 1).len(), 1, "the neighbour is served");
    let mut held = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    let mut next = 0;
    while next < 100 {
        let read = stream.read(&mut chunk).expect("an answer in time");
        assert_ne!(read, 0, "closed after {next}");
        held.extend_from_slice(&chunk[..read]);
        while let Some(frame) = frame::split(&held).unwrap() {
            assert_eq!(header::read(&frame).unwrap().opaque, next);
            assert_eq!(frame.body.len(), kilobytes(next) as usize * 1024);
            assert!(frame.body.iter().enumerate().all(|(at, byte)| *byte == (at / 7) as u8));
            next += 1;
            let len = frame.len;
            held.drain(..len);
        }
    }
    running.server.stop();
}

#[test]
fn what_was_sent_before_a_reset_is_still_taken() {
    let running = start(1);
    for round in 0..50 {
        let mut stream = connect(&running);
        // A reset throws away what the sender's own system still holds back: no waiting for more, and no more than one window.
        stream.set_nodelay(true).unwrap();
        stream.write_all(&request(1, 1, 0)).unwrap();
        // The answer is under way and does not fit the socket: the server will fail to write the rest of it.
        stream.read_exact(&mut [0]).unwrap();
        for n in 0..5 {
            stream.write_all(&request(n, 7, 0)).unwrap();
        }
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        drop(stream);
        for n in 0..5 {
            running.peers.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("request {n} of round {round} was lost"));
        }
    }
    running.server.stop();
}

#[test]
fn calls_go_both_ways_and_end_with_the_connection() {
    let running = start(2);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = Client::new();
    let answer = runtime.block_on(client.call(&running.address.to_string(), &MaxOffset { topic: "t".into(), queue_id: 6 }, b"", PATIENCE));
    assert_eq!(answer.unwrap().fields::<OffsetReply>(), Ok(OffsetReply { offset: 6 }));

    let mut stream = connect(&running);
    stream.write_all(&request(1, 7, 0)).unwrap();
    let peer = running.peers.recv_timeout(PATIENCE).unwrap();
    let ask = || ConsumerRunningInfo { consumer_group: "g".into(), client_id: "c".into(), jstack_enable: None };
    let calling = peer.clone();
    let call = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(calling.call(ask(), b"body".to_vec(), PATIENCE))
    });
    let asked = answers(&mut stream, 1)[0].clone();
    assert_eq!(asked.1, 307);
    let mut reply = Vec::new();
    header::write_frame(&mut reply, Encoding::Json, Top::answer(asked.0, 0, None), |_| (), b"running");
    stream.write_all(&reply).unwrap();
    assert_eq!(call.join().unwrap().unwrap().body(), b"running");

    drop(stream);
    running.closed.recv_timeout(PATIENCE).unwrap();
    assert_eq!(runtime.block_on(peer.call(ask(), Vec::new(), PATIENCE)).unwrap_err(), CallError::Closed);
    let gone = running.address.to_string();
    running.server.stop();
    let refused = runtime.block_on(Client::new().call(&gone, &MaxOffset { topic: "t".into(), queue_id: 6 }, b"", PATIENCE));
    assert!(matches!(refused, Err(CallError::Connect { .. })), "{refused:?}");
}
