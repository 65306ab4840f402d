//! Scripts of requests, and what is answered: as the NameServer of Java 5.5.0 answered the same script.
//!
//! ```text
//! # set key=value                       a setting of the NameServer
//! > a 105 topic=T version=400           request 105 on connection `a` with fields, from a client of version 400 (513 if not said)
//! {"a":1}                               its body, if it has one
//! < 0 changed=true                      the answer's code and fields
//! < {"a":1}                             its body
//! < 17 | "text"                         the remark of another code than success
//! > close a                             the connection is gone
//! > wait 300                            milliseconds pass, then silent brokers are looked for
//! > restart                             all connections are gone, and the NameServer starts anew
//! ```
//!
//! A script in which brokers are not meant to be waited for after the start does not wait for them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use roxmq_config::{Origin, Setting, load};
use roxmq_env::clock::Clock;

use roxmq_env::disk::{Disk, SimDisk};
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use roxmq_remoting::{Call, Peer, Ticket};
use tokio::sync::mpsc;

use crate::nameserver::{NOTICES_MAX, NameServer};
use crate::routes;
use crate::running::serve;
use crate::settings::NameServerConfig;
use crate::table::{ChannelId, MinIdChange};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 5));

pub(crate) struct Script {
    pub(crate) server: NameServer,
    notices: mpsc::Receiver<MinIdChange>,
    pub(crate) clock: Clock,
    settings: Vec<Setting>,
    disk: Disk,
    channels: BTreeMap<String, ChannelId>,
    /// Where requests come from and which address they dialled.
    ends: (IpAddr, IpAddr),
}

impl Script {
    pub(crate) fn new(script: &str) -> Script {
        let of = |key: &str, value: &str| Setting { key: key.into(), value: value.into(), origin: Origin::Argument };
        let setting = |line: &str| line.strip_prefix("# set ")?.split_once('=').map(|(key, value)| of(key, value));
        let mut settings: Vec<Setting> = script.lines().filter_map(setting).collect();
        if !settings.iter().any(|setting| setting.key == "needWaitForService") {
            settings.push(of("needWaitForService", "false"));
        }
        let (clock, disk) = (Clock::manual(0), SimDisk::new(1).disk());
        let (server, notices) = Script::start(&settings, &clock, &disk);
        let ends = (IpAddr::V4(Ipv4Addr::new(192, 168, 1, 77)), HOST);
        Script { server, notices, clock, settings, disk, channels: BTreeMap::new(), ends }
    }

    fn start(settings: &[Setting], clock: &Clock, disk: &Disk) -> (NameServer, mpsc::Receiver<MinIdChange>) {
        let loaded = load::<NameServerConfig>(settings).unwrap();
        assert_eq!(loaded.notices, []);
        let (sender, notices) = mpsc::channel(NOTICES_MAX);
        (NameServer::open(loaded.config, None, clock.clone(), disk.clone(), sender).unwrap(), notices)
    }

    pub(crate) fn restart(&mut self) {
        self.server.save_members().unwrap();
        (self.server, self.notices) = Script::start(&self.settings, &self.clock, &self.disk);
        self.channels.values_mut().for_each(|channel| *channel += 1_000_000);
    }

    fn channel(&mut self, name: &str) -> ChannelId {
        let next = self.channels.len() as ChannelId + 1;
        *self.channels.entry(name.to_owned()).or_insert(next)
    }

    pub(crate) fn close(&mut self, name: &str) {
        let channel = self.channel(name);
        self.server.channel_lost(channel);
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
        self.server.scan();
    }

    /// One request, `<connection> <code> field=value..`; the answer as in scripts.
    pub(crate) fn ask(&mut self, request: &str, body: &str) -> String {
        let mut words = request.split(' ');
        let channel = self.channel(words.next().unwrap());
        let code: i32 = words.next().unwrap().parse().unwrap();
        let mut fields: BTreeMap<&str, &str> = words.map(|word| word.split_once('=').unwrap()).collect();
        let version = fields.remove("version").map_or(header::OUR_VERSION, |version| version.parse().unwrap());
        let mut sent = Vec::new();
        let all = |sink: &mut header::FieldSink<'_>| fields.iter().for_each(|(key, value)| sink.text(key, value));
        header::write_frame(&mut sent, Encoding::Json, Top::request(1, code, false), all, body.as_bytes());

        let frame = frame::split(&sent).unwrap().unwrap();
        let mut header = header::read(&frame).unwrap();
        header.version = version;
        let peer = peer(channel, self.ends);
        shown(routes::answer(&self.server, &Call { header: &header, body: frame.body, peer: &peer }))
    }

