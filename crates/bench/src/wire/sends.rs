//! How are requests made quickly? Each is rendered once; afterwards a copy gets its own opaque, queue, key and stamps.
//!
//! Everything that changes has a fixed width, in JSON as in the binary header: an opaque has ten digits, and there is one template for
//! each number of digits that a queue id can have.

use crate::wire::queues::{NUMBER_DIGITS, Queues};
use crate::wire::stamp::{self, Stamp};
use roxmq_protocol::batch_body::{BatchItem, put_batch_item};
use roxmq_protocol::frame::Encoding;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::properties::{PropertiesBuf, name};
use roxmq_protocol::record::sys_flag;
use roxmq_protocol::request::{Request, SendBatchMessage, SendMessage, SendMessageV2};
use roxmq_protocol::time::Timestamp;
use roxmq_protocol::topic::AUTO_CREATE_TOPIC;
use std::ops::Range;

/// What all sends of a connection have in common.
#[derive(Clone, Debug)]
pub struct SendShape {
    /// How headers are written.
    pub encoding: Encoding,
    /// Where messages go.
    pub queues: Queues,
    /// Body of each message, in bytes; at least [`stamp::STAMP_BYTES`].
    pub body_bytes: usize,
    /// Messages in one request.
    pub batch: usize,
    /// When the messages say they were made, in ms since 1970.
    pub born_timestamp: i64,
    /// What they wait for before consumers see them.
    pub waits_for: WaitsFor,
}

/// What a message waits for at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// Nothing.
    Nothing,
    /// The time of a delay level (`DELAY`).
    Level(u32),
    /// A time of its own (`TIMER_DELIVER_MS`).
    Time,
    /// Its producer's decision: it is a half message.
    Decision,
}

/// One message of a request that is being written.
#[derive(Clone, Copy)]
struct Place {
    body_at: usize,
    key_at: usize,
}

/// Renders sends.
pub struct SendFrames {
    encoding: Encoding,
    queues: Queues,
    by_digits: Vec<SendTemplate>,
}

struct SendTemplate {
    bytes: Vec<u8>,
    opaque: Range<usize>,
    /// The number of the topic; empty if there is only one.
    topic: Range<usize>,
    queue: Range<usize>,
    /// Empty unless the message waits for a time of its own.
    deliver_ms: Range<usize>,
    places: Vec<Place>,
}

impl SendFrames {
    /// Makes the templates.
    pub fn new(shape: &SendShape) -> SendFrames {
        let digits = 1..=digits(shape.queues.of_each().saturating_sub(1));
        let by_digits = digits.map(|digits| SendTemplate::new(shape, digits)).collect();
        SendFrames { encoding: shape.encoding, queues: shape.queues.clone(), by_digits }
    }

    /// Where messages go.
    pub fn queues(&self) -> &Queues {
        &self.queues
    }

    /// Appends one request to `out`. `first` is the stamp of its first message; the others count on. `deliver_ms` is when it is to be
    /// delivered, in ms since 1970, and means nothing unless it waits for that.
    pub fn write(&self, out: &mut Vec<u8>, opaque: i32, queue: u32, first: Stamp, deliver_ms: u64) {
        let id = self.queues.id(queue);
        let template = &self.by_digits[digits(id) - 1];
        let start = out.len();
        out.extend_from_slice(&template.bytes);
        let frame = &mut out[start..];
        patch_opaque(&mut frame[template.opaque.clone()], self.encoding, opaque);
        patch_digits(&mut frame[template.topic.clone()], u64::from(self.queues.topic_number(queue)));
        patch_digits(&mut frame[template.queue.clone()], u64::from(id));
        patch_digits(&mut frame[template.deliver_ms.clone()], deliver_ms);
        let mut stamp = first;
        for place in &template.places {
            stamp.write(&mut frame[place.body_at..]);
            patch_key(&mut frame[place.key_at..place.key_at + KEY_DIGITS], &stamp);
            stamp.sequence += 1;
        }
    }
}

