//! The clients of a script: its connections by name, and the steps that are about them.

use crate::connection::{Connection, Request};
use crate::script::Step;
use crate::shown::{ShownBody, code_of, only, shown};
use roxmq_protocol::frame::Encoding;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A request that a server answers at once, after those that came before it on the connection: code and fields.
pub type Probe = &'static str;

/// The connections of a script.
pub struct Connections {
    address: SocketAddr,
    probe: Probe,
    body: Box<ShownBody>,
    by_name: BTreeMap<String, Connection>,
}

impl Connections {
    /// To the server at this address. Bodies of answers that are no text are written down by `body`.
    pub fn new(address: SocketAddr, probe: Probe, body: Box<ShownBody>) -> Connections {
        Connections { address, probe, body, by_name: BTreeMap::new() }
    }

    /// The server is at this address now, and every connection is a new one.
    pub fn restart(&mut self, address: SocketAddr) {
        self.by_name.clear();
        self.address = address;
    }

    /// Does one of the steps that every script knows, and says what is seen; `None` when it is another.
    pub fn step(&mut self, step: &Step) -> Option<String> {
        Some(match step.sign.as_str() {
            ">" => self.ask(&step.rest, &step.body),
            ">>" => {
                self.send(&step.rest, &step.body);
                let who = step.rest.split(' ').next().unwrap_or_default();
                self.ask(&format!("{who} {}", self.probe), b"");
                String::new()
            }
            "?" => match step.rest.split_once(' ') {
                Some((name, "code")) => code_of(&self.next(name)),
                Some((name, "notice")) => {
                    let bytes = self.of(name).notice();
                    shown(&bytes, &*self.body)
                }
                _ => self.next(&step.rest),
            },
            "=" => {
                let (name, answer) = step.rest.split_once(' ').unwrap();
                let (code, remark, body) = match answer.split_once(' ') {
                    _ if answer.starts_with('{') => (0, "", answer),
                    Some((code, remark)) => (code.parse().unwrap(), remark, ""),
                    None => (answer.parse().unwrap(), "", ""),
                };
                self.of(name).answer(code, remark, body);
                String::new()
            }
            "x" => {
                self.by_name.remove(&step.rest).expect("no such connection").close();
                String::new()
            }
            _ => return None,
        })
    }

    /// Sends a request, `name code field=value..`, and waits for its answer.
    pub fn ask(&mut self, request: &str, body: &[u8]) -> String {
        let (name, has_answer) = self.send(request, body);
        if !has_answer {
            return String::new();
        }
        let connection = self.of(&name);
        let opaque = connection.opaque;
        let bytes = connection.next(Some(opaque));
        let answer = shown(&bytes, &*self.body);
        match request.split_once(" keys=") {
            Some((_, keys)) => only(&answer, keys),
            None => answer,
        }
    }

    fn next(&mut self, name: &str) -> String {
        let bytes = self.of(name).next(None);
        shown(&bytes, &*self.body)
    }

    /// The connection, and whether an answer comes.
    fn send(&mut self, request: &str, body: &[u8]) -> (String, bool) {
        let mut words = request.split(' ');
        let mut who = words.next().unwrap().split('/');
        let (name, language, version) = (who.next().unwrap(), who.next().unwrap_or("JAVA"), who.next().unwrap_or("513"));
        let encoding = match who.next() {
            None => Encoding::Json,
            Some("ROCKETMQ") => Encoding::Binary,
            Some(other) => panic!("no encoding of headers: {other}"),
        };
        let code = words.next().unwrap();
        let (code, is_oneway) = code.strip_suffix('!').map_or((code, false), |code| (code, true));
        let fields = words.filter_map(|word| word.split_once('=')).map(|(name, value)| (name, letters(value))).collect();
        self.of(name).request(&Request { code, is_oneway, language, version, encoding, fields }, body);
        (name.to_owned(), !is_oneway)
    }

    fn of(&mut self, name: &str) -> &mut Connection {
        let host: Option<IpAddr> = name.split_once('@').map(|(_, host)| host.parse().unwrap());
        let address = SocketAddr::new(host.unwrap_or(self.address.ip()), self.address.port());
        self.by_name.entry(name.to_owned()).or_insert_with(|| Connection::new(address))
    }
}

/// A value in which `{*9}` stands for nine letters.
fn letters(value: &str) -> String {
    let Some((before, (count, after))) = value.split_once("{*").and_then(|(before, rest)| Some((before, rest.split_once('}')?))) else {
        return value.to_owned();
    };
    format!("{before}{}{after}", "x".repeat(count.parse().unwrap()))
}
