//! Reads from a real disk, where segments are mapped: at their borders, while they are deleted or cut, of long messages, without waiting.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

use roxmq_env::clock::Clock;
use roxmq_env::disk::{Disk, SimDisk};
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::{Draft, Record, records};
use roxmq_protocol::time::Timestamp;
use roxmq_store::{Batch, Filter, FlushMode, Patience, ReadLimits, ReadRequest, ReadResult, ReadStatus, Retention, Store, StoreConfig};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const SEGMENT_BYTES: u64 = 64 << 10;
const QUEUES: u32 = 3;

fn open(disk: Disk, root: &Path) -> Arc<Store> {
    let config = StoreConfig {
        root: root.to_owned(),
        segment_bytes: SEGMENT_BYTES,
        flush: FlushMode::Async { interval: std::time::Duration::from_millis(500) },
        retention: Retention { disk_reserve_bytes: 0, ..Retention::default() },
        tail_checkpoint_bytes: 20 << 10,
        background: false,
        ..StoreConfig::default()
    };
    Store::open(Clock::manual(1_700_000_000_000), disk, config).expect("opens")
}

/// What message `n` of a queue says, of a length of its own.
fn body(queue: u32, n: i64) -> Vec<u8> {
    let len = 1 + (n as usize * 7919 + queue as usize * 131) % 3000;
    (0..len).map(|at| (at as i64 + n + i64::from(queue)) as u8).collect()
}

fn push(batch: &mut Batch, queue_id: u32, body: &[u8], properties: &str) {
    let host = SocketAddr::from(([127, 0, 0, 1], 10911));
    let draft = Draft {
        topic: "T",
        queue_id,
        flag: 0,
        sys_flag: 0,
        born_timestamp: Timestamp(0),
        born_host: host,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties,
    };
    batch.push(draft).expect("fits");
}

/// Sends `count` messages to each queue, the queues by turns.
fn send(store: &Store, count: i64) {
    let mut batch = Batch::new();
    for n in 0..count {
        batch.clear();
        for queue in 0..QUEUES {
            push(&mut batch, queue, &body(queue, n), if n % 2 == 0 { "TAGS\u{1}even\u{2}" } else { "TAGS\u{1}odd\u{2}" });
        }
        store.append(&mut batch).expect("appended");
    }
}

fn limits(patience: Patience) -> ReadLimits {
    ReadLimits { messages_max: 32, bytes_max: 256 << 10, scan_max: 800, patience }
}

fn read(store: &Store, queue: u32, from: i64, patience: Patience) -> (ReadResult, Vec<u8>) {
    let mut out = Vec::new();
    let result =
        store.read(&ReadRequest { topic: "T", queue_id: queue, from: QueueOffset(from), limits: limits(patience) }, Filter::ALL, &mut out);
    (result, out)
}

/// Reads a queue to its end and compares every message; how many there were.
fn check_queue(store: &Store, queue: u32, patience: Patience) -> i64 {
    let mut next = 0;
    loop {
        let (result, bytes) = read(store, queue, next, patience);
        match result.status {
            ReadStatus::Found => {}
            ReadStatus::OffsetOverflowOne => return next,
            status => panic!("{status:?} at {next}"),
        }
        for record in records(&bytes) {
            let record = record.expect("a record");
            assert_eq!((record.queue_offset.0, record.body), (next, &body(queue, next)[..]));
            next += 1;
        }
        assert_eq!(result.next.0, next);
    }
}

#[test]
fn every_message_is_read_across_the_borders_of_segments() {
    let root = tempfile::tempdir().expect("folder");
    let store = open(Disk::real(), root.path());
    send(&store, 200);
    store.tick();
    assert!(store.stats().segments > 8);
    for queue in 0..QUEUES {
        // Just written, so all of it is in memory.
        assert_eq!(check_queue(&store, queue, Patience::MemoryOnly), 200);
        assert_eq!(check_queue(&store, queue, Patience::WaitForDisk), 200);
    }
    store.shutdown();
    drop(store);
    let store = open(Disk::real(), root.path());
    assert_eq!(check_queue(&store, 1, Patience::WaitForDisk), 200, "and after a start, when nothing counts as just written");
}

#[test]
fn filters_choose_before_and_after_the_record_is_read() {
    let root = tempfile::tempdir().expect("folder");
    let store = open(Disk::real(), root.path());
    send(&store, 100);
    let tags = |out: &[u8]| records(out).map(|record| record.expect("a record").queue_offset.0 % 2).collect::<Vec<_>>();
    let even = store.index_entry("T", 0, QueueOffset(0)).expect("an entry").tags_code;
    let mut out = Vec::new();
    let limits = limits(Patience::MemoryOnly);
    let found = store.read(
        &ReadRequest { topic: "T", queue_id: 0, from: QueueOffset(1), limits },
        Filter { by_entry: Some(&mut |entry| entry.tags_code == even), ..Filter::ALL },
        &mut out,
    );
    assert_eq!((found.messages, tags(&out)), (32, vec![0; 32]));
    let mut out = Vec::new();
    let mut keep = |record: &Record<'_>| record.properties.contains("odd");
    let found = store.read(
        &ReadRequest { topic: "T", queue_id: 0, from: QueueOffset(0), limits },
        Filter { by_record: Some(&mut keep), ..Filter::ALL },
        &mut out,
    );
    assert_eq!((found.messages, tags(&out)), (32, vec![1; 32]));
}

