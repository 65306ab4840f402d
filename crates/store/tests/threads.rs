//! The store with its own threads on a real disk: senders, readers and the flush thread at once.

use roxmq_env::clock::Clock;
use roxmq_env::disk::{Disk, SimDisk};
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::{Draft, records};
use roxmq_protocol::time::Timestamp;
use roxmq_store::{Batch, Filter, Flush, FlushMode, Patience, ReadLimits, ReadRequest, ReadStatus, Retention, Store, StoreConfig};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

const SENDERS: u32 = 4;
const BATCHES: usize = 60;
const MESSAGES: usize = 7;

fn config(root: &Path, flush: FlushMode) -> StoreConfig {
    StoreConfig {
        root: root.to_owned(),
        segment_bytes: 64 << 10,
        flush,
        retention: Retention { disk_reserve_bytes: 0, ..Retention::default() },
        tail_checkpoint_bytes: 10 << 10,
        ..StoreConfig::default()
    }
}

fn push(batch: &mut Batch, queue_id: u32, body: &[u8]) {
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
        properties: "TAGS\u{1}t\u{2}",
    };
    batch.push(draft).expect("fits");
}

/// Wakes a thread that waits for an acknowledgement, as a shard of the broker is woken.
#[derive(Default)]
struct Waker {
    wakes: Mutex<u64>,
    woken: Condvar,
}

impl Waker {
    fn wait_until(&self, done: impl Fn() -> bool) {
        let mut wakes = self.wakes.lock().expect("lock");
        while !done() {
            wakes = self.woken.wait(wakes).expect("lock");
        }
    }
}

fn send_all(store: &Store, waker: &Waker, queue_id: u32) {
    let mut batch = Batch::new();
    for n in 0..BATCHES {
        batch.clear();
        (0..MESSAGES).for_each(|m| push(&mut batch, queue_id, format!("{queue_id}/{}", n * MESSAGES + m).as_bytes()));
        store.append(&mut batch).expect("appended");
        let last = batch.placed(MESSAGES - 1);
        assert_eq!(last.queue_offset.0 as usize, (n + 1) * MESSAGES - 1);
        waker.wait_until(|| store.confirmed() >= last.end);
    }
}

/// Follows a queue to its end; every message is there, in order, and was durable if it had to be.
fn follow(store: &Store, queue_id: u32, waker: &Waker) {
    let (mut next, mut out) = (0, Vec::new());
    let limits = ReadLimits { messages_max: 16, bytes_max: 1 << 20, scan_max: 1000, patience: Patience::WaitForDisk };
    while next < (BATCHES * MESSAGES) as i64 {
        out.clear();
        let result = store.read(&ReadRequest { topic: "T", queue_id, from: QueueOffset(next), limits }, Filter::ALL, &mut out);
        for record in records(&out) {
            let record = record.expect("reads");
            assert_eq!(record.body, format!("{queue_id}/{next}").as_bytes());
            assert!(record.log_offset < store.visible_end());
            next += 1;
        }
        assert_eq!(result.status == ReadStatus::Found, !out.is_empty());
        if out.is_empty() {
            waker.wait_until(|| store.bounds("T", queue_id).is_some_and(|(_, max)| max.0 > next));
        }
    }
}

fn check(flush: FlushMode) {
    let root = tempfile::tempdir().expect("folder");
    let open = || Store::open(Clock::system(), Disk::real(), config(root.path(), flush)).expect("opens");
    let store = open();
    let waker = Arc::new(Waker::default());
    let woken = Arc::new(AtomicUsize::new(0));
    store.wake_when_flushed({
        let (waker, woken) = (waker.clone(), woken.clone());
        Arc::new(move || {
            woken.fetch_add(1, Ordering::Relaxed);
            *waker.wakes.lock().expect("lock") += 1;
            waker.woken.notify_all();
        })
    });
    thread::scope(|scope| {
        for queue_id in 0..SENDERS {
            let (store, waker) = (&store, &waker);
            scope.spawn(move || send_all(store, waker, queue_id));
            scope.spawn(move || follow(store, queue_id, waker));
        }
    });
    assert!(woken.load(Ordering::Relaxed) > 0);
    store.shutdown();
    assert!(store.stats().segments > 1, "{:?}", store.stats());
    assert_eq!(store.watermarks().flushed(), store.watermarks().written());
    drop(store);
    let store = open();
    (0..SENDERS).for_each(|queue_id| follow(&store, queue_id, &waker));
    store.shutdown();
}

#[test]
fn senders_and_readers_with_sync_flush() {
    check(FlushMode::Sync);
}

#[test]
fn senders_and_readers_with_async_flush() {
    check(FlushMode::Async { interval: std::time::Duration::from_millis(1) });
}

#[test]
fn a_second_process_is_kept_out() {
    let root = tempfile::tempdir().expect("folder");
    let open = || Store::open(Clock::system(), Disk::real(), config(root.path(), FlushMode::Sync));
    let store = open().expect("opens");
    assert!(open().is_err());
    store.shutdown();
    drop(store);
    open().expect("opens").shutdown();
}

/// Only progress of the flush wakes the keeper: an index file that cannot be written is retried at the keeper's own pace.
#[test]
fn flushing_nothing_does_not_wake_the_keeper() {
    let sim = SimDisk::new(1);
    let config =
        StoreConfig { tail_checkpoint_bytes: 2_000, ..config(Path::new("/store"), FlushMode::Async { interval: Duration::from_secs(60) }) };
    let store = Store::open(Clock::system(), sim.disk(), config).expect("opens");
    let mut batch = store.batch();
    push(&mut batch, 0, &[1; 5_000]);
    store.append(&mut batch).expect("appends");
    sim.set_capacity(Some(sim.used()));
    assert_eq!(store.flush(), Flush::Durable);
    let before = sim.operations();
    for _ in 0..2_000 {
        assert_eq!(store.flush(), Flush::Durable);
        thread::yield_now();
    }
    let operations = sim.operations() - before;
    assert!(operations < 500, "{operations} operations for 2,000 flushes of nothing");
}
