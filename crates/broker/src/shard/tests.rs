//! What does a panic in a handler cost, on any thread? Its own request, and no other.

use crate::broker::Setup;
use crate::routes::planted;
use crate::running::RunningBroker;
use crate::settings::BrokerConfig;
use crate::testing;
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_env::randomness::Randomness;
use roxmq_protocol::code;
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use roxmq_remoting::address::Advertised;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn start() -> RunningBroker {
    let clock = Clock::manual(testing::NOW_MS);
    let config = BrokerConfig { listen_port: 0, bind_address: [127, 0, 0, 1].into(), shards: 1, ..testing::config() };
    let disk = SimDisk::new(1).disk();
    RunningBroker::start(Setup {
        config,
        advertised: Advertised::Configured("127.0.0.1".into()),
        clock,
        disk,
        randomness: Randomness::seeded(0),
    })
    .unwrap()
}

/// The code and the remark of the answer.
fn request(stream: &mut TcpStream, code: i32) -> (i32, String) {
    let mut out = Vec::new();
    header::write_frame(&mut out, Encoding::Json, Top::request(7, code, false), |_| (), b"");
    stream.write_all(&out).unwrap();
    let mut held = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).unwrap_or_else(|error| panic!("no answer to {code}: {error}"));
        assert_ne!(read, 0, "{code} has ended the connection");
        held.extend_from_slice(&chunk[..read]);
        if let Some(frame) = frame::split(&held).unwrap() {
            let header = header::read(&frame).unwrap();
            return (header.code, header.remark.map(|remark| remark.unescape().into_owned()).unwrap_or_default());
        }
    }
}

#[test]
fn a_handler_that_panics_is_answered_and_its_neighbours_notice_nothing() {
    let broker = start();
    let connect = || {
        let stream = TcpStream::connect(broker.addresses()[0]).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    };
    let (mut stream, mut neighbour) = (connect(), connect());
    // More than the pool has threads: none of them is lost.
    for round in 0..5 {
        for code in [planted::TURN, planted::POOL, planted::CHANGE, planted::RELAY, planted::RELAY_LATER] {
            let failed = (code::SYSTEM_ERROR, "the request failed inside the server; its log says where".to_owned());
            assert_eq!(request(&mut stream, code), failed, "{code} in round {round}");
        }
        for stream in [&mut stream, &mut neighbour] {
            assert_eq!(request(stream, code_of_all_topics()).0, code::SUCCESS);
        }
    }
    broker.stop();
}

/// A request that is answered on the pool.
fn code_of_all_topics() -> i32 {
    <roxmq_protocol::request::AllTopicConfig<'_> as roxmq_protocol::request::Request>::CODE
}
