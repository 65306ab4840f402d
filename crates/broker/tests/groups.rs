//! Scripts of what clients and tools ask of groups, and what everybody then hears: over real sockets, on a simulated disk and a clock
//! that stands still. What Java answers to the same requests is in the Java client's suite.
//!
//! ```text
//! # set key=value                    a setting of the broker
//! # file name text                   what a table's file begins with after the stop
//! # found address                    the broker listens everywhere and has found out this address; messages are shown with their broker
//! + Orders 0 3                       three messages for queue 0 of the topic
//! * 5                                five ms pass
//! ~ cold                             no file is in memory any more, so that readers have to wait for the disk
//! ~ stuck                            every sync waits from now on, until `~ sound`
//! ! restart                          the broker is stopped and started again; every connection is a new one
//! > a/CPP/407 34 topic=T             request 34 on connection `a`, by a client in that language and of that version (JAVA and 513 if not
//!                                    said), and its answer
//! >> a 11 topic=T                    the same, but its answer comes later; the broker has seen it before the script goes on
//! > a 310! topic=T                   one way: there is no answer
//! > a@127.0.0.2 34                   the same, on a connection made to that address
//! {"a":1}                            the body of the request, if it has one
//! | text                             the same, for what is no JSON; several such lines are several lines
//! |* 1025                            the same, so many letters
//! - KEYS=k;TAGS=t text               the same as a client's batch: a message for each line, with its properties
//! < 0 changed=true | "remark"        the answer's code, fields, remark
//! < {"a":1}                          its body; of one that is settings only those in the request's field `keys`
//! ? a                                waits for what comes next at `a`: an answer, or a request of the broker that is no notice (40)
//! ? a code                           the same, and only its code is looked at
//! = a {"a":1}                        `a` answers the broker's last request with success and this body
//! ```
//!
//! `UPDATE=1` writes what was seen into the scripts.

use roxmq_broker::settings::BrokerConfig;
use roxmq_broker::{RunningBroker, Setup};
use roxmq_config::{Origin, Setting, load};
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_protocol::batch_body::{BatchItem, put_batch_item};
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Header};
use roxmq_protocol::properties::name;
use roxmq_protocol::record::{Record, records};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
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
fn deleted_topics() {
    check("deleted_topics");
}

#[test]
fn deleted_light_queues() {
    check("deleted_light_queues");
}

#[test]
fn deleted_groups() {
    check("deleted_groups");
}

#[test]
fn order() {
    check("order");
}

#[test]
fn odd_clients() {
    check("odd_clients");
}

#[test]
fn long_names() {
    check("long_names");
}

#[test]
fn counters() {
    check("counters");
}

#[test]
fn retries() {
    check("retries");
}

#[test]
fn retry_filter() {
    check("retry_filter");
}

#[test]
fn read_only() {
    check("read_only");
}

#[test]
fn batches() {
    check("batches");
}

#[test]
fn settings() {
    check("settings");
}

#[test]
fn settings_refused() {
    check("settings_refused");
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
fn attributes() {
    check("attributes");
}

#[test]
fn addresses() {
    check("addresses");
}

#[test]
fn addresses_of_both_kinds() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return println!("this machine has no IPv6");
    }
    check("addresses_of_both_kinds");
}

#[test]
fn addresses_as_they_came() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return println!("this machine has no IPv6");
    }
    check("addresses_as_they_came");
}

#[test]
fn addresses_configured() {
    check("addresses_configured");
}

#[test]
fn a_disk_that_hangs() {
    check("a_disk_that_hangs");
}

#[test]
fn transactions() {
    check("transactions");
}

#[test]
fn bodies() {
    check("bodies");
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
        script.ask(&format!("{connection} 34"), heartbeat(connection).as_bytes());
        script.ask(&format!("{other} 34"), heartbeat(other).as_bytes());
        assert_eq!(script.ask(&format!("{connection} 41"), lock(connection).as_bytes()), granted);
        assert_eq!(script.ask(&format!("{other} 41"), lock(other).as_bytes()), denied);
        match connection {
            // It says that it goes,
            "a" => drop(script.ask("a 35 clientID=a consumerGroup=g", b"")),
            // it gives the queue up,
            "b" => drop(script.ask("b 42", lock("b").as_bytes())),
            // or it is just gone, which the broker notices when it gets to it.
            _ => drop(script.connections.remove(connection)),
        }
        while script.ask(&format!("{other} 41"), lock(other).as_bytes()) != granted {
            assert_eq!(connection, "c", "the lock was not given up");
        }
        script.ask(&format!("{other} 42"), lock(other).as_bytes());
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
    config: BrokerConfig,
    disk: SimDisk,
    clock: Clock,
    address: SocketAddr,
    connections: BTreeMap<String, Wire>,
    gate: Arc<Gate>,
    /// The address that the broker has found out.
    found: Option<String>,
    sent: usize,
}

