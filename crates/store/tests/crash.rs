//! What is left when the power goes, at every write and every sync of a run, and again while recovering.
//!
//! With `SYNC_FLUSH`: whatever was acknowledged, and whatever a reader saw, is there afterwards at the same offset with the same bytes;
//! offsets have no gap and no jump; nothing is there that was not sent. With `ASYNC_FLUSH` a suffix may be missing, no more.

mod world;

use parking_lot::Mutex;
use roxmq_env::disk::Fault;
use roxmq_protocol::record::records;
use roxmq_store::{AppendError, FlushMode, OpenError, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use world::World;

/// Topic and queue id.
type Queue = (String, u32);

/// Where a message should be, and its body: its offset in its own queue, then in light ones.
type Expected = (Vec<(i64, Queue)>, Vec<u8>);

/// What a run did and saw, until something failed.
#[derive(Default)]
struct History {
    /// All that may be at an offset: more than one if a send failed and the offset was given to another message.
    tried: BTreeMap<Queue, BTreeMap<i64, Vec<Vec<u8>>>>,
    /// What was acknowledged as durable, or seen by a reader.
    kept: BTreeMap<Queue, BTreeMap<i64, Vec<u8>>>,
    /// What was appended and waits for its acknowledgement: where it ends.
    waiting: Vec<(i64, Queue, i64, Vec<u8>)>,
    /// The next number of each queue.
    numbers: BTreeMap<Queue, usize>,
    deleted: Vec<String>,
    /// Where queues go on whose topic is being deleted.
    ended: BTreeMap<Queue, i64>,
}

impl History {
    fn send(&mut self, world: &World, store: &Store, messages: &[(&str, u32)]) -> Result<(), AppendError> {
        let mut numbered = Vec::new();
        let mut expected: Vec<Expected> = Vec::new();
        for (topic, queue_id) in messages {
            let queue = ((*topic).to_owned(), *queue_id);
            let number = self.numbers.entry(queue.clone()).or_default();
            let body = world::body_of(topic, *queue_id, *number as i64);
            let lights = world::lights_of(*number).iter().map(|name| ((*name).to_owned(), 0));
            let places: Vec<_> =
                [queue].into_iter().chain(lights).map(|queue| (next(store, &self.ended, &queue, &expected), queue)).collect();
            for (offset, queue) in &places {
                self.tried.entry(queue.clone()).or_default().entry(*offset).or_default().push(body.clone());
            }
            expected.push((places, body));
            numbered.push((*topic, *queue_id, *number));
            *number += 1;
        }
        let placed = world.send_batch(store, &numbered)?;
        for ((places, body), at) in expected.into_iter().zip(placed) {
            assert_eq!(places[0].0, at.queue_offset.0, "seed {}", world.seed);
            self.waiting.extend(places.into_iter().map(|(offset, queue)| (at.end.0, queue, offset, body.clone())));
        }
        Ok(())
    }

    /// Acknowledges what is durable.
    fn acknowledge(&mut self, store: &Store) {
        let durable = store.confirmed().0;
        for (_, queue, offset, body) in self.waiting.extract_if(.., |(end, ..)| *end <= durable) {
            self.kept.entry(queue).or_default().insert(offset, body);
        }
    }

    fn read(&mut self, world: &World, store: &Store, topic: &str, queue_id: u32) {
        for (offset, body) in world.read_all(store, topic, queue_id) {
            self.kept.entry((topic.to_owned(), queue_id)).or_default().insert(offset, body);
        }
    }

    fn delete(&mut self, world: &World, store: &Store, topic: &str) {
        let gone = |queue: &Queue| queue.0 == topic;
        // Until the deletion is durable, and that may fail, either is right.
        self.deleted.push(topic.to_owned());
        let queues: Vec<Queue> = store.queues().into_iter().filter(gone).collect();
        self.ended.extend(queues.into_iter().map(|queue| (queue.clone(), store.queue_next(&queue.0, queue.1).map_or(0, |next| next.0))));
        store.delete_topic(topic);
        world.forget(topic);
        if !store.disk_full() {
            self.ended.retain(|queue, _| !gone(queue));
        }
        self.kept.retain(|queue, _| !gone(queue));
        self.waiting.retain(|(_, queue, ..)| !gone(queue));
    }

    /// Compares with what is there.
    fn check(&self, world: &World, store: &Store, at: &str) {
        for ((topic, queue_id), tried) in &self.tried {
            let read = world.read_all(store, topic, *queue_id);
            let what = || format!("seed {} {at}: {topic} {queue_id} has {:?}", world.seed, world::offsets(&read));
            assert!(read.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "gap: {}", what());
            for (offset, body) in &read {
                let is_known = tried.get(offset).is_some_and(|bodies| bodies.contains(body));
                assert!(is_known, "invented at {offset}: {}", what());
            }
            let (min, max) = store.bounds(topic, *queue_id).map_or((0, 0), |(min, max)| (min.0, max.0));
            assert_eq!((max - min) as usize, read.len(), "{}", what());
            if let Some(kept) = self.kept.get(&(topic.clone(), *queue_id)) {
                for (offset, body) in kept.range(min..) {
                    let there = read.iter().find(|(found, _)| found == offset);
                    assert!(there.is_some_and(|(_, found)| found == body), "lost {offset}: {}", what());
                }
                // Retention never runs here, so nothing is missing at the start.
                assert!(self.deleted.contains(topic) || min == 0, "the start is missing: {}", what());
            }
        }
    }
}

/// The offset that comes next in a queue.
fn next(store: &Store, ended: &BTreeMap<Queue, i64>, queue: &Queue, before: &[Expected]) -> i64 {
    let visible = store.queue_next(&queue.0, queue.1).map_or(ended.get(queue).copied().unwrap_or(0), |next| next.0);
    visible + before.iter().flat_map(|(places, _)| places).filter(|(_, other)| other == queue).count() as i64
}

/// One run: always the same steps for a seed. Ends at the first error.
fn run(world: &World, store: &Arc<Store>, history: &mut History, steps: usize) -> Result<(), AppendError> {
    let mut random = fastrand::Rng::with_seed(world.seed ^ 0x5eed);
    let topics = ["A", "B", "Topic-with-a-longer-name"];
    for _ in 0..steps {
        world.clock.advance(Duration::from_millis(3));
        match random.u8(0..20) {
            0..10 => history.send(world, store, &[(topics[random.usize(0..3)], random.u32(0..2))])?,
            10..14 => {
                let batch: Vec<_> = (0..random.usize(2..12)).map(|_| (topics[random.usize(0..3)], random.u32(0..2))).collect();
                history.send(world, store, &batch)?;
            }
            14..18 => {
                store.tick();
                history.acknowledge(store);
            }
            // Seldom, so that there is something to delete.
            19 if random.u8(0..5) == 0 => history.delete(world, store, topics[random.usize(0..3)]),
            18 if random.bool() => history.read(world, store, world::LIGHTS[random.usize(0..2)], 0),
            18 => history.read(world, store, topics[random.usize(0..3)], random.u32(0..2)),
            _ => {
                let _ = store.flush();
                history.acknowledge(store);
            }
        }
        if let Some(cause) = store.fenced() {
            return Err(AppendError::Fenced(cause));
        }
    }
    Ok(())
}

/// Opens after a power cut; the power may go again while opening.
fn open_again(world: &World) -> Arc<Store> {
    loop {
        match world.try_open() {
            Ok(store) => return store,
            Err(OpenError::Disk { .. }) if world.sim.is_dead() => world.sim.crash(),
            Err(error) => panic!("seed {}: {error}", world.seed),
        }
    }
}

fn operations_of_a_run(seed: u64, steps: usize) -> u64 {
    let world = World::new(seed);
    let store = world.open();
    run(&world, &store, &mut History::default(), steps).expect("nothing fails");
    world.sim.operations()
}

/// Cuts the power at operation `at`, recovers, goes on, and cuts it once more.
fn cut_at(seed: u64, at: u64, steps: usize) {
    let mut world = World::new(seed);
    world.sim.fail_at(at, Fault::PowerCut);
    let mut history = History::default();
    if let Ok(store) = world.try_open() {
        let _ = run(&world, &store, &mut history, steps);
    }
    world.sim.crash();
    // Recovery itself is cut off, somewhere.
    let mut random = fastrand::Rng::with_seed(seed ^ at << 20);
    if random.bool() {
        world.sim.fail_at(world.sim.operations() + random.u64(0..12), Fault::PowerCut);
    }
    let store = open_again(&world);
    world.sim.clear_faults();
    let where_ = format!("cut at {at}");
    assert!(store.missing().is_empty(), "seed {seed} {where_}: {}", store.missing());
    history.check(&world, &store, &where_);
    history.waiting.clear();

    world.seed = seed + 1;
    let result = run(&world, &store, &mut history, 30);
    if result.is_ok() {
        store.tick();
        history.acknowledge(&store);
        history.check(&world, &store, &format!("{where_}, went on"));
    }
    drop(store);
    world.sim.crash();
    let store = open_again(&world);
    assert!(store.missing().is_empty(), "seed {seed} {where_}, went on: {}", store.missing());
    history.check(&world, &store, &format!("{where_}, went on, cut again"));
}

#[test]
fn at_every_operation_with_sync_flush() {
    for seed in 0..3 {
        let operations = operations_of_a_run(seed, 60);
        for at in 0..operations {
            cut_at(seed, at, 60);
        }
    }
}

/// A number that the environment may give.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// `ROXMQ_HISTORIES` says how many, `ROXMQ_SEED` which come first.
#[test]
fn in_random_histories() {
    let (histories, first) = (number("ROXMQ_HISTORIES", 200), number("ROXMQ_SEED", 1000));
    let next = AtomicU64::new(0);
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= histories {
                return;
            }
            let telling = Telling(n);
            let mut random = fastrand::Rng::with_seed(first + n);
            let steps = random.usize(10..200);
            match n % 5 {
                0 => lives_of_equal_messages(first + n, &mut random),
                1 => journal_gone_at(first + n, random.u64(0..steps as u64 * 2), steps),
                _ => cut_at(first + n, random.u64(0..steps as u64 * 2), steps),
            }
            std::mem::forget(telling);
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in started {
            if let Err(panic) = thread.join() {
                next.store(histories, Ordering::Relaxed);
                std::panic::resume_unwind(panic);
            }
        }
    });
    println!("histories done: {histories}");
}

