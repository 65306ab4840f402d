//! What a store does as long as nothing goes wrong.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

mod world;

use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::{Record, records};
use roxmq_protocol::time::Timestamp;
use roxmq_store::{AppendError, Boundary, Filter, KeyKind, KeyQuery, ReadRequest, ReadStatus, Retention};
use world::{World, body_of};

#[test]
fn appends_and_reads_in_order() {
    let world = World::new(1);
    let store = world.open();
    for n in 0..100 {
        let placed = world.send(&store, "T", n % 4, n as usize);
        assert_eq!(placed.expect("appended").queue_offset, QueueOffset(i64::from(n / 4)));
    }
    store.tick();
    for queue in 0..4 {
        let (result, bytes) = world.read(&store, "T", queue, 0, 1000);
        assert_eq!((result.status, result.messages, result.next), (ReadStatus::Found, 25, QueueOffset(25)));
        for (n, record) in records(&bytes).enumerate() {
            let record = record.expect("reads");
            assert_eq!(record.queue_offset, QueueOffset(n as i64));
            assert_eq!(record.body, body_of("T", queue, n as i64 * 4 + i64::from(queue)));
        }
    }
}

#[test]
fn answers_offsets_as_java_does() {
    let world = World::new(2);
    let store = world.open();
    let status = |queue, from| {
        let (result, _) = world.read(&store, "T", queue, from, 10);
        (result.status, result.next.0)
    };
    assert_eq!(status(0, 0), (ReadStatus::NoMatchedLogicQueue, 0));
    assert_eq!(status(0, 7), (ReadStatus::NoMatchedLogicQueue, 0));
    for n in 0..5 {
        world.send(&store, "T", 0, n).expect("appended");
    }
    assert_eq!(status(0, 0).0, ReadStatus::NoMessageInQueue, "nothing is durable yet");
    store.tick();
    assert_eq!(status(0, 2), (ReadStatus::Found, 5));
    assert_eq!(status(0, 5), (ReadStatus::OffsetOverflowOne, 5));
    assert_eq!(status(0, 6), (ReadStatus::OffsetOverflowBadly, 5));
    assert_eq!(status(0, -1), (ReadStatus::OffsetTooSmall, 0));
    let mut out = Vec::new();
    let limits = world.limits(10);
    let none = store.read(
        &ReadRequest { topic: "T", queue_id: 0, from: QueueOffset(1), limits },
        Filter { by_entry: Some(&mut |_| false), ..Filter::ALL },
        &mut out,
    );
    assert_eq!((none.status, none.next, out.len()), (ReadStatus::NoMatchedMessage, QueueOffset(5), 0));
    let scanned = store.read(
        &ReadRequest { topic: "T", queue_id: 0, from: QueueOffset(1), limits: roxmq_store::ReadLimits { scan_max: 2, ..limits } },
        Filter { by_entry: Some(&mut |_| false), ..Filter::ALL },
        &mut out,
    );
    assert_eq!((scanned.status, scanned.next), (ReadStatus::NoMatchedMessage, QueueOffset(3)));
    let one = store.read(
        &ReadRequest { topic: "T", queue_id: 0, from: QueueOffset(0), limits: roxmq_store::ReadLimits { bytes_max: 1, ..limits } },
        Filter::ALL,
        &mut out,
    );
    assert_eq!((one.status, one.messages, one.next), (ReadStatus::Found, 1, QueueOffset(1)));
    out.clear();
    let mut odd = |record: &Record<'_>| record.queue_offset.0 % 2 == 1;
    let odd = store.read(
        &ReadRequest { topic: "T", queue_id: 0, from: QueueOffset(0), limits },
        Filter { by_record: Some(&mut odd), ..Filter::ALL },
        &mut out,
    );
    assert_eq!((odd.status, odd.messages, odd.next), (ReadStatus::Found, 2, QueueOffset(5)));
    assert_eq!(records(&out).filter(|record| record.is_ok_and(|record| record.queue_offset.0 % 2 == 1)).count(), 2);
}

#[test]
fn comes_back_after_a_clean_stop_and_after_a_kill() {
    for clean in [true, false] {
        let world = World::new(3);
        let store = world.open();
        for n in 0..500 {
            world.send(&store, "T", n % 3, n as usize).expect("appended");
            if n % 50 == 0 {
                store.tick();
            }
        }
        store.tick();
        let end = store.watermarks().written();
        if clean {
            store.shutdown();
        }
        drop(store);
        world.sim.kill();
        let store = world.open();
        assert_eq!(store.watermarks().written(), end);
        world.check_all(&store);
        for n in 500..600 {
            world.send(&store, "T", n % 3, n as usize).expect("appended");
        }
        store.tick();
        world.check_all(&store);
    }
}

