//! How is a broker asked before and after a run? Over one blocking connection: route, topic, offsets.

use crate::measure::clock;
use crate::measure::tally::Offsets;
use crate::wire::pulls::PullAsk;
use crate::wire::queues::Queues;
use crate::wire::sends::PRODUCER_GROUP;
use roxmq_protocol::body::{TimerMetricsBody, TopicRouteData};
use roxmq_protocol::code;
use roxmq_protocol::frame::{self, Encoding, Frame};
use roxmq_protocol::header::{self, Header, Top};
use roxmq_protocol::json;
use roxmq_protocol::permission::Permission;
use roxmq_protocol::record::{self, Record};
use roxmq_protocol::request::{
    FieldError, HeaderFields, MaxOffset, MinOffset, OffsetReply, Request, RouteByTopic, SendMessage, SendMessageV2, SendReply,
    TimerMetrics, UpdateTopic,
};
use roxmq_protocol::time::Timestamp;
use roxmq_protocol::topic::AUTO_CREATE_TOPIC;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;
use thiserror::Error;

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// The address does not answer.
    #[error("{address}: {error}")]
    Connect {
        /// What was tried.
        address: String,
        /// The error.
        error: io::Error,
    },
    /// Reading or writing failed, or nothing came in time.
    #[error("no answer: {0}")]
    Io(#[from] io::Error),
    /// What came is no frame.
    #[error("answer is no frame: {0}")]
    Frame(#[from] frame::FrameError),
    /// What came has no header.
    #[error("answer has no header: {0}")]
    Header(#[from] header::HeaderError),
    /// A field of the answer.
    #[error("answer: {0}")]
    Field(#[from] FieldError),
    /// The body of the answer.
    #[error("answer: {0}")]
    Json(#[from] json::JsonError),
    /// The answer is a refusal.
    #[error("{name} was refused with code {code}: {remark}")]
    Refused {
        /// What was asked.
        name: &'static str,
        /// Response code.
        code: i32,
        /// What the broker says.
        remark: String,
    },
    /// What came with a pull.
    #[error("answer: {0}")]
    Record(#[from] record::RecordError),
    /// A queue does not hold what its ends say.
    #[error("queue {queue} of {topic} does not show the message at {offset}")]
    Gap {
        /// Its topic.
        topic: String,
        /// Queue of the topic.
        queue: u32,
        /// The queue offset that is missing.
        offset: i64,
    },
    /// The route names no broker that could be used.
    #[error("the NameServer knows no broker for topic {0}")]
    NoRoute(String),
}

/// A connection that asks one thing after the other.
pub struct Asker {
    stream: TcpStream,
    input: Vec<u8>,
    opaque: i32,
}

impl Asker {
    /// Connects.
    ///
    /// # Errors
    /// When no server answers at `address`.
    pub fn connect(address: &str) -> Result<Asker, AskError> {
        let failed = |error| AskError::Connect { address: address.to_owned(), error };
        let mut last = io::Error::other("the name has no address");
        for socket in address.to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&socket, PATIENCE) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(failed)?;
                    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
                    return Ok(Asker { stream, input: Vec::new(), opaque: 0 });
                }
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }

    /// The address that `topic` is sent to: of the broker that has it, or of the first that would create it.
    ///
    /// # Errors
    /// When the NameServer does not answer or knows no broker.
    pub fn broker_of(&mut self, topic: &str) -> Result<String, AskError> {
        for name in [topic, AUTO_CREATE_TOPIC] {
            let request = RouteByTopic { topic: name.into(), accept_standard_json_only: Some(true) };
            let route = match self.call(&request, |_, frame| Ok(json::from_slice::<TopicRouteData>(frame.body)?)) {
                Err(AskError::Refused { code: code::TOPIC_NOT_EXIST, .. }) => continue,
                route => route?,
            };
            if let Some(address) = route.broker_datas.iter().find_map(|broker| broker.broker_addrs.get(&0)) {
                return Ok(address.clone());
            }
        }
        Err(AskError::NoRoute(topic.to_owned()))
    }

    /// Makes the topics, or gives them this many queues.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn make_topics(&mut self, queues: &Queues) -> Result<(), AskError> {
        let request = |number| UpdateTopic {
            topic: queues.topic(number),
            default_topic: Some(AUTO_CREATE_TOPIC.into()),
            read_queue_nums: queues.of_each() as i32,
            write_queue_nums: queues.of_each() as i32,
            perm: Permission::READ_WRITE,
            topic_filter_type: Some("SINGLE_TAG".into()),
            topic_sys_flag: Some(0),
            order: Some(false),
            attributes: None,
            force: None,
        };
        self.call_each(queues.topics(), request, |_| Ok(()))?;
        Ok(())
    }

    /// Sends one message to a topic that exists, or is made by the send. Its queue offset.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn send(&mut self, topic: &str, queue: u32, body: &[u8]) -> Result<i64, AskError> {
        let request = SendMessageV2(SendMessage {
            producer_group: PRODUCER_GROUP.into(),
            topic: topic.into(),
            default_topic: AUTO_CREATE_TOPIC.into(),
            default_topic_queue_nums: 1,
            queue_id: queue as i32,
            sys_flag: 0,
            born_timestamp: Timestamp(clock::wall_ms()),
            flag: 0,
            properties: "".into(),
            reconsume_times: 0,
            unit_mode: false,
            batch: false,
            max_reconsume_times: None,
            broker_name: None,
        });
        self.call_with(&request, body, |header, _| Ok(SendReply::read(&header.fields)?.queue_offset))
    }

    /// The first offset of each queue.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn first_offsets(&mut self, queues: &Queues) -> Result<Vec<i64>, AskError> {
        let request = |queue| MinOffset { topic: queues.topic_of(queue), queue_id: queues.id(queue) as i32 };
        self.call_each(queues.count(), request, |header| Ok(OffsetReply::read(&header.fields)?.offset))
    }

    /// The offset behind the last message of each queue.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn end_offsets(&mut self, queues: &Queues) -> Result<Vec<i64>, AskError> {
        let request = |queue| MaxOffset { topic: queues.topic_of(queue), queue_id: queues.id(queue) as i32 };
        self.call_each(queues.count(), request, |header| Ok(OffsetReply::read(&header.fields)?.offset))
    }

    /// The offset behind the last message of one queue, which may be of a system topic.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn end_offset(&mut self, topic: &str, queue: u32) -> Result<i64, AskError> {
        self.call(&MaxOffset { topic: topic.into(), queue_id: queue as i32 }, |header, _| Ok(OffsetReply::read(&header.fields)?.offset))
    }

    /// How many messages that go to these queues wait for a time of their own.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn timers_waiting(&mut self, queues: &Queues) -> Result<i64, AskError> {
        let counts = self.call(&TimerMetrics {}, |_, frame| Ok(json::from_slice::<TimerMetricsBody>(frame.body)?))?.timing_count;
        Ok((0..queues.topics()).filter_map(|number| counts.get(&*queues.topic(number))).map(|topic| topic.count).sum())
    }

    /// Hands over the records of a queue from one offset up to another.
    ///
    /// # Errors
    /// When the broker refuses, or does not have them all.
    pub fn each_record(
        &mut self,
        topic: &str,
        queue: u32,
        from: i64,
        until: i64,
        mut each: impl FnMut(&Record<'_>),
    ) -> Result<(), AskError> {
        let mut next = from;
        while next < until {
            let ask = PullAsk { group: "roxmq-bench-check", topic, queue, offset: next, count: RECORDS_AT_ONCE, hold_ms: 0 };
            let before = next;
            self.call(&ask.request(), |_, frame| {
                for record in record::records(frame.body) {
                    let record = record?;
                    if record.queue_offset.0 == next && next < until {
                        each(&record);
                        next += 1;
                    }
                }
                Ok(())
            })?;
            if next == before {
                return Err(AskError::Gap { topic: topic.to_owned(), queue, offset: next });
            }
        }
        Ok(())
    }

    /// Asks the same of every topic or queue, many at a time.
    fn call_each<'a, R: Request<'a>, T: Clone + Default>(
        &mut self,
        count: u32,
        request: impl Fn(u32) -> R,
        take: impl Fn(&Header<'_>) -> Result<T, AskError>,
    ) -> Result<Vec<T>, AskError> {
        let mut answers = vec![T::default(); count as usize];
        let all: Vec<u32> = (0..count).collect();
        for some in all.chunks(PIPELINED) {
            let first = self.opaque;
            let mut out = Vec::new();
            for number in some {
                self.write(&mut out, &request(*number), b"");
            }
            self.stream.write_all(&out)?;
            for _ in some {
                self.read(R::NAME, |header, _| {
                    let at = some[0] as usize + header.opaque.wrapping_sub(first) as usize;
                    if let Some(answer) = answers.get_mut(at) {
                        *answer = take(header)?;
                    }
                    Ok(())
                })?;
            }
        }
        Ok(answers)
    }

    fn call<'a, R: Request<'a>, T>(
        &mut self,
        request: &R,
        take: impl FnOnce(&Header<'_>, &Frame<'_>) -> Result<T, AskError>,
    ) -> Result<T, AskError> {
        self.call_with(request, b"", take)
    }

    fn call_with<'a, R: Request<'a>, T>(
        &mut self,
        request: &R,
        body: &[u8],
        take: impl FnOnce(&Header<'_>, &Frame<'_>) -> Result<T, AskError>,
    ) -> Result<T, AskError> {
        let mut out = Vec::new();
        self.write(&mut out, request, body);
        self.stream.write_all(&out)?;
        self.read(R::NAME, take)
    }

    fn write<'a, R: Request<'a>>(&mut self, out: &mut Vec<u8>, request: &R, body: &[u8]) {
        header::write_frame(out, Encoding::Json, Top::request(self.opaque, R::CODE, false), |sink| request.write(sink), body);
        self.opaque = self.opaque.wrapping_add(1);
    }

    fn read<T>(&mut self, name: &'static str, take: impl FnOnce(&Header<'_>, &Frame<'_>) -> Result<T, AskError>) -> Result<T, AskError> {
        while frame::split(&self.input)?.is_none() {
            let mut some = [0; 16 * 1024];
            let read = self.stream.read(&mut some)?;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.input.extend_from_slice(&some[..read]);
        }
        let input = std::mem::take(&mut self.input);
        let Some(frame) = frame::split(&input)? else { return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) };
        self.input = input[frame.len..].to_vec();
        let header = header::read(&frame)?;
        if header.code != code::SUCCESS {
            let remark = header.remark.map(|remark| remark.unescape().into_owned()).unwrap_or_default();
            return Err(AskError::Refused { name, code: header.code, remark });
        }
        take(&header, &frame)
    }
}

/// The offsets between two looks at a topic's end.
pub fn stored(before: &[i64], after: &[i64]) -> Vec<Offsets> {
    before.iter().zip(after).map(|(before, after)| Offsets::range(*before, after.saturating_sub(*before).max(0) as u64)).collect()
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Records asked for with one pull; a broker may give fewer.
const RECORDS_AT_ONCE: i32 = 512;
/// Questions under way at a time.
const PIPELINED: usize = 256;
