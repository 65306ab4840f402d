//! Files of the log are gone, empty or cut: a start says what is missing, counts it, serves the rest and goes on; or refuses, and changes
//! nothing.

mod world;

use roxmq_env::disk::Open;
use roxmq_protocol::position::LogOffset;
use roxmq_store::verify::{self, Folder, ProblemKind};
use roxmq_store::{Missing, OpenError, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use world::World;

const QUEUES: [(&str, u32); 4] = [("A", 0), ("A", 1), ("B", 0), ("B", 1)];

/// How a store came to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Stop,
    Kill,
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Harm {
    Gone,
    Empty,
    Cut,
}

fn filled(seed: u64, end: End) -> World {
    let world = World::new(seed);
    let store = world.open();
    let mut random = fastrand::Rng::with_seed(seed);
    for n in 0..200 {
        world.clock.advance(Duration::from_millis(5));
        let (topic, queue_id) = QUEUES[random.usize(0..4)];
        world.send(&store, topic, queue_id, n).expect("appended");
        if random.u8(0..10) == 0 {
            store.tick();
        }
    }
    store.tick();
    if end == End::Stop {
        store.shutdown();
    }
    drop(store);
    world.sim.kill();
    world
}

fn files(world: &World, folder: &str) -> Vec<PathBuf> {
    let folder = Path::new("/store").join(folder);
    world.sim.disk().list(&folder).expect("lists").iter().map(|name| folder.join(name)).collect()
}

/// The files of the log that have something in them, not one that was made ahead.
fn log(world: &World) -> Vec<PathBuf> {
    let has_records = |path: &PathBuf| world.sim.disk().read(path).expect("reads").is_some_and(|bytes| bytes[..8] != [0; 8]);
    files(world, "commitlog").into_iter().filter(|path| path.extension().is_none() && has_records(path)).collect()
}

/// Where a file of the log was, and where what is left of it ends.
fn harm(world: &World, path: &Path, harm: Harm) -> (i64, i64) {
    let base: i64 = path.file_name().and_then(|name| name.to_str()).expect("a name").parse().expect("an offset");
    let open = || world.sim.disk().open(path, Open::Write).expect("opens");
    match harm {
        Harm::Gone => world.sim.disk().remove(path).expect("removes"),
        Harm::Empty => open().set_len(0).expect("cuts"),
        Harm::Cut => open().set_len(3000).expect("cuts"),
    }
    (base, if harm == Harm::Cut { base + 3000 } else { base })
}

/// The messages that were in a part of the log, of each queue.
fn sent_in(world: &World, from: i64, to: i64) -> BTreeMap<(String, u32), usize> {
    let sent = world.sent.borrow();
    let count = |sent: &BTreeMap<i64, (roxmq_store::Placed, Vec<u8>)>| {
        sent.values().filter(|(at, _)| at.end.0 > from && at.log_offset.0 < to).count()
    };
    sent.iter().map(|(queue, sent)| (queue.clone(), count(sent))).filter(|(_, count)| *count > 0).collect()
}

fn check_rest(world: &World, store: &Store, from: i64, to: i64) {
    for ((topic, queue_id), sent) in world.sent.borrow().iter() {
        let left = sent.iter().filter(|(_, (at, _))| at.end.0 <= from || at.log_offset.0 >= to);
        let left: Vec<_> = left.map(|(offset, (_, body))| (*offset, body.clone())).collect();
        assert!(world.read_all(store, topic, *queue_id) == left, "seed {}: {topic} {queue_id}", world.seed);
    }
}

#[test]
fn nothing_is_missing_while_all_files_are_there() {
    for seed in 0..10 {
        for end in [End::Stop, End::Kill] {
            let world = filled(seed, end);
            let store = world.open();
            assert_eq!(store.missing(), &Missing::default(), "seed {seed} {end:?}");
            world.check_all(&store);
        }
    }
}

#[test]
fn a_file_in_the_middle_is_missed_at_each_start_and_the_rest_is_served() {
    for (seed, end) in (0..20).flat_map(|seed| [(seed, End::Stop), (seed, End::Kill)]) {
        for how in [Harm::Gone, Harm::Empty, Harm::Cut] {
            let world = filled(seed, end);
            let log = log(&world);
            let which = 1 + seed as usize % (log.len() - 2);
            let (base, from) = harm(&world, &log[which], how);
            let to = base + 8192;
            let what = format!("seed {seed} {end:?} {how:?} {which} of {}", log.len());
            let lost = sent_in(&world, from, to);
            let mut next = BTreeMap::new();
            for start in 0..3 {
                let store = world.open();
                let missing = store.missing();
                assert_eq!(missing.ranges, vec![LogOffset(from)..LogOffset(to); 1], "{what} start {start}");
                assert_eq!(missing.bytes(), (to - from) as u64);
                // Of a queue that has nothing behind the gap only index files about it can tell, and they go.
                if start == 0 && how != Harm::Cut {
                    assert_eq!(missing.messages as usize, lost.values().sum(), "{what} start {start}");
                    assert_eq!(missing.queues, lost.len(), "{what} start {start}");
                }
                assert!(missing.messages as usize <= lost.values().sum(), "{what} start {start}: {missing}");
                check_rest(&world, &store, from, to);
                for (topic, queue_id) in QUEUES {
                    let at = world.send(&store, topic, queue_id, 1000 + start).expect("appended").queue_offset.0;
                    let expected = next.insert((topic, queue_id), at + 1).unwrap_or(world.next(topic, queue_id) - 1);
                    assert_eq!(at, expected, "{what} start {start}: {topic} {queue_id}");
                }
                store.tick();
                check_rest(&world, &store, from, to);
                drop(store);
                world.sim.kill();
            }
            let folder = Folder { root: "/store".into(), commit_log_dir: None };
            let report = verify::verify(&world.sim.disk(), &folder, &mut |_, _| ()).expect("looks");
            let named = report.problems.iter().find(|problem| problem.kind == ProblemKind::Segment).expect("named");
            assert_eq!(named.what, format!("the log from {from} to {to} is missing"), "{what}");
        }
    }
}

#[test]
fn an_end_that_is_missing_is_said_once_and_its_offsets_are_not_given_out_again() {
    let mut counted = BTreeSet::new();
    for (seed, end) in (0..20).flat_map(|seed| [(seed, End::Stop), (seed, End::Kill)]) {
        for how in [Harm::Gone, Harm::Empty, Harm::Cut] {
            let world = filled(seed, end);
            let log = log(&world);
            let known_to = world.sent.borrow().values().flat_map(|sent| sent.values()).map(|(at, _)| at.end.0).max().expect("sent");
            let last = log.last().expect("a file");
            let base: i64 = last.file_name().unwrap().to_str().unwrap().parse().unwrap();
            if how == Harm::Cut && known_to <= base + 3000 {
                continue;
            }
            harm(&world, last, how);
            let what = format!("seed {seed} {end:?} {how:?}");
            let store = world.open();
            let missing = store.missing().clone();
            assert_eq!(missing.ranges.len(), 1, "{what}: {missing}");
            let (from, to) = (missing.ranges[0].start.0, missing.ranges[0].end.0);
            assert_eq!(to, known_to, "{what}");
            assert!(from >= base && (how == Harm::Cut || from == base), "{what}: {missing}");
            let lost = sent_in(&world, from, to);
            if end == End::Stop {
                assert_eq!((missing.messages as usize, missing.queues), (lost.values().sum(), lost.len()), "{what}");
            }
            counted.insert(missing.messages > 0);
            check_rest(&world, &store, from, i64::MAX);
            // One message of a queue, alone behind the gap, is not taken for one with a damaged offset.
            let mut alone = BTreeMap::new();
            for (topic, queue_id) in QUEUES {
                let at = world.send(&store, topic, queue_id, 1000).expect("appended").queue_offset.0;
                alone.insert((topic, queue_id), at);
                assert!(end == End::Kill || at == world.next(topic, queue_id) - 1, "{what}");
            }
            assert_eq!(store.flush(), roxmq_store::Flush::Durable);
            drop(store);
            world.sim.kill();
            for _ in 0..2 {
                let store = world.open();
                assert_eq!(store.missing(), &Missing::default(), "{what}: it is said once");
                for ((topic, queue_id), at) in &alone {
                    let read = world.read_all_unchecked(&store, topic, *queue_id);
                    assert_eq!(read.last().map(|(offset, _)| *offset), Some(*at), "{what}: {topic} {queue_id}");
                }
                drop(store);
                world.sim.kill();
            }
        }
    }
    assert!(counted.contains(&true));
}

/// Sends until the log has grown to so many bytes. The messages are in no light queue.
fn fill(world: &World, store: &Store, topic: &str, to: i64) {
    while store.watermarks().written().0 < to {
        world.send(store, topic, 0, 4).expect("appended");
        store.tick();
    }
}

fn newest(world: &World, store: &Store, topic: &str) -> Option<i64> {
    world.read_all_unchecked(store, topic, 0).last().map(|(offset, _)| *offset)
}

/// A message alone behind a gap in its queue has a damaged offset where nothing explains the gap.
#[test]
fn a_message_alone_behind_a_missing_file_is_kept() {
    let world = World::new(5);
    let store = world.open();
    (0..3).for_each(|_| assert!(world.send(&store, "B", 0, 4).is_ok()));
    fill(&world, &store, "A", 5000);
    assert!(world.send(&store, "B", 0, 4).is_ok());
    fill(&world, &store, "A", 9000);
    assert!(world.send(&store, "B", 0, 4).is_ok());
    fill(&world, &store, "A", 17_000);
    let alone = world.send(&store, "B", 0, 4).expect("appended").queue_offset.0;
    assert_eq!(store.flush(), roxmq_store::Flush::Durable);
    drop(store);
    world.sim.kill();
    world.sim.disk().remove(Path::new("/store/store.checkpoint")).expect("there");
    harm(&world, &log(&world)[1], Harm::Gone);
    for start in 0..3 {
        let store = world.open();
        assert_eq!((store.missing().ranges.len(), newest(&world, &store, "B")), (1, Some(alone)), "start {start}");
        drop(store);
        world.sim.kill();
    }
}

/// The first segment is not complete yet, so there is no checkpoint that would know the next offset.
#[test]
fn a_message_alone_behind_a_missing_end_is_kept() {
    let mut world = World::new(6);
    // Large enough that the next one is not made ahead yet.
    world.config.segment_bytes = 32 << 10;
    let store = world.open();
    while files(&world, "index").is_empty() {
        let end = store.watermarks().written().0 + 1;
        fill(&world, &store, "A", end);
    }
    drop(store);
    world.sim.kill();
    assert!(!files(&world, "").iter().any(|path| path.ends_with("store.checkpoint")));
    harm(&world, &log(&world)[0], Harm::Cut);
    let store = world.open();
    let next = world.next("A", 0);
    assert_eq!(store.missing().ranges.len(), 1);
    assert_eq!(world.send(&store, "A", 0, 4).expect("appended").queue_offset.0, next, "offsets are not given out again");
    assert_eq!(store.flush(), roxmq_store::Flush::Durable);
    drop(store);
    for start in 0..3 {
        world.sim.kill();
        let store = world.open();
        assert_eq!((store.missing().ranges.len(), newest(&world, &store, "A")), (0, Some(next)), "start {start}");
    }
}

#[test]
fn a_log_that_is_gone_is_missing() {
    let world = filled(3, End::Stop);
    let sent: usize = world.sent.borrow().values().map(BTreeMap::len).sum();
    for path in log(&world) {
        harm(&world, &path, Harm::Gone);
    }
    let missing = world.open().missing().clone();
    assert_eq!((missing.ranges[0].start.0, missing.messages as usize), (0, sent), "{missing}");
    world.sim.kill();
    assert!(world.open().missing().is_empty());
}

#[test]
fn the_oldest_files_may_have_expired() {
    for seed in 0..10 {
        let world = filled(seed, End::Stop);
        let log = log(&world);
        for path in &log[..1 + seed as usize % 3] {
            harm(&world, path, Harm::Gone);
        }
        assert!(world.open().missing().is_empty(), "seed {seed}");
    }
}

#[test]
fn a_start_can_be_refused_and_succeeds_when_the_file_is_back() {
    for (seed, end) in (0..10).flat_map(|seed| [(seed, End::Stop), (seed, End::Kill)]) {
        for (last, harm_done) in
            [(false, Harm::Gone), (true, Harm::Gone), (false, Harm::Empty), (true, Harm::Empty), (false, Harm::Cut), (true, Harm::Cut)]
        {
            let mut world = filled(seed, end);
            world.config.opens_with_missing = false;
            let log = log(&world);
            let path = if last { &log[log.len() - 1] } else { &log[1] };
            let kept = world.sim.disk().read(path).unwrap().unwrap();
            let (from, to) = harm(&world, path, harm_done);
            if harm_done == Harm::Cut && last && (end == End::Kill || sent_in(&world, to.max(from), i64::MAX).is_empty()) {
                // Nothing follows the cut, or no file says that it was on the disk.
                continue;
            }
            for start in 1..=2 {
                let what = format!("seed {seed}, {end:?}, last {last}, {harm_done:?}, start {start}");
                let refused = world.try_open().map(drop).expect_err(&what);
                assert!(matches!(&refused, OpenError::Missing(missing) if missing.bytes() > 0 && missing.messages > 0), "{refused}");
                assert!(refused.to_string().contains("startWithMissingLog"), "{refused}");
                world.sim.kill();
            }
            world.sim.disk().replace_atomically(path, &kept).expect("put back");
            let store = world.open();
            assert!(store.missing().is_empty());
            world.check_all(&store);
        }
    }
}

#[test]
fn a_missing_part_is_said_in_one_line() {
    let missing = Missing { ranges: (0..7).map(|n| LogOffset(n * 100)..LogOffset(n * 100 + 10)).collect(), messages: 12, queues: 3 };
    assert_eq!(
        missing.to_string(),
        "70 bytes of the commit log are missing (from 0 to 10, from 100 to 110, from 200 to 210, from 300 to 310, from 400 to 410, \
         and 2 more ranges), with at least 12 messages of 3 queues"
    );
}
