//! How can a fuzzer reach what the broker reads? One function of hostile bytes for each kind.

use crate::filter::Expression;
use crate::names;
use crate::tables::{changes, deleted, file::is_intact};
use crate::waiting::timer::decoders as timers;
use crate::waiting::transaction::open;
use roxmq_protocol::body::{
    ConsumerOffsetSerializeWrapper, DelayOffsetSerializeWrapper, MessageRequestModeSerializeWrapper, SubscriptionGroupWrapper,
    TopicConfigSerializeWrapper,
};
use roxmq_protocol::json;
use roxmq_protocol::properties::Properties;

/// The files of `config`.
pub fn tables(bytes: &[u8]) {
    let _ = is_intact(bytes);
    let _ = json::from_slice::<TopicConfigSerializeWrapper>(bytes);
    let _ = json::from_slice::<SubscriptionGroupWrapper>(bytes);
    let _ = json::from_slice::<ConsumerOffsetSerializeWrapper>(bytes);
    let _ = json::from_slice::<DelayOffsetSerializeWrapper>(bytes);
    let _ = json::from_slice::<MessageRequestModeSerializeWrapper>(bytes);
    let _ = json::from_slice::<open::Cursors>(bytes);
    let _ = json::from_slice::<deleted::Saved>(bytes);
    timers::table(bytes);
}

/// The journal of changes.
pub fn journal(bytes: &[u8]) {
    let alone = json::from_slice::<changes::Change>(bytes);
    for change in changes::read(bytes).changes.into_iter().chain(alone) {
        // A change is written and read again as the same.
        assert_eq!(json::from_slice(&change.text()), Ok(change));
    }
}

/// A journal of changes, for a corpus.
pub fn some_journal() -> Vec<u8> {
    let (mut file, mut records) = (changes::empty(), Vec::new());
    for text in [
        r#"{"table":"topics","key":"T","version":{"counter":3,"stateVersion":0,"timestamp":7},"topic":{"topicName":"T","perm":6}}"#,
        r#"{"table":"groups","version":{"counter":4,"stateVersion":0,"timestamp":8},"key":"g","group":{"groupName":"g","retryMaxTimes":3}}"#,
        r#"{"table":"forbidden","version":{"counter":5,"stateVersion":0,"timestamp":9},"key":"g","other":"T","bits":4}"#,
        r#"{"table":"modes","key":"T","other":"g","mode":{"topic":"T","consumerGroup":"g","mode":"PULL"}}"#,
    ] {
        changes::push_record(text.as_bytes(), changes::HEADER_BYTES + records.len(), &mut records);
    }
    let end = changes::HEADER_BYTES + records.len();
    file[changes::DURABLE_AT..changes::DURABLE_AT + 8].copy_from_slice(&changes::durable_before(end));
    file.truncate(changes::HEADER_BYTES);
    file.extend_from_slice(&records);
    file
}

/// Records of the progress topic and of timed messages, and recall handles.
pub fn progress(bytes: &[u8]) {
    timers::marks(bytes);
    let _ = std::str::from_utf8(bytes).map(str::parse::<i64>);
}

/// An SQL92 expression, and its value for a few messages.
pub fn expression(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(expression) = Expression::parse(&text) else { return };
    for properties in ["", "a\u{1}3\u{2}b\u{1}abc\u{2}", "a\u{1}-9223372036854775808\u{2}b\u{1}1e999\u{2}c\u{1}NaN\u{2}"] {
        expression.matches(&Properties::new(properties));
    }
}

/// Names of topics and groups.
pub fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = (names::check_topic(&text).is_ok(), names::check_group(&text).is_ok());
    let _ = (names::is_system_topic(&text), names::is_system_group(&text));
}
