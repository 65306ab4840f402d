//! Does everything that a client receives name the broker by the address that it dialled?

use crate::running::{Running, Wire, take_records, write_pull, write_send};
use roxmq_protocol::frame::Encoding;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::record::Record;
use roxmq_protocol::request::{ClusterInfo, HeaderFields, Request, RouteByTopic, SendReply};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};

const TOPIC: &str = "Addresses";

#[test]
fn everything_names_the_broker_by_the_address_that_was_dialled() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nothing is configured: the broker finds an address by itself.
    let mut running = Running::start(folder.path(), &["brokerIP1="]);
    running.screen();
    assert_eq!(running.connect().send(TOPIC, 0, b"0"), 0);
    let port = running.broker.port();
    let mut hosts = vec![IpAddr::from(Ipv4Addr::LOCALHOST), Ipv4Addr::new(127, 0, 0, 2).into()];
    // A client that asks over IPv6 gets an IPv4 address where the broker registered one, and dials it.
    hosts.extend(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_ok().then_some(IpAddr::from(Ipv6Addr::LOCALHOST)));
    for (sent, host) in hosts.into_iter().enumerate() {
        let broker = told(&mut wire((host, running.nameserver.port()).into()), port);
        assert!(broker.ip() == host || host.is_ipv6(), "{host}: {broker}");
        // The VIP port, two below, serves the same broker.
        for (place, dialled) in [broker, SocketAddr::new(broker.ip(), port - 2)].into_iter().enumerate() {
            let mut wire = wire(dialled);
            let offset = (1 + sent * 2 + place) as i64;
            assert_eq!(sent_to(&mut wire), (broker, offset));
            let mut stored = Vec::new();
            wire.read_queue(TOPIC, 0, 0, |record| stored.push(record.store_host));
            assert_eq!(stored, vec![broker; 1 + offset as usize], "{dialled}");
            assert_eq!(waited_for(&mut wire, offset), broker);
        }
    }
    assert!(running.stop(), "SIGTERM ends it well");

    // What was stored before is where the broker is configured to be from now on.
    let mut running = Running::start(folder.path(), &["brokerIP1=127.0.0.3"]);
    let broker = SocketAddr::from(([127, 0, 0, 3], running.broker.port()));
    let mut stored = Vec::new();
    let mut wire = running.connect();
    wire.read_queue(TOPIC, 0, 0, |record| stored.push(record.store_host));
    assert_eq!(sent_to(&mut wire), (broker, stored.len() as i64));
    assert_eq!(stored, vec![broker; stored.len()]);
    assert!(running.stop(), "SIGTERM ends it well");
}

fn wire(address: SocketAddr) -> Wire {
    Wire::new(TcpStream::connect(address).expect("it listens on every address"))
}

/// The broker's address in the topic's route and in the list of clusters, which tools compare as text.
fn told(nameserver: &mut Wire, port: u16) -> SocketAddr {
    let mut frames = Vec::new();
    let route = RouteByTopic { topic: TOPIC.into(), accept_standard_json_only: None };
    let top = |code| Top::request(1, code, false);
    header::write_frame(&mut frames, Encoding::Json, top(RouteByTopic::CODE), |sink| route.write(sink), b"");
    header::write_frame(&mut frames, Encoding::Json, top(ClusterInfo::CODE), |sink| ClusterInfo {}.write(sink), b"");
    nameserver.write(&frames).expect("it is there");
    let mut found = Vec::new();
    for _ in 0..2 {
        let text = nameserver.next(|_, frame| String::from_utf8_lossy(frame.body).into_owned()).expect("an answer");
        let end = format!(":{port}\"");
        found.extend(text.split_inclusive(&end).filter_map(|part| Some(part.strip_suffix('"')?.rsplit_once('"')?.1.to_owned())));
    }
    assert!(found.len() == 2 && found[0] == found[1], "{found:?}");
    found[0].parse().expect("an address")
}

/// Which broker the answer to a send names, and the message's place.
fn sent_to(wire: &mut Wire) -> (SocketAddr, i64) {
    let mut frames = Vec::new();
    write_send(&mut frames, 0, TOPIC, 0, b"a message");
    wire.write(&frames).expect("the broker is there");
    let answered = |header: &header::Header<'_>| {
        let reply = SendReply::read(&header.fields).expect("the fields of an answer to a send");
        (MessageId::parse(&reply.msg_id).expect("an id").store_host, reply.queue_offset)
    };
    wire.next(|header, _| answered(header)).expect("an answer")
}

/// Which broker a message names that is read by a pull that may wait.
fn waited_for(wire: &mut Wire, offset: i64) -> SocketAddr {
    let mut frames = Vec::new();
    write_pull(&mut frames, 0, TOPIC, 0, offset, 20_000);
    wire.write(&frames).expect("the broker is there");
    let mut stored = Vec::new();
    let mut take = |record: &Record<'_>| stored.push(record.store_host);
    wire.next(|header, frame| take_records(header, frame, &mut take)).expect("an answer");
    stored[0]
}