/// Says which history failed when it is dropped.
struct Telling(u64);

impl Drop for Telling {
    fn drop(&mut self) {
        println!("history failed: {}", self.0);
    }
}

/// Messages of one size, so that what an earlier life left behind the end of the log begins where a new record ends: it must not be taken.
fn lives_of_equal_messages(seed: u64, random: &mut fastrand::Rng) {
    let world = World::new(seed);
    let store = world.open();
    for n in 0..random.usize(2..14) {
        world.send(&store, "T", 0, n * 400).expect("appended");
    }
    drop(store);
    world.sim.crash();
    let store = world.open();
    let left = store.bounds("T", 0).map_or(0, |(_, max)| max.0);
    world.sent.borrow_mut().retain(|(topic, _), sent| {
        sent.retain(|offset, _| *offset < left);
        topic == "T"
    });
    world.send(&store, "T", 0, 4000).expect("appended");
    store.tick();
    drop(store);
    world.sim.kill();
    let store = world.open();
    let there = world.read_all(&store, "T", 0).len();
    assert!(there as i64 == left + 1, "seed {seed}: {there} messages are there, {left} were left by the crash and one was sent");
}

#[test]
fn an_error_at_every_operation_fences_and_loses_nothing() {
    for seed in 0..2 {
        let operations = operations_of_a_run(seed, 60);
        for at in 0..operations {
            let world = World::new(seed);
            world.sim.fail_at(at, Fault::Io);
            let mut history = History::default();
            let Ok(store) = world.try_open() else { continue };
            let result = run(&world, &store, &mut history, 60);
            let where_ = format!("error at {at}");
            if store.fenced().is_some() {
                assert!(matches!(result, Err(AppendError::Fenced(_))), "{where_}");
                assert!(matches!(history.send(&world, &store, &[("A", 0)]), Err(AppendError::Fenced(_))));
                let flushed = store.watermarks().flushed();
                assert_eq!(
                    (store.flush(), store.watermarks().flushed()),
                    (roxmq_store::Flush::Fenced, flushed),
                    "a failed sync is not tried again"
                );
            }
            history.check(&world, &store, &format!("{where_}, still open"));
            drop(store);
            if at % 2 == 0 {
                world.sim.crash();
            } else {
                world.sim.kill();
            }
            let store = open_again(&world);
            history.check(&world, &store, &format!("{where_}, opened again"));
            // What it shows now a power cut must not take away, although the sync that should have saved it may have failed before.
            for (topic, queue_id) in store.queues() {
                history.read(&world, &store, &topic, queue_id);
            }
            drop(store);
            world.sim.crash();
            history.check(&world, &open_again(&world), &format!("{where_}, opened again, power cut"));
        }
    }
}