#[test]
fn finds_by_key_everywhere() {
    let world = World::new(4);
    let store = world.open();
    for n in 0..400 {
        world.clock.advance(std::time::Duration::from_millis(10));
        world.send(&store, "T", n % 3, n as usize).expect("appended");
        if n % 7 == 0 {
            store.tick();
        }
    }
    store.tick();
    assert!(store.stats().segments > 3 && store.stats().index_files > 3, "{:?}", store.stats());
    for n in 0..400 {
        let found = store.query(&KeyQuery {
            topic: "T",
            key: &format!("unique-{n}"),
            kind: KeyKind::Unique,
            stored: Timestamp(0)..=Timestamp::MAX,
            max: 10,
        });
        assert_eq!(found.len(), 1, "{n}");
        let (record, _) = Record::parse(&found[0]).expect("reads");
        assert_eq!(record.properties().unique_key(), Some(format!("unique-{n}").as_str()));
    }
    let all = store.query(&KeyQuery { topic: "T", key: "even", kind: KeyKind::Any, stored: Timestamp(0)..=Timestamp::MAX, max: 1000 });
    assert_eq!(all.len(), 200);
    let offsets: Vec<_> = all.iter().map(|bytes| Record::parse(bytes).expect("reads").0.log_offset).collect();
    assert!(offsets.windows(2).all(|pair| pair[0] > pair[1]), "newest first");
    assert_eq!(
        store.query(&KeyQuery { topic: "T", key: "even", kind: KeyKind::Any, stored: Timestamp(0)..=Timestamp::MAX, max: 7 }).len(),
        7
    );
    assert_eq!(
        store.query(&KeyQuery { topic: "T", key: "even", kind: KeyKind::Unique, stored: Timestamp(0)..=Timestamp::MAX, max: 7 }).len(),
        0
    );
    assert_eq!(
        store.query(&KeyQuery { topic: "U", key: "even", kind: KeyKind::Any, stored: Timestamp(0)..=Timestamp::MAX, max: 7 }).len(),
        0
    );
    let from = world.start_ms + 10 * 101;
    assert_eq!(
        store
            .query(&KeyQuery { topic: "T", key: "even", kind: KeyKind::Any, stored: Timestamp(from)..=Timestamp(from + 99), max: 1000 })
            .len(),
        5
    );
}

#[test]
fn finds_by_time() {
    let world = World::new(5);
    let store = world.open();
    for n in 0..300 {
        world.send(&store, "T", 0, n).expect("appended");
        if n % 2 == 1 {
            world.clock.advance(std::time::Duration::from_millis(10));
        }
        if n % 20 == 0 {
            store.tick();
        }
    }
    store.tick();
    let at = |ms, boundary| store.offset_by_time("T", 0, Timestamp(world.start_ms + ms), boundary).0;
    assert_eq!((at(-1, Boundary::Lower), at(-1, Boundary::Upper)), (0, 0));
    assert_eq!((at(0, Boundary::Lower), at(0, Boundary::Upper)), (0, 1));
    assert_eq!((at(1, Boundary::Lower), at(1, Boundary::Upper)), (2, 1));
    assert_eq!((at(500, Boundary::Lower), at(500, Boundary::Upper)), (100, 101));
    assert_eq!((at(1490, Boundary::Lower), at(1490, Boundary::Upper)), (298, 299));
    assert_eq!((at(9999, Boundary::Lower), at(9999, Boundary::Upper)), (300, 299));
    assert_eq!(store.offset_by_time("none", 0, Timestamp(5), Boundary::Lower), QueueOffset(0));
    assert_eq!(store.store_time("T", 0, QueueOffset(7)), Some(Timestamp(world.start_ms + 30)));
    assert_eq!(store.earliest_store_time(), Some(Timestamp(world.start_ms)));
}

