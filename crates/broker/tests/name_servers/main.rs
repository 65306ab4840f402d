//! What NameServers hear from a broker, and how long others wait for them: over real sockets, with NameServers that answer, keep silent or
//! are away. The broker's clock stands still, so that nothing that waits for a time goes on.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

use roxmq_broker::settings::BrokerConfig;
use roxmq_broker::{RunningBroker, Setup};
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_env::randomness::Randomness;
use roxmq_protocol::body::{RegisterBrokerBody, RegistrationForm};
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A broken test ends after this; nothing depends on it otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something that a NameServer heard.
#[derive(Clone, Debug, PartialEq)]
enum Heard {
    /// All topics.
    Registered(BTreeSet<String>),
    Topic(String),
    Goodbye,
    /// The broker's connection has ended.
    End,
}

#[derive(Default)]
struct State {
    heard: Vec<Heard>,
    streams: Vec<TcpStream>,
    /// Topics of another broker.
    elsewhere: BTreeSet<String>,
    is_mute: bool,
    knows_nothing: bool,
    is_closed: bool,
}

/// A NameServer that notes what it hears.
struct NameServer {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl NameServer {
    fn start() -> NameServer {
        NameServer::at("127.0.0.1:0".parse().unwrap())
    }

    fn at(address: SocketAddr) -> NameServer {
        let deadline = Instant::now() + PATIENCE;
        let listener = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        };
        let address = listener.local_addr().unwrap();
        let state: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let mut state = served.0.lock().unwrap();
                if state.is_closed {
                    break;
                }
                state.streams.push(stream.try_clone().unwrap());
                let served = Arc::clone(&served);
                std::thread::spawn(move || serve(stream, &served));
            }
        });
        NameServer { address, state }
    }

    fn mute() -> NameServer {
        let name_server = NameServer::start();
        name_server.set(|state| state.is_mute = true);
        name_server
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.0.lock().unwrap());
    }

    fn heard(&self) -> Vec<Heard> {
        self.state.0.lock().unwrap().heard.clone()
    }

    /// Waits until it has heard what is wanted, and forgets all that it heard.
    fn hears(&self, wanted: impl Fn(&Heard) -> bool) -> Heard {
        let (state, bell) = &*self.state;
        let is_waiting = |state: &mut State| !state.heard.iter().any(&wanted);
        let (mut state, waited) = bell.wait_timeout_while(state.lock().unwrap(), PATIENCE, is_waiting).unwrap();
        assert!(!waited.timed_out(), "only heard {:?}", state.heard);
        // What came after it is for those who ask next.
        let at = state.heard.iter().position(&wanted).unwrap();
        state.heard.drain(..=at).next_back().unwrap()
    }

    fn registers(&self) -> Heard {
        self.hears(|heard| matches!(heard, Heard::Registered(_)))
    }

    fn close_connections(&self) {
        self.state.0.lock().unwrap().streams.drain(..).for_each(|stream| stream.shutdown(std::net::Shutdown::Both).unwrap_or_default());
    }

    /// It does not listen any more either.
    fn stop(self) -> SocketAddr {
        self.set(|state| state.is_closed = true);
        self.close_connections();
        let _ = TcpStream::connect(self.address);
        self.address
    }
}

