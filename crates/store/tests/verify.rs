//! `verify` finds planted damage of every kind and names it, and says nothing about what is sound; `repair` makes good what is derived
//! and leaves the log alone.

mod world;

use roxmq_env::disk::Open;
use roxmq_protocol::position::LogOffset;
use roxmq_store::repair::{self, Repair};
use roxmq_store::verify::{self, Folder, FolderError, ProblemKind, Report};
use std::path::{Path, PathBuf};
use std::time::Duration;
use world::World;

/// A store with sealed segments, index files for parts, and records behind them.
fn filled(seed: u64, clean: bool) -> World {
    let world = World::new(seed);
    let store = world.open();
    let mut random = fastrand::Rng::with_seed(seed);
    for n in 0..300 {
        world.clock.advance(Duration::from_millis(5));
        world.send(&store, ["A", "B"][random.usize(0..2)], random.u32(0..2), n).expect("appended");
        if random.u8(0..10) == 0 {
            store.tick();
        }
    }
    assert_eq!(store.flush(), roxmq_store::Flush::Durable);
    if clean {
        store.shutdown();
    }
    drop(store);
    world.sim.kill();
    world
}

fn folder() -> Folder {
    Folder { root: "/store".into(), commit_log_dir: None }
}

fn look(world: &World) -> Report {
    verify::verify(&world.sim.disk(), &folder(), &mut |_, _| ()).expect("can be looked at")
}

fn mend(world: &World, truncate_at: Option<LogOffset>) -> repair::Repaired {
    repair::repair(&world.sim.disk(), &folder(), Repair { truncate_at }, &mut |_, _| ()).expect("can be repaired")
}

fn files(world: &World, folder: &str) -> Vec<PathBuf> {
    let folder = Path::new("/store").join(folder);
    world.sim.disk().list(&folder).expect("lists").iter().map(|name| folder.join(name)).collect()
}

/// Everything in the log, to see that it is not touched.
fn log_of(world: &World) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    files(world, "commitlog").into_iter().map(|path| (path.clone(), world.sim.disk().read(&path).expect("reads"))).collect()
}

