//! What NameServers hear from a broker, and how long others wait for them: over real sockets, with NameServers that answer, keep silent or
//! are away. The broker's clock stands still, so that nothing that waits for a time goes on.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

#[path = "../common/mod.rs"]
mod common;
mod name_server;

use name_server::{Heard, NameServer, PATIENCE, dropping};
use roxmq_broker::RunningBroker;
use roxmq_broker::settings::BrokerConfig;
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_scripts::Connections;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

fn fresh() -> (SimDisk, Clock) {
    (SimDisk::new(1), Clock::manual(1_800_000_000_000))
}

/// A broker and a client of it.
struct Broker {
    running: RunningBroker,
    client: Connections,
}

impl Broker {
    fn start(disk: &SimDisk, clock: &Clock, name_servers: &[SocketAddr]) -> Broker {
        let namesrv_addr = name_servers.iter().map(SocketAddr::to_string).collect();
        let config = BrokerConfig { namesrv_addr, ..common::small(BrokerConfig::default()) };
        let running = RunningBroker::start(common::setup(config, clock, disk.disk())).unwrap();
        let client = Connections::new(running.addresses()[0], "30 topic=none queueId=0", Box::new(|_| None));
        Broker { running, client }
    }

    /// The code of the answer.
    fn ask(&mut self, request: &str, body: &str) -> i32 {
        let answer = self.client.ask(&format!("client {request}"), body.as_bytes());
        // Shown when the test fails.
        println!("{request}: {answer}");
        answer.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn make(&mut self, topic: &str) -> i32 {
        self.ask(&format!("17 topic={topic} readQueueNums=4 writeQueueNums=4 perm=6"), "")
    }

    fn send(&mut self, topic: &str) -> i32 {
        self.ask(&format!("310 a=p b={topic} c=TBW102 d=4 e=0 f=0 g=0 h=0 i= j=0 k=false m=false"), "body")
    }

    fn delete(&mut self, topic: &str) -> i32 {
        self.ask(&format!("215 topic={topic}"), "")
    }

    fn register_with(&mut self, name_servers: &[SocketAddr]) {
        let list: Vec<String> = name_servers.iter().map(SocketAddr::to_string).collect();
        assert_eq!(self.ask("25", &format!("namesrvAddr={}", list.join(";"))), 0);
    }
}

#[test]
fn name_servers_that_do_not_answer_hold_up_nothing() {
    let (disk, clock) = fresh();
    let (living, mute) = (NameServer::start(), NameServer::mute());
    let (dropping, _sockets) = dropping();
    let gone = NameServer::start().stop();
    let mut broker = Broker::start(&disk, &clock, &[mute.address, dropping, living.address, gone]);
    living.registers();
    mute.registers();
    // Each is answered once the living one knows of it; the others would take from half a minute to for ever.
    for number in 0..50 {
        let (made, sent) = (format!("made{number}"), format!("sent{number}"));
        for (topic, code) in [(&made, broker.make(&made)), (&sent, broker.send(&sent))] {
            assert_eq!(code, 0);
            let announces = |heard: &Heard| match heard {
                Heard::Topic(heard) => heard == topic,
                Heard::Registered(all) => all.contains(topic),
                _ => false,
            };
            assert!(living.heard().iter().any(announces), "{topic} was answered before the NameServer knew of it");
        }
    }
    // The mute one hears all of it when it is itself again.
    mute.set(|state| state.is_mute = false);
    mute.close_connections();
    mute.hears(|heard| matches!(heard, Heard::Registered(all) if all.contains("made49") && all.contains("sent49")));
    broker.running.stop();
}

#[test]
fn a_name_server_that_comes_back_hears_of_the_broker_at_once() {
    let (disk, clock) = fresh();
    let name_server = NameServer::start();
    let mut broker = Broker::start(&disk, &clock, &[name_server.address]);
    name_server.registers();
    // It closes the connection,
    name_server.close_connections();
    name_server.registers();
    // and it goes away for a while. A topic that is made meanwhile waits for none of them.
    let address = name_server.stop();
    assert_eq!(broker.make("Meanwhile"), 0);
    let name_server = NameServer::at(address);
    assert!(matches!(name_server.registers(), Heard::Registered(all) if all.contains("Meanwhile")));
    broker.running.stop();
    name_server.hears(|heard| *heard == Heard::Goodbye);
}

#[test]
fn the_settings_say_which_name_servers_hear_of_the_broker() {
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