#[test]
fn syncs_that_only_say_that_they_worked_acknowledge_nothing() {
    for seed in 0..3 {
        let operations = operations_of_a_run(seed, 60);
        (0..operations).for_each(|at| journal_gone_at(seed, at, 60));
    }
}

/// From the abort of its journal on ext4 says of syncs that they worked, and for some milliseconds contents can be written.
fn journal_gone_at(seed: u64, at: u64, steps: usize) {
    let world = World::new(seed);
    world.sim.fail_at(at, Fault::JournalGone);
    let mut history = History::default();
    let Ok(store) = world.try_open() else { return };
    let _ = run(&world, &store, &mut history, steps);
    history.check(&world, &store, &format!("journal gone at {at}, still open"));
    drop(store);
    world.sim.crash();
    world.sim.clear_faults();
    history.check(&world, &open_again(&world), &format!("journal gone at {at}, opened again"));
}

#[test]
fn no_room_at_every_operation_is_a_state_and_passes() {
    for seed in 0..2 {
        let operations = operations_of_a_run(seed, 60);
        for at in 0..operations {
            let world = World::new(seed);
            world.sim.fail_at(at, Fault::NoSpace);
            let mut history = History::default();
            let Ok(store) = world.try_open() else { continue };
            let mut refused = 0;
            while let Err(error) = run(&world, &store, &mut history, 60) {
                if error != AppendError::DiskFull {
                    assert!(store.fenced().is_some_and(|cause| cause.contains("sync")), "seed {seed} at {at}: {error}");
                    break;
                }
                refused += 1;
                assert!(refused < 3, "seed {seed} at {at}: never recovers");
                assert!(store.disk_full());
                store.tick();
                assert!(!store.disk_full(), "there is room again");
                history.ended.clear();
            }
            store.tick();
            history.acknowledge(&store);
            history.check(&world, &store, &format!("no room at {at}"));
            drop(store);
            world.sim.clear_faults();
            world.sim.crash();
            let store = open_again(&world);
            history.check(&world, &store, &format!("no room at {at}, opened again"));
        }
    }
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let mut world = World::new(77);
    world.config.retention.disk_reserve_bytes = 20_000;
    let store = world.open();
    let mut history = History::default();
    for round in 0..20 {
        world.sim.set_capacity(Some(world.sim.used() + 30_000 + round * 500));
        let mut sent = 0;
        let refused = loop {
            match history.send(&world, &store, &[("A", 0), ("B", 1)]) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
            if sent % 5 == 0 {
                store.tick();
                history.acknowledge(&store);
            }
        };
        assert_eq!(refused, AppendError::DiskFull);
        history.acknowledge(&store);
        history.check(&world, &store, "full");
        store.tick();
        assert!(store.disk_full(), "still full");
        world.sim.set_capacity(None);
        store.tick();
        assert!(!store.disk_full());
    }
    history.send(&world, &store, &[("A", 0)]).expect("room");
    drop(store);
    world.sim.crash();
    history.check(&world, &world.open(), "opened again");
}

