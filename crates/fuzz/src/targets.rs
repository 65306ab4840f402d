//! Which decoders are there? Each is a function of bytes.

use crate::corpus::Source;
use roxmq_broker::settings::BrokerConfig;
use roxmq_config::{Update, properties};
use roxmq_nameserver::settings::NameServerConfig;
use roxmq_protocol::batch_body::batch_items;
use roxmq_protocol::body;
use roxmq_protocol::frame::{self, Encoding, Frame};
use roxmq_protocol::header::{self, Header};
use roxmq_protocol::json;
use roxmq_protocol::light::{light_names, light_places};
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::properties::Properties;
use roxmq_protocol::record::Record;
use roxmq_protocol::request::{self, Row};
use std::sync::LazyLock;

/// One decoder, and the bytes of memory it may take for each byte of its input.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(&[u8]),
    /// What its types cost: a JSON list of two bytes an element may be a list of structs.
    pub bytes_per_byte: usize,
    /// What its inputs are made from.
    pub source: Source,
}

const fn target(name: &'static str, source: Source, run: fn(&[u8]), bytes_per_byte: usize) -> Target {
    Target { name, run, bytes_per_byte, source }
}

const WIRE: Source = |corpus| &corpus.wire;
const JSON: Source = |corpus| &corpus.json;
const SQL: Source = |corpus| &corpus.sql;
const STORE: Source = |corpus| &corpus.store;
const TEXTS: Source = |corpus| &corpus.texts;

/// All of them.
pub const ALL: &[Target] = &[
    target("frame", WIRE, whole_frame, 64),
    target("json-header", WIRE, |input| header_as(Encoding::Json, input), 64),
    target("binary-header", WIRE, |input| header_as(Encoding::Binary, input), 64),
    target("record", STORE, record, 8),
    target("batch", WIRE, |input| batch_items(input).for_each(drop), 8),
    target("properties", TEXTS, message_properties, 64),
    target("message-id", TEXTS, message_id, 8),
    target("json-bodies", JSON, bodies, 512),
    // Deflated text can be a thousand times as long, and that is read as JSON.
    target("register-body", WIRE, registration, 1032 * 64),
    target("nameserver-bodies", JSON, nameserver_bodies, 512),
    target("config", TEXTS, configuration, 512),
    target("tables", JSON, roxmq_broker::decoders::tables, 512),
    target("journal", STORE, roxmq_broker::decoders::journal, 512),
    target("change", JSON, roxmq_broker::decoders::journal, 512),
    target("sql92", SQL, roxmq_broker::decoders::expression, 512),
    target("marks", TEXTS, roxmq_broker::decoders::progress, 64),
    target("names", TEXTS, names, 64),
    target("light-queues", TEXTS, light, 64),
    target("log", STORE, roxmq_store::decoders::log, 64),
    target("checkpoint", STORE, roxmq_store::decoders::checkpoint, 128),
    target("flush-mark", STORE, roxmq_store::decoders::flush_mark, 8),
    target("index-directory", STORE, roxmq_store::decoders::index_directory, 128),
    target("index-file", STORE, roxmq_store::decoders::index_file, 128),
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

/// Reads a header as every request there is, whatever its code says.
fn typed(header: &Header<'_>) {
    static REQUESTS: LazyLock<Vec<Row>> = LazyLock::new(request::table);
    REQUESTS.iter().for_each(|row| {
        (row.reads)(&header.fields);
    });
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
    let _ = json::from_slice::<body::SubscriptionGroupConfig>(input);
    let _ = json::from_slice::<body::SubscriptionGroupList>(input);
    let _ = json::from_slice::<body::CreateTopicListRequestBody>(input);
    let _ = json::from_slice::<body::LockBatchRequestBody>(input);
    let _ = json::from_slice::<body::CheckClientRequestBody>(input);
    let _ = json::from_slice::<body::QueryAssignmentRequestBody>(input);
    let _ = json::from_slice::<body::SetMessageRequestModeRequestBody>(input);
    let _ = json::from_slice::<body::GetConsumerStatusBody>(input);
    let _ = json::from_slice::<body::ConsumeStats>(input);
    let _ = json::from_slice::<body::ConsumerRunningInfo>(input);
}

fn nameserver_bodies(input: &[u8]) {
    let _ = json::from_slice::<body::TopicRouteData>(input);
    let _ = json::from_slice::<body::DataVersion>(input);
    let _ = json::from_slice::<body::KVTable>(input);
    roxmq_nameserver::decoders::key_values(input);
    roxmq_nameserver::decoders::brokers(input);
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
    let _ = Update::parse(&NameServerConfig::default(), &text);
}

fn names(input: &[u8]) {
    roxmq_broker::decoders::names(input);
    roxmq_store::decoders::file_names(input);
}

fn light(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = light_names(&text).map(|names| names.for_each(drop));
    light_places("Topic", Properties::new(&text)).for_each(drop);
}
