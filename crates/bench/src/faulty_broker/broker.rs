//! What can a broker do wrong? This small one does one thing at a time.

use roxmq_protocol::batch_body::batch_items;
use roxmq_protocol::frame::{self, Encoding, Frame};
use roxmq_protocol::header::{self, FieldSink, Header, Top};
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::Properties;
use roxmq_protocol::record::Draft;
use roxmq_protocol::record::placing;
use roxmq_protocol::request::{EndTransaction, HeaderFields, MaxOffset, OffsetReply, Pull, PullReply, SendForm, SendMessage, SendReply};
use roxmq_protocol::time::Timestamp;
use roxmq_protocol::topic::DELAY_TOPIC;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Acknowledges a message that it does not store.
    Loses,
    /// Stores a message twice.
    StoresTwice,
    /// Tells a message the offset of another.
    TellsWrongOffset,
    /// Refuses one message.
    Refuses,
    /// Never answers one message.
    IsSilent,
    /// Changes a byte of a stored body.
    ChangesByte,
    /// Leaves a record out of an answer.
    SkipsRecord,
    /// Forgets what was decided about one half message.
    LosesDecision,
    /// Delivers half messages that are rolled back.
    DeliversRolledBack,
    /// Delivers one message that waited twice.
    DeliversTwice,
    /// Delivers timed messages at once.
    DeliversEarly,
}

/// The message with which something goes wrong.
const FAULTY_MESSAGE: usize = 20;

/// It serves until the process ends.
pub struct Broker {
    fault: Fault,
    /// Where it listens.
    pub address: SocketAddr,
    queues: Mutex<Queues>,
    stored: Condvar,
}

#[derive(Default)]
struct Queues {
    records: Vec<Vec<Vec<u8>>>,
    seen: usize,
    /// Half messages, as they will be delivered; their place here is their queue offset and their log offset.
    halves: Vec<Waiting>,
    committed: usize,
    /// How many messages wait for a delay level.
    delayed: usize,
    /// How many timed messages there were: they are delivered at once, and counted as if they waited.
    timed: usize,
}

struct Waiting {
    topic: String,
    queue: usize,
    body: Vec<u8>,
}

