//! What is lost when bits flip and files vanish: the record that was hit, and nothing else. Nothing wrong is ever served.

mod world;

use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::time::Timestamp;
use roxmq_store::{KeyKind, KeyQuery, ReadStatus, Store};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use world::World;

fn filled(world: &World, messages: usize) -> std::sync::Arc<Store> {
    let store = world.open();
    let mut random = fastrand::Rng::with_seed(world.seed);
    for n in 0..messages {
        world.clock.advance(Duration::from_millis(5));
        world.send(&store, ["A", "B"][random.usize(0..2)], random.u32(0..2), n).expect("appended");
        if random.u8(0..10) == 0 {
            store.tick();
        }
    }
    store.tick();
    store
}

/// How many of the messages sent are not everywhere where they should be. Whatever is there is right: `read_all` and this check it.
fn missing(world: &World, store: &Store) -> usize {
    let mut missing = BTreeSet::new();
    for ((topic, queue_id), sent) in world.sent.borrow().iter() {
        let read = world.read_all(store, topic, *queue_id);
        assert!(read.windows(2).all(|pair| pair[0].0 < pair[1].0), "seed {}: offsets go back", world.seed);
        for (offset, body) in &read {
            let sent = sent.get(offset).map(|(_, body)| body);
            assert!(sent == Some(body), "seed {}: {topic} {queue_id} {offset} is not what was sent", world.seed);
        }
        let read: BTreeSet<i64> = read.iter().map(|(offset, _)| *offset).collect();
        missing.extend(sent.iter().filter(|(offset, _)| !read.contains(offset)).map(|(_, (at, _))| at.log_offset));
    }
    missing.len()
}

/// Damage in an index file is noticed when it is read, and mended soon after.
fn missing_when_healed(world: &World, store: &Store) -> usize {
    let files = store.stats().index_files;
    (0..=files).fold(0, |_, _| {
        let missing = missing(world, store);
        store.tick();
        missing
    })
}

fn files(world: &World, folder: &str) -> Vec<PathBuf> {
    let folder = Path::new("/store").join(folder);
    world.sim.disk().list(&folder).expect("lists").iter().map(|name| folder.join(name)).collect()
}

fn remove_all(world: &World, paths: &[PathBuf]) {
    paths.iter().for_each(|path| world.sim.disk().remove(path).expect("removes"));
}

/// Says where.
fn flip_a_bit(world: &World, path: &Path, random: &mut fastrand::Rng) -> usize {
    let len = world.sim.disk().read(path).expect("reads").expect("there").len();
    let at = random.usize(0..len.max(1));
    if len > 0 {
        world.sim.flip(path, at, 1 << random.u8(0..8));
    }
    at
}