#[test]
fn topics_deleted_around_a_crash_do_not_come_back_half() {
    for at in 0..60 {
        let world = World::new(at);
        let store = world.open();
        let mut history = History::default();
        run(&world, &store, &mut history, 60).expect("nothing fails");
        store.tick();
        history.acknowledge(&store);
        // What is not durable must not get into what the deletion writes down.
        history.send(&world, &store, &[("B", 0), ("B", 1), ("A", 0)]).expect("appended");
        world.sim.fail_at(world.sim.operations() + at, Fault::PowerCut);
        history.delete(&world, &store, "A");
        let _ = history.send(&world, &store, &[("A", 0), ("A", 1), ("B", 0)]);
        let _ = run(&world, &store, &mut history, 60);
        drop(store);
        world.sim.crash();
        world.sim.clear_faults();
        let store = open_again(&world);
        history.check(&world, &store, &format!("deleted, cut {at} later"));
    }
}

/// At each sync of the deletion messages come for the topic and for another one, and wherever the power goes, what was acknowledged is there:
/// after the next start, and after the one that follows, which may not take the younger messages for the deleted ones.
#[test]
fn messages_that_come_while_a_topic_is_being_deleted_are_kept() {
    for (seed, at) in (0..4).flat_map(|seed| (0..40).map(move |at| (seed, at))) {
        let mut world = World::new(seed);
        let store = world.open();
        let mut history = History::default();
        run(&world, &store, &mut history, 60).expect("nothing fails");
        store.tick();
        history.acknowledge(&store);
        // Not durable yet, so that a power cut takes the end of the log away.
        let _ = history.send(&world, &store, &[("B", 0), ("B", 1), ("A", 0)]);
        let queues = [("A".to_owned(), 0), ("A".to_owned(), 1)];
        history.ended.extend(queues.map(|queue| (queue.clone(), store.queue_next("A", queue.1).map_or(0, |next| next.0))));
        history.deleted.push("A".to_owned());
        history.kept.retain(|queue, _| queue.0 != "A");
        history.waiting.retain(|(_, queue, ..)| queue.0 != "A");
        let shared = Arc::new(Mutex::new((world, history)));
        let (sim, during) = (shared.lock().0.sim.clone(), Arc::downgrade(&shared));
        let (deleted, in_hook) = (Arc::downgrade(&store), AtomicBool::new(false));
        sim.fail_at(sim.operations() + at, Fault::PowerCut);
        sim.before_each_sync(move || {
            if let (Some(during), Some(store)) = (during.upgrade(), deleted.upgrade())
                && !in_hook.swap(true, Ordering::Relaxed)
            {
                let (world, history) = &mut *during.lock();
                let _ = history.send(world, &store, &[("A", 0), ("B", 0)]);
                history.acknowledge(&store);
                in_hook.store(false, Ordering::Relaxed);
            }
        });
        store.delete_topic("A");
        sim.before_each_sync(|| ());
        let (kept_world, mut history) = Arc::into_inner(shared).expect("the hook is gone").into_inner();
        world = kept_world;
        if store.fenced().is_none() {
            assert_eq!(store.queue_next("A", 1), None, "seed {seed}: a queue without messages since is gone");
            history.ended.clear();
        }
        let _ = history.send(&world, &store, &[("A", 0), ("A", 1), ("B", 0)]);
        if run(&world, &store, &mut history, 20).is_ok() {
            store.tick();
            history.acknowledge(&store);
        }
        drop(store);
        world.sim.crash();
        world.sim.clear_faults();
        let store = open_again(&world);
        history.check(&world, &store, &format!("deleted, cut {at} later"));
        history.waiting.clear();
        history.ended.clear();
        run(&world, &store, &mut history, 20).expect("nothing fails");
        store.tick();
        history.acknowledge(&store);
        history.check(&world, &store, &format!("deleted, cut {at} later, went on"));
        drop(store);
        world.sim.kill();
        history.check(&world, &open_again(&world), &format!("deleted, cut {at} later, went on, killed"));
    }
}

