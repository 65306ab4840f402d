//! What can a broker's answer have wrong? Each fault falsifies frames on their way to a client.

use roxmq_protocol::frame::Frame;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::record::Record;
use roxmq_protocol::request::{PullMessage, QueryConsumerOffset, Request, SendMessageV1, SendMessageV2};
use std::ops::Range;

/// One thing that every answer of a kind has wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: clients must not notice that frames are passed on.
    None,
    /// A pull of several messages lacks the first.
    LosesMessage,
    /// A pull shows its first message twice.
    RepeatsMessage,
    /// A pull shows its first two messages the wrong way round.
    SwapsMessages,
    /// A pull changes the last byte of each body, and the checksum with it.
    ChangesBody,
    /// A send is answered with the next message's offset.
    AnswersWrongOffset,
    /// A pull names an end of the queue that is one too far.
    AnswersWrongEnd,
    /// The offset of a group is always 0.
    ForgetsOffset,
}

impl Fault {
    /// The answer to a request with this code as the client gets it, if it is another.
    pub fn falsify(self, code: i32, answer: &Frame<'_>) -> Option<Vec<u8>> {
        const SEND: i32 = SendMessageV1::CODE;
        const SEND_SHORT: i32 = SendMessageV2::CODE;
        const PULL: i32 = PullMessage::CODE;
        const OFFSET: i32 = QueryConsumerOffset::CODE;
        match (self, code) {
            (Fault::LosesMessage | Fault::RepeatsMessage | Fault::SwapsMessages, PULL) => {
                let [first, second] = first_two(answer.body)?;
                let (one, two, rest) = (&answer.body[first], &answer.body[second.clone()], &answer.body[second.end..]);
                let body = match self {
                    Fault::LosesMessage => [two, rest].concat(),
                    Fault::RepeatsMessage => [one, one, two, rest].concat(),
                    _ => [two, one, rest].concat(),
                };
                rewritten(answer, None, &body)
            }
            (Fault::ChangesBody, PULL) => rewritten(answer, None, &with_changed_bodies(answer.body)?),
            (Fault::AnswersWrongOffset, SEND | SEND_SHORT) => rewritten(answer, Some(("queueOffset", plus_one)), answer.body),
            (Fault::AnswersWrongEnd, PULL) => rewritten(answer, Some(("maxOffset", plus_one)), answer.body),
            (Fault::ForgetsOffset, OFFSET) => rewritten(answer, Some(("offset", |_| "0".to_owned())), answer.body),
            _ => None,
        }
    }
}

/// A field, and what becomes of its value.
type Change = (&'static str, fn(&str) -> String);

/// The answer with another body, and with one field changed.
fn rewritten(answer: &Frame<'_>, change: Option<Change>, body: &[u8]) -> Option<Vec<u8>> {
    let header = header::read(answer).ok()?;
    let remark = header.remark.map(|remark| remark.unescape().into_owned());
    let mut out = Vec::new();
    let fields = |sink: &mut header::FieldSink<'_>| {
        for (name, value) in header.fields.iter() {
            match change {
                Some((changed, with)) if changed == name => sink.text(&name, &with(&value)),
                _ => sink.text(&name, &value),
            }
        }
    };
    header::write_frame(&mut out, answer.encoding, Top::answer(header.opaque, header.code, remark.as_deref()), fields, body);
    Some(out)
}

fn plus_one(value: &str) -> String {
    (value.parse::<i64>().unwrap_or_default() + 1).to_string()
}

/// Where the first two records lie, if there are two.
fn first_two(records: &[u8]) -> Option<[Range<usize>; 2]> {
    let (_, first) = Record::parse(records).ok()?;
    let (_, second) = Record::parse(&records[first..]).ok()?;
    Some([0..first, first..first + second])
}

fn with_changed_bodies(records: &[u8]) -> Option<Vec<u8>> {
    let mut changed = records.to_vec();
    let mut at = 0;
    while at < records.len() {
        let (record, len) = Record::parse(&records[at..]).ok()?;
        let body_at = record.body.as_ptr() as usize - records.as_ptr() as usize;
        let body = body_at..body_at + record.body.len();
        *changed[body.clone()].last_mut()? ^= CHANGED_BIT;
        let crc = roxmq_protocol::record::body_crc(&changed[body]);
        changed[at + BODY_CRC_AT..at + BODY_CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
        at += len;
    }
    (at > 0).then_some(changed)
}

/// Turns a digit into no digit: bodies of a test often are numbers, and one number must not become another.
const CHANGED_BIT: u8 = 0x40;
/// Where a record has the checksum of its body.
const BODY_CRC_AT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_protocol::frame::{self, Encoding};

    #[test]
    fn only_the_wrong_field_differs() {
        let mut answer = Vec::new();
        let fields = |sink: &mut header::FieldSink<'_>| {
            sink.text("msgId", "A");
            sink.number("queueOffset", 9);
        };
        header::write_frame(&mut answer, Encoding::Json, Top::answer(5, 0, Some("a \"remark\"")), fields, b"body");
        let frame = frame::split(&answer).expect("a frame").expect("whole");
        let wrong = Fault::AnswersWrongOffset.falsify(SendMessageV2::CODE, &frame).expect("it is falsified");
        assert_eq!(String::from_utf8_lossy(&wrong[8..]), String::from_utf8_lossy(&answer[8..]).replace("\"9\"", "\"10\""));
        assert_eq!(Fault::AnswersWrongOffset.falsify(PullMessage::CODE, &frame), None);
        assert_eq!(Fault::None.falsify(SendMessageV2::CODE, &frame), None);
    }
}