/// What syncs of the disk wait at.
#[derive(Default)]
struct Gate {
    is_closed: Mutex<bool>,
    moved: Condvar,
}

impl Gate {
    fn set(&self, is_closed: bool) {
        *self.is_closed.lock().unwrap() = is_closed;
        self.moved.notify_all();
    }

    fn pass(&self) {
        drop(self.moved.wait_while(self.is_closed.lock().unwrap(), |is_closed| *is_closed).unwrap());
    }
}

impl Script {
    fn new(script: &str) -> Script {
        let setting = |line: &str| {
            let (key, value) = line.strip_prefix("# set ")?.split_once('=')?;
            Some(Setting { key: key.into(), value: value.into(), origin: Origin::Argument })
        };
        let settings: Vec<Setting> = script.lines().filter_map(setting).collect();
        let found = script.lines().find_map(|line| line.strip_prefix("# found "));
        let config = BrokerConfig {
            listen_port: 0,
            bind_address: if found.is_some() { [0, 0, 0, 0].into() } else { [127, 0, 0, 1].into() },
            broker_name: "b".into(),
            shards: 1,
            segment_bytes: 16 << 20,
            namesrv_addr: Vec::new(),
            ..load::<BrokerConfig>(&settings).unwrap().config
        };
        let (disk, clock) = (SimDisk::new(1), Clock::manual(NOW_MS));
        let gate = Arc::new(Gate::default());
        let passed = Arc::clone(&gate);
        disk.before_each_sync(move || passed.pass());
        let broker = start(config.clone(), found, &disk, &clock);
        let address = SocketAddr::from(([127, 0, 0, 1], broker.addresses()[0].port()));
        let found = found.map(str::to_owned);
        Script { broker, config, found, disk, gate, clock, address, connections: BTreeMap::new(), sent: 0 }
    }

    fn restart(mut self) -> Script {
        self.connections.clear();
        self.broker.stop();
        self.broker = start(self.config.clone(), self.found.as_deref(), &self.disk, &self.clock);
        self.address = SocketAddr::from(([127, 0, 0, 1], self.broker.addresses()[0].port()));
        self
    }