impl Broker {
    /// Starts it on a free port.
    pub fn start(fault: Fault) -> Arc<Broker> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let queues = Mutex::new(Queues { records: vec![Vec::new(); 20], ..Queues::default() });
        let broker = Arc::new(Broker { fault, address, queues, stored: Condvar::new() });
        let serving = Arc::clone(&broker);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let broker = Arc::clone(&serving);
                std::thread::spawn(move || broker.serve(stream));
            }
        });
        broker
    }

    fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let mut input = Vec::new();
        let mut some = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = stream.read(&mut some) {
            input.extend_from_slice(&some[..read]);
            let mut out = Vec::new();
            let mut consumed = 0;
            while let Some(frame) = frame::split(&input[consumed..]).expect("frames") {
                consumed += frame.len;
                let header = header::read(&frame).expect("a header");
                match header.code {
                    11 => {
                        // A pull may wait, and must not hold up the others.
                        let (broker, bytes) = (Arc::clone(&self), input[consumed - frame.len..consumed].to_vec());
                        let mut stream = stream.try_clone().expect("a socket");
                        std::thread::spawn(move || {
                            let frame = frame::split(&bytes).expect("a frame").expect("whole");
                            let mut out = Vec::new();
                            broker.pull(&header::read(&frame).expect("a header"), frame.encoding, &mut out);
                            let _ = stream.write_all(&out);
                        });
                    }
                    310 | 320 => self.send(&header, &frame, &mut out),
                    61 => {
                        let count = self.queues.lock().expect("unharmed").timed;
                        let body = format!(r#"{{"timingCount":{{"RoxBench":{{"count":{count},"timeStamp":1}}}}}}"#);
                        answer(&mut out, &header, frame.encoding, 0, |_| (), body.as_bytes());
                    }
                    37 => self.decide(&header, &frame, &mut out),
                    30 => {
                        let asked = MaxOffset::read(&header.fields).expect("fields");
                        let queues = self.queues.lock().expect("unharmed");
                        let is_level = asked.topic == DELAY_TOPIC && asked.queue_id == 2;
                        let end = if is_level { queues.delayed } else { queues.records[place(&asked.topic, asked.queue_id)].len() };
                        drop(queues);
                        answer(&mut out, &header, frame.encoding, 0, |sink| OffsetReply { offset: end as i64 }.write(sink), b"");
                    }
                    31 => answer(&mut out, &header, frame.encoding, 0, |sink| OffsetReply { offset: 0 }.write(sink), b""),
                    _ => answer(&mut out, &header, frame.encoding, 0, |_| (), b""),
                }
            }
            input.drain(..consumed);
            if stream.write_all(&out).is_err() {
                return;
            }
        }
    }

    fn send(&self, header: &Header<'_>, frame: &Frame<'_>, out: &mut Vec<u8>) {
        let send = SendMessage::read(&header.fields, SendForm::Short).expect("a send");
        let mut queues = self.queues.lock().expect("unharmed");
        queues.seen += 1;
        let is_faulty = queues.seen == FAULTY_MESSAGE;
        let bodies: Vec<&[u8]> = match send.batch {
            true => batch_items(frame.body).map(|item| item.expect("an item").body).collect(),
            false => vec![frame.body],
        };
        match self.fault {
            Fault::Refuses if is_faulty => return answer(out, header, frame.encoding, 2, |_| (), b""),
            Fault::IsSilent if is_faulty => return,
            _ => {}
        }
        let copies = match self.fault {
            Fault::Loses if is_faulty => 0,
            Fault::StoresTwice if is_faulty => 2,
            _ => 1,
        };
        let wrong = i64::from(self.fault == Fault::TellsWrongOffset && is_faulty);
        let mut id = MessageId { store_host: self.address, log_offset: LogOffset(0) };
        let (topic, queue) = (&*send.topic, send.queue_id as usize);
        let properties = Properties::new(&send.properties);
        if properties.find("TRAN_MSG").is_some() {
            id.log_offset = LogOffset(queues.halves.len() as i64);
            queues.halves.push(Waiting { topic: topic.to_owned(), queue, body: frame.body.to_vec() });
            return self.acknowledge(out, header, frame.encoding, (queue, id.log_offset.0), &[id]);
        }
        if properties.find("DELAY").is_some() {
            let first = queues.delayed;
            queues.delayed += copies;
            return self.acknowledge(out, header, frame.encoding, (queue, first as i64 + wrong), &[id]);
        }
        let mut stored_ms = 0;
        let mut copies = copies;
        if let Some(due_ms) = properties.find("TIMER_DELIVER_MS") {
            // It is delivered at once, and says that it came when it was due.
            let early = i64::from(self.fault == Fault::DeliversEarly && is_faulty);
            stored_ms = due_ms.parse::<i64>().expect("a time") - early;
            queues.timed += copies;
            copies += usize::from(self.fault == Fault::DeliversTwice && is_faulty);
        }
        let first = queues.records[place(topic, send.queue_id)].len();
        for _ in 0..copies {
            for body in &bodies {
                let mut body = body.to_vec();
                if self.fault == Fault::ChangesByte && is_faulty {
                    body[40] ^= 1;
                }
                self.store(&mut queues, topic, queue, &body, stored_ms);
            }
        }
        self.acknowledge(out, header, frame.encoding, (queue, first as i64 + wrong), &vec![id; bodies.len()]);
        self.stored.notify_all();
    }

    fn store(&self, queues: &mut Queues, topic: &str, queue: usize, body: &[u8], stored_ms: i64) {
        let place = place(topic, queue as i32);
        let queue_offset = QueueOffset(queues.records[place].len() as i64);
        let draft = Draft {
            topic,
            queue_id: queue as u32,
            flag: 0,
            sys_flag: 0,
            born_timestamp: Timestamp(0),
            born_host: self.address,
            store_host: self.address,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body,
            properties: "",
        };
        let mut record = Vec::new();
        draft.encode(&mut record).expect("fits");
        placing::place(&mut record, queue_offset, LogOffset(0), Timestamp(stored_ms));
        queues.records[place].push(record);
    }

    fn acknowledge(&self, out: &mut Vec<u8>, header: &Header<'_>, encoding: Encoding, (queue, offset): (usize, i64), ids: &[MessageId]) {
        let ids: Vec<String> = ids.iter().map(MessageId::to_string).collect();
        let reply = SendReply {
            msg_id: ids.join(",").into(),
            queue_id: queue as i32,
            queue_offset: offset,
            transaction_id: None,
            region_id: None,
            trace_on: None,
        };
        answer(out, header, encoding, 0, |sink| reply.write(sink), b"");
    }

    fn decide(&self, header: &Header<'_>, frame: &Frame<'_>, out: &mut Vec<u8>) {
        let decision = EndTransaction::read(&header.fields).expect("a decision");
        let mut queues = self.queues.lock().expect("unharmed");
        let is_committed = decision.commit_or_rollback == 8;
        queues.committed += usize::from(is_committed);
        let is_faulty = is_committed && queues.committed == FAULTY_MESSAGE;
        let Waiting { topic, queue, body } = &queues.halves[decision.commit_log_offset as usize];
        let (topic, queue, body) = (topic.clone(), *queue, body.clone());
        assert_eq!((decision.tran_state_table_offset, &*decision.producer_group), (decision.commit_log_offset, "roxmq-bench"));
        let copies = match self.fault {
            Fault::LosesDecision if is_faulty => 0,
            Fault::DeliversTwice if is_faulty => 2,
            Fault::DeliversRolledBack => 1,
            _ => usize::from(is_committed),
        };
        for _ in 0..copies {
            self.store(&mut queues, &topic, queue, &body, 0);
        }
        if !header.is_oneway() {
            let code = if self.fault == Fault::Refuses && is_faulty { 1 } else { 0 };
            answer(out, header, frame.encoding, code, |_| (), b"");
        }
    }

    fn pull(&self, header: &Header<'_>, encoding: Encoding, out: &mut Vec<u8>) {
        let pull = Pull::read(&header.fields).expect("a pull");
        let (at, hold) = (pull.queue_offset as usize, Duration::from_millis(pull.suspend_timeout_ms as u64));
        let queues = self.queues.lock().expect("unharmed");
        let place = place(&pull.topic, pull.queue_id);
        let is_empty = |queues: &mut Queues| queues.records[place].len() <= at;
        let (queues, _) = self.stored.wait_timeout_while(queues, hold, is_empty).expect("unharmed");
        let queue = &queues.records[place];
        let mut found: Vec<&[u8]> = queue.iter().skip(at).take(pull.max_msg_nums as usize).map(Vec::as_slice).collect();
        let reply = PullReply {
            suggest_which_broker_id: 0,
            next_begin_offset: (at + found.len()) as i64,
            min_offset: 0,
            max_offset: queue.len() as i64,
            topic_sys_flag: None,
            group_sys_flag: None,
            forbidden_type: None,
        };
        if self.fault == Fault::SkipsRecord && (at..at + found.len()).contains(&20) {
            found.remove(20 - at);
        }
        let code = if found.is_empty() { 19 } else { 0 };
        answer(out, header, encoding, code, |sink| reply.write(sink), &found.concat());
    }
}

/// Where the records of a queue are: of the topic without a number behind its name, or of one of several with it. Each has 4 queues.
fn place(topic: &str, queue_id: i32) -> usize {
    let topic = topic.rsplit_once('-').map_or(0, |(_, number)| 1 + number.parse::<usize>().expect("a number"));
    topic * 4 + queue_id as usize
}

fn answer(out: &mut Vec<u8>, to: &Header<'_>, encoding: Encoding, code: i32, fields: impl FnOnce(&mut FieldSink<'_>), body: &[u8]) {
    header::write_frame(out, encoding, Top::answer(to.opaque, code, None), fields, body);
}
