//! What does a client send, and what comes back?

use crate::testing::NOW_MS;
use roxmq_protocol::code;
use roxmq_protocol::frame::Encoding;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::properties::{PropertiesBuf, name};
use roxmq_protocol::request::{HeaderFields, Request, SendMessage, SendMessageV2, SendReply};
use roxmq_protocol::time::Timestamp;
use roxmq_remoting::Received;
use roxmq_remoting::testing::{TestClient, TestShard};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;

/// The client's end of a connection.
pub struct Client {
    line: TestClient,
    next_opaque: Cell<i32>,
    answers: RefCell<BTreeMap<i32, Received>>,
    heard: RefCell<Vec<Received>>,
}

impl Client {
    /// Connects the client with this number.
    pub fn connect<S: roxmq_remoting::Service>(shard: &TestShard<S>, number: usize) -> Client {
        let remote = SocketAddr::from(([127, 0, 0, 1], 50_000 + number as u16));
        let line = shard.connect(remote, SocketAddr::from(([127, 0, 0, 1], 10911)));
        Client { line, next_opaque: Cell::new(0), answers: RefCell::default(), heard: RefCell::default() }
    }

    /// Closes the connection.
    pub fn close<S: roxmq_remoting::Service>(self, shard: &TestShard<S>) {
        shard.close(self.line);
    }

    /// Sends requests, header and body, and says which numbers they have.
    pub fn send<'a, 'b, R: Request<'a> + 'b, S: roxmq_remoting::Service>(
        &self,
        shard: &TestShard<S>,
        requests: impl Iterator<Item = (&'b R, &'b [u8])>,
    ) -> Range<i32> {
        let (first, mut frames) = (self.next_opaque.get(), Vec::new());
        for (request, body) in requests {
            let opaque = self.next_opaque.replace(self.next_opaque.get() + 1);
            // Clients have the choice.
            let encoding = if opaque % 2 == 0 { Encoding::Json } else { Encoding::Binary };
            header::write_frame(&mut frames, encoding, Top::request(opaque, R::CODE, false), |sink| request.write(sink), body);
        }
        shard.hand_over(&self.line, &frames);
        first..self.next_opaque.get()
    }

    /// What these requests were answered with, once all of them are.
    pub fn answers(&self, mut asked: Range<i32>) -> Option<Vec<Answered>> {
        self.read();
        let mut answers = self.answers.borrow_mut();
        if !asked.clone().all(|opaque| answers.contains_key(&opaque)) {
            return None;
        }
        asked.try_fold(Vec::new(), |mut all, opaque| {
            all.push(Answered::new(answers.remove(&opaque)?));
            Some(all)
        })
    }

    /// The requests of the broker since this was asked last.
    pub fn heard(&self) -> Vec<Received> {
        self.read();
        self.heard.take()
    }

    fn read(&self) {
        for received in self.line.received() {
            let (opaque, is_answer) = (received.header().opaque, received.header().is_response());
            if is_answer {
                assert!(self.answers.borrow_mut().insert(opaque, received).is_none(), "request {opaque} is answered twice");
            } else {
                self.heard.borrow_mut().push(received);
            }
        }
    }
}

/// The answer to a request.
pub struct Answered(Received);

impl Answered {
    fn new(received: Received) -> Answered {
        let answered = Answered(received);
        // A panic in a handler is an answer to clients, and a finding here.
        assert!(!answered.remark().contains("failed inside"), "{answered:?}");
        answered
    }

    pub fn code(&self) -> i32 {
        self.0.header().code
    }

    pub fn is_success(&self) -> bool {
        self.code() == code::SUCCESS
    }

    /// For what nothing may refuse.
    pub fn expect_success(&self) {
        assert!(self.is_success(), "{self:?}");
    }

    pub fn remark(&self) -> String {
        self.0.header().remark.map(|remark| remark.unescape().into_owned()).unwrap_or_default()
    }

    pub fn body(&self) -> &[u8] {
        self.0.body()
    }

    /// A field, as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.header().fields.text(name).map(|text| text.into_owned())
    }

    /// The fields of a success.
    pub fn fields<'a, T: HeaderFields<'a>>(&'a self) -> T {
        self.0.fields().unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Where a message was stored, in the log and in its queue, if it was.
    pub fn stored(&self) -> Option<Stored> {
        self.is_success().then(|| {
            let reply: SendReply<'_> = self.fields();
            let id = MessageId::parse(&reply.msg_id).unwrap_or_else(|| panic!("no id: {self:?}"));
            Stored { log_offset: id.log_offset.0, queue_offset: reply.queue_offset }
        })
    }
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.code(), self.remark())
    }
}

/// What the answer to a send says of its message.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    pub log_offset: i64,
    pub queue_offset: i64,
}

/// A send with these properties, and a unique key, as clients give it.
pub fn message<'a>(topic: &'a str, queue_id: u32, unique_key: &str, properties: &[(&str, &str)]) -> SendMessageV2<'a> {
    let mut text = PropertiesBuf::new();
    text.set(name::UNIQ_KEY, unique_key);
    for (name, value) in properties {
        text.set(name, value);
    }
    SendMessageV2(SendMessage {
        producer_group: "producers".into(),
        topic: topic.into(),
        default_topic: crate::names::AUTO_CREATE_TOPIC.into(),
        default_topic_queue_nums: 4,
        queue_id: queue_id as i32,
        sys_flag: 0,
        born_timestamp: Timestamp(NOW_MS),
        flag: 0,
        properties: text.into_string().into(),
        reconsume_times: 0,
        unit_mode: false,
        batch: false,
        max_reconsume_times: None,
        broker_name: None,
    })
}
