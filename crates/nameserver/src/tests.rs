//! Tests that no script can express: bodies that are no text, addresses of other machines, notices, panics.

use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::time::Duration;

use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_protocol::body::RegisterBrokerBody;
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::json;

use crate::routes;
use crate::running::serve;
use crate::settings::NameServerConfig;
use crate::testing::Direct;

/// No broker is waited for after the start.
const READY: [(&str, &str); 1] = [("needWaitForService", "false")];

/// A body of registration with these topics.
fn topics(names: &[&str]) -> String {
    let table: Vec<String> = names.iter().map(|name| format!(r#""{name}":{{"topicName":"{name}"}}"#)).collect();
    format!(r#"{{"topicConfigSerializeWrapper":{{"topicConfigTable":{{{}}}}}}}"#, table.join(","))
}

#[test]
fn a_compressed_body_is_read_even_when_it_is_announced_as_plain() {
    let mut server = Direct::new(&READY);
    let body = json::from_slice::<RegisterBrokerBody>(topics(&["T", "U"]).as_bytes()).unwrap().encode_compressed();
    for compressed in ["true", "false"] {
        let request = format!("a 103 clusterName=c brokerName={compressed} brokerId=0 brokerAddr=10.0.0.1:1 compressed={compressed}");
        assert_eq!(server.ask(&request, &body), "< 0");
    }
    assert_eq!(server.ask("c 206", ""), "< 0\n< {\"topicList\":[\"T\",\"U\"]}");
}

#[test]
fn brokers_hear_of_a_new_lowest_id() {
    let mut server = Direct::new(&[READY[0], ("notifyMinBrokerIdChanged", "true")]);
    let register = |server: &mut Direct, id: i64| {
        let request = format!("b{id} 103 clusterName=c brokerName=a brokerId={id} brokerAddr=10.0.0.{id}:1 haServerAddr=10.0.0.{id}:2");
        server.ask(&request, topics(&["T", "U"]));
        server.notices.try_recv().ok()
    };
    assert_eq!(register(&mut server, 3), None);
    assert_eq!(register(&mut server, 4), None);
    let came = register(&mut server, 1).unwrap();
    assert_eq!((came.min_id, came.min_addr.as_str(), came.ha_addr.as_deref()), (1, "10.0.0.1:1", Some("10.0.0.1:2")));
    assert_eq!((came.offline_addr, came.notified), (None, vec!["10.0.0.3:1".to_owned(), "10.0.0.4:1".to_owned()]));

    server.close("b4");
    assert!(server.notices.try_recv().is_err());
    server.close("b1");
    let went = server.notices.try_recv().unwrap();
    assert_eq!((went.min_id, went.offline_addr.as_deref(), went.ha_addr), (3, Some("10.0.0.1:1"), None));
    assert_eq!(went.notified, ["10.0.0.3:1"]);
}

#[test]
fn a_broker_that_does_not_know_its_address_is_found_by_every_client() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let seen_by = |registered: (&str, &str), dialled: &str| {
        let mut server = Direct::new(&READY);
        server.ends = (ip(registered.0), ip(registered.1));
        let fields = "clusterName=c brokerName=a brokerAddr=127.0.0.1:10911 haServerAddr=127.0.0.1:10912 roxmqAutoAddress=true brokerId=0";
        server.ask(&format!("a 103 {fields}"), topics(&["T", "U"]));
        server.ends = (ip("10.9.9.9"), ip(dialled));
        let answer = server.ask("c 105 topic=T", "");
        let replica = "clusterName=c brokerName=a brokerAddr=10.9.9.9:10911 haServerAddr=10.9.9.9:10912 brokerId=1";
        let master = server.ask(&format!("b 103 {replica}"), topics(&["T", "U"]));
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
