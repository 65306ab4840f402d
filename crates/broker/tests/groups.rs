//! Scripts of what clients and tools ask of groups, and what everybody then hears: over real sockets, on a simulated disk and a clock
//! that stands still. What Java answers to the same requests is in the Java client's suite.
//!
//! ```text
//! # set key=value                    a setting of the broker
//! # file name text                   what a table's file begins with after the stop
//! + Orders 0 3                       three messages for queue 0 of the topic
//! * 5                                five ms pass
//! ~ cold                             no file is in memory any more, so that readers have to wait for the disk
//! > a/CPP 34 topic=T                 request 34 on connection `a`, by a client in that language (JAVA if not said), and its answer
//! >> a 11 topic=T                    the same, but its answer comes later; the broker has seen it before the script goes on
//! {"a":1}                            the body of the request, if it has one; text that is no JSON in `backquotes`
//! < 0 changed=true | "remark"        the answer's code, fields, remark
//! < {"a":1}                          its body
//! ? a                                waits for what comes next at `a`: an answer, or a request of the broker that is no notice (40)
//! = a {"a":1}                        `a` answers the broker's last request with success and this body
//! ```
//!
//! `UPDATE=1` writes what was seen into the scripts.

use roxmq_broker::{RunningBroker, Setup};
use roxmq_env::clock::Clock;
use roxmq_env::config::{BrokerConfig, Origin, Setting, load};
use roxmq_env::disk::SimDisk;
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Header};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A broken test ends after this; nothing depends on it otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
const NOW_MS: i64 = 1_800_000_000_000;

#[test]
fn switches() {
    check("switches");
}

#[test]
fn old_messages() {
    check("old_messages");
}

#[test]
fn fan_out() {
    check("fan_out");
}

#[test]
fn resets() {
    check("resets");
}

#[test]
fn resets_by_clients() {
    check("resets_by_clients");
}

#[test]
fn assignment() {
    check("assignment");
}

#[test]
fn retry_filter() {
    check("retry_filter");
}

#[test]
fn queries() {
    check("queries");
}

#[test]
fn progress() {
    check("progress");
}

#[test]
fn deletions() {
    check("deletions");
}

#[test]
fn settings() {
    check("settings");
}