#[test]
fn a_topic_created_again_starts_at_zero() {
    let world = World::new(6);
    for restart in [false, true] {
        let mut store = world.open();
        for n in 0..100 {
            world.send(&store, "T", 0, n).expect("appended");
        }
        store.tick();
        let old = world.placed("T", 0, 3).expect("placed");
        assert!(store.message_at(old.log_offset).is_some());
        store.delete_topic("T");
        world.forget("T");
        assert!(store.bounds("T", 0).is_none() && store.message_at(old.log_offset).is_none());
        assert!(
            store
                .query(&KeyQuery { topic: "T", key: "even", kind: KeyKind::Any, stored: Timestamp(0)..=Timestamp::MAX, max: 10 })
                .is_empty()
        );
        if restart {
            drop(store);
            world.sim.crash();
            store = world.open();
            assert!(store.bounds("T", 0).is_none());
        }
        assert_eq!(world.send(&store, "T", 0, 0).expect("appended").queue_offset, QueueOffset(0));
        for n in 1..40 {
            world.send(&store, "T", 0, n).expect("appended");
        }
        store.tick();
        world.check_all(&store);
        drop(store);
        world.sim.crash();
        let store = world.open();
        world.check_all(&store);
        store.delete_topic("T");
        world.forget("T");
        drop(store);
    }
}

/// What a power cut takes of the end of the log is stored there again: the deletion must not be about that.
#[test]
fn a_deletion_is_not_about_messages_that_come_after_a_power_cut() {
    for seed in 0..40 {
        let world = World::new(seed);
        let store = world.open();
        for n in 0..10 {
            world.send(&store, ["T", "U"][n % 2], 0, n).expect("appended");
        }
        store.tick();
        for n in 10..16 {
            world.send(&store, "U", 1, n).expect("appended");
        }
        store.delete_topic("T");
        drop(store);
        world.sim.crash();
        let store = world.open();
        (0..3).for_each(|n| assert_eq!(world.send(&store, "T", 0, n).expect("appended").queue_offset.0, n as i64, "seed {seed}"));
        store.tick();
        drop(store);
        world.sim.kill();
        let read = world.read_all(&world.open(), "T", 0);
        assert_eq!(world::offsets(&read), [0, 1, 2], "seed {seed}");
    }
}

/// A deletion waits for the disk once, for however many topics, and neither appends nor reads wait with it.
#[test]
fn appends_go_on_while_the_sync_of_a_deletion_hangs() {
    let world = World::new(31);
    let store = world.open();
    for (n, topic) in ["T", "U", "V", "W"].into_iter().cycle().take(40).enumerate() {
        world.send(&store, topic, n as u32 % 2, n).expect("appended");
    }
    store.tick();
    let (hangs, is_hanging) = std::sync::mpsc::channel();
    let (let_go, go_on) = std::sync::mpsc::channel::<()>();
    let go_on = parking_lot::Mutex::new(go_on);
    let syncs = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = syncs.clone();
    let deleting = std::thread::Builder::new().name("deleting".to_owned());
    world.sim.before_each_sync(move || {
        if std::thread::current().name() == Some("deleting") {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let _ = hangs.send(());
            let _ = go_on.lock().recv();
        }
    });
    let deleted = store.clone();
    let deletion = deleting.spawn(move || deleted.delete_topics(["T", "V", "W"])).expect("started");
    is_hanging.recv().expect("it syncs");
    let (topic_goes_on, others) = (world.next("T", 0), world.next("U", 1));
    ["T", "V", "W"].into_iter().for_each(|topic| world.forget(topic));
    assert_eq!(store.queues_of("V"), [] as [u32; 0], "gone already");
    assert_eq!(world.send(&store, "U", 1, 100).expect("appended").queue_offset.0, others);
    assert_eq!(world.send(&store, "T", 0, 101).expect("appended").queue_offset.0, topic_goes_on, "until the deletion is durable");
    let _ = store.flush();
    world.check_all(&store);
    drop(let_go);
    deletion.join().expect("no panic");
    assert_eq!(syncs.load(std::sync::atomic::Ordering::Relaxed), 2, "a checkpoint is synced, and its folder");
    assert_eq!(world.send(&store, "T", 0, 102).expect("appended").queue_offset.0, topic_goes_on + 1);
    assert_eq!(world.send(&store, "V", 0, 103).expect("appended").queue_offset.0, 0);
    store.tick();
    drop(store);
    world.sim.crash();
    world.check_all(&world.open());
}

#[test]
fn what_an_append_found_holds_until_a_topic_is_deleted() {
    let world = World::new(24);
    let store = world.open();
    // The world gives each append what the one before found of its queue.
    let send = |topic, n| world.send(&store, topic, 1, n).expect("appended").queue_offset.0;
    assert_eq!([send("old", 0), send("old", 1)], [0, 1]);
    store.delete_topic("old");
    world.forget("old");
    // It gets the number that the other had.
    assert_eq!(send("new", 0), 0);
    assert_eq!([send("old", 3), send("new", 1)], [0, 1], "a topic that is made again has another number");
    store.tick();
    for (topic, numbers) in [("old", vec![3]), ("new", vec![0, 1])] {
        let read: Vec<_> = world.read_all(&store, topic, 1).into_iter().map(|(_, body)| body).collect();
        assert_eq!(read, numbers.into_iter().map(|n| body_of(topic, 1, n)).collect::<Vec<_>>(), "{topic}");
    }
}