    fn run(&mut self, script: &str) -> String {
        let mut out = Vec::new();
        let mut lines = script.lines().filter(|line| !line.starts_with("< ")).peekable();
        while let Some(line) = lines.next() {
            out.push(line.to_owned());
            match line.strip_prefix("> ").map(|command| command.split_once(' ').unwrap_or((command, ""))) {
                None => {}
                Some(("close", name)) => self.close(name),
                Some(("wait", ms)) => self.wait(ms.parse().unwrap()),
                Some(("restart", _)) => self.restart(),
                Some(_) => {
                    let body = lines.next_if(|line| line.starts_with(['{', '['])).unwrap_or_default();
                    out.extend((!body.is_empty()).then(|| body.to_owned()));
                    out.push(self.ask(&line[2..], body));
                }
            }
        }
        out.join("\n")
    }
}

fn peer(channel: ChannelId, (remote, local): (IpAddr, IpAddr)) -> Peer {
    Peer::unconnected(channel, SocketAddr::new(remote, 1), SocketAddr::new(local, 2))
}

fn shown(answer: roxmq_remoting::Answer) -> String {
    let mut frame = Vec::new();
    answer.write(Ticket { opaque: 1, encoding: Encoding::Json, oneway: false }, &mut frame);
    let frame = frame::split(&frame).unwrap().unwrap();
    let header = header::read(&frame).unwrap();
    let fields: BTreeMap<_, _> = header.fields.iter().collect();
    let mut shown = format!("< {}", header.code);
    fields.iter().for_each(|(key, value)| shown.push_str(&format!(" {key}={value}")));
    if let Some(remark) = header.remark.filter(|_| header.code != 0) {
        shown.push_str(&format!(" | {}", serde_json::to_string(&remark.unescape()).unwrap()));
    }
    if !frame.body.is_empty() {
        shown.push_str(&format!("\n< {}", String::from_utf8_lossy(frame.body)));
    }
    shown
}

fn check(name: &str, script: &str) {
    let answered = Script::new(script).run(script);
    if std::env::var_os("UPDATE").is_some() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/scripts");
        return std::fs::write(format!("{folder}/{name}.txt"), format!("{}\n", answered.trim_end())).unwrap();
    }
    for (number, (ours, java)) in answered.lines().zip(script.lines()).enumerate() {
        assert_eq!(ours, java, "line {}", number + 1);
    }
    assert_eq!(answered.lines().count(), script.trim_end().lines().count());
}

#[test]
fn registration() {
    check("registration", include_str!("scripts/registration.txt"));
}

#[test]
fn identity_and_silence() {
    check("identity", include_str!("scripts/identity.txt"));
}

#[test]
fn acting_master_and_zones() {
    check("acting-master", include_str!("scripts/acting-master.txt"));
}

#[test]
fn keys_order_and_forbidden_lists() {
    check("keys", include_str!("scripts/keys.txt"));
}

#[test]
fn registrations_belong_to_who_made_them() {
    check("goodbyes", include_str!("scripts/goodbyes.txt"));
}

#[test]
fn what_a_broker_no_longer_has_leaves_the_routes() {
    check("whole-lists", include_str!("scripts/whole-lists.txt"));
}

#[test]
fn a_drained_broker_stays_drained() {
    check("drained", include_str!("scripts/drained.txt"));
}

#[test]
fn unknown_is_not_none() {
    check("not-ready", include_str!("scripts/not-ready.txt"));
}

