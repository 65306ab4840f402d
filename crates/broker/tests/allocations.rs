//! How often does a message that is sent ask for memory? Not at all, once the buffers have grown: a real broker, a real socket, and an
//! allocator that counts.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

mod common;

use roxmq_broker::RunningBroker;
use roxmq_broker::settings::{BrokerConfig, FlushDiskType};
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::request::{HeaderFields, Request, SendMessage, SendMessageV2};
use roxmq_protocol::time::Timestamp;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The system's allocator, counted.
struct Counting;

static ASKED: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WARM_UP_TURNS: usize = 200;
const TURNS: usize = 500;
const MESSAGES_A_TURN: usize = 64;
/// What services ask for meanwhile, and chunks of the index, of which one holds many messages.
const ALLOWED_PER_MESSAGE: f64 = 0.1;

#[test]
fn a_message_that_is_sent_asks_for_no_memory() {
    for (encoding, flush) in [
        (Encoding::Json, FlushDiskType::AsyncFlush),
        (Encoding::Binary, FlushDiskType::AsyncFlush),
        (Encoding::Json, FlushDiskType::SyncFlush),
    ] {
        let asked = per_message(encoding, flush);
        println!("{encoding:?} {flush:?}: {asked:.3} allocations a message");
        assert!(asked < ALLOWED_PER_MESSAGE, "{asked:.3} allocations a message, header {encoding:?}, {flush:?}");
    }
}

fn per_message(encoding: Encoding, flush_disk_type: FlushDiskType) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let config = BrokerConfig { store_root: folder.path().to_path_buf(), flush_disk_type, ..common::small(BrokerConfig::default()) };
    let broker = RunningBroker::start(common::setup(config, &Clock::system(), Disk::real())).unwrap();
    let mut stream = TcpStream::connect(broker.addresses()[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let frames = turn_of_sends(encoding);
    let mut buffer = vec![0; 1 << 20];
    let mut run = |turns: usize| {
        for _ in 0..turns {
            stream.write_all(&frames).unwrap();
            read_answers(&mut stream, &mut buffer);
        }
    };
    run(WARM_UP_TURNS);
    let before = ASKED.load(Ordering::Relaxed);
    run(TURNS);
    let asked = ASKED.load(Ordering::Relaxed) - before;
    broker.stop();
    asked as f64 / (TURNS * MESSAGES_A_TURN) as f64
}

/// What a Java producer sends, many times.
fn turn_of_sends(encoding: Encoding) -> Vec<u8> {
    let request = SendMessageV2(SendMessage {
        producer_group: "producers".into(),
        topic: "Orders".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id: 1,
        sys_flag: 0,
        born_timestamp: Timestamp(1_800_000_000_000),
        flag: 0,
        properties: "KEYS\u{1}order-1\u{2}UNIQ_KEY\u{1}7F0000010BAD7A81AE1F5D2B3C4D0000\u{2}WAIT\u{1}true\u{2}TAGS\u{1}paid\u{2}".into(),
        reconsume_times: 0,
        unit_mode: false,
        batch: false,
        max_reconsume_times: None,
        broker_name: Some("broker-a".into()),
    });
    let mut frames = Vec::new();
    for n in 0..MESSAGES_A_TURN {
        let top = Top::request(n as i32, SendMessageV2::CODE, false);
        header::write_frame(&mut frames, encoding, top, |sink| request.write(sink), &[b'x'; 1024]);
    }
    frames
}

/// Reads one answer to each, all of them successes.
fn read_answers(stream: &mut TcpStream, buffer: &mut [u8]) {
    let (mut held, mut seen) = (0, 0);
    while seen < MESSAGES_A_TURN {
        held += stream.read(&mut buffer[held..]).unwrap();
        let mut at = 0;
        while let Some(frame) = frame::split(&buffer[at..held]).unwrap() {
            let is_success = match frame.encoding {
                Encoding::Json => frame.header.starts_with(b"{\"code\":0,"),
                Encoding::Binary => frame.header.starts_with(&[0, 0]),
            };
            assert!(is_success, "{}", String::from_utf8_lossy(frame.header));
            at += frame.len;
            seen += 1;
        }
        buffer.copy_within(at..held, 0);
        held -= at;
    }
}