fn kinds(report: &Report) -> Vec<ProblemKind> {
    let mut kinds: Vec<_> = report.problems.iter().map(|problem| problem.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[test]
fn a_sound_folder_is_silent() {
    for seed in 0..20 {
        for clean in [true, false] {
            let world = filled(seed, clean);
            let before = log_of(&world);
            let report = look(&world);
            assert_eq!(report.problems, [], "seed {seed} clean {clean}");
            assert_eq!(report.records, 300);
            let own = report.queues.iter().filter(|((topic, _), _)| !topic.starts_with('%'));
            let in_queues: i64 = own.map(|(_, next)| next.0).sum();
            assert_eq!(in_queues, 300);
            assert!(!clean || report.index_entries >= 300, "seed {seed}: {report:?}");
            assert_eq!(log_of(&world), before);
            world.check_all(&world.open());
        }
    }
}

#[test]
fn what_a_power_cut_leaves_is_sound_too() {
    for seed in 0..60 {
        let world = World::new(seed);
        let store = world.open();
        for n in 0..120 {
            world.send(&store, "A", n as u32 % 2, n).expect("appended");
            if n % 7 == 0 {
                store.tick();
            }
        }
        drop(store);
        world.sim.crash();
        assert_eq!(look(&world).problems, [], "seed {seed}");
    }
}

#[test]
fn any_flipped_bit_is_found() {
    for seed in 0..120 {
        let world = filled(seed, true);
        let mut random = fastrand::Rng::with_seed(seed);
        let all = [files(&world, "commitlog"), files(&world, "index"), files(&world, "")].concat();
        let all: Vec<_> = all.into_iter().filter(|path| !path.ends_with("lock")).collect();
        let path = &all[random.usize(0..all.len())];
        let bytes = world.sim.disk().read(path).expect("reads").expect("there");
        let at = random.usize(0..bytes.len());
        let mask = 1 << random.u8(0..8);
        world.sim.flip(path, at, mask);
        let report = look(&world);
        let expected: &[ProblemKind] = match path.to_str().expect("text") {
            path if path.contains("/commitlog/") => &[ProblemKind::Record],
            path if path.contains("/index/") => &[ProblemKind::Index],
            path if path.ends_with("checkpoint") => &[ProblemKind::Checkpoint],
            _ => &[ProblemKind::Flushed],
        };
        let what = format!("seed {seed}: byte {at} mask {mask} of {}: {report:?}", path.display());
        if expected == [ProblemKind::Record] && report.problems.is_empty() {
            // Bytes that mean nothing, and store times, of which there is no second witness.
            assert!(is_unwitnessed(&bytes, at), "{what}");
            continue;
        }
        assert!(kinds(&report).contains(&expected[0]), "{what}");
        let names_it = report.problems.iter().any(|problem| problem.file.file_name() == path.file_name() && problem.kind == expected[0]);
        assert!(names_it, "{what}");
    }
}

/// Whether the byte is in no record, or in a store time.
fn is_unwitnessed(segment: &[u8], at: usize) -> bool {
    use roxmq_protocol::record::Record;
    let mut start = 0;
    while let Ok((record, len)) = Record::parse(&segment[start..]) {
        if (start..start + len).contains(&at) {
            assert!(record.body_is_intact());
            return (start + 56..start + 64).contains(&at);
        }
        start += len;
    }
    // The blank record's own eight bytes end the segment; behind them nothing means anything.
    at >= start + 8 || segment[start..start + 8] == [0; 8]
}

#[test]
fn truncated_and_missing_files_are_found() {
    for seed in 0..60 {
        let world = filled(seed, true);
        let mut random = fastrand::Rng::with_seed(seed);
        let kind = ["commitlog", "index", ""][seed as usize % 3];
        let all: Vec<_> = files(&world, kind).into_iter().filter(|path| !path.ends_with("lock")).collect();
        let path = &all[random.usize(0..all.len())];
        let len = world.sim.disk().read(path).expect("reads").expect("there").len();
        let file = world.sim.disk().open(path, Open::Write).expect("opens");
        file.set_len(random.u64(0..len as u64)).expect("cuts");
        drop(file);
        let report = look(&world);
        let is_last_log = path == files(&world, "commitlog").last().expect("there");
        assert!(!report.problems.is_empty() || is_last_log, "seed {seed}: {} was cut: {report:?}", path.display());
    }
    let world = filled(3, true);
    let logs = files(&world, "commitlog");
    world.sim.disk().remove(&logs[1]).expect("removes");
    assert!(kinds(&look(&world)).contains(&ProblemKind::Segment));
    let world = filled(3, true);
    let logs = files(&world, "commitlog");
    world.sim.disk().remove(&logs[logs.len() - 1]).expect("removes");
    assert!(!look(&world).is_sound());
}

#[test]
fn repair_makes_good_what_is_derived_and_leaves_the_log_alone() {
    for seed in 0..40 {
        let world = filled(seed, seed % 2 == 0);
        let mut random = fastrand::Rng::with_seed(seed);
        let derived = [files(&world, "index"), files(&world, "")].concat();
        let derived: Vec<_> = derived.into_iter().filter(|path| !path.ends_with("lock")).collect();
        for path in &derived {
            match random.u8(0..4) {
                0 => world.sim.disk().remove(path).expect("removes"),
                1 => {
                    let len = world.sim.disk().read(path).expect("reads").expect("there").len();
                    world.sim.flip(path, random.usize(0..len), 1 << random.u8(0..8));
                }
                2 => world.sim.disk().open(path, Open::Write).expect("opens").set_len(5).expect("cuts"),
                _ => {}
            }
        }
        let before = log_of(&world);
        let repaired = mend(&world, None);
        assert_eq!(repaired.report.problems, [], "seed {seed}: {:?}", repaired.done);
        assert!(repaired.report.index_entries >= 300, "seed {seed}: {:?}", repaired.done);
        assert_eq!(log_of(&world), before, "seed {seed}");
        assert_eq!(mend(&world, None).done, Vec::<String>::new(), "seed {seed}: once is enough");
        world.check_all(&world.open());
    }
}

#[test]
fn a_damaged_record_is_named_and_stays_damaged() {
    let world = filled(6, true);
    let hit = world.placed("A", 0, 20).expect("placed");
    let at = hit.log_offset.0 as u64;
    let segment = PathBuf::from(format!("/store/commitlog/{:020}", at / 8192 * 8192));
    world.sim.flip(&segment, (at % 8192) as usize + 100, 1);
    let before = log_of(&world);
    let report = mend(&world, None).report;
    assert_eq!(kinds(&report), [ProblemKind::Record]);
    assert!(report.problems.iter().any(|problem| problem.log_offset == Some(hit.log_offset)), "{report:?}");
    assert_eq!(log_of(&world), before);
}

#[test]
fn the_log_is_cut_only_where_asked_and_only_between_records() {
    let world = filled(9, true);
    let cut = world.placed("B", 1, 40).expect("placed").log_offset;
    let (disk, how) = (world.sim.disk(), |at| Repair { truncate_at: Some(at) });
    for wrong in [cut + 1, cut + -1, LogOffset(-1), LogOffset::MAX] {
        let refused = repair::repair(&disk, &folder(), how(wrong), &mut |_, _| ());
        assert!(matches!(refused, Err(FolderError::Cut { .. })), "{wrong}: {refused:?}");
    }
    assert_eq!(look(&world).records, 300, "a refusal changes nothing");
    let repaired = mend(&world, Some(cut));
    assert_eq!(repaired.report.problems, [], "{:?}", repaired.done);
    assert_eq!(repaired.report.log.1, cut);
    world.sent.borrow_mut().values_mut().for_each(|sent| sent.retain(|_, (placed, _)| placed.log_offset < cut));
    let store = world.open();
    world.check_all(&store);
    assert_eq!(world.send(&store, "B", 1, 1000).expect("appended").queue_offset.0, 40, "the offset is given again");
}

#[test]
fn a_folder_in_use_or_of_another_program_is_refused() {
    let world = World::new(1);
    assert!(matches!(verify::verify(&world.sim.disk(), &folder(), &mut |_, _| ()), Err(FolderError::NoLog(_))));
    let store = world.open();
    assert!(matches!(verify::verify(&world.sim.disk(), &folder(), &mut |_, _| ()), Err(FolderError::Locked(_))));
    drop(store);
    assert!(look(&world).is_sound());
}