#[test]
fn retention_takes_the_oldest_and_keeps_the_offsets() {
    let mut world = World::new(7);
    world.config.retention.file_reserved_hours = 1;
    let store = world.open();
    for n in 0..300 {
        world.send(&store, "T", n % 2, n as usize).expect("appended");
        world.send(&store, "gone", 0, n as usize).expect("appended");
        store.tick();
    }
    world.clock.advance(std::time::Duration::from_secs(3601));
    for n in 300..320 {
        world.send(&store, "T", n % 2, n as usize).expect("appended");
    }
    store.tick();
    store.delete_expired();
    assert!(store.stats().segments <= 3, "{:?}", store.stats());
    let (min, max) = store.bounds("T", 0).expect("bounds");
    assert!(min > QueueOffset(0) && max == QueueOffset(160));
    let (result, _) = world.read(&store, "T", 0, 0, 10);
    assert_eq!((result.status, result.next), (ReadStatus::OffsetTooSmall, min));
    assert!(store.min_log_offset() > LogOffset(0));
    assert_eq!(store.bounds("gone", 0).expect("bounds").1, QueueOffset(300));

    for restart in 0..3 {
        world.clock.advance(std::time::Duration::from_secs(3601));
        for n in 0..40 {
            world.send(&store, "T", n % 2, 320 + 40 * restart + n as usize).expect("appended");
        }
        store.tick();
        store.delete_expired();
    }
    assert_eq!(store.bounds("gone", 0).expect("bounds"), (QueueOffset(300), QueueOffset(300)));
    drop(store);
    world.sim.crash();
    let store = world.open();
    assert_eq!(store.bounds("gone", 0).expect("bounds"), (QueueOffset(300), QueueOffset(300)));
    assert_eq!(world.read(&store, "gone", 0, 300, 1).0.status, ReadStatus::OffsetOverflowOne);
    assert_eq!(world.send(&store, "gone", 0, 300).expect("appended").queue_offset, QueueOffset(300));
}

#[test]
fn takes_no_more_than_its_memory_has_room_for_until_the_disk_has_it() {
    let mut world = World::new(21);
    world.config.segment_bytes = 4 << 20;
    // Neither fills a segment nor is so much log that the tail would go to a file for it.
    world.config.tail_checkpoint_bytes = 1 << 30;
    world.config.tail_memory_bytes = 256 << 10;
    let store = world.open();
    let mut sent = 0;
    let mut send = || world.send(&store, "T", 0, sent).map(|_| sent += 1);
    for round in 0..3 {
        let refused = loop {
            if let Err(refused) = send() {
                break refused;
            }
        };
        assert_eq!(refused, AppendError::Behind, "round {round}");
        assert_eq!(send(), Err(AppendError::Behind), "nothing has become durable");
        store.tick();
        send().expect("there is room again");
    }
    assert!((3_000..30_000).contains(&sent), "{sent} entries of 32 bytes, and their keys");
    for n in 0..10_000 {
        world.send(&store, "T", 1, n).expect("what the disk keeps up with is never refused");
        if n % 1000 == 0 {
            store.tick();
        }
    }
    store.shutdown();
    drop(store);
    let store = world.open();
    for (queue, count) in [(0, sent), (1, 10_000)] {
        assert_eq!(world.read_all(&store, "T", queue).len(), count, "queue {queue}");
    }
}

#[test]
fn retention_by_bytes() {
    let mut world = World::new(8);
    world.config.retention.retention_bytes = Some(world.config.segment_bytes * 2);
    let store = world.open();
    for n in 0..300 {
        world.send(&store, "T", 0, n).expect("appended");
    }
    store.tick();
    store.delete_expired();
    assert_eq!(store.stats().segments, 3);
    assert!(store.bounds("T", 0).expect("bounds").0.0 > 0);
    world.check_all(&store);
}

/// The files of the log.
fn log_files(world: &World) -> Vec<String> {
    let mut names = world.sim.disk().list("/store/commitlog".as_ref()).expect("lists");
    names.sort();
    names
}

