//! Fields as clients send them.

use super::*;
use crate::frame::{Encoding, split};
use crate::header::{FieldSink, Top, read, write_frame};

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
    assert_eq!(bad.unwrap_err().to_string(), "the field queueId is no 32-bit number: \"x\"");
}
