//! The simulated disk loses what a bad disk would, and nothing else.

use crate::disk::{Disk, Fault, Open, SimDisk, Space};
use std::io;
use std::path::Path;

const FILE: &str = "/d/file";

fn disk(seed: u64) -> (SimDisk, Disk) {
    let sim = SimDisk::new(seed);
    let disk = sim.disk();
    disk.create_dir_all(Path::new("/d")).expect("creates");
    (sim, disk)
}

#[test]
fn a_crash_keeps_what_was_synced_and_some_of_the_rest() {
    let (mut kept, mut lost, mut torn) = (0, 0, 0);
    for seed in 0..200 {
        let (sim, disk) = disk(seed);
        let file = disk.open(Path::new(FILE), Open::Create).expect("creates");
        file.write_at(0, &[1; 2048]).expect("writes");
        file.sync_data().expect("syncs");
        disk.sync_dir(Path::new("/d")).expect("syncs");
        file.write_at(0, &[2; 2048]).expect("writes");
        sim.crash();
        assert!(file.write_at(0, b"x").is_err(), "handles of the earlier life are dead");
        let bytes = disk.read(Path::new(FILE)).expect("reads").expect("there");
        assert_eq!(bytes.len(), 2048, "seed {seed}");
        assert!(bytes.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])), "seed {seed}");
        match bytes.iter().filter(|byte| **byte == 2).count() {
            0 => lost += 1,
            2048 => kept += 1,
            _ => torn += 1,
        }
    }
    assert!(kept > 20 && lost > 20 && torn > 20, "kept {kept} lost {lost} torn {torn}");
}

#[test]
fn names_need_their_folder_synced() {
    let there = |seed: u64, synced: bool| {
        let (sim, disk) = disk(seed);
        disk.open(Path::new(FILE), Open::Create).expect("creates").sync_data().expect("syncs");
        if synced {
            disk.sync_dir(Path::new("/d")).expect("syncs");
        }
        sim.crash();
        disk.read(Path::new(FILE)).expect("reads").is_some()
    };
    assert!((0..50).all(|seed| there(seed, true)));
    assert!((0..50).any(|seed| there(seed, false)) && !(0..50).all(|seed| there(seed, false)));
}

#[test]
fn a_failed_sync_loses_what_it_should_have_saved() {
    for seed in 0..50 {
        let (sim, disk) = disk(seed);
        let file = disk.open(Path::new(FILE), Open::Create).expect("creates");
        disk.sync_dir(Path::new("/d")).expect("syncs");
        file.write_at(0, b"lost").expect("writes");
        sim.fail_at(sim.operations(), Fault::Io);
        file.sync_data().expect_err("fails");
        file.sync_data().expect("the next one says nothing, as on Linux");
        assert_eq!(disk.read(Path::new(FILE)).expect("reads"), Some(b"lost".to_vec()));
        sim.crash();
        assert_eq!(disk.read(Path::new(FILE)).expect("reads"), Some(Vec::new()));
    }
}

#[test]
fn a_replaced_file_is_old_or_new_wherever_the_power_goes() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..400 {
        let (sim, disk) = disk(seed);
        disk.replace_atomically(Path::new(FILE), b"old").expect("replaces");
        sim.fail_at(sim.operations() + seed % 5, Fault::PowerCut);
        let done = disk.replace_atomically(Path::new(FILE), b"newer").is_ok();
        sim.crash();
        match disk.read(Path::new(FILE)).expect("reads").as_deref() {
            Some(b"old") => old += 1,
            Some(b"newer") => new += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
        assert!(!done || disk.read(Path::new(FILE)).expect("reads").as_deref() == Some(b"newer"), "seed {seed}");
    }
    assert!(old > 0 && new > 0);
}

#[test]
fn a_sector_is_written_whole_or_not_at_all_also_when_it_is_written_again() {
    for seed in 0..400 {
        let (sim, disk) = disk(seed);
        let file = disk.open(Path::new(FILE), Open::Create).expect("creates");
        file.write_at(0, &[0; 1024]).expect("writes");
        file.sync_data().expect("syncs");
        disk.sync_dir(Path::new("/d")).expect("syncs");
        file.write_at(100, &[7; 900]).expect("writes");
        sim.fail_at(sim.operations(), Fault::PowerCut);
        file.write_at(100, &[7; 900]).expect_err("no power");
        sim.crash();
        let bytes = disk.read(Path::new(FILE)).expect("reads").expect("is there");
        for sector in [&bytes[100..512], &bytes[512..1000]] {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "seed {seed}: {sector:?}");
        }
    }
}

#[test]
fn a_full_disk_is_an_error_and_then_it_is_not() {
    let (sim, disk) = disk(1);
    let file = disk.open(Path::new(FILE), Open::Create).expect("creates");
    sim.set_capacity(Some(10));
    file.write_at(0, b"12345678").expect("fits");
    assert_eq!(file.write_at(8, b"123").expect_err("full").kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.len().expect("len"), 8);
    assert_eq!(disk.space(Path::new("/d")).expect("space"), Space { free: 2, total: 10 });
    sim.set_capacity(None);
    file.write_at(8, b"123").expect("fits");
}

#[test]
fn nothing_works_without_power() {
    let (sim, disk) = disk(1);
    let file = disk.open(Path::new(FILE), Open::Create).expect("creates");
    sim.fail_at(sim.operations(), Fault::PowerCut);
    file.write_at(0, b"x").expect_err("no power");
    file.len().expect_err("no power");
    disk.list(Path::new("/d")).expect_err("no power");
    assert!(sim.is_dead());
    sim.crash();
    disk.list(Path::new("/d")).expect("power");
}
