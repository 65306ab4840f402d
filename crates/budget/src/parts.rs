//! Which parts are measured, and how many instructions may each take?

use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::{Draft, body_crc};
use roxmq_protocol::request::{HeaderFields, Request, SendForm, SendMessage, SendMessageV2};
use roxmq_protocol::time::Timestamp;
use roxmq_store::{Batch, Filter, FlushMode, Patience, ReadLimits, ReadRequest, Retention, Store, StoreConfig};
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A part of the hot path.
pub struct Part {
    /// Its name on the command line.
    pub name: &'static str,
    /// Instructions that one repetition may take in the program itself; what the system does for it is not counted.
    pub budget: u64,
    /// What one repetition is.
    pub what: &'static str,
    /// Repeats it.
    pub run: fn(u64),
}

/// All of them. A budget is what was measured when it was set, and a tenth more.
pub const ALL: &[Part] = &[
    Part {
        name: "send-header-json",
        budget: 10600,
        what: "a Java producer's JSON header, read as a send",
        run: |times| read_header(Encoding::Json, times),
    },
    Part {
        name: "send-header-binary",
        budget: 5950,
        what: "the same in the binary encoding",
        run: |times| read_header(Encoding::Binary, times),
    },
    Part { name: "record", budget: 4120, what: "a message of 1 KiB becomes a record: encoded, CRCs, keys hashed", run: encode },
    Part { name: "crc", budget: 610, what: "the CRC of 1 KiB", run: crc },
    Part { name: "append", budget: 4670, what: "a record's share of an append of 64, the index with it", run: append },
    Part { name: "answer", budget: 2720, what: "the answer to a send, JSON", run: answer },
    Part { name: "pull", budget: 73300, what: "32 messages of 1 KiB read for one answer", run: pull },
];

const PROPERTIES: &str = "KEYS\u{1}order-1\u{2}UNIQ_KEY\u{1}7F0000010BAD7A81AE1F5D2B3C4D0000\u{2}WAIT\u{1}true\u{2}TAGS\u{1}paid\u{2}";
const STORED: &str = "KEYS\u{1}order-1\u{2}WAIT\u{1}true\u{2}TAGS\u{1}paid\u{2}UNIQ_KEY\u{1}7F0000010BAD7A81AE1F5D2B3C4D0000\u{2}\
                      MSG_REGION\u{1}DefaultRegion\u{2}TRACE_ON\u{1}true\u{2}CLUSTER\u{1}DefaultCluster\u{2}";
const BODY: &[u8] = &[b'x'; 1024];

fn host() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 10911))
}

fn read_header(encoding: Encoding, times: u64) {
    let request = SendMessageV2(SendMessage {
        producer_group: "producers".into(),
        topic: "Orders".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id: 1,
        sys_flag: 0,
        born_timestamp: Timestamp(1_800_000_000_000),
        flag: 0,
        properties: PROPERTIES.into(),
        reconsume_times: 0,
        unit_mode: false,
        batch: false,
        max_reconsume_times: None,
        broker_name: Some("broker-a".into()),
    });
    let mut bytes = Vec::new();
    header::write_frame(&mut bytes, encoding, Top::request(7, SendMessageV2::CODE, false), |sink| request.write(sink), BODY);
    let mut buffer = String::new();
    for _ in 0..times {
        let Ok(Some(frame)) = frame::split(black_box(&bytes)) else { panic!("a frame was written") };
        let header = header::read(&frame).expect("a header was written");
        let read = SendMessage::read_into(&header.fields, SendForm::Short, &mut buffer);
        black_box(read.expect("a send was written").queue_id);
    }
}

fn draft(properties: &str) -> Draft<'_> {
    Draft {
        topic: "Orders",
        queue_id: 1,
        flag: 0,
        sys_flag: 0,
        born_timestamp: Timestamp(1_800_000_000_000),
        born_host: host(),
        store_host: host(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: BODY,
        properties,
    }
}

fn encode(times: u64) {
    let mut batch = Batch::new();
    for _ in 0..times {
        batch.clear();
        batch.push(black_box(draft(STORED))).expect("it is sound");
    }
    black_box(batch.len());
}

fn crc(times: u64) {
    for _ in 0..times {
        black_box(body_crc(black_box(BODY)));
    }
}

fn open() -> (tempfile::TempDir, Arc<Store>) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = StoreConfig {
        root: folder.path().into(),
        flush: FlushMode::Async { interval: Duration::from_millis(500) },
        retention: Retention { disk_reserve_bytes: 0, ..Retention::default() },
        background: false,
        ..StoreConfig::default()
    };
    let store = Store::open(Clock::system(), Disk::real(), config).expect("a store");
    (folder, store)
}

const TOGETHER: u64 = 64;

fn append(times: u64) {
    let (_folder, store) = open();
    let mut batch = Batch::new();
    for _ in 0..times.div_ceil(TOGETHER) {
        batch.clear();
        for _ in 0..TOGETHER {
            batch.push(draft(STORED)).expect("it is sound");
        }
        store.append(&mut batch).expect("there is room");
    }
}

fn answer(times: u64) {
    let mut out = Vec::new();
    let mut msg_id = String::new();
    for n in 0..times {
        out.clear();
        msg_id.clear();
        MessageId { store_host: host(), log_offset: roxmq_protocol::position::LogOffset(n as i64) }.write(&mut msg_id);
        let fields = |sink: &mut header::FieldSink<'_>| {
            sink.text("msgId", &msg_id);
            sink.number("queueId", 1);
            sink.number("queueOffset", n);
            sink.text("transactionId", "7F0000010BAD7A81AE1F5D2B3C4D0000");
            sink.text("MSG_REGION", "DefaultRegion");
            sink.text("TRACE_ON", "true");
        };
        header::write_frame(&mut out, Encoding::Json, Top::answer(7, 0, None), fields, b"");
        black_box(&out);
    }
}

fn pull(times: u64) {
    let (_folder, store) = open();
    let mut batch = Batch::new();
    for _ in 0..TOGETHER {
        batch.push(draft(STORED)).expect("it is sound");
    }
    store.append(&mut batch).expect("there is room");
    let limits = ReadLimits { messages_max: 32, bytes_max: 1 << 20, scan_max: 800, patience: Patience::WaitForDisk };
    let mut out = Vec::new();
    for _ in 0..times {
        out.clear();
        let read =
            store.read(&ReadRequest { topic: "Orders", queue_id: 1, from: QueueOffset(black_box(8)), limits }, Filter::ALL, &mut out);
        assert_eq!(read.messages, 32);
    }
}