#[test]
fn a_flipped_bit_costs_one_record_at_most() {
    for seed in 0..250 {
        let world = World::new(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let store = filled(&world, 150);
        // Then everything is in index files, which can tell each bit.
        store.shutdown();
        drop(store);
        let files: Vec<_> = [files(&world, "commitlog"), files(&world, "index"), files(&world, "")].concat();
        let path = &files[random.usize(0..files.len())];
        flip_a_bit(&world, path, &mut random);
        let store = world.open();
        // What a damaged index file does not say comes back when it is rebuilt.
        let lost = missing_when_healed(&world, &store);
        let lost_max = usize::from(path.starts_with("/store/commitlog"));
        assert!(lost <= lost_max, "seed {seed}: {lost} lost after a flip in {}", path.display());
        // It goes on.
        for n in 1000..1020 {
            world.sent.borrow_mut().clear();
            world.send(&store, "A", 0, n).expect("appended");
        }
        store.tick();
        drop(store);
        world.sim.crash();
        world.open();
    }
}

#[test]
fn a_flipped_bit_without_index_files_costs_one_record_at_most() {
    for seed in 0..250 {
        let world = World::new(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        drop(filled(&world, 150));
        world.sim.kill();
        remove_all(&world, &files(&world, "index"));
        let logs = files(&world, "commitlog");
        let path = &logs[random.usize(0..logs.len())];
        let at = flip_a_bit(&world, path, &mut random);
        let store = world.open();
        let lost = lost_or_misplaced(&world, &store);
        assert!(lost <= 1, "seed {seed}: {lost} lost after a flip in {} at {at}", path.display());
    }
}

/// Without an index nothing tells that a topic, a queue id or an offset has been damaged, if it fits.
fn lost_or_misplaced(world: &World, store: &Store) -> usize {
    let mut wrong = BTreeSet::new();
    for ((topic, queue_id), sent) in world.sent.borrow().iter() {
        let read = world.read_all_unchecked(store, topic, *queue_id);
        let is_there = |offset: i64, body: &[u8]| read.iter().any(|(at, found)| *at == offset && found == body);
        wrong.extend(sent.iter().filter(|(offset, (_, body))| !is_there(**offset, body)).map(|(_, (at, _))| at.log_offset));
    }
    wrong.len()
}

#[test]
fn derived_files_are_rebuilt() {
    for seed in 0..60 {
        let world = World::new(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let store = filled(&world, 200);
        if seed % 2 == 0 {
            store.shutdown();
        }
        drop(store);
        world.sim.kill();
        let mut derived = files(&world, "index");
        match seed % 4 {
            0 => remove_all(&world, &derived),
            1 => {
                random.shuffle(&mut derived);
                remove_all(&world, &derived[..derived.len() / 2]);
            }
            2 => {
                for path in &derived {
                    let file = world.sim.disk().open(path, roxmq_env::disk::Open::Write).expect("opens");
                    file.set_len(random.u64(0..file.len().expect("len"))).expect("cuts");
                }
            }
            _ => derived.iter().for_each(|path| {
                flip_a_bit(&world, path, &mut random);
            }),
        }
        if random.bool() {
            let others = files(&world, "").into_iter().filter(|path| path.ends_with("store.checkpoint") || path.ends_with("store.flushed"));
            remove_all(&world, &others.collect::<Vec<_>>());
        }
        let store = world.open();
        missing_when_healed(&world, &store);
        world.check_all(&store);
        let find = |n| {
            let key = format!("unique-{n}");
            ["A", "B"]
                .iter()
                .map(|topic| {
                    store.query(&KeyQuery { topic, key: &key, kind: KeyKind::Unique, stored: Timestamp(0)..=Timestamp::MAX, max: 10 }).len()
                })
                .sum::<usize>()
        };
        for n in [3, 77, 150] {
            find(n);
            store.tick();
            assert_eq!(find(n), 1, "seed {seed}: message {n}");
        }
        drop(store);
        world.sim.crash();
        world.check_all(&world.open());
    }
}

#[test]
fn an_index_file_damaged_while_open_heals() {
    let world = World::new(5);
    let store = filled(&world, 300);
    let index = files(&world, "index");
    world.sim.flip(&index[0], 4096 + 5, 0x10);
    let (result, _) = world.read(&store, "A", 0, 0, 5);
    assert_eq!((result.status, result.next), (ReadStatus::OffsetFoundNull, QueueOffset(0)));
    store.tick();
    world.check_all(&store);
    drop(store);
    world.sim.crash();
    world.check_all(&world.open());
}

#[test]
fn a_damaged_record_is_passed_over_and_counted() {
    let world = World::new(6);
    let store = filled(&world, 300);
    let hit = world.placed("A", 0, 20).expect("placed");
    let at = hit.log_offset.0 as u64;
    let segment = at / 8192 * 8192;
    world.sim.flip(Path::new(&format!("/store/commitlog/{segment:020}")), (at - segment) as usize + 100, 1);
    assert!(store.message_at(hit.log_offset).is_none());
    assert_eq!(missing(&world, &store), 1);
    assert!(store.stats().damaged_records > 0);
    let (result, _) = world.read(&store, "A", 0, 20, 1);
    assert_eq!((result.status, result.next), (ReadStatus::NoMatchedMessage, QueueOffset(21)));
}

#[test]
fn bytes_of_an_earlier_life_are_not_records() {
    for seed in 0..150 {
        let world = World::new(seed);
        let store = world.open();
        // All of one size, so that what is appended later ends where an old record begins.
        for n in 0..10 {
            world.send(&store, "T", 0, n * 400).expect("appended");
        }
        drop(store);
        world.sim.crash();
        let store = world.open();
        let left = store.bounds("T", 0).map_or(0, |(_, max)| max.0);
        world.sent.borrow_mut().values_mut().for_each(|sent| sent.retain(|offset, _| *offset < left));
        world.send(&store, "T", 0, 4000).expect("appended");
        store.tick();
        drop(store);
        world.sim.kill();
        world.check_all(&world.open());
    }
}

#[test]
fn a_vanished_segment_takes_only_its_own() {
    let world = World::new(8);
    drop(filled(&world, 300));
    world.sim.kill();
    let logs = files(&world, "commitlog");
    remove_all(&world, &logs[1..2]);
    let store = world.open();
    let (from, to) = (8192, 16384);
    let sent = world.sent.borrow();
    let gone = sent.values().flat_map(|sent| sent.values()).filter(|(at, _)| (from..to).contains(&at.log_offset.0));
    let gone: BTreeSet<_> = gone.map(|(at, _)| at.log_offset).collect();
    assert!(!gone.is_empty());
    assert_eq!(missing(&world, &store), gone.len());
}

/// As a Java broker leaves its `commitlog`: no file of ours, and the next file made ahead.
#[test]
fn opens_a_log_that_another_broker_wrote() {
    let world = World::new(10);
    let store = filled(&world, 300);
    let end = store.watermarks().written().0;
    drop(store);
    world.sim.kill();
    remove_all(&world, &[files(&world, "index"), files(&world, "")].concat());
    let ahead = format!("/store/commitlog/{:020}", (end / 8192 + 1) * 8192);
    world.sim.disk().open(Path::new(&ahead), roxmq_env::disk::Open::Create).expect("creates").set_len(8192).expect("extends");
    let store = world.open();
    world.check_all(&store);
    assert_eq!(store.watermarks().written().0, end);
    for n in 300..400 {
        world.send(&store, "A", 1, n).expect("appended");
    }
    store.tick();
    drop(store);
    world.sim.crash();
    world.check_all(&world.open());
}
