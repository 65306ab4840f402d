//! A real `roxmq` process on ports and in a folder of its own, and a plain connection to it.

use roxmq_protocol::frame::{self, Encoding, Frame};
use roxmq_protocol::header::{self, Header, Top};
use roxmq_protocol::record::Record;
use roxmq_protocol::request::{HeaderFields, Pull, PullMessage, PullReply, Request, SendMessage, SendMessageV2, SendReply};
use roxmq_protocol::time::Timestamp;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// A broker and a NameServer in one process.
pub struct Running {
    /// Where the broker listens.
    pub broker: SocketAddr,
    /// Where the NameServer listens.
    pub nameserver: SocketAddr,
    /// When the process was started.
    pub started: Instant,
    process: Child,
    screen: BufReader<std::process::ChildStdout>,
}

impl Running {
    /// Starts the binary over the data in `folder`, without waiting until it serves.
    pub fn start(folder: &Path, settings: &[&str]) -> Running {
        Running::start_logging(folder, settings, "warn", Stdio::inherit())
    }

    /// As [`Running::start`], with what it logs, from `level` on, going to `log`.
    pub fn start_logging(folder: &Path, settings: &[&str], level: &str, log: Stdio) -> Running {
        let (broker, nameserver) = free_ports();
        let started = Instant::now();
        let mut process = Command::new(env!("CARGO_BIN_EXE_roxmq"))
            .args(["--set", &format!("listenPort={}", broker.port()), "--set", &format!("nameserver.listenPort={nameserver}")])
            .args(["--set", "brokerIP1=127.0.0.1", "--set", &format!("storePathRootDir={}", folder.display())])
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .env("ROXMQ_LOG", level)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let screen = BufReader::new(process.stdout.take().expect("its output is piped"));
        Running { broker, nameserver: (broker.ip(), nameserver).into(), started, process, screen }
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it prints until it says that the broker is up.
    pub fn screen(&mut self) -> String {
        let mut text = String::new();
        while !text.contains("The broker[") {
            let read = self.screen.read_line(&mut text).expect("its output is text");
            assert!(read > 0, "it ended after printing:\n{text}");
        }
        text
    }

    /// Connects as soon as it listens.
    pub fn connect(&mut self) -> Wire {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect(self.broker) {
                Ok(stream) => return Wire::new(stream),
                Err(error) => assert!(Instant::now() < deadline, "it does not listen: {error}"),
            }
            if let Some(status) = self.process.try_wait().expect("it can be waited for") {
                panic!("it ended with {status}");
            }
            std::thread::yield_now();
        }
    }

    /// Ends it without warning.
    pub fn kill(mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
    }

    /// Asks it to stop; whether it ended well.
    pub fn stop(mut self) -> bool {
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().expect("kill runs");
        assert!(asked.success());
        let mut rest = String::new();
        self.screen.read_to_string(&mut rest).expect("its output is text");
        self.process.wait().expect("it ends").success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail once the process has ended, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Three ports that are free at the moment: of the broker, with its fast port two below, and of the NameServer.
///
/// They lie below those that systems give to outgoing connections, and no two calls in a process get the same: between the look and the
/// broker's start no other program is likely to take one.
pub fn free_ports() -> (SocketAddr, u16) {
    static FIRST: LazyLock<u16> = LazyLock::new(|| fastrand::u16(10_000..20_000));
    static CALLS: AtomicU16 = AtomicU16::new(0);
    loop {
        let fast = *FIRST + CALLS.fetch_add(1, Ordering::Relaxed) % 2_500 * 4;
        let [nameserver, broker] = [fast + 1, fast + 2];
        let free = [fast, nameserver, broker].iter().all(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok());
        if free {
            return (SocketAddr::from(([127, 0, 0, 1], broker)), nameserver);
        }
    }
}

/// A blocking connection.
pub struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    start: usize,
}

impl Wire {
    /// A connection to a listener.
    pub fn to(address: SocketAddr) -> Wire {
        Wire::new(TcpStream::connect(address).expect("it listens"))
    }

    /// Over a connection that is made already.
    pub fn new(stream: TcpStream) -> Wire {
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Wire { stream, input: Vec::new(), start: 0 }
    }

    /// Asks for something and takes the answer.
    pub fn ask<T>(&mut self, code: i32, fields: &[(&str, &str)], body: &[u8], take: impl FnOnce(&Header<'_>, &[u8]) -> T) -> T {
        let mut frame = Vec::new();
        let write = |sink: &mut header::FieldSink<'_>| fields.iter().for_each(|(name, value)| sink.text(name, value));
        header::write_frame(&mut frame, Encoding::Json, Top::request(0, code, false), write, body);
        self.write(&frame).expect("it is there");
        self.next(|header, frame| take(header, frame.body)).expect("an answer")
    }

    /// Writes whole frames.
    pub fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames)
    }

