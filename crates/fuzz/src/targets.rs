//! The decoders, each as a function of bytes.

use roxmq_env::config::{BrokerConfig, Update, properties};
use roxmq_protocol::body;
use roxmq_protocol::frame::{self, Encoding, Frame};
use roxmq_protocol::header::{self, Header};
use roxmq_protocol::json;
use roxmq_protocol::properties::Properties;
use roxmq_protocol::record::{MessageId, Record, batch_items};
use roxmq_protocol::request::{self as ask, HeaderFields};

/// One decoder, and the bytes of memory it may take for each byte of its input.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(&[u8]),
    /// What its types cost: a JSON list of two bytes an element may be a list of structs.
    pub bytes_per_byte: usize,
}

const fn target(name: &'static str, run: fn(&[u8]), bytes_per_byte: usize) -> Target {
    Target { name, run, bytes_per_byte }
}

/// All of them.
pub const ALL: &[Target] = &[
    target("frame", whole_frame, 64),
    target("json-header", |input| header_as(Encoding::Json, input), 64),
    target("binary-header", |input| header_as(Encoding::Binary, input), 64),
    target("record", record, 8),
    target("batch", |input| batch_items(input).for_each(drop), 8),
    target("properties", message_properties, 64),
    target("message-id", message_id, 8),
    target("json-bodies", bodies, 512),
    // Deflated text can be a thousand times as long, and that is read as JSON.
    target("register-body", registration, 1032 * 64),
    target("config", configuration, 512),
];

fn whole_frame(input: &[u8]) {
    let mut rest = input;
    while let Ok(Some(frame)) = frame::split(rest) {
        if let Ok(header) = header::read(&frame) {
            typed(&header);
        }
        rest = &rest[frame.len..];
    }
}

fn header_as(encoding: Encoding, input: &[u8]) {
    if let Ok(header) = header::read(&Frame { encoding, header: input, body: b"", len: 0 }) {
        typed(&header);
        header.fields.iter().for_each(drop);
        let _ = header.remark.map(header::RawText::unescape);
    }
}

fn typed(header: &Header<'_>) {
    let fields = &header.fields;
    let _ = ask::SendMessage::read(fields, ask::SendForm::Short);
    let _ = ask::SendMessage::read(fields, ask::SendForm::Long);
    let _ = ask::Pull::read(fields);
    let _ = ask::QueryMessage::read(fields);
    let _ = ask::RegisterBroker::read(fields);
    let _ = ask::UpdateTopic::read(fields);
    let _ = ask::ResetOffset::read(fields);
}

fn record(input: &[u8]) {
    let mut rest = input;
    while let Ok((record, len)) = Record::parse(rest) {
        record.properties().iter().for_each(drop);
        let _ = record.body_is_intact();
        if len == 0 {
            break;
        }
        rest = &rest[len..];
    }
}

fn message_id(input: &[u8]) {
    let _ = std::str::from_utf8(input).map(MessageId::parse);
}

fn message_properties(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let properties = Properties::new(&text);
    properties.iter().for_each(drop);
    properties.keys().for_each(drop);
    let _ = (properties.unique_key(), properties.tags_code());
}

fn bodies(input: &[u8]) {
    let _ = json::from_slice::<body::HeartbeatData>(input);
    let _ = json::from_slice::<body::TopicRouteData>(input);
    let _ = json::from_slice::<body::RegisterBrokerBody>(input);
    let _ = json::from_slice::<body::SubscriptionGroupConfig>(input);
    let _ = json::from_slice::<body::ConsumeStats>(input);
    let _ = json::from_slice::<body::LockBatchRequestBody>(input);
    let _ = json::from_slice::<body::ConsumerOffsetSerializeWrapper>(input);
    let _ = json::from_slice::<body::CheckClientRequestBody>(input);
    let _ = json::from_slice::<body::KVTable>(input);
}

fn registration(input: &[u8]) {
    use body::RegistrationForm::{Compressed, Plain, TopicsOnly};
    for form in [Plain, TopicsOnly, Compressed { with_mapping: true }, Compressed { with_mapping: false }] {
        let _ = body::RegisterBrokerBody::decode(input, form);
    }
}

fn configuration(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = properties::parse(&text);
    let _ = Update::parse(&BrokerConfig::default(), &text);
}