fn serve(mut stream: TcpStream, state: &(Mutex<State>, Condvar)) {
    let mut input = Vec::new();
    loop {
        while let Some(frame) = frame::split(&input).unwrap() {
            let len = frame.len;
            let header = header::read(&frame).unwrap();
            let topic = || header.fields.text("topic").unwrap().to_string();
            let heard = match header.code {
                103 => {
                    let body = RegisterBrokerBody::decode(frame.body, RegistrationForm::Plain).unwrap();
                    Some(Heard::Registered(body.topic_config_serialize_wrapper.topic_config_table.into_keys().collect()))
                }
                217 => Some(Heard::Topic(topic())),
                104 => Some(Heard::Goodbye),
                _ => None,
            };
            let mut state_now = state.0.lock().unwrap();
            state_now.heard.extend(heard);
            state.1.notify_all();
            let is_elsewhere = header.code == 105 && state_now.elsewhere.contains(&topic());
            let code = match header.code {
                105 if state_now.knows_nothing => 1,
                105 if !is_elsewhere => 17,
                _ => 0,
            };
            let body = if is_elsewhere && code == 0 { r#"{"queueDatas":[{"brokerName":"other"}]}"# } else { "" };
            if !state_now.is_mute {
                let mut answer = Vec::new();
                header::write_frame(&mut answer, Encoding::Json, Top::answer(header.opaque, code, None), |_| {}, body.as_bytes());
                drop(state_now);
                let _ = stream.write_all(&answer);
            }
            input.drain(..len);
        }
        let mut some = [0; 4096];
        match stream.read(&mut some) {
            Ok(0) | Err(_) => break,
            Ok(read) => input.extend_from_slice(&some[..read]),
        }
    }
    state.0.lock().unwrap().heard.push(Heard::End);
    state.1.notify_all();
}

struct Broker {
    running: RunningBroker,
    wire: TcpStream,
    opaque: i32,
}

impl Broker {
    fn start(disk: &SimDisk, clock: &Clock, name_servers: &[SocketAddr]) -> Broker {
        let config = BrokerConfig {
            listen_port: 0,
            bind_address: [127, 0, 0, 1].into(),
            broker_name: "b".into(),
            shards: 1,
            segment_bytes: 16 << 20,
            namesrv_addr: name_servers.iter().map(SocketAddr::to_string).collect(),
            ..BrokerConfig::default()
        };
        let (clock, disk) = (clock.clone(), disk.disk());
        let setup =
            Setup { config, address_is_chosen: false, advertised_host: "127.0.0.1".into(), clock, disk, randomness: Randomness::seeded(0) };
        let running = RunningBroker::start(setup).unwrap();
        let wire = TcpStream::connect(running.addresses()[0]).unwrap();
        wire.set_read_timeout(Some(PATIENCE)).unwrap();
        wire.set_nodelay(true).unwrap();
        Broker { running, wire, opaque: 0 }
    }

    /// The code of the answer.
    fn ask(&mut self, code: i32, fields: &[(&str, &str)], body: &str) -> i32 {
        self.opaque += 1;
        let mut sent = Vec::new();
        let all = |sink: &mut header::FieldSink<'_>| fields.iter().for_each(|(key, value)| sink.text(key, value));
        header::write_frame(&mut sent, Encoding::Json, Top::request(self.opaque, code, false), all, body.as_bytes());
        self.wire.write_all(&sent).unwrap();
        let mut answer = vec![0; 4];
        self.wire.read_exact(&mut answer).expect("an answer in time");
        let length = u32::from_be_bytes([answer[0], answer[1], answer[2], answer[3]]) as usize;
        answer.resize(4 + length, 0);
        self.wire.read_exact(&mut answer[4..]).unwrap();
        let frame = frame::split(&answer).unwrap().unwrap();
        let header = header::read(&frame).unwrap();
        // Shown when the test fails.
        header.remark.iter().for_each(|remark| println!("{code}: {} {}", header.code, remark.unescape()));
        header.code
    }

    fn make(&mut self, topic: &str) -> i32 {
        let fields = [("topic", topic), ("defaultTopic", "TBW102"), ("readQueueNums", "4"), ("writeQueueNums", "4"), ("perm", "6")];
        self.ask(17, &[&fields[..], &[("topicFilterType", "SINGLE_TAG"), ("topicSysFlag", "0"), ("order", "false")]].concat(), "")
    }

    fn send(&mut self, topic: &str) -> i32 {
        let fields = [("a", "p"), ("b", topic), ("c", "TBW102"), ("d", "4"), ("e", "0"), ("f", "0"), ("g", "0"), ("h", "0"), ("i", "")];
        self.ask(310, &[&fields[..], &[("j", "0"), ("k", "false"), ("m", "false")]].concat(), "body")
    }

    fn delete(&mut self, topic: &str) -> i32 {
        self.ask(215, &[("topic", topic)], "")
    }

    fn register_with(&mut self, name_servers: &[SocketAddr]) {
        let list: Vec<String> = name_servers.iter().map(SocketAddr::to_string).collect();
        assert_eq!(self.ask(25, &[], &format!("namesrvAddr={}", list.join(";"))), 0);
    }
}

fn fresh() -> (SimDisk, Clock) {
    (SimDisk::new(1), Clock::manual(1_800_000_000_000))
}

/// Listens, and lets nobody in: the system drops what comes once its queue is full.
fn dropping() -> (SocketAddr, Vec<socket2::Socket>) {
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut sockets = vec![listener];
    for _ in 0..4 {
        let filler = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        filler.set_nonblocking(true).unwrap();
        let _ = filler.connect(&address.into());
        sockets.push(filler);
    }
    (address, sockets)
}

#[test]
fn name_servers_that_do_not_answer_hold_up_nothing() {
    let (disk, clock) = fresh();
    let (living, mute) = (NameServer::start(), NameServer::mute());
    let (dropping, _sockets) = dropping();
    let nobody = NameServer::start().stop();
    let mut broker = Broker::start(&disk, &clock, &[mute.address, dropping, living.address, nobody]);
    living.registers();
    mute.registers();
    // Each is answered once the living one knows of it; the others would take from half a minute to for ever.
    for number in 0..50 {
        let (made, sent) = (format!("made{number}"), format!("sent{number}"));
        for (topic, code) in [(&made, broker.make(&made)), (&sent, broker.send(&sent))] {
            assert_eq!(code, 0);
            let tells = |heard: &Heard| match heard {
                Heard::Topic(told) => told == topic,
                Heard::Registered(all) => all.contains(topic),
                _ => false,
            };
            assert!(living.heard().iter().any(tells), "{topic} was answered before the NameServer knew of it");
        }
    }
    // The mute one hears all of it when it is itself again.
    mute.set(|state| state.is_mute = false);
    mute.close_connections();
    mute.hears(|heard| matches!(heard, Heard::Registered(all) if all.contains("made49") && all.contains("sent49")));
    broker.running.stop();
}

#[test]
fn a_name_server_that_comes_back_is_told_at_once() {
    let (disk, clock) = fresh();
    let name_server = NameServer::start();
    let mut broker = Broker::start(&disk, &clock, &[name_server.address]);
    name_server.registers();
    // It closes the connection,
    name_server.close_connections();
    name_server.registers();
    // and it goes away for a while. A topic that is made meanwhile waits for nobody.
    let address = name_server.stop();
    assert_eq!(broker.make("Meanwhile"), 0);
    let name_server = NameServer::at(address);
    assert!(matches!(name_server.registers(), Heard::Registered(all) if all.contains("Meanwhile")));
    broker.running.stop();
    name_server.hears(|heard| *heard == Heard::Goodbye);
}

#[test]
fn the_settings_say_who_is_told_and_who_is_left() {
    let (disk, clock) = fresh();
    let (first, second, mute) = (NameServer::start(), NameServer::start(), NameServer::mute());
    let mut broker = Broker::start(&disk, &clock, &[first.address]);
    first.registers();
    broker.register_with(&[second.address, mute.address]);
    second.registers();
    first.hears(|heard| *heard == Heard::Goodbye);
    // A mute one is left while it still owes an answer.
    mute.registers();
    broker.register_with(&[first.address]);
    mute.hears(|heard| *heard == Heard::Goodbye);
    mute.hears(|heard| *heard == Heard::End);
    second.hears(|heard| *heard == Heard::Goodbye);
    first.registers();
    // Taken off and put back: the registration comes after the goodbye.
    broker.register_with(&[second.address]);
    broker.register_with(&[first.address]);
    let heard = first.hears(|heard| matches!(heard, Heard::Registered(_) | Heard::Goodbye));
    if heard == Heard::Goodbye {
        first.registers();
    }
    broker.running.stop();
    first.hears(|heard| *heard == Heard::Goodbye);
}

#[test]
fn a_send_does_not_bring_back_a_topic_that_was_deleted_here_and_is_elsewhere() {
    let (disk, clock) = fresh();
    let name_server = NameServer::start();
    name_server.set(|state| state.elsewhere.extend(["Moved".into()]));
    let mut broker = Broker::start(&disk, &clock, &[name_server.address]);
    name_server.registers();
    for topic in ["Moved", "Gone"] {
        assert_eq!(broker.make(topic), 0);
        assert_eq!(broker.send(topic), 0);
    }
    name_server.set(|state| state.heard.clear());
    // The NameServer knows before the answer.
    assert_eq!(broker.delete("Moved"), 0);
    assert!(name_server.heard().iter().any(|heard| matches!(heard, Heard::Registered(all) if !all.contains("Moved"))));
    assert_eq!([broker.send("Moved"), broker.send("Moved")], [17, 17]);
    // Deleting it once more changes nothing, and neither does a restart.
    assert_eq!(broker.delete("Moved"), 0);
    assert_eq!(broker.send("Moved"), 17);
    broker.running.stop();
    let mut broker = Broker::start(&disk, &clock, &[name_server.address]);
    assert_eq!(broker.send("Moved"), 17);

    // One that is nowhere else is new to a send, as every other name.
    assert_eq!(broker.delete("Gone"), 0);
    let deadline = Instant::now() + PATIENCE;
    while broker.send("Gone") != 0 {
        // The NameServer had no time to say so.
        assert!(Instant::now() < deadline, "it is not made");
        std::thread::yield_now();
    }
    // Made on purpose.
    assert_eq!([broker.make("Moved"), broker.send("Moved")], [0, 0]);

    // Whether it is elsewhere cannot be known: then it might be.
    name_server.set(|state| state.knows_nothing = true);
    assert_eq!(broker.delete("Gone"), 0);
    assert_eq!(broker.send("Gone"), 17);
    name_server.set(|state| state.knows_nothing = false);
    // Deleted everywhere, at last: found out because of the sends.
    assert_eq!(broker.delete("Moved"), 0);
    assert_eq!(broker.send("Moved"), 17);
    name_server.set(|state| state.elsewhere.clear());
    for topic in ["Moved", "Gone"] {
        let deadline = Instant::now() + PATIENCE;
        while broker.send(topic) != 0 {
            assert!(Instant::now() < deadline, "{topic} is not made");
            std::thread::yield_now();
        }
    }

    // And after a time it is new again.
    name_server.set(|state| state.elsewhere.extend(["Moved".into()]));
    assert_eq!(broker.delete("Moved"), 0);
    clock.advance(Duration::from_secs(299));
    assert_eq!(broker.send("Moved"), 17);
    clock.advance(Duration::from_secs(2));
    assert_eq!(broker.send("Moved"), 0);
    broker.running.stop();
}
