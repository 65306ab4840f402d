//! Batches that are atomic: all of one is there after a crash, or nothing, wherever it happens and however the log is flushed.

mod world;

use roxmq_env::disk::Fault;
use roxmq_protocol::record::BLANK_BYTES;
use roxmq_store::{AppendError, FlushMode, OpenError, Store};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use world::World;

/// A message: topic, queue id, number. What it says follows from these.
type Message = (&'static str, u32, usize);

const TOPICS: [&str; 3] = ["A", "B", "Topic-with-a-longer-name"];

/// What was tried, and where the log has to reach.
#[derive(Default)]
struct History {
    numbers: usize,
    atomic: Vec<Vec<Message>>,
    kept: i64,
}

impl History {
    fn messages(&mut self, count: usize, random: &mut fastrand::Rng) -> Vec<Message> {
        (0..count)
            .map(|_| {
                self.numbers += 1;
                (TOPICS[random.usize(0..3)], random.u32(0..2), self.numbers)
            })
            .collect()
    }

    /// Sends ordinary batches and atomic ones, flushes now and then; the same steps for a seed. Ends at the first error.
    fn run(&mut self, world: &World, store: &Arc<Store>, steps: usize) -> Result<(), AppendError> {
        let mut random = fastrand::Rng::with_seed(world.seed ^ 0xa11);
        for _ in 0..steps {
            world.clock.advance(Duration::from_millis(3));
            match random.u8(0..20) {
                0..6 => {
                    let count = random.usize(1..5);
                    let messages = self.messages(count, &mut random);
                    world.send_batch(store, &messages)?;
                }
                6..14 => {
                    let count = random.usize(1..9);
                    let messages = self.messages(count, &mut random);
                    self.atomic.push(messages.clone());
                    world.send_atomic(store, &messages)?;
                }
                14..17 => store.tick(),
                _ => {
                    let _ = store.flush();
                }
            }
            if let Some(cause) = store.fenced() {
                return Err(AppendError::Fenced(cause));
            }
            self.kept = store.watermarks().flushed().0;
        }
        Ok(())
    }

    fn check(&self, world: &World, store: &Store, at: &str) {
        let what = || format!("seed {} {at}", world.seed);
        assert!(store.watermarks().written().0 >= self.kept, "{}: the log ends before what was durable", what());
        let queues = TOPICS.iter().flat_map(|topic| [(topic, 0), (topic, 1)]);
        let read: HashSet<Vec<u8>> =
            queues.flat_map(|(topic, queue_id)| world.read_all(store, topic, queue_id)).map(|(_, body)| body).collect();
        for batch in &self.atomic {
            let is_there = |(topic, queue_id, number): &&Message| read.contains(&world::body_of(topic, *queue_id, *number as i64));
            let there = batch.iter().filter(is_there).count();
            assert!(there == 0 || there == batch.len(), "{}: {there} of {} are there: {batch:?}", what(), batch.len());
        }
    }
}

fn world(seed: u64, flush: FlushMode) -> World {
    let mut world = World::new(seed);
    world.config.flush = flush;
    world
}

fn open_again(world: &World) -> Arc<Store> {
    loop {
        match world.try_open() {
            Ok(store) => return store,
            Err(OpenError::Disk { .. }) if world.sim.is_dead() => world.sim.crash(),
            Err(error) => panic!("seed {}: {error}", world.seed),
        }
    }
}

const ASYNC: FlushMode = FlushMode::Async { interval: std::time::Duration::from_millis(500) };

/// Cuts the power at operation `at`, again while recovering, goes on and cuts it once more.
fn cut_at(seed: u64, flush: FlushMode, at: u64, steps: usize) {
    let mut world = world(seed, flush);
    world.sim.fail_at(at, Fault::PowerCut);
    let mut history = History::default();
    if let Ok(store) = world.try_open() {
        let _ = history.run(&world, &store, steps);
    }
    world.sim.crash();
    let mut random = fastrand::Rng::with_seed(seed ^ at << 20);
    if random.bool() {
        world.sim.fail_at(world.sim.operations() + random.u64(0..12), Fault::PowerCut);
    }
    let store = open_again(&world);
    world.sim.clear_faults();
    history.check(&world, &store, &format!("{flush:?} cut at {at}"));

    world.seed = seed + 1;
    history.run(&world, &store, 20).expect("nothing fails");
    drop(store);
    world.sim.crash();
    history.check(&world, &open_again(&world), &format!("{flush:?} cut at {at}, went on, cut again"));
}

#[test]
fn all_or_nothing_at_every_operation() {
    const STEPS: usize = 40;
    for flush in [FlushMode::Sync, ASYNC] {
        for seed in 0..2 {
            let world = world(seed, flush);
            let store = world.open();
            History::default().run(&world, &store, STEPS).expect("nothing fails");
            for at in 0..world.sim.operations() {
                cut_at(seed, flush, at, STEPS);
            }
        }
    }
}

#[test]
fn all_or_nothing_when_the_disk_is_full_or_fails() {
    const STEPS: usize = 40;
    for fault in [Fault::NoSpace, Fault::Io] {
        for flush in [FlushMode::Sync, ASYNC] {
            for at in (0..160).step_by(3) {
                let world = world(at, flush);
                let store = world.open();
                world.sim.fail_at(world.sim.operations() + at, fault);
                let mut history = History::default();
                while let Err(AppendError::DiskFull) = history.run(&world, &store, STEPS) {
                    store.tick();
                    assert!(!store.disk_full(), "there is room again");
                }
                history.check(&world, &store, &format!("{fault:?} {flush:?} at {at}"));
                drop(store);
                world.sim.clear_faults();
                world.sim.crash();
                history.check(&world, &open_again(&world), &format!("{fault:?} {flush:?} at {at}, opened again"));
            }
        }
    }
}

#[test]
fn a_killed_process_leaves_all_or_nothing_of_what_it_was_writing() {
    for seed in 0..300 {
        let world = world(seed, ASYNC);
        let store = world.open();
        let mut history = History::default();
        // The write that is cut off stays as it is: the machine goes on.
        world.sim.fail_at(seed % 60 + 5, Fault::Io);
        let _ = history.run(&world, &store, 60);
        drop(store);
        world.sim.kill();
        world.sim.clear_faults();
        history.check(&world, &open_again(&world), "killed");
    }
}

#[test]
fn an_atomic_batch_lies_in_one_segment_and_must_fit_into_it() {
    let world = World::new(5);
    let store = world.open();
    let mut random = fastrand::Rng::with_seed(5);
    let mut history = History::default();
    let mut straddled = 0;
    for round in 0..60 {
        let count = random.usize(2..9);
        let messages = history.messages(count, &mut random);
        let placed = if round % 2 == 0 { world.send_atomic(&store, &messages) } else { world.send_batch(&store, &messages) };
        let placed = placed.expect("fits");
        let segment_of = |offset: i64| offset / world.config.segment_bytes as i64;
        let segments = segment_of(placed[count - 1].log_offset.0) - segment_of(placed[0].log_offset.0);
        assert!(segments == 0 || round % 2 == 1, "round {round}");
        straddled += segments;
    }
    assert!(straddled > 0, "ordinary batches do");
    let many = history.messages(60, &mut random);
    let refused = world.send_atomic(&store, &many).expect_err("too long");
    assert!(matches!(refused, AppendError::TooLarge { max, .. } if max == world.config.segment_bytes as usize - BLANK_BYTES));
    assert_eq!(store.record_bytes_max(), world.config.segment_bytes as usize - BLANK_BYTES);
    world.send_batch(&store, &many).expect("as an ordinary one it fits");
    store.shutdown();
    drop(store);
    world.check_all(&world.open());
}
