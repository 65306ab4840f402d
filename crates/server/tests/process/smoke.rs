//! Does the binary start, serve, stop, and go on where it was?

use crate::running::{PATIENCE, Running, Wire, take_records, write_pull};
use roxmq_protocol::record::Record;
use std::time::Instant;

#[test]
fn a_message_outlives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = Running::start(folder.path(), &[]);
    let screen = first.screen();
    for part in ["RoxMQ ", "NameServer", "Broker", "ASYNC_FLUSH", &folder.path().display().to_string(), &first.broker.port().to_string()] {
        assert!(screen.contains(part), "{part} is not on the screen:\n{screen}");
    }
    let mut wire = first.connect();
    assert_eq!(wire.send("Smoke", 1, b"before the stop"), 0);
    assert_eq!(read(&mut first), ["before the stop"]);
    assert!(first.stop(), "SIGTERM ends it well");

    let mut second = Running::start(folder.path(), &[]);
    assert_eq!(read(&mut second), ["before the stop"]);
    assert_eq!(second.connect().send("Smoke", 1, b"after it"), 1);
    assert_eq!(read(&mut second), ["before the stop", "after it"]);
    assert!(second.stop(), "SIGTERM ends it well");
}

/// Once a log on a full disk ended the thread that wanted to say so, with all its connections.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_does_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let mut running = Running::start_logging(folder.path(), &[], "info", full.into());
    let mut wires: Vec<_> = (0..8).map(|_| running.connect()).collect();
    for round in 0..2 {
        for (number, wire) in wires.iter_mut().enumerate() {
            // The first send of each makes a topic, which is logged.
            assert_eq!(wire.send(&format!("Smoke{number}"), 0, b"a message"), round);
        }
    }
    assert!(running.stop(), "SIGTERM ends it well");
}

#[test]
fn a_log_that_is_no_terminal_has_no_colours_and_says_what_has_no_effect() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let log = std::fs::File::create(&path).expect("a file");
    let mut running = Running::start_logging(&folder.path().join("data"), &["sendmessagethreads=1"], "debug", log.into());
    running.screen();
    running.connect().ask(25, &[], b"noSuchKey=1\nlistenPort=1234\ntraceOn=false", |header, _| {
        assert_eq!(header.code, 0);
        let remark = header.remark.expect("a remark").unescape().into_owned();
        assert_eq!(remark, "listenPort takes effect after a restart; unknown key noSuchKey (request, line 1)");
    });
    assert!(running.stop(), "SIGTERM ends it well");
    let log = std::fs::read_to_string(&path).expect("text");
    assert!(!log.contains('\u{1b}'), "{log}");
    for line in ["WARN unknown key noSuchKey (request, line 1)", r#"changed=["traceOn"]"#, "unknown key sendmessagethreads"] {
        assert!(log.contains(line), "{line} is missing in:\n{log}");
    }
}

#[test]
fn the_route_shows_what_the_broker_permits() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut running = Running::start(folder.path(), &[]);
    let mut broker = running.connect();
    broker.send("Smoke", 0, b"a message");
    let mut nameserver = Wire::to(running.nameserver);
    for permission in ["4", "0", "2", "6"] {
        let body = format!("brokerPermission={permission}");
        broker.ask(25, &[], body.as_bytes(), |header, _| assert_eq!(header.code, 0));
        let deadline = Instant::now() + PATIENCE;
        let wanted = format!("\"perm\":{permission},");
        let mut route = String::new();
        while !route.contains(&wanted) {
            assert!(Instant::now() < deadline, "{route}");
            route = nameserver.ask(105, &[("topic", "Smoke")], b"", |_, body| String::from_utf8_lossy(body).into_owned());
        }
    }
    assert!(running.stop(), "SIGTERM ends it well");
}

fn read(running: &mut Running) -> Vec<String> {
    let mut bodies = Vec::new();
    running.connect().read_queue("Smoke", 1, 0, |record| bodies.push(String::from_utf8_lossy(record.body).into_owned()));
    bodies
}

/// Prints what a start costs; figures are compared by people, as tests must not depend on the machine's speed.
#[test]
fn figures_of_an_empty_broker() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Running::start(folder.path(), &[]);
    assert_eq!(broker.connect().send("Smoke", 0, b"first"), 0);
    let first_ack = broker.started.elapsed();
    let anonymous = roxmq_bench::anonymous_bytes(broker.id()).map_or_else(String::new, |bytes| format!("{:.1} MB", bytes as f64 / 1e6));
    println!("empty store: first acknowledgement {first_ack:?} after the start, anonymous memory {anonymous}");
    assert!(broker.stop());
}

/// So many that answers to them have to wait for their turn.
#[test]
fn very_many_who_wait_for_the_same_get_every_message_once_and_in_order() {
    const READERS: usize = 3000;
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Running::start(folder.path(), &[]);
    let mut sender = broker.connect();
    assert_eq!(sender.send("Many", 0, b"0"), 0);
    let mut readers = broker.connect();
    let mut next = vec![1; READERS];
    let mut pulls = Vec::new();
    (0..READERS).for_each(|reader| write_pull(&mut pulls, reader as i32, "Many", 0, 1, 20_000));
    readers.write(&pulls).expect("the broker is there");
    for message in 1..=4 {
        assert_eq!(sender.send("Many", 0, message.to_string().as_bytes()), message);
        while next.iter().any(|next| *next <= message) {
            let mut bodies = Vec::new();
            let (reader, after) = readers
                .next(|header, frame| {
                    let mut take = |record: &Record<'_>| bodies.push(String::from_utf8_lossy(record.body).into_owned());
                    (header.opaque as usize, take_records(header, frame, &mut take))
                })
                .expect("an answer");
            let after = after.expect("nothing is answered before its time");
            assert_eq!(bodies, (next[reader]..after).map(|offset| offset.to_string()).collect::<Vec<_>>());
            next[reader] = after;
            pulls.clear();
            write_pull(&mut pulls, reader as i32, "Many", 0, after, 20_000);
            readers.write(&pulls).expect("the broker is there");
        }
    }
    assert!(broker.stop());
}
