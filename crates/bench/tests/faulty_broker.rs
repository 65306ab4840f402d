//! Does the bench notice what a broker does wrong? A small broker in this file does one thing wrong at a time.

use roxmq_bench::options::{self, Command};
use roxmq_bench::report::{Check, Report};
use roxmq_bench::run;
use roxmq_protocol::frame::{self, Encoding, Frame};
use roxmq_protocol::header::{self, FieldSink, Header, Top};
use roxmq_protocol::record::{self, Draft, LogOffset, MessageId, QueueOffset};
use roxmq_protocol::request::{HeaderFields, MaxOffset, OffsetReply, Pull, PullReply, SendForm, SendMessage, SendReply};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
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
}

/// The message with which something goes wrong.
const FAULTY_MESSAGE: usize = 20;
/// Sends so many messages, however slow the machine is: at a rate, every message is sent.
const SEND_500: &str = "send -c 3 --rate 2500 -d 0.2";

struct Broker {
    fault: Fault,
    address: SocketAddr,
    queues: Mutex<Queues>,
    stored: Condvar,
}

#[derive(Default)]
struct Queues {
    records: Vec<Vec<Vec<u8>>>,
    seen: usize,
}

impl Broker {
    fn start(fault: Fault) -> Arc<Broker> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let queues = Mutex::new(Queues { records: vec![Vec::new(); 16], seen: 0 });
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
                    30 => {
                        let asked = MaxOffset::read(&header.fields).expect("fields");
                        let end = self.queues.lock().expect("unharmed").records[asked.queue_id as usize].len();
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
        let queue = &mut queues.records[send.queue_id as usize];
        let first = queue.len();
        let bodies: Vec<&[u8]> = match send.batch {
            true => record::batch_items(frame.body).map(|item| item.expect("an item").body).collect(),
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
        let host = self.address;
        for _ in 0..copies {
            for body in &bodies {
                let mut body = body.to_vec();
                if self.fault == Fault::ChangesByte && is_faulty {
                    body[40] ^= 1;
                }
                queue.push(stored(&send, &body, host, queue.len() as i64));
            }
        }
        let wrong = i64::from(self.fault == Fault::TellsWrongOffset && is_faulty);
        let id = MessageId { store_host: host, log_offset: LogOffset(0) }.to_string();
        let reply = SendReply {
            msg_id: vec![id; bodies.len()].join(",").into(),
            queue_id: send.queue_id,
            queue_offset: first as i64 + wrong,
            transaction_id: None,
            region_id: None,
            trace_on: None,
        };
        answer(out, header, frame.encoding, 0, |sink| reply.write(sink), b"");
        self.stored.notify_all();
    }

    fn pull(&self, header: &Header<'_>, encoding: Encoding, out: &mut Vec<u8>) {
        let pull = Pull::read(&header.fields).expect("a pull");
        let (at, hold) = (pull.queue_offset as usize, Duration::from_millis(pull.suspend_timeout_ms as u64));
        let queues = self.queues.lock().expect("unharmed");
        let is_empty = |queues: &mut Queues| queues.records[pull.queue_id as usize].len() <= at;
        let (queues, _) = self.stored.wait_timeout_while(queues, hold, is_empty).expect("unharmed");
        let queue = &queues.records[pull.queue_id as usize];
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

fn stored(send: &SendMessage<'_>, body: &[u8], host: SocketAddr, queue_offset: i64) -> Vec<u8> {
    let draft = Draft {
        topic: &send.topic,
        queue_id: send.queue_id as u32,
        flag: send.flag,
        sys_flag: send.sys_flag,
        born_timestamp: send.born_timestamp,
        born_host: host,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties: "",
    };
    let mut record = Vec::new();
    draft.encode(&mut record).expect("fits");
    record::place(&mut record, QueueOffset(queue_offset), LogOffset(0), 0);
    record
}

fn answer(out: &mut Vec<u8>, to: &Header<'_>, encoding: Encoding, code: i32, fields: impl FnOnce(&mut FieldSink<'_>), body: &[u8]) {
    header::write_frame(out, encoding, Top::answer(to.opaque, code, None), fields, body);
}

fn bench(broker: &Broker, line: &str) -> Report {
    let line = format!("{line} -b {} --body 64 -q 4 --warm-up 0", broker.address);
    let command = options::parse(line.split_whitespace().map(OsString::from)).expect("a command line");
    let Command::Measure(options) = command else { panic!("{line} measures something") };
    run::run(&options).expect("a report")
}

#[test]
fn a_broker_that_does_everything_right() {
    let broker = Broker::start(Fault::None);
    for (line, messages) in [
        (SEND_500, Some(500)),
        ("send -c 3 --rate 2000 -d 0.2 --binary", Some(400)),
        ("send -c 2 --rate 2000 -d 0.2 --batch 5 --threads 2", Some(400)),
        ("send -c 3 -w 4 -d 1", None),
        ("send -c 2 -w 3 -d 1 --binary --batch 3", None),
    ] {
        let report = bench(&broker, line);
        assert!(report.is_good() && matches!(report.check, Check::StoredAsAcknowledged), "{line}: {report:?}");
        assert_eq!(report.messages_in_all, messages.unwrap_or(report.messages_in_all.max(1)), "{line}: {report:?}");
    }
    for line in ["pull -c 3 -d 1", "pull -c 3 -w 4 --pull-batch 7 -d 1"] {
        let report = bench(&broker, line);
        assert!(report.is_good() && report.messages_in_all > 0, "{line}: {report:?}");
    }
    for line in ["e2e -c 2 --rate 1000 -d 0.3", "e2e -c 2 -w 2 --consumers 3 --batch 2 -d 1"] {
        let report = bench(&broker, line);
        assert!(report.is_good() && matches!(report.check, Check::ReceivedAsAcknowledged), "{line}: {report:?}");
        assert!(report.messages_in_all > 0, "{line}: {report:?}");
    }
}

#[test]
fn what_goes_wrong_with_a_send_is_noticed() {
    for fault in [Fault::Loses, Fault::StoresTwice, Fault::TellsWrongOffset] {
        let report = bench(&Broker::start(fault), SEND_500);
        assert!(matches!(report.check, Check::Failed(_)) && report.errors.is_empty(), "{fault:?}: {report:?}");
    }
    let report = bench(&Broker::start(Fault::Refuses), SEND_500);
    assert_eq!(report.errors.values().sum::<u64>(), 1, "{report:?}");
    assert!(!report.is_good());
}

#[test]
fn what_goes_wrong_with_a_pull_is_noticed() {
    for fault in [Fault::ChangesByte, Fault::SkipsRecord] {
        let broker = Broker::start(fault);
        assert!(bench(&broker, SEND_500).is_good());
        let report = bench(&broker, "pull -c 4 -d 1");
        assert!(!report.is_good() && !report.errors.is_empty(), "{fault:?}: {report:?}");
    }
    let report = bench(&Broker::start(Fault::Loses), "e2e -c 3 --rate 2500 -d 0.2 --timeout 2");
    assert!(matches!(report.check, Check::Failed(_)), "{report:?}");
}

#[test]
fn a_broker_that_does_not_answer_ends_the_run() {
    let report = bench(&Broker::start(Fault::IsSilent), &format!("{SEND_500} --timeout 2"));
    assert_eq!(report.errors.get("no answer"), Some(&1), "{report:?}");
}