impl SendTemplate {
    fn new(shape: &SendShape, digits: usize) -> SendTemplate {
        let [ones, twos] = ["1", "2"].map(|digit| {
            let queue_id = digit.repeat(digits).parse().unwrap_or(i32::MAX);
            let topic = shape.queues.topic(digit.repeat(NUMBER_DIGITS).parse().unwrap_or(0));
            let opaque = if digit == "1" { 1_111_111_111 } else { 2_000_000_000 };
            render_send(shape, &topic, opaque, queue_id, &digit.repeat(KEY_DIGITS))
        });
        // Opaque, queue and the key of a single message stand in the header; the keys of a batch stand in the body.
        let body_len = send_body(shape, &"1".repeat(KEY_DIGITS)).len();
        let body_start = ones.len() - body_len;
        let mut changing = differences(&ones[..body_start], &twos[..body_start]);
        let mut take = |len: usize| {
            let at = changing.iter().position(|range| range.len() == len && !range.is_empty());
            at.map(|at| changing.remove(at)).unwrap_or_default()
        };
        let key = if shape.batch == 1 { take(KEY_DIGITS) } else { 0..0 };
        let opaque = take(if shape.encoding == Encoding::Json { 10 } else { 4 });
        let topic = if shape.queues.topics() > 1 { take(NUMBER_DIGITS) } else { 0..0 };
        let queue = take(digits);
        let deliver_ms = if shape.waits_for == WaitsFor::Time { take(TIME_DIGITS) } else { 0..0 };
        assert!(!opaque.is_empty() && !queue.is_empty(), "a send has an opaque and a queue");
        let places = match shape.batch {
            1 => vec![Place { body_at: body_start, key_at: key.start }],
            _ => {
                batch_places(shape).map(|place| Place { body_at: body_start + place.body_at, key_at: body_start + place.key_at }).collect()
            }
        };
        SendTemplate { bytes: ones, opaque, topic, queue, deliver_ms, places }
    }
}

fn render_send(shape: &SendShape, topic: &str, opaque: i32, queue_id: i32, key: &str) -> Vec<u8> {
    let request = SendMessage {
        producer_group: PRODUCER_GROUP.into(),
        topic: topic.into(),
        default_topic: AUTO_CREATE_TOPIC.into(),
        default_topic_queue_nums: 4,
        queue_id,
        sys_flag: if shape.waits_for == WaitsFor::Decision { sys_flag::TRANSACTION_PREPARED } else { 0 },
        born_timestamp: Timestamp(shape.born_timestamp),
        flag: 0,
        properties: if shape.batch == 1 { properties(key, shape.waits_for).into() } else { "".into() },
        reconsume_times: 0,
        unit_mode: false,
        batch: shape.batch > 1,
        max_reconsume_times: None,
        broker_name: None,
    };
    let code = if shape.batch == 1 { SendMessageV2::CODE } else { SendBatchMessage::CODE };
    let mut out = Vec::new();
    let body = send_body(shape, key);
    header::write_frame(&mut out, shape.encoding, Top::request(opaque, code, false), |sink| request.write(sink), &body);
    out
}

fn send_body(shape: &SendShape, key: &str) -> Vec<u8> {
    let body = stamp::blank_body(shape.body_bytes);
    if shape.batch == 1 {
        return body;
    }
    let properties = properties(key, shape.waits_for);
    let mut bodies = Vec::new();
    for _ in 0..shape.batch {
        // The options bound the body, so each item fits.
        let _ = put_batch_item(&mut bodies, BatchItem { flag: 0, body: &body, properties: &properties });
    }
    bodies
}

/// Where the messages of a batch have their bodies and keys, from the start of the batch.
fn batch_places(shape: &SendShape) -> impl Iterator<Item = Place> {
    const BEFORE_BODY: usize = 20;
    let item = BEFORE_BODY + shape.body_bytes + 2 + properties(&"1".repeat(KEY_DIGITS), shape.waits_for).len();
    let key_in_item = BEFORE_BODY + shape.body_bytes + 2 + name::UNIQ_KEY.len() + 1;
    (0..shape.batch).map(move |at| Place { body_at: at * item + BEFORE_BODY, key_at: at * item + key_in_item })
}

/// What Java's client gives every message, and what the message waits for. The key's first digit stands for all that change.
fn properties(key: &str, waits_for: WaitsFor) -> String {
    let mut properties = PropertiesBuf::new();
    properties.set(name::UNIQ_KEY, key).set(name::WAIT, "true");
    match waits_for {
        WaitsFor::Nothing => &mut properties,
        WaitsFor::Level(level) => properties.set(name::DELAY, &level.to_string()),
        WaitsFor::Time => properties.set(name::TIMER_DELIVER_MS, &key[..1].repeat(TIME_DIGITS)),
        WaitsFor::Decision => properties.set(name::TRAN_MSG, "true").set(name::PGROUP, PRODUCER_GROUP),
    };
    properties.into_string()
}

/// The ranges in which two texts of equal length differ.
fn differences(one: &[u8], other: &[u8]) -> Vec<Range<usize>> {
    assert_eq!(one.len(), other.len());
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for at in (0..one.len()).filter(|at| one[*at] != other[*at]) {
        match ranges.last_mut() {
            Some(last) if last.end == at => last.end += 1,
            _ => ranges.push(at..at + 1),
        }
    }
    ranges
}

fn digits(number: u32) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

fn patch_opaque(place: &mut [u8], encoding: Encoding, opaque: i32) {
    match encoding {
        Encoding::Json => patch_digits(place, opaque as u64),
        Encoding::Binary => place.copy_from_slice(&opaque.to_be_bytes()),
    }
}