#[test]
fn the_next_segment_is_made_of_what_expires_while_it_is_made() {
    let mut world = World::new(22);
    world.config.retention.retention_bytes = Some(world.config.segment_bytes);
    let store = world.open();
    let mut most = 0;
    // The clock stands still, so that only the making of the next segment looks for expired ones.
    for n in 0..400 {
        world.send(&store, "T", 0, n).expect("appended");
        store.tick();
        most = most.max(log_files(&world).len());
    }
    let (min, max) = store.bounds("T", 0).expect("known");
    assert!(min.0 > 200 && max.0 == 400, "{min} to {max} are left");
    assert!(most <= 4, "{most} files: one kept, the active one, the next one, and what is about to expire");
}

#[test]
fn the_file_that_is_kept_for_the_next_segment_goes_before_messages_are_refused() {
    let mut world = World::new(23);
    world.config.retention.retention_bytes = Some(world.config.segment_bytes);
    world.config.retention.disk_reserve_bytes = 40_000;
    let store = world.open();
    let is_kept = || log_files(&world).iter().any(|name| name == "spare.tmp");
    let mut sent = 0;
    while !is_kept() {
        world.send(&store, "T", 0, sent).expect("appended");
        store.tick();
        store.delete_expired();
        sent += 1;
    }
    let segments = store.stats().segments;
    world.sim.set_capacity(Some(world.sim.used() + 40_000 - 1000));
    store.tick();
    assert!(!is_kept(), "{:?}", log_files(&world));
    assert_eq!((store.stats().segments, store.disk_full()), (segments, false));
    world.send(&store, "T", 0, sent).expect("there is room");
    world.sim.set_capacity(Some(world.sim.used() + 40_000 - 1000));
    store.tick();
    assert!(store.disk_full(), "nothing is left that could go first");
}

/// The reserve that is set now decides, also about a segment that is made ahead.
#[test]
fn the_disk_reserve_changes_while_the_store_is_open() {
    for (at_start, now) in [(0, 60_000), (60_000, 0)] {
        let mut world = World::new(25);
        world.config.retention.retention_bytes = Some(world.config.segment_bytes);
        world.config.retention.disk_reserve_bytes = at_start;
        world.sim.set_capacity(Some(100_000));
        let store = world.open();
        store.set_retention(Retention { disk_reserve_bytes: now, ..world.config.retention });
        for n in 0.. {
            if store.watermarks().written().0 >= 6_000 {
                break;
            }
            world.send(&store, "T", 0, n).expect("appended");
        }
        // Room for a whole segment is there without the reserve, not with it.
        world.sim.set_capacity(Some(world.sim.used() + 62_000));
        store.tick();
        assert_eq!(log_files(&world).len(), if now == 0 { 2 } else { 1 }, "with {now} instead of {at_start}: {:?}", log_files(&world));
    }
}

#[test]
fn retention_changes_while_the_store_is_open() {
    let world = World::new(8);
    let store = world.open();
    for n in 0..300 {
        world.send(&store, "T", 0, n).expect("appended");
    }
    store.tick();
    assert_eq!(store.delete_expired(), 0);
    store.set_retention(Retention { retention_bytes: Some(world.config.segment_bytes * 2), ..world.config.retention });
    store.delete_expired();
    assert_eq!(store.stats().segments, 3);
    assert!(store.bounds("T", 0).expect("bounds").0.0 > 0);
    world.check_all(&store);
}

#[test]
fn two_never_open_one_folder() {
    let world = World::new(9);
    let store = world.open();
    assert!(matches!(world.try_open(), Err(roxmq_store::OpenError::Locked(_))));
    drop(store);
    world.open();
}

#[test]
fn an_unsure_clock_lets_nothing_expire_unless_an_operator_asks_for_it() {
    let mut world = World::new(9);
    world.config.retention.file_reserved_hours = 1;
    let store = world.open();
    for n in 0..300 {
        world.send(&store, "T", 0, n).expect("appended");
    }
    store.tick();
    store.shutdown();
    drop(store);
    world.clock.advance(std::time::Duration::from_secs(2 * 3600));
    let store = world.open();
    let before = store.stats().segments;
    for _ in 0..3 {
        world.clock.advance(std::time::Duration::from_secs(60));
        store.tick();
    }
    assert_eq!(store.stats().segments, before, "housekeeping waits");
    assert!(store.delete_expired() > 1, "who asks is believed");
    assert!(store.bounds("T", 0).expect("bounds").0 > QueueOffset(0));
}