#[test]
fn async_flush_loses_a_suffix_at_most() {
    let flush = FlushMode::Async { interval: std::time::Duration::from_millis(500) };
    for seed in 0..200 {
        let mut world = World::new(seed);
        world.config.flush = flush;
        let mut random = fastrand::Rng::with_seed(seed);
        let store = world.open();
        let mut log = Vec::new();
        for n in 0..random.usize(1..200) {
            let queue = random.u32(0..3);
            let placed = world.send(&store, "T", queue, n).expect("appended");
            log.push((queue, placed.queue_offset.0, placed.end));
            if random.u8(0..20) == 0 {
                store.tick();
            }
        }
        let flushed = store.watermarks().flushed();
        drop(store);
        world.sim.crash();
        let store = open_again(&world);
        let end = store.watermarks().written();
        assert!(store.missing().is_empty(), "seed {seed}: {}", store.missing());
        assert!(end >= flushed, "seed {seed}: durable up to {flushed}, there up to {end}");
        for (queue, offset, message_end) in log {
            let (_, bytes) = world.read(&store, "T", queue, offset, 1);
            let is_there = records(&bytes).next().is_some_and(|record| record.is_ok_and(|record| record.queue_offset.0 == offset));
            assert_eq!(is_there, message_end <= end, "seed {seed}: {queue} {offset} ends at {message_end}, log ends at {end}");
        }
    }
}