/// The clock stands still, so no lock runs out: they go with their client.
#[test]
fn locks_go_with_their_client() {
    let mut script = Script::new("");
    let queue = r#"{"brokerName":"b","queueId":0,"topic":"Orders"}"#;
    let heartbeat = |client: &str| format!(r#"{{"clientID":"{client}","consumerDataSet":[{{"groupName":"g"}}]}}"#);
    let lock = |client: &str| format!(r#"{{"clientId":"{client}","consumerGroup":"g","mqSet":[{queue}]}}"#);
    let granted = format!("< 0\n< {{\"lockOKMQSet\":[{queue}]}}\n");
    let denied = "< 0\n< {\"lockOKMQSet\":[]}\n";
    for (connection, other) in [("a", "b"), ("b", "c"), ("c", "d")] {
        script.ask(&format!("{connection} 34"), &heartbeat(connection));
        script.ask(&format!("{other} 34"), &heartbeat(other));
        assert_eq!(script.ask(&format!("{connection} 41"), &lock(connection)), granted);
        assert_eq!(script.ask(&format!("{other} 41"), &lock(other)), denied);
        match connection {
            // It says that it goes,
            "a" => drop(script.ask("a 35 clientID=a consumerGroup=g", "")),
            // it gives the queue up,
            "b" => drop(script.ask("b 42", &lock("b"))),
            // or it is just gone, which the broker notices when it gets to it.
            _ => drop(script.connections.remove(connection)),
        }
        while script.ask(&format!("{other} 41"), &lock(other)) != granted {
            assert_eq!(connection, "c", "the lock was not given up");
        }
        script.ask(&format!("{other} 42"), &lock(other));
    }
    script.broker.stop();
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/groups/{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap();
    let seen = Script::new(&text).run(&text);
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(&path, &seen).unwrap();
    }
    assert_eq!(seen, text.replace("\r\n", "\n"), "{}", path.display());
}

struct Script {
    broker: RunningBroker,
    disk: SimDisk,
    clock: Clock,
    address: SocketAddr,
    connections: BTreeMap<String, Wire>,
    sent: usize,
}

impl Script {
    fn new(script: &str) -> Script {
        let setting = |line: &str| {
            let (key, value) = line.strip_prefix("# set ")?.split_once('=')?;
            Some(Setting { key: key.into(), value: value.into(), origin: Origin::Argument })
        };
        let settings: Vec<Setting> = script.lines().filter_map(setting).collect();
        let config = BrokerConfig {
            listen_port: 0,
            bind_address: [127, 0, 0, 1].into(),
            broker_name: "b".into(),
            shards: 1,
            segment_bytes: 16 << 20,
            namesrv_addr: Vec::new(),
            ..load::<BrokerConfig>(&settings).unwrap().config
        };
        let (disk, clock) = (SimDisk::new(1), Clock::manual(NOW_MS));
        let setup =
            Setup { config, address_is_chosen: false, advertised_host: "127.0.0.1".into(), clock: clock.clone(), disk: disk.disk() };
        let broker = RunningBroker::start(setup).unwrap();
        let address = broker.addresses()[0];
        Script { broker, disk, clock, address, connections: BTreeMap::new(), sent: 0 }
    }

    fn run(mut self, script: &str) -> String {
        let mut seen = String::new();
        let mut lines = script.lines().filter(|line| !line.starts_with("< ")).peekable();
        while let Some(line) = lines.next() {
            seen.push_str(line);
            seen.push('\n');
            let Some((step, rest)) = line.split_once(' ') else { continue };
            let mut body = String::new();
            if step.starts_with('>')
                && let Some(next) = lines.next_if(|next| next.starts_with(['{', '`']))
            {
                body = next.trim_matches('`').to_owned();
                seen.push_str(next);
                seen.push('\n');
            }
            match step {
                "+" => self.store(rest),
                "~" => self.disk.forget_cached(),
                "*" => self.clock.advance(Duration::from_millis(rest.parse().unwrap())),
                ">" => seen.push_str(&self.ask(rest, &body)),
                ">>" => {
                    let connection = self.write(rest, &body);
                    // Requests of a connection are taken in their order.
                    assert!(self.ask(&format!("{connection} 30 topic=Orders queueId=99"), "").starts_with("< 0"));
                }
                "?" => seen.push_str(&self.wire(rest).next()),
                "=" => {
                    let (connection, body) = rest.split_once(' ').unwrap();
                    self.wire(connection).answer(body);
                }
                _ => {}
            }
        }
        let disk = self.disk.clone();
        self.connections.clear();
        self.broker.stop();
        for line in script.lines().filter_map(|line| line.strip_prefix("# file ")) {
            let (file, content) = line.split_once(' ').unwrap();
            let bytes = disk.disk().read(&PathBuf::from("roxmq-data/config").join(file)).unwrap().unwrap();
            let seen = String::from_utf8(bytes).unwrap();
            assert!(seen.starts_with(content), "{file}: {seen}");
        }
        seen
    }

    fn wire(&mut self, connection: &str) -> &mut Wire {
        let address = self.address;
        self.connections.entry(connection.to_owned()).or_insert_with(|| Wire::new(address))
    }

    /// `topic queue count`, and the properties if there is a fourth word.
    fn store(&mut self, what: &str) {
        let words: Vec<&str> = what.split(' ').collect();
        for _ in 0..words[2].parse().unwrap() {
            self.sent += 1;
            let properties = words.get(3).unwrap_or(&"").replace('=', "\\u0001").replace(';', "\\u0002");
            let fields = format!("a=p b={} c=TBW102 d=4 e={} f=0 g=0 h=0 i={properties} j=0 k=false m=false", words[0], words[1]);
            let answer = self.ask(&format!("store 310 {fields}"), &format!("body {}", self.sent));
            assert!(answer.starts_with("< 0"), "{answer}");
        }
    }

    fn write(&mut self, request: &str, body: &str) -> String {
        let mut words = request.split(' ');
        let (connection, language) = words.next().map(|who| who.split_once('/').unwrap_or((who, "JAVA"))).unwrap();
        let code: i32 = words.next().unwrap().parse().unwrap();
        let fields: Vec<(&str, &str)> = words.filter_map(|word| word.split_once('=')).collect();
        self.wire(connection).write(code, language, &fields, body);
        connection.to_owned()
    }

    fn ask(&mut self, request: &str, body: &str) -> String {
        let connection = self.write(request, body);
        let wire = self.wire(&connection);
        wire.next_of(Some(wire.opaque))
    }
}

/// A blocking connection.
struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    opaque: i32,
    /// Of the broker's last request.
    asked: i32,
    /// What came while something else was waited for.
    early: Vec<Vec<u8>>,
}

impl Wire {
    fn new(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Wire { stream, input: Vec::new(), opaque: 0, asked: 0, early: Vec::new() }
    }

    fn write(&mut self, code: i32, language: &str, fields: &[(&str, &str)], body: &str) {
        self.opaque += 1;
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        let opaque = self.opaque;
        let header = format!(
            r#"{{"code":{code},"flag":0,"language":"{language}","opaque":{opaque},"version":513,"extFields":{{{}}}}}"#,
            fields.join(",")
        );
        self.write_frame(&header, body);
    }

    fn answer(&mut self, body: &str) {
        let header = format!(r#"{{"code":0,"flag":1,"language":"JAVA","opaque":{},"version":513}}"#, self.asked);
        self.write_frame(&header, body);
    }

    fn write_frame(&mut self, header: &str, body: &str) {
        let mut bytes = Vec::new();
        frame::write(&mut bytes, Encoding::Json, |out| out.extend_from_slice(header.as_bytes()), body.as_bytes());
        self.stream.write_all(&bytes).unwrap();
    }

    /// What comes next, in words.
    fn next(&mut self) -> String {
        self.next_of(None)
    }

    /// The answer with this number; what comes before it is kept.
    fn next_of(&mut self, opaque: Option<i32>) -> String {
        let fits = |bytes: &Vec<u8>| opaque.is_none_or(|opaque| header_of(bytes, |header| header.is_response() && header.opaque == opaque));
        let bytes = match self.early.iter().position(fits) {
            Some(place) => self.early.remove(place),
            None => loop {
                let bytes = self.read();
                if fits(&bytes) {
                    break bytes;
                }
                self.early.push(bytes);
            },
        };
        if !header_of(&bytes, |header| header.is_response()) {
            self.asked = header_of(&bytes, |header| header.opaque);
        }
        shown(&bytes)
    }

    fn read(&mut self) -> Vec<u8> {
        loop {
            if let Some(len) = frame::split(&self.input).unwrap().map(|frame| frame.len) {
                let frame: Vec<u8> = self.input.drain(..len).collect();
                if header_of(&frame, |header| header.is_response() || header.code != 40) {
                    return frame;
                }
                continue;
            }
            let mut some = [0; 4096];
            let read = self.stream.read(&mut some).unwrap();
            assert_ne!(read, 0, "the broker closed the connection");
            self.input.extend_from_slice(&some[..read]);
        }
    }
}

fn header_of<T>(bytes: &[u8], look: impl FnOnce(&Header<'_>) -> T) -> T {
    look(&header::read(&frame::split(bytes).unwrap().unwrap()).unwrap())
}

fn shown(bytes: &[u8]) -> String {
    let frame = frame::split(bytes).unwrap().unwrap();
    let header = header::read(&frame).unwrap();
    let mut text = format!("< {}", header.code);
    for (name, value) in header.fields.iter() {
        write!(text, " {name}={value}").unwrap();
    }
    if let Some(remark) = header.remark {
        write!(text, " | {:?}", remark.unescape()).unwrap();
    }
    text.push('\n');
    match std::str::from_utf8(frame.body) {
        Ok("") => {}
        Ok(body) if body.starts_with('{') => writeln!(text, "< {body}").unwrap(),
        // Records.
        _ => {
            let bodies: Vec<String> = roxmq_protocol::record::records(frame.body)
                .map(|record| String::from_utf8_lossy(record.unwrap().body).into_owned())
                .collect();
            writeln!(text, "< {}", bodies.join(", ")).unwrap();
        }
    }
    text
}