    /// Takes the next frame; an error once the broker is gone.
    pub fn next<T>(&mut self, take: impl FnOnce(&Header<'_>, &Frame<'_>) -> T) -> io::Result<T> {
        while frame::split(&self.input[self.start..]).expect("frames").is_none() {
            self.input.drain(..self.start);
            self.start = 0;
            let mut some = [0; 64 * 1024];
            match self.stream.read(&mut some)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.input.extend_from_slice(&some[..read]),
            }
        }
        let frame = frame::split(&self.input[self.start..]).expect("frames").expect("whole");
        self.start += frame.len;
        Ok(take(&header::read(&frame).expect("a header"), &frame))
    }

    /// Sends one message and waits until it is stored; its queue offset.
    pub fn send(&mut self, topic: &str, queue: u32, body: &[u8]) -> i64 {
        let mut frames = Vec::new();
        write_send(&mut frames, 0, topic, queue, body);
        self.write(&frames).expect("the broker is there");
        let stored = self.next(|header, _| stored_at(header)).expect("an answer");
        stored.unwrap_or_else(|remark| panic!("a send was refused: {remark}"))
    }

    /// All messages of a queue from `offset` on.
    pub fn read_queue(&mut self, topic: &str, queue: u32, offset: i64, mut take: impl FnMut(&Record<'_>)) {
        let mut next = offset;
        loop {
            let mut frames = Vec::new();
            write_pull(&mut frames, 0, topic, queue, next, 0);
            self.write(&frames).expect("the broker is there");
            let answered = self.next(|header, frame| take_records(header, frame, &mut take)).expect("an answer");
            match answered {
                Some(after) => next = after,
                None => return,
            }
        }
    }
}

/// Appends a send to `out`.
pub fn write_send(out: &mut Vec<u8>, opaque: i32, topic: &str, queue: u32, body: &[u8]) {
    let request = SendMessageV2(SendMessage {
        producer_group: "tests".into(),
        topic: topic.into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 8,
        queue_id: queue as i32,
        sys_flag: 0,
        born_timestamp: Timestamp(1_700_000_000_000),
        flag: 0,
        properties: "WAIT\u{1}true\u{2}".into(),
        reconsume_times: 0,
        unit_mode: false,
        batch: false,
        max_reconsume_times: None,
        broker_name: None,
    });
    header::write_frame(out, Encoding::Json, Top::request(opaque, SendMessageV2::CODE, false), |sink| request.write(sink), body);
}

/// The queue offset in the answer to a send, or why there is none.
pub fn stored_at(header: &Header<'_>) -> Result<i64, String> {
    match header.code {
        0 => Ok(SendReply::read(&header.fields).expect("the fields of an answer to a send").queue_offset),
        code => Err(format!("{code} {:?}", header.remark)),
    }
}

/// Appends a pull to `out`.
pub fn write_pull(out: &mut Vec<u8>, opaque: i32, topic: &str, queue: u32, offset: i64, hold_ms: i64) {
    let request = PullMessage(Pull {
        consumer_group: "tests".into(),
        topic: topic.into(),
        queue_id: queue as i32,
        queue_offset: offset,
        max_msg_nums: 32,
        sys_flag: 4 | if hold_ms > 0 { 2 } else { 0 },
        commit_offset: 0,
        suspend_timeout_ms: hold_ms,
        subscription: Some("*".into()),
        sub_version: 0,
        expression_type: Some("TAG".into()),
        max_msg_bytes: None,
    });
    header::write_frame(out, Encoding::Json, Top::request(opaque, PullMessage::CODE, false), |sink| request.write(sink), b"");
}

/// Hands over the records of an answer to a pull; the offset after them, `None` where there was nothing.
pub fn take_records(header: &Header<'_>, frame: &Frame<'_>, take: &mut impl FnMut(&Record<'_>)) -> Option<i64> {
    match header.code {
        0 => {
            for record in roxmq_protocol::record::records(frame.body) {
                take(&record.expect("a record"));
            }
            Some(PullReply::read(&header.fields).expect("the fields of an answer to a pull").next_begin_offset)
        }
        19 => None,
        code => panic!("a pull was answered with {code} {:?}", header.remark),
    }
}

pub const PATIENCE: Duration = Duration::from_secs(30);