#[test]
fn an_answer_has_its_bytes_at_most_but_always_one_message() {
    let root = tempfile::tempdir().expect("folder");
    let store = open(Disk::real(), root.path());
    let mut batch = Batch::new();
    let huge = vec![5; 60 << 10];
    (0..8).for_each(|_| push(&mut batch, 0, &huge, ""));
    store.append(&mut batch).expect("appended");
    for (bytes_max, expected) in [(1, 1), (121 << 10, 2), (256 << 10, 4), (1 << 20, 8)] {
        let mut out = Vec::new();
        let limits = ReadLimits { bytes_max, ..limits(Patience::MemoryOnly) };
        let result = store.read(&ReadRequest { topic: "T", queue_id: 0, from: QueueOffset(0), limits }, Filter::ALL, &mut out);
        assert_eq!((result.messages, result.next.0), (expected, i64::from(expected)), "{bytes_max}");
        assert!(records(&out).all(|record| record.expect("a record").body == huge));
    }
}

#[test]
fn readers_go_on_while_segments_are_deleted() {
    let root = tempfile::tempdir().expect("folder");
    let store = open(Disk::real(), root.path());
    send(&store, 300);
    store.tick();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for queue in 0..QUEUES {
            let (store, is_over) = (&store, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Acquire) {
                    let (result, bytes) = read(store, queue, store.bounds("T", queue).expect("a queue").0.0, Patience::WaitForDisk);
                    let seen = records(&bytes).map(|record| record.expect("a record"));
                    seen.for_each(|record| assert_eq!(record.body, &body(queue, record.queue_offset.0)[..]));
                    let is_sound = [ReadStatus::Found, ReadStatus::MessageWasRemoving, ReadStatus::OffsetTooSmall].contains(&result.status);
                    assert!(is_sound, "{:?}", result.status);
                }
            });
        }
        let files = |folder: &str| std::fs::read_dir(root.path().join(folder)).expect("lists").count();
        let before = files("commitlog");
        let retention_bytes = Some(SEGMENT_BYTES);
        store.set_retention(Retention { retention_bytes, ..store.config().retention });
        while store.delete_expired() > 0 {}
        assert!(files("commitlog") < before);
        is_over.store(true, Ordering::Release);
    });
    assert_eq!(store.stats().damaged_records, 0);
}

#[test]
fn a_file_that_is_cut_costs_its_messages_and_not_the_process() {
    let root = tempfile::tempdir().expect("folder");
    let store = open(Disk::real(), root.path());
    send(&store, 200);
    assert_eq!(check_queue(&store, 0, Patience::MemoryOnly), 200, "everything is mapped");
    let second = root.path().join("commitlog").join(format!("{SEGMENT_BYTES:020}"));
    let file = std::fs::OpenOptions::new().write(true).open(&second).expect("is there");
    file.set_len(0).expect("cuts");
    let at = |n: i64| store.index_entry("T", 0, QueueOffset(n)).expect("an entry").log_offset.0 as u64;
    let is_cut = |n: i64| (SEGMENT_BYTES..2 * SEGMENT_BYTES).contains(&at(n));
    for n in 0..200 {
        let mut out = Vec::new();
        let one = ReadLimits { messages_max: 1, ..limits(Patience::WaitForDisk) };
        let result = store.read(&ReadRequest { topic: "T", queue_id: 0, from: QueueOffset(n), limits: one }, Filter::ALL, &mut out);
        let expected = if is_cut(n) { ReadStatus::OffsetFoundNull } else { ReadStatus::Found };
        assert_eq!(result.status, expected, "message {n}");
        assert!(is_cut(n) || Record::parse(&out).expect("a record").0.body == body(0, n));
    }
}

#[test]
fn who_may_not_wait_gets_what_is_in_memory_and_then_hears_why() {
    let sim = SimDisk::new(1);
    let store = open(sim.disk(), Path::new("/store"));
    send(&store, 100);
    store.tick();
    let (all, _) = read(&store, 2, 0, Patience::MemoryOnly);
    assert_eq!((all.status, all.messages), (ReadStatus::Found, 32));
    sim.forget_cached();
    let (none, bytes) = read(&store, 2, 0, Patience::MemoryOnly);
    assert_eq!((none.status, none.next.0, none.max.0, bytes.len()), (ReadStatus::NotInMemory, 0, 100, 0));
    // Who waits brings in the files that hold the first messages, and only those.
    let one = ReadLimits { messages_max: 1, ..limits(Patience::WaitForDisk) };
    assert_eq!(
        store.read(&ReadRequest { topic: "T", queue_id: 2, from: QueueOffset(0), limits: one }, Filter::ALL, &mut Vec::new()).status,
        ReadStatus::Found
    );
    let mut next = 0;
    loop {
        let (some, bytes) = read(&store, 2, next, Patience::MemoryOnly);
        if some.status == ReadStatus::NotInMemory {
            break;
        }
        assert_eq!((some.status, records(&bytes).count() as u32), (ReadStatus::Found, some.messages));
        next = some.next.0;
    }
    assert!((1..100).contains(&next), "{next}");
    assert_eq!(check_queue(&store, 2, Patience::WaitForDisk), 100);
}