    fn run(mut self, script: &str) -> String {
        let mut seen = String::new();
        let mut lines = script.lines().filter(|line| !line.starts_with("< ")).peekable();
        while let Some(line) = lines.next() {
            seen.push_str(line);
            seen.push('\n');
            let Some((step, rest)) = line.split_once(' ') else { continue };
            let mut body = Vec::new();
            while step.starts_with('>')
                && let Some(next) = lines.next_if(|next| ["{", "| ", "|* ", "- "].iter().any(|start| next.starts_with(start)))
            {
                add_to_body(next, &mut body);
                seen.push_str(next);
                seen.push('\n');
            }
            match step {
                "+" => self.store(rest),
                "!" => self = self.restart(),
                "~" if rest == "cold" => self.disk.forget_cached(),
                "~" => self.gate.set(rest == "stuck"),
                "*" => self.clock.advance(Duration::from_millis(rest.parse().unwrap())),
                ">" => seen.push_str(&self.ask(rest, &body)),
                ">>" => {
                    let (connection, _) = self.write(rest, &body);
                    // Requests of a connection are taken in their order.
                    assert!(self.ask(&format!("{connection} 30 topic=Orders queueId=99"), b"").starts_with("< 0"));
                }
                "?" => match rest.strip_suffix(" code") {
                    Some(connection) => {
                        let answer = self.wire(connection).next();
                        seen.extend(answer.split_inclusive(' ').take(2).map(str::trim_end).collect::<Vec<_>>().join(" ").lines().take(1));
                        seen.push('\n');
                    }
                    None => seen.push_str(&self.wire(rest).next()),
                },
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
        let host = connection.split_once('@').map(|(_, host)| host.parse().unwrap());
        let address = SocketAddr::new(host.unwrap_or(self.address.ip()), self.address.port());
        let shows_brokers = self.found.is_some();
        self.connections.entry(connection.to_owned()).or_insert_with(|| Wire::new(address, shows_brokers))
    }

    /// `topic queue count`, and the properties if there is a fourth word.
    fn store(&mut self, what: &str) {
        let words: Vec<&str> = what.split(' ').collect();
        for _ in 0..words[2].parse().unwrap() {
            self.sent += 1;
            let properties = words.get(3).unwrap_or(&"").replace('=', "\\u0001").replace(';', "\\u0002");
            let fields = format!("a=p b={} c=TBW102 d=4 e={} f=0 g=0 h=0 i={properties} j=0 k=false m=false", words[0], words[1]);
            let answer = self.ask(&format!("store 310 {fields}"), format!("body {}", self.sent).as_bytes());
            assert!(answer.starts_with("< 0"), "{answer}");
        }
    }

    /// The connection, and whether an answer comes.
    fn write(&mut self, request: &str, body: &[u8]) -> (String, bool) {
        let mut words = request.split(' ');
        let mut who = words.next().unwrap().split('/');
        let (connection, language, version) = (who.next().unwrap(), who.next().unwrap_or("JAVA"), who.next().unwrap_or("513"));
        let code = words.next().unwrap();
        let (code, is_oneway) = code.strip_suffix('!').map_or((code, false), |code| (code, true));
        let fields: Vec<(&str, &str)> = words.filter_map(|word| word.split_once('=')).collect();
        self.wire(connection).write(code.parse().unwrap(), is_oneway, (language, version), &fields, body);
        (connection.to_owned(), !is_oneway)
    }

    fn ask(&mut self, request: &str, body: &[u8]) -> String {
        let (connection, has_answer) = self.write(request, body);
        if !has_answer {
            return String::new();
        }
        let wire = self.wire(&connection);
        let answer = wire.next_of(Some(wire.opaque));
        let Some((_, keys)) = request.split_once(" keys=") else { return answer };
        let is_asked =
            |line: &&str| line.starts_with("< 0") || line.split_once('=').is_some_and(|(key, _)| keys.split(',').any(|asked| asked == key));
        answer
            .lines()
            .filter(is_asked)
            .map(|line| if line.starts_with('<') { format!("{line}\n") } else { format!("< {line}\n") })
            .collect()
    }
}

/// `found` is an address that the broker has found out, if none is configured.
fn start(config: BrokerConfig, found: Option<&str>, disk: &SimDisk, clock: &Clock) -> RunningBroker {
    let setup = Setup {
        address_is_chosen: config.broker_ip1.is_none() && found.is_some(),
        advertised_host: config.broker_ip1.clone().unwrap_or_else(|| found.unwrap_or("127.0.0.1").into()),
        config,
        clock: clock.clone(),
        disk: disk.disk(),
    };
    RunningBroker::start(setup).unwrap()
}

/// A blocking connection.
struct Wire {
    stream: TcpStream,
    shows_brokers: bool,
    input: Vec<u8>,
    opaque: i32,
    /// Of the broker's last request.
    asked: i32,
    /// What came while something else was waited for.
    early: Vec<Vec<u8>>,
}

impl Wire {
    fn new(address: SocketAddr, shows_brokers: bool) -> Wire {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Wire { stream, shows_brokers, input: Vec::new(), opaque: 0, asked: 0, early: Vec::new() }
    }

    fn write(&mut self, code: i32, is_oneway: bool, (language, version): (&str, &str), fields: &[(&str, &str)], body: &[u8]) {
        self.opaque += 1;
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        let (opaque, flag) = (self.opaque, if is_oneway { 2 } else { 0 });
        let header = format!(
            r#"{{"code":{code},"flag":{flag},"language":"{language}","opaque":{opaque},"version":{version},"extFields":{{{}}}}}"#,
            fields.join(",")
        );
        self.write_frame(&header, body);
    }

    fn answer(&mut self, body: &str) {
        let header = format!(r#"{{"code":0,"flag":1,"language":"JAVA","opaque":{},"version":513}}"#, self.asked);
        self.write_frame(&header, body.as_bytes());
    }

    fn write_frame(&mut self, header: &str, body: &[u8]) {
        let mut bytes = Vec::new();
        frame::write(&mut bytes, Encoding::Json, |out| out.extend_from_slice(header.as_bytes()), body);
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
        shown(&bytes, self.shows_brokers)
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

fn shown_body(body: &[u8]) -> String {
    if body.len() > 100 { format!("{} letters", body.len()) } else { String::from_utf8_lossy(body).into_owned() }
}

fn add_to_body(line: &str, body: &mut Vec<u8>) {
    match (line.strip_prefix("| "), line.strip_prefix("- ").and_then(|member| member.split_once(' '))) {
        (Some(text), _) => {
            body.extend_from_slice(if body.is_empty() { b"" } else { b"\n" });
            body.extend_from_slice(text.as_bytes());
        }
        (_, Some((properties, text))) => {
            let properties = properties.replace('=', "\u{1}").replace(';', "\u{2}");
            put_batch_item(body, BatchItem { flag: 0, body: text.as_bytes(), properties: &properties }).unwrap();
        }
        _ => match line.strip_prefix("|* ") {
            Some(count) => body.resize(body.len() + count.parse::<usize>().unwrap(), b'x'),
            None => body.extend_from_slice(line.as_bytes()),
        },
    }
}

fn header_of<T>(bytes: &[u8], look: impl FnOnce(&Header<'_>) -> T) -> T {
    look(&header::read(&frame::split(bytes).unwrap().unwrap()).unwrap())
}

fn shown(bytes: &[u8], shows_brokers: bool) -> String {
    let frame = frame::split(bytes).unwrap().unwrap();
    let header = header::read(&frame).unwrap();
    let mut text = format!("< {}", header.code);
    for (name, value) in header.fields.iter() {
        let value = value.to_string();
        // A client's port is another each time.
        let value = if name == "bornHost" { value.rsplit_once(':').unwrap().0 } else { &value };
        write!(text, " {name}={value}").unwrap();
    }
    if let Some(remark) = header.remark {
        write!(text, " | {:?}", remark.unescape()).unwrap();
    }
    text.push('\n');
    match std::str::from_utf8(frame.body) {
        Ok("") => {}
        Ok(body) if body.starts_with('{') => writeln!(text, "< {}", without_ports(body)).unwrap(),
        _ => match records(frame.body).collect::<Result<Vec<_>, _>>() {
            Ok(records) => {
                let one = |record: &Record<'_>| {
                    let body = shown_body(record.body);
                    let checks =
                        record.properties().find(name::TRANSACTION_CHECK_TIMES).map_or(String::new(), |times| format!(" checked {times}"));
                    let addresses = if shows_brokers { told_of_addresses(record) } else { String::new() };
                    format!("{body}{checks}{addresses}")
                };
                let all: Vec<String> = records.iter().map(one).collect();
                writeln!(text, "< {}", all.join(", ")).unwrap();
            }
            Err(_) => writeln!(text, "< {}", String::from_utf8_lossy(frame.body)).unwrap(),
        },
    }
    text
}

/// What a message tells of the broker's address and, if it is one of the other kind, of its producer's, whose port is another each time.
fn told_of_addresses(record: &Record<'_>) -> String {
    let mut text = format!(" @{}", record.store_host);
    if record.born_host.ip().to_string() != "127.0.0.1" {
        write!(text, " by {}", record.born_host.ip()).unwrap();
    }
    if let Some(address) = record.properties().find(name::ROXMQ_BORN_HOST) {
        let address: SocketAddr = address.parse().unwrap();
        assert_eq!(address.port(), record.born_host.port());
        write!(text, ", really {}", address.ip()).unwrap();
    }
    if let Some(first) = record.properties().find(name::ORIGIN_MESSAGE_ID) {
        write!(text, " first {first}").unwrap();
    }
    text
}

/// The ports that clients happen to have.
fn without_ports(body: &str) -> String {
    let mut parts = body.split("127.0.0.1:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let port = &part[..part.len() - rest.len()];
        write!(text, "127.0.0.1:{}{rest}", if port == "0" { "0" } else { "?" }).unwrap();
    }
    text
}
