//! NameServers that answer, keep silent, or are not to be reached.

use roxmq_protocol::body::{RegisterBrokerBody, RegistrationForm};
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A broken test ends after this; nothing depends on it otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Something that a NameServer heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// All topics.
    Registered(BTreeSet<String>),
    Topic(String),
    Goodbye,
    /// The broker's connection has ended.
    End,
}

#[derive(Default)]
pub struct State {
    pub heard: Vec<Heard>,
    streams: Vec<TcpStream>,
    /// Topics of another broker.
    pub elsewhere: BTreeSet<String>,
    pub is_mute: bool,
    pub knows_nothing: bool,
    is_closed: bool,
}

/// A NameServer that notes what it hears.
pub struct NameServer {
    pub address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl NameServer {
    pub fn start() -> NameServer {
        NameServer::at("127.0.0.1:0".parse().unwrap())
    }

    pub fn at(address: SocketAddr) -> NameServer {
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

    pub fn mute() -> NameServer {
        let name_server = NameServer::start();
        name_server.set(|state| state.is_mute = true);
        name_server
    }

    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.0.lock().unwrap());
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.state.0.lock().unwrap().heard.clone()
    }

    /// Waits until it has heard what is wanted, and forgets all that it heard.
    pub fn hears(&self, wanted: impl Fn(&Heard) -> bool) -> Heard {
        let (state, bell) = &*self.state;
        let is_waiting = |state: &mut State| !state.heard.iter().any(&wanted);
        let (mut state, waited) = bell.wait_timeout_while(state.lock().unwrap(), PATIENCE, is_waiting).unwrap();
        assert!(!waited.timed_out(), "only heard {:?}", state.heard);
        // What came after it is for those who ask next.
        let at = state.heard.iter().position(&wanted).unwrap();
        state.heard.drain(..=at).next_back().unwrap()
    }

    pub fn registers(&self) -> Heard {
        self.hears(|heard| matches!(heard, Heard::Registered(_)))
    }

    pub fn close_connections(&self) {
        self.state.0.lock().unwrap().streams.drain(..).for_each(|stream| stream.shutdown(std::net::Shutdown::Both).unwrap_or_default());
    }

    /// It does not listen any more either.
    pub fn stop(self) -> SocketAddr {
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

/// Listens and accepts no connection: the system drops what comes once its queue is full.
pub fn dropping() -> (SocketAddr, Vec<socket2::Socket>) {
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