#[test]
fn a_killed_process_loses_nothing() {
    for seed in 0..50 {
        for flush in [FlushMode::Sync, FlushMode::Async { interval: std::time::Duration::from_millis(500) }] {
            let mut world = World::new(seed);
            world.config.flush = flush;
            let store = world.open();
            run(&world, &store, &mut History::default(), 150).expect("nothing fails");
            drop(store);
            world.sim.kill();
            world.check_all(&world.open());
        }
    }
}

#[test]
fn retention_around_a_crash_keeps_offsets() {
    for at in 0..80 {
        let mut world = World::new(at);
        world.config.retention.file_reserved_hours = 1;
        let store = world.open();
        let mut next = BTreeMap::new();
        for n in 0..150 {
            let queue = (["A", "B"][n % 2], n as u32 % 3);
            // Topic B falls silent, so that retention takes all of it.
            if queue.0 == "A" || n < 60 {
                next.insert(queue, world.send(&store, queue.0, queue.1, n).expect("appended").queue_offset.0 + 1);
                next.extend(world::lights_of(n).iter().map(|name| ((*name, 0), world.next(name, 0))));
            }
            if n % 9 == 0 {
                store.tick();
            }
        }
        store.tick();
        world.clock.advance(Duration::from_secs(3700));
        world.sim.fail_at(world.sim.operations() + at, Fault::PowerCut);
        store.delete_expired();
        store.tick();
        drop(store);
        world.sim.crash();
        world.sim.clear_faults();
        let store = open_again(&world);
        for ((topic, queue_id), next) in next {
            let (min, max) = store.bounds(topic, queue_id).expect("the queue is known");
            assert_eq!(max.0, next, "cut {at}: {topic} {queue_id}");
            let read = world.read_all(&store, topic, queue_id);
            assert_eq!(world::offsets(&read), (min.0..max.0).collect::<Vec<_>>(), "cut {at}: {topic} {queue_id}");
            assert_eq!(world.send(&store, topic, queue_id, 1000).expect("appended").queue_offset.0, next, "cut {at}: {topic} {queue_id}");
        }
    }
}

/// `ROXMQ_CUTS` says in how many power cuts.
#[test]
fn a_segment_that_is_made_of_an_old_one_never_shows_what_was_in_it() {
    let cuts = number("ROXMQ_CUTS", 300);
    let mut reused = 0;
    for seed in 0..cuts {
        let (mut world, at) = (World::new(seed), seed % 300);
        world.config.retention.retention_bytes = Some(world.config.segment_bytes);
        let store = world.open();
        let (mut durable, mut begun) = (0, false);
        world.sim.fail_at(world.sim.operations() + 150 + at, Fault::PowerCut);
        for n in 0..240 {
            let Ok(placed) = world.send(&store, "T", 0, n) else { break };
            if n % 5 == 0 {
                store.tick();
                if store.confirmed() >= placed.end {
                    durable = placed.queue_offset.0 + 1;
                }
                store.delete_expired();
                begun |= world.sim.disk().list("/store/commitlog".as_ref()).is_ok_and(|names| names.iter().any(|name| name == "spare.tmp"));
            }
        }
        reused += u64::from(begun && durable > 0);
        drop(store);
        world.sim.crash();
        world.sim.clear_faults();
        let store = open_again(&world);
        let (min, max) = store.bounds("T", 0).expect("the queue is known");
        assert!(max.0 >= durable, "cut {seed}: {durable} were durable, there are {max}");
        let read = world.read_all(&store, "T", 0);
        assert_eq!(world::offsets(&read), (min.0..max.0).collect::<Vec<_>>(), "cut {seed}");
        for (offset, body) in read {
            assert_eq!(body, world::body_of("T", 0, offset), "cut {seed}: {offset}");
        }
    }
    assert!(reused > cuts / 3, "an old segment was kept in {reused} of {cuts} runs");
}
