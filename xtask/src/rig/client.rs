//! How does a task talk to a broker? Over one blocking connection, with the requests of the workload.

use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::record::{Record, records};
use roxmq_protocol::request::{
    PULL_SUBSCRIPTION, PULL_SUSPEND, Pull, PullMessage, QueryMessage, Request, SendBatchMessage, SendMessage, SendMessageV2,
};
use roxmq_protocol::time::Timestamp;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

/// A connection.
pub struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    start: usize,
    opaque: i32,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Number of the request.
    pub opaque: i32,
    /// 0 is success.
    pub code: i32,
    /// What is said about a refusal.
    pub remark: String,
    /// Fields of the header.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A field as a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.field(name)?.parse().ok()
    }

    /// A field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// What one send says.
pub struct Send<'a> {
    /// Destination.
    pub topic: &'a str,
    /// Queue of it.
    pub queue: u32,
    /// Properties.
    pub properties: &'a str,
    /// Body: a message's, or a batch.
    pub body: &'a [u8],
    /// Is the body a batch?
    pub is_batch: bool,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream, input: Vec::new(), start: 0, opaque: 0 })
    }

    /// Writes whole frames.
    pub fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames)
    }

    /// The next answer; requests of the broker are passed over.
    pub fn next(&mut self) -> io::Result<Answer> {
        loop {
            let broken = |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
            while frame::split(&self.input[self.start..]).map_err(|error| broken(&error))?.is_none() {
                self.input.drain(..self.start);
                self.start = 0;
                let mut some = [0; 64 * 1024];
                match self.stream.read(&mut some)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    read => self.input.extend_from_slice(&some[..read]),
                }
            }
            let Some(frame) = frame::split(&self.input[self.start..]).map_err(|error| broken(&error))? else { continue };
            self.start += frame.len;
            let header = header::read(&frame).map_err(|error| broken(&error))?;
            if header.is_response() {
                return Ok(Answer {
                    opaque: header.opaque,
                    code: header.code,
                    remark: header.remark.map(|remark| remark.unescape().into_owned()).unwrap_or_default(),
                    fields: header.fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
                    body: frame.body.to_vec(),
                });
            }
        }
    }

    /// Appends a request to `out`; its number.
    pub fn put<'a, R: Request<'a>>(&mut self, out: &mut Vec<u8>, request: &R, body: &[u8]) -> i32 {
        self.opaque += 1;
        header::write_frame(out, Encoding::Json, Top::request(self.opaque, R::CODE, false), |sink| request.write(sink), body);
        self.opaque
    }

    /// Asks and waits for the answer.
    pub fn call<'a, R: Request<'a>>(&mut self, request: &R, body: &[u8]) -> io::Result<Answer> {
        let mut out = Vec::new();
        let opaque = self.put(&mut out, request, body);
        self.write(&out)?;
        self.answer_to(opaque)
    }

    fn answer_to(&mut self, opaque: i32) -> io::Result<Answer> {
        loop {
            let answer = self.next()?;
            if answer.opaque == opaque {
                return Ok(answer);
            }
        }
    }

    /// Asks for anything, by its code and the names of its fields.
    pub fn ask(&mut self, code: i32, fields: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        self.opaque += 1;
        let mut out = Vec::new();
        let fields = |sink: &mut header::FieldSink<'_>| fields.iter().for_each(|(name, value)| sink.text(name, value));
        header::write_frame(&mut out, Encoding::Json, Top::request(self.opaque, code, false), fields, body);
        self.write(&out)?;
        self.answer_to(self.opaque)
    }

    /// Appends a send to `out`; its number.
    pub fn put_send(&mut self, out: &mut Vec<u8>, send: &Send<'_>) -> i32 {
        let request = SendMessage {
            producer_group: PRODUCERS.into(),
            topic: send.topic.into(),
            default_topic: "TBW102".into(),
            default_topic_queue_nums: 8,
            queue_id: send.queue as i32,
            sys_flag: 0,
            born_timestamp: Timestamp(now_ms()),
            flag: 0,
            properties: send.properties.into(),
            reconsume_times: 0,
            unit_mode: false,
            batch: send.is_batch,
            max_reconsume_times: None,
            broker_name: None,
        };
        match send.is_batch {
            true => self.put(out, &SendBatchMessage(request), send.body),
            false => self.put(out, &SendMessageV2(request), send.body),
        }
    }

    /// Pulls once.
    pub fn pull(&mut self, topic: &str, queue: u32, offset: i64, hold_ms: i64) -> io::Result<Answer> {
        let pull = Pull {
            consumer_group: CONSUMERS.into(),
            topic: topic.into(),
            queue_id: queue as i32,
            queue_offset: offset,
            max_msg_nums: 1024,
            sys_flag: PULL_SUBSCRIPTION | if hold_ms > 0 { PULL_SUSPEND } else { 0 },
            commit_offset: 0,
            suspend_timeout_ms: hold_ms,
            subscription: Some("*".into()),
            sub_version: 0,
            expression_type: Some("TAG".into()),
            max_msg_bytes: Some(4 << 20),
        };
        self.call(&PullMessage(pull), b"")
    }

    /// Reads a queue to its end; the offset behind it.
    pub fn read_queue(&mut self, topic: &str, queue: u32, take: impl FnMut(&Record<'_>)) -> Result<i64, String> {
        self.read_queue_from(topic, queue, 0, take)
    }

    /// Reads a queue from an offset to its end; the offset behind it.
    pub fn read_queue_from(&mut self, topic: &str, queue: u32, from: i64, mut take: impl FnMut(&Record<'_>)) -> Result<i64, String> {
        let mut next = from;
        let mut retries = 0;
        loop {
            let answer = self.pull(topic, queue, next, 0).map_err(|error| format!("pulling {topic} {queue} {next}: {error}"))?;
            let after = answer.number("nextBeginOffset").unwrap_or(next);
            match answer.code {
                FOUND => {
                    for record in records(&answer.body) {
                        take(&record.map_err(|error| format!("{topic} {queue}: {error}"))?);
                    }
                    next = after;
                }
                // Damage was skipped, retention deleted messages, or the index is being rebuilt.
                RETRY_IMMEDIATELY | OFFSET_MOVED if after > next => next = after,
                RETRY_IMMEDIATELY if retries < RETRIES_MAX => {
                    retries += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
                NOT_FOUND | TOPIC_UNKNOWN => return Ok(after.max(next)),
                OFFSET_MOVED => return Ok(next),
                code => return Err(format!("pulling {topic} {queue} {next} is answered {code} {}", answer.remark)),
            }
        }
    }

    /// Records with a key.
    pub fn query(&mut self, topic: &str, key: &str, unique: bool) -> Result<Vec<u8>, String> {
        let request = QueryMessage {
            topic: topic.into(),
            key: key.into(),
            max_num: 32,
            begin_timestamp: Timestamp(0),
            end_timestamp: Timestamp::MAX,
            unique_key: Some(unique),
            index_type: None,
        };
        let answer = self.call(&request, b"").map_err(|error| format!("querying: {error}"))?;
        Ok(if answer.code == 0 { answer.body } else { Vec::new() })
    }
}

/// Where an answer to a pull goes on.
pub fn pulled(answer: &Answer) -> Option<i64> {
    (answer.code == FOUND).then(|| answer.number("nextBeginOffset")).flatten()
}

/// The group of all producers.
pub const PRODUCERS: &str = "torture-producers";
/// The group of all consumers.
pub const CONSUMERS: &str = "torture-consumers";
const FOUND: i32 = 0;
const TOPIC_UNKNOWN: i32 = 17;
const NOT_FOUND: i32 = 19;
const RETRY_IMMEDIATELY: i32 = 20;
const OFFSET_MOVED: i32 = 21;
const RETRIES_MAX: usize = 200;
const PATIENCE: Duration = Duration::from_secs(30);

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64)
}
