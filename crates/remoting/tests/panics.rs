//! A panic in a service that is not the answer to one request ends the process, wherever a connection's task meets it.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

use roxmq_env::clock::Clock;
use roxmq_protocol::frame::Encoding;
use roxmq_protocol::header::{self, Top};
use roxmq_remoting::{Answer, Connection, Incoming, Listen, Server, ServerOptions, Service, guarded};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

const CHILD: &str = "ROXMQ_TEST_PANICS_CHILD";
const SIGABRT: i32 = 6;

/// What it is asked for with the code of the same number.
const REQUEST: i32 = 1;
const TURN: i32 = 2;
const CLOSED: i32 = 3;
const GUARDED: i32 = 4;

#[derive(Default)]
struct Panicking {
    asked: std::cell::Cell<i32>,
}

impl Service for Panicking {
    fn request(&self, from: &Rc<Connection>, request: Incoming<'_>) {
        self.asked.set(request.header.code);
        assert_ne!(request.header.code, REQUEST, "planted");
        let answer = guarded(|| {
            assert_ne!(self.asked.get(), GUARDED, "planted");
            Answer::ok()
        });
        from.answer(request.ticket(), answer.unwrap_or_else(Answer::from));
    }

    fn turn(&self) -> Duration {
        assert_ne!(self.asked.get(), TURN, "planted");
        Duration::MAX
    }

    fn closed(&self, _: &Connection) {
        assert_ne!(self.asked.get(), CLOSED, "planted");
    }
}

#[test]
fn a_panic_outside_of_a_guarded_handler_ends_the_process() {
    for (code, signal) in [(REQUEST, Some(SIGABRT)), (TURN, Some(SIGABRT)), (CLOSED, Some(SIGABRT)), (GUARDED, None)] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let ended = child.args(["--exact", "child", "--ignored", "--nocapture"]).env(CHILD, code.to_string()).output().unwrap();
        assert_eq!(ended.status.signal(), signal, "{code}: {ended:?}");
        assert!(String::from_utf8_lossy(&ended.stderr).contains("planted"), "{code}: {ended:?}");
        assert!(signal.is_some() || ended.status.success(), "{code}: {ended:?}");
    }
}

#[test]
#[ignore = "the process that the other test starts"]
fn child() {
    let Ok(code) = std::env::var(CHILD) else { return };
    let code: i32 = code.parse().unwrap();
    let listen = [Listen { address: "127.0.0.1:0".parse().unwrap() }];
    let options =
        ServerOptions { name: "panics", shards: 1, idle_max: Duration::from_secs(3600), connections_max: 10, clock: Clock::system() };
    let server = Server::start(&listen, options, |_| Panicking::default()).unwrap();
    let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut out = Vec::new();
    header::write_frame(&mut out, Encoding::Json, Top::request(1, code, false), |_| (), b"");
    stream.write_all(&out).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    // Its end is the end of the connection alone only where the process goes on.
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(answer.is_empty(), code != GUARDED && code != CLOSED);
    server.stop();
}
