//! Frames captured from the real Java client, broker and NameServer: each is read, and means the same when it is written again.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

use roxmq_protocol::batch_body::{batch_items, put_batch_item};
use roxmq_protocol::frame::{self, Frame};
use roxmq_protocol::header::{self, FieldSink, Fields, Header, Top};
use roxmq_protocol::record::placing;
use roxmq_protocol::record::{Draft, Record};
use roxmq_protocol::request::{self as ask, HeaderFields, Request};
use std::fmt::Debug;
use std::path::PathBuf;

fn golden() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "bin"));
    files.sort();
    assert!(files.len() > 100, "the golden frames are missing");
    files.into_iter().map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())).collect()
}

fn whole<'a>(name: &str, bytes: &'a [u8]) -> (Frame<'a>, Header<'a>) {
    let frame = frame::split(bytes).unwrap_or_else(|error| panic!("{name}: {error}")).expect(name);
    assert_eq!(frame.len, bytes.len(), "{name}");
    let header = header::read(&frame).unwrap_or_else(|error| panic!("{name}: {error}"));
    (frame, header)
}

fn rewrite(frame: &Frame<'_>, header: &Header<'_>, fields: impl FnOnce(&mut FieldSink<'_>)) -> Vec<u8> {
    let remark = header.remark.map(|remark| remark.unescape().into_owned());
    let Header { code, language, version, opaque, flag, .. } = *header;
    let mut out = Vec::new();
    let top = Top { code, language, version, opaque, flag, remark: remark.as_deref() };
    header::write_frame(&mut out, frame.encoding, top, fields, frame.body);
    out
}

fn sorted(fields: &Fields<'_>) -> Vec<(String, String)> {
    let mut all: Vec<_> = fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    all.sort();
    all
}

#[test]
fn every_frame_is_read_and_written_again() {
    for (name, bytes) in golden() {
        let (frame, header) = whole(&name, &bytes);
        let again = rewrite(&frame, &header, |sink| header.fields.iter().for_each(|(name, value)| sink.text(&name, &value)));
        let (frame_again, header_again) = whole(&name, &again);
        assert_eq!(frame_again.body, frame.body, "{name}");
        assert_eq!(sorted(&header_again.fields), sorted(&header.fields), "{name}");
        let top = |header: &Header<'_>| (header.code, header.language, header.version, header.opaque, header.flag);
        assert_eq!(top(&header_again), top(&header), "{name}");
        assert_eq!(name.contains(".answer."), header.is_response(), "{name}");
    }
}

/// Reads typed fields, writes them and reads them again.
fn typed<'a, T: HeaderFields<'a> + PartialEq + Debug>(name: &str, header: &Header<'a>) {
    let read = T::read(&header.fields).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut out = Vec::new();
    header::write_frame(&mut out, frame::Encoding::Json, Top::request(1, header.code, false), |sink| read.write(sink), b"");
    // The same names with the same values, but for those that this type does not know.
    let out = out.leak();
    let (_, again) = whole(name, out);
    assert_eq!(T::read(&again.fields).unwrap(), read, "{name}");
    let (known, sent) = (sorted(&again.fields), sorted(&header.fields));
    for field in &known {
        let is_sent = sent.contains(field);
        // Fields that were left out are written with their default, and the long names of a send as letters.
        let is_default = !sent.iter().any(|(name, _)| *name == field.0);
        assert!(is_sent || is_default, "{name}: {field:?}");
    }
}

macro_rules! by_code {
    ($name:ident, $header:ident, $($request:ident),* $(,)?) => {
        match $header.code {
            $(<ask::$request as Request>::CODE => typed::<ask::$request>($name, $header),)*
            _ => return false,
        }
    };
}

fn known_request(name: &str, header: &Header<'_>) -> bool {
    by_code!(
        name,
        header,
        SendMessageV1,
        SendMessageV2,
        SendBatchMessage,
        PullMessage,
        LitePullMessage,
        QueryMessage,
        QueryConsumerOffset,
        UpdateConsumerOffset,
        SearchOffsetByTimestamp,
        MaxOffset,
        MinOffset,
        EarliestStoreTime,
        ViewMessageById,
        Heartbeat,
        UnregisterClient,
        ConsumerList,
        CheckClientConfig,
        RegisterBroker,
        UnregisterBroker,
        RouteByTopic,
        ClusterInfo,
        QueryDataVersion,
        NotifyConsumerIdsChanged,
        UpdateTopic,
        AllTopicConfig,
        BrokerConfig,
        RuntimeInfo,
        AllGroupConfig,
        TopicStats,
        ConsumerConnections,
        ProducerConnections,
        ConsumeStats,
        GroupsOfTopic,
        BrokerStats,
        TopicsOfNameServer,
        ReadKv,
        PutKv,
        DeleteKv,
        KvNamespace,
        UpdateGroup,
        TopicConfig,
        GroupConfig,
        SystemTopicsOfBroker,
        AllProducers,
        ConsumeTimeSpan,
        BrokerHeartbeat,
    );
    true
}

#[test]
fn requests_of_java_have_the_declared_fields() {
    let mut known = 0;
    for (name, bytes) in golden() {
        let (_, header) = whole(&name, &bytes);
        // Requests made by hand to provoke an error lack fields on purpose.
        if !header.is_response() && !name.starts_with("raw.") {
            known += usize::from(known_request(&name, &header));
        }
    }
    assert!(known > 60, "only {known} requests were read by their type");
}

#[test]
fn answers_of_java_have_the_declared_fields() {
    for (name, bytes) in golden() {
        let (_, header) = whole(&name, &bytes);
        let is = |what: &str| name.contains(&format!(".{what}"));
        if header.code == 0 && is("send") && name.ends_with(".answer.bin") {
            typed::<ask::SendReply>(&name, &header);
        }
        if !name.starts_with("raw.") && (is("pull") || is("lite_pull") || is("push_pull")) && name.ends_with(".answer.bin") {
            typed::<ask::PullReply>(&name, &header);
        }
    }
}

fn same_record(name: &str, bytes: &[u8], record: &Record<'_>) {
    assert!(record.body_is_intact(), "{name}");
    let draft = Draft {
        topic: record.topic,
        queue_id: record.queue_id,
        flag: record.flag,
        sys_flag: record.sys_flag,
        born_timestamp: record.born_timestamp,
        born_host: record.born_host,
        store_host: record.store_host,
        reconsume_times: record.reconsume_times,
        prepared_transaction_offset: record.prepared_transaction_offset,
        body: record.body,
        properties: record.properties,
    };
    let mut again = Vec::new();
    draft.encode(&mut again).unwrap();
    placing::place(&mut again, record.queue_offset, record.log_offset, record.store_timestamp);
    assert_eq!(again, bytes, "{name}");
}

#[test]
fn records_of_java_are_written_byte_for_byte() {
    let mut records = 0;
    for (name, bytes) in golden() {
        let (frame, header) = whole(&name, &bytes);
        let holds_records = ["pull", "query_by", "view_by_id"].iter().any(|what| name.contains(what));
        if !holds_records || !header.is_response() || header.code != 0 {
            continue;
        }
        let mut rest = frame.body;
        while !rest.is_empty() {
            let (record, len) = Record::parse(rest).unwrap_or_else(|error| panic!("{name}: {error}"));
            same_record(&name, &rest[..len], &record);
            rest = &rest[len..];
            records += 1;
        }
    }
    assert!(records > 10, "only {records} records were seen");
}

#[test]
fn batches_of_java_are_written_byte_for_byte() {
    let mut batches = 0;
    for (name, bytes) in golden() {
        let (frame, header) = whole(&name, &bytes);
        if header.is_response() || header.code != 320 {
            continue;
        }
        let mut again = Vec::new();
        for item in batch_items(frame.body) {
            put_batch_item(&mut again, item.unwrap_or_else(|error| panic!("{name}: {error}"))).unwrap();
        }
        assert_eq!(again, frame.body, "{name}");
        batches += 1;
    }
    assert!(batches > 2);
}
