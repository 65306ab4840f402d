//! Fields as clients send them.

use super::*;
use crate::frame::{Encoding, split};
use crate::header::{FieldSink, Fields, Top, read, write_frame};

fn frame(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    let all = |sink: &mut FieldSink<'_>| fields.iter().for_each(|(k, v)| sink.text(k, v));
    write_frame(&mut out, Encoding::Json, Top::request(1, 1, false), all, b"");
    out
}

fn decode(fields: &[(&str, &str)]) -> Result<QueryConsumerOffset<'static>, FieldError> {
    let bytes = frame(fields);
    let frame = split(&bytes).unwrap().unwrap();
    let header = read(&frame).unwrap();
    let request = QueryConsumerOffset::read(&header.fields)?;
    Ok(QueryConsumerOffset {
        consumer_group: request.consumer_group.into_owned().into(),
        topic: request.topic.into_owned().into(),
        queue_id: request.queue_id,
        set_zero_if_not_found: request.set_zero_if_not_found,
    })
}

#[test]
fn fields_have_types() {
    let whole = decode(&[("consumerGroup", "g\u{1}"), ("topic", "t"), ("queueId", "3"), ("setZeroIfNotFound", "1"), ("extra", "")]);
    let expected =
        QueryConsumerOffset { consumer_group: "g\u{1}".into(), topic: "t".into(), queue_id: 3, set_zero_if_not_found: Some(true) };
    assert_eq!(whole, Ok(expected));
    assert_eq!(decode(&[("consumerGroup", "g"), ("topic", "t")]), Err(FieldError::Missing("queueId")));
    let bad = decode(&[("consumerGroup", "g"), ("topic", "t"), ("queueId", "x")]);
    assert_eq!(bad.unwrap_err().to_string(), "the field queueId is not a 32-bit number: \"x\"");
}

/// What a request is about that carries `fields`.
fn about<'a, R: Request<'a>>(fields: &Fields<'a>) -> String {
    let request = R::read(fields).expect("such a request");
    let named = request.resources().map(|resource| format!("{resource:?}")).collect::<Vec<_>>().join(" ");
    format!("{} {:?} {named}", R::CODE, R::SUBJECT)
}

#[test]
fn a_request_says_what_it_is_about() {
    let bytes = frame(&[
        ("topic", "t"),
        ("topicList", "u; v;"),
        ("b", "short"),
        ("consumerGroup", "g"),
        ("producerGroup", "p"),
        ("srcGroup", "from"),
        ("destGroup", "to"),
        ("queueId", "0"),
        ("queueOffset", "0"),
        ("maxMsgNums", "1"),
        ("bornTimestamp", "0"),
    ]);
    let frame = split(&bytes).unwrap().unwrap();
    let fields = read(&frame).unwrap().fields;
    let lines = [
        about::<SendMessageV1<'_>>(&fields),
        about::<PullMessage<'_>>(&fields),
        about::<Heartbeat>(&fields),
        about::<RuntimeInfo>(&fields),
        about::<ConsumeStats<'_>>(&fields),
        about::<CloneOffset<'_>>(&fields),
        about::<ProducerConnections<'_>>(&fields),
    ];
    assert_eq!(
        lines,
        [
            "10 Fields Topic(\"t\")",
            "11 Fields Topic(\"t\") Group(\"g\")",
            "34 Body ",
            "28 Cluster ",
            "208 Fields Group(\"g\") Topic(\"t\") Topic(\"u\") Topic(\"v\")",
            "314 Fields Group(\"from\") Group(\"to\") Topic(\"t\")",
            "204 Cluster ",
        ]
    );
}