/// A body of registration with these topics.
fn topics(names: &[&str]) -> String {
    let table: Vec<String> = names.iter().map(|name| format!(r#""{name}":{{"topicName":"{name}"}}"#)).collect();
    format!(r#"{{"topicConfigSerializeWrapper":{{"topicConfigTable":{{{}}}}}}}"#, table.join(","))
}

#[test]
fn a_refused_broker_leaves_nothing_behind() {
    // Java keeps a group without addresses.
    let mut script = Script::new("");
    let answer = script.ask("a 103 clusterName=c brokerName=a brokerId=0 brokerAddr=10.0.0.1:1", &topics(&["T"]));
    assert_eq!(answer, r#"< 1 | "register broker failed""#);
    assert_eq!(script.ask("a 106", ""), "< 0\n< {\"brokerAddrTable\":{},\"clusterAddrTable\":{}}");
}

#[test]
fn a_compressed_body_is_read_even_when_it_is_announced_as_plain() {
    let mut script = Script::new("");
    let body = roxmq_protocol::json::from_slice::<roxmq_protocol::body::RegisterBrokerBody>(topics(&["T", "U"]).as_bytes()).unwrap();
    let compressed = body.encode_compressed();
    for (number, fields) in ["compressed=true", "compressed=false"].into_iter().enumerate() {
        let mut sent = Vec::new();
        let text = format!("clusterName=c brokerName=b{number} brokerId=0 brokerAddr=10.0.0.{number}:1 {fields}");
        let all = |sink: &mut header::FieldSink<'_>| {
            text.split(' ').filter_map(|word| word.split_once('=')).for_each(|(key, value)| sink.text(key, value));
        };
        header::write_frame(&mut sent, Encoding::Json, Top::request(1, 103, false), all, &compressed);
        let frame = frame::split(&sent).unwrap().unwrap();
        let header = header::read(&frame).unwrap();
        let call = Call { header: &header, body: frame.body, peer: &peer(1, (HOST, HOST)) };
        assert_eq!(shown(routes::answer(&script.server, &call)), "< 0");
    }
    let list = script.ask("c 206", "");
    assert_eq!(list, "< 0\n< {\"topicList\":[\"T\",\"U\"]}");
}

#[test]
fn brokers_hear_of_a_new_lowest_id() {
    let mut script = Script::new("# set notifyMinBrokerIdChanged=true");
    let register = |script: &mut Script, id: i64| {
        let request = format!("b{id} 103 clusterName=c brokerName=a brokerId={id} brokerAddr=10.0.0.{id}:1 haServerAddr=10.0.0.{id}:2");
        script.ask(&request, &topics(&["T", "U"]));
        script.notices.try_recv().ok()
    };
    assert_eq!(register(&mut script, 3), None);
    assert_eq!(register(&mut script, 4), None);
    let came = register(&mut script, 1).unwrap();
    assert_eq!((came.min_id, came.min_addr.as_str(), came.ha_addr.as_deref()), (1, "10.0.0.1:1", Some("10.0.0.1:2")));
    assert_eq!((came.offline_addr, came.tell), (None, vec!["10.0.0.3:1".to_owned(), "10.0.0.4:1".to_owned()]));

    script.close("b4");
    assert!(script.notices.try_recv().is_err());
    script.close("b1");
    let went = script.notices.try_recv().unwrap();
    assert_eq!((went.min_id, went.offline_addr.as_deref(), went.ha_addr), (3, Some("10.0.0.1:1"), None));
    assert_eq!(went.tell, ["10.0.0.3:1"]);
}

#[test]
fn a_broker_that_does_not_know_its_address_is_found_by_everybody() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let seen_by = |registered: (&str, &str), dialled: &str| {
        let mut script = Script::new("");
        script.ends = (ip(registered.0), ip(registered.1));
        let fields = "clusterName=c brokerName=a brokerAddr=127.0.0.1:10911 haServerAddr=127.0.0.1:10912 roxmqAutoAddress=true brokerId=0";
        script.ask(&format!("a 103 {fields}"), &topics(&["T", "U"]));
        script.ends = (ip("10.9.9.9"), ip(dialled));
        let answer = script.ask("c 105 topic=T", "");
        let replica = "clusterName=c brokerName=a brokerAddr=10.9.9.9:10911 haServerAddr=10.9.9.9:10912 brokerId=1";
        let master = script.ask(&format!("b 103 {replica}"), &topics(&["T", "U"]));
        let addr = answer.split(r#""0":""#).nth(1).unwrap().split('"').next().unwrap().to_owned();
        assert!(master.ends_with(&format!("masterAddr={addr}")), "{master}");
        addr
    };
    // In one process or on one host: wherever the asker reached the NameServer.
    assert_eq!(seen_by(("127.0.0.1", "127.0.0.1"), "127.0.0.1"), "127.0.0.1:10911");
    assert_eq!(seen_by(("127.0.0.1", "127.0.0.1"), "192.168.1.5"), "192.168.1.5:10911");
    assert_eq!(seen_by(("192.168.1.5", "192.168.1.5"), "127.0.0.1"), "127.0.0.1:10911");
    assert_eq!(seen_by(("::1", "::1"), "2001:db8::5"), "[2001:db8::5]:10911");
    assert_eq!(seen_by(("::ffff:127.0.0.1", "::ffff:127.0.0.1"), "::ffff:192.168.1.5"), "192.168.1.5:10911");
    // On another host: where it came from.
    assert_eq!(seen_by(("192.168.1.6", "192.168.1.5"), "192.168.1.5"), "192.168.1.6:10911");
    assert_eq!(seen_by(("2001:db8::6", "2001:db8::5"), "127.0.0.1"), "[2001:db8::6]:10911");
}

#[test]
fn settings_change_at_run_time() {
    let mut script = Script::new("");
    let change = "enableAllTopicList=false\nlistenPort=1234\nnoSuchKey=1\n";
    let mut sent = Vec::new();
    header::write_frame(&mut sent, Encoding::Json, Top::request(1, 318, false), |_| {}, change.as_bytes());
    let frame = frame::split(&sent).unwrap().unwrap();
    let header = header::read(&frame).unwrap();
    let call = Call { header: &header, body: frame.body, peer: &peer(1, (HOST, HOST)) };
    let answer = routes::answer(&script.server, &call);
    let remark = "listenPort takes effect after a restart; unknown key noSuchKey (request, line 3)";
    assert_eq!((answer.code, answer.remark.as_deref()), (0, Some(remark)));
    assert_eq!(script.ask("c 206", ""), r#"< 1 | "disable""#);
    let settings = script.ask("c 319", "");
    assert!(settings.contains("enableAllTopicList=false\n") && settings.contains("listenPort=9876\n"), "{settings}");
    let saved = script.server.disk.read(&script.server.config().config_path).unwrap().unwrap();
    assert_eq!(String::from_utf8(saved).unwrap(), "enableAllTopicList=false\nlistenPort=1234\n");

    for (waits, expected) in [("needWaitForService=true", "< 1 | "), ("waitSecondsForService=1", "< 17 | ")] {
        script.wait(1_000);
        let call = Call { body: waits.as_bytes(), ..call };
        assert_eq!(shown(routes::answer(&script.server, &call)), "< 0");
        let answer = script.ask("c 105 topic=T", "");
        assert!(answer.starts_with(expected), "{waits}: {answer}");
    }

    let call = Call { body: b"kvConfigPath=/etc/passwd", ..call };
    assert!(shown(routes::answer(&script.server, &call)).starts_with("< 16 | "));
}

#[test]
fn missing_fields_and_bad_bodies_are_answered() {
    let mut script = Script::new("");
    assert_eq!(script.ask("c 105", ""), r#"< 1 | "the field topic is missing""#);
    assert!(script.ask("c 103 clusterName=c brokerName=a brokerId=x brokerAddr=a:1", "").starts_with("< 1 | "));
    for body in ["{", "[]", "{\"topicConfigSerializeWrapper\":7}", "x\u{9c}"] {
        let answer = script.ask("c 103 clusterName=c brokerName=a brokerId=0 brokerAddr=a:1", body);
        assert!(answer.starts_with("< 1 | "), "{body}: {answer}");
    }
    assert_eq!(script.ask("c 106", ""), "< 0\n< {\"brokerAddrTable\":{},\"clusterAddrTable\":{}}");
}

#[test]
fn it_serves_on_a_socket_and_notices_a_lost_broker() {
    let config = NameServerConfig {
        bind_address: Ipv4Addr::LOCALHOST.into(),
        listen_port: 0,
        shards: 2,
        wait_for_service: false,
        ..NameServerConfig::default()
    };
    let running = serve(config, None, Clock::system(), SimDisk::new(1).disk()).unwrap();
    let mut broker = TcpStream::connect(running.address()).unwrap();
    let mut client = TcpStream::connect(running.address()).unwrap();
    let register = "103 clusterName=c brokerName=a brokerId=0 brokerAddr=127.0.0.1:10911";
    assert_eq!(exchange(&mut broker, register, &topics(&["T", "U"])), 0);
    assert_eq!(exchange(&mut client, "105 topic=T", ""), 0);
    drop(broker);
    // The loss is noticed as soon as the other shard reads the end of the stream.
    while exchange(&mut client, "105 topic=T", "") != 17 {
        std::thread::yield_now();
    }
    running.stop();
}

#[test]
fn a_handler_that_panics_is_answered_and_its_connection_goes_on() {
    let config = NameServerConfig {
        bind_address: Ipv4Addr::LOCALHOST.into(),
        listen_port: 0,
        shards: 1,
        wait_for_service: false,
        ..NameServerConfig::default()
    };
    let running = serve(config, None, Clock::system(), SimDisk::new(1).disk()).unwrap();
    let mut stream = TcpStream::connect(running.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let panics = routes::PANICS.to_string();
    assert_eq!(["106", &panics, "106"].map(|request| exchange(&mut stream, request, "")), [0, 1, 0]);
    running.stop();
}

fn exchange(stream: &mut TcpStream, request: &str, body: &str) -> i32 {
    use std::io::{Read, Write};
    let mut words = request.split(' ');
    let code = words.next().unwrap().parse().unwrap();
    let fields: Vec<_> = words.map(|word| word.split_once('=').unwrap()).collect();
    let mut sent = Vec::new();
    let all = |sink: &mut header::FieldSink<'_>| fields.iter().for_each(|(key, value)| sink.text(key, value));
    header::write_frame(&mut sent, Encoding::Json, Top::request(1, code, false), all, body.as_bytes());
    stream.write_all(&sent).unwrap();
    let mut answer = vec![0; 4];
    stream.read_exact(&mut answer).unwrap();
    let length = u32::from_be_bytes([answer[0], answer[1], answer[2], answer[3]]) as usize;
    answer.resize(4 + length, 0);
    stream.read_exact(&mut answer[4..]).unwrap();
    header::read(&frame::split(&answer).unwrap().unwrap()).unwrap().code
}
