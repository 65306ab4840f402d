//! A hundred thousand queues cost no more files than one queue, and little memory each.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::{Draft, records};
use roxmq_protocol::time::Timestamp;
use roxmq_store::{Batch, Filter, FlushMode, Patience, ReadLimits, ReadRequest, Retention, Store, StoreConfig};
use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const QUEUES: usize = 100_000;
/// Light queues of one message.
const LIGHTS: usize = 100;
/// What a queue with two messages may take before its entries are in an index file, and afterwards.
const TAIL_BYTES_MAX: usize = 640;
const SEALED_BYTES_MAX: usize = 450;

/// The system's allocator, counted.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches nothing but an integer.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How the queues are laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// Topics, and queues of each.
    Topics(usize, usize),
    Light,
}

impl Shape {
    /// Topic and queue id of queue `n`.
    fn queue(self, n: usize) -> (String, u32) {
        match self {
            Shape::Topics(_, queues) => (format!("Topic{}", n / queues), (n % queues) as u32),
            Shape::Light => (format!("%LMQ%{n}"), 0),
        }
    }

    fn queues(self) -> usize {
        match self {
            Shape::Topics(topics, queues) => topics * queues,
            Shape::Light => QUEUES,
        }
    }
}

fn open(root: &Path) -> Arc<Store> {
    let config = StoreConfig {
        root: root.to_owned(),
        flush: FlushMode::Async { interval: std::time::Duration::from_millis(500) },
        segment_bytes: 64 << 20,
        retention: Retention { disk_reserve_bytes: 0, ..Retention::default() },
        light_queues: true,
        background: false,
        ..StoreConfig::default()
    };
    Store::open(Clock::manual(1_700_000_000_000), Disk::real(), config).expect("opens")
}

fn push(batch: &mut Batch, topic: &str, queue_id: u32, properties: &str, body: &[u8]) {
    let host = SocketAddr::from(([127, 0, 0, 1], 10911));
    let draft = Draft {
        topic,
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

/// Puts one message into each queue.
fn send_round(store: &Store, shape: Shape, round: usize) {
    let mut batch = store.batch();
    let step = if shape == Shape::Light { LIGHTS } else { 1 };
    for first in (0..shape.queues()).step_by(step) {
        let body = format!("{}/{round}", first);
        match shape {
            Shape::Topics(..) => {
                let (topic, queue_id) = shape.queue(first);
                push(&mut batch, &topic, queue_id, "", body.as_bytes());
            }
            Shape::Light => {
                let names: Vec<String> = (first..first + LIGHTS).map(|n| shape.queue(n).0).collect();
                push(&mut batch, "Parent", 0, &format!("INNER_MULTI_DISPATCH\u{1}{}\u{2}", names.join(",")), body.as_bytes());
            }
        }
        if batch.len() == 1000 {
            store.append(&mut batch).expect("appended");
            batch.clear();
        }
    }
    store.append(&mut batch).expect("appended");
}

/// Looks into some of the queues: each has its messages, at their offsets.
fn check(store: &Store, shape: Shape, rounds: usize) {
    let limits = ReadLimits { messages_max: 10, bytes_max: 1 << 20, scan_max: 10, patience: Patience::WaitForDisk };
    let step = if shape == Shape::Light { LIGHTS } else { 1 };
    let mut out = Vec::new();
    for n in (0..shape.queues()).step_by(97) {
        let (topic, queue_id) = shape.queue(n);
        out.clear();
        let read = store.read(&ReadRequest { topic: &topic, queue_id, from: QueueOffset(0), limits }, Filter::ALL, &mut out);
        assert_eq!((read.min.0, read.max.0, read.messages as usize), (0, rounds as i64, rounds), "{topic} {queue_id}");
        for (round, record) in records(&out).enumerate() {
            assert_eq!(record.expect("reads").body, format!("{}/{round}", n - n % step).as_bytes());
        }
    }
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("entry").path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

/// Sends, seals, restarts in all ways; says how many files there are and what each queue takes, in memory and sealed.
fn run(shape: Shape) -> (usize, usize, usize) {
    let folder = tempfile::tempdir().expect("folder");
    let per_queue = |before: usize| LIVE.load(Relaxed).saturating_sub(before) / shape.queues();
    let store = open(folder.path());
    let before = LIVE.load(Relaxed);
    send_round(&store, shape, 0);
    send_round(&store, shape, 1);
    let in_tail = per_queue(before);
    check(&store, shape, 2);
    assert!(store.stats().queues >= shape.queues());
    // As killed: the log is replayed.
    drop(store);
    let store = open(folder.path());
    check(&store, shape, 2);
    store.shutdown();
    drop(store);
    // After a clean stop: the queues come from the index file.
    let store = open(folder.path());
    check(&store, shape, 2);
    send_round(&store, shape, 2);
    check(&store, shape, 3);
    store.shutdown();
    let sealed = per_queue(before);
    let files = files_below(folder.path());
    drop(store);
    check(&open(folder.path()), shape, 3);
    (files, in_tail, sealed)
}

/// One test, as the allocator counts for all of a process.
#[test]
fn a_hundred_thousand_queues() {
    let (files_of_one, ..) = run(Shape::Topics(1, 1));
    for shape in [Shape::Topics(100, QUEUES / 100), Shape::Light] {
        let (files, in_tail, sealed) = run(shape);
        println!("{shape:?}: {files} files, {in_tail} bytes of memory for each queue, {sealed} once sealed");
        assert_eq!(files, files_of_one, "{shape:?}");
        assert!(in_tail <= TAIL_BYTES_MAX && sealed <= SEALED_BYTES_MAX, "{shape:?}: {in_tail} and {sealed} bytes for each queue");
    }
}
