//! Does the binary start, serve, stop, and go on where it was?

use crate::running::Running;

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
    let anonymous =
        roxmq_bench::process::anonymous_bytes(broker.id()).map_or_else(String::new, |bytes| format!("{:.1} MB", bytes as f64 / 1e6));
    println!("empty store: first acknowledgement {first_ack:?} after the start, anonymous memory {anonymous}");
    assert!(broker.stop());
}