fn patch_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// A message's unique key: run, connection and sequence.
fn patch_key(place: &mut [u8], stamp: &Stamp) {
    let key = stamp::unique_key(stamp);
    for (at, digit) in place.iter_mut().enumerate() {
        *digit = b"0123456789ABCDEF"[(key >> (124 - 4 * at)) as usize & 15];
    }
}

/// The group in whose name everything is sent.
pub const PRODUCER_GROUP: &str = "roxmq-bench";
const KEY_DIGITS: usize = 32;
/// A time in ms has as many digits from 2001 until 2286.
const TIME_DIGITS: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::slots::OPAQUE_MIN;
    use roxmq_protocol::batch_body::batch_items;
    use roxmq_protocol::frame;
    use roxmq_protocol::properties::Properties;
    use roxmq_protocol::request::SendForm;

    fn shape(encoding: Encoding, batch: usize, waits_for: WaitsFor, topics: u32) -> SendShape {
        SendShape {
            encoding,
            queues: Queues::new("T1", topics, 20_000),
            body_bytes: 100,
            batch,
            born_timestamp: 1_700_000_000_000,
            waits_for,
        }
    }

    #[test]
    fn a_message_says_what_it_waits_for() {
        const KEY: &str = "UNIQ_KEY\u{1}00000005000000020000000000000007\u{2}WAIT\u{1}true\u{2}";
        for encoding in [Encoding::Json, Encoding::Binary] {
            for (waits_for, sys_flag, more) in [
                (WaitsFor::Level(14), 0, "DELAY\u{1}14\u{2}"),
                (WaitsFor::Time, 0, "TIMER_DELIVER_MS\u{1}1734567890123\u{2}"),
                (WaitsFor::Decision, 4, "TRAN_MSG\u{1}true\u{2}PGROUP\u{1}roxmq-bench\u{2}"),
            ] {
                let mut out = Vec::new();
                let stamp = Stamp { run: 5, connection: 2, sequence: 7, due: 9 };
                SendFrames::new(&shape(encoding, 1, waits_for, 1)).write(&mut out, OPAQUE_MIN + 3, 42, stamp, 1_734_567_890_123);
                let frame = frame::split(&out).expect("a frame").expect("whole");
                let header = header::read(&frame).expect("a header");
                let send = SendMessage::read(&header.fields, SendForm::Short).expect("a send");
                assert_eq!((header.opaque, send.queue_id, send.sys_flag), (OPAQUE_MIN + 3, 42, sys_flag));
                assert_eq!(send.properties, format!("{KEY}{more}"));
                assert_eq!(Stamp::read(frame.body), Some(stamp));
            }
        }
    }

    #[test]
    fn sends_read_back_as_asked() {
        for (encoding, batch, topics) in
            [(Encoding::Json, 1, 1), (Encoding::Binary, 1, 30), (Encoding::Json, 3, 30), (Encoding::Binary, 3, 1), (Encoding::Json, 1, 30)]
        {
            let shape = shape(encoding, batch, WaitsFor::Nothing, topics);
            let frames = SendFrames::new(&shape);
            for (queue_id, opaque) in [(0, OPAQUE_MIN), (9, 1_234_567_890), (10, 1_999_999_999), (12_345, 1_000_000_001)] {
                let (queue, topic) = if topics > 1 { (17 * 20_000 + queue_id, "T1-00000017") } else { (queue_id, "T1") };
                let mut out = Vec::new();
                let first = Stamp { run: 5, connection: 2, sequence: 77, due: 123 };
                frames.write(&mut out, opaque, queue, first, 0);
                let frame = frame::split(&out).expect("a frame").expect("whole");
                let header = header::read(&frame).expect("a header");
                assert_eq!((header.opaque, header.code, frame.len), (opaque, if batch == 1 { 310 } else { 320 }, out.len()));
                let send = SendMessage::read(&header.fields, SendForm::Short).expect("a send");
                assert_eq!((send.queue_id, send.batch, &*send.topic), (queue_id as i32, batch > 1, topic));
                let sent: Vec<(&[u8], String)> = match batch {
                    1 => vec![(frame.body, send.properties.into_owned())],
                    _ => batch_items(frame.body).flatten().map(|item| (item.body, item.properties.to_owned())).collect(),
                };
                assert_eq!(sent.len(), batch);
                for ((body, properties), sequence) in sent.iter().zip(77..) {
                    assert_eq!(Stamp::read(body), Some(Stamp { sequence, ..first }));
                    let key = format!("{:08X}{:08X}{sequence:016X}", 5, 2);
                    assert_eq!(Properties::new(properties).unique_key(), Some(key.as_str()));
                }
            }
        }
    }
}
