//! Messages that are in further, light queues besides their own.

mod world;

use roxmq_env::disk::Open;
use roxmq_protocol::light::light_places;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::placing::place;
use roxmq_protocol::record::{Draft, Record, records};
use roxmq_protocol::time::Timestamp;
use roxmq_store::{Batch, Boundary, Placed, ReadStatus, Store};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use world::World;

const DISPATCH: &str = "INNER_MULTI_DISPATCH";
const OFFSETS: &str = "INNER_MULTI_QUEUE_OFFSET";

fn draft<'a>(topic: &'a str, properties: &'a str) -> Draft<'a> {
    Draft {
        topic,
        queue_id: 3,
        flag: 0,
        sys_flag: 0,
        born_timestamp: Timestamp(1),
        born_host: SocketAddr::from(([10, 0, 0, 1], 4000)),
        store_host: SocketAddr::from(([10, 0, 0, 2], 10911)),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: b"body",
        properties,
    }
}

fn append(store: &Store, drafts: &[Draft<'_>]) -> Vec<Placed> {
    let mut batch = store.batch();
    for draft in drafts {
        batch.push(*draft).expect("fits");
    }
    store.append(&mut batch).expect("appended");
    let _ = store.flush();
    (0..drafts.len()).map(|n| batch.placed(n)).collect()
}

/// The value of a property of a stored message.
fn property(store: &Store, at: LogOffset, name: &str) -> Option<String> {
    let bytes = store.message_at(at).expect("there");
    Record::parse(&bytes).expect("reads").0.properties().find(name).map(str::to_owned)
}

fn next_offsets(store: &Store, names: &[&str]) -> Vec<Option<i64>> {
    names.iter().map(|name| store.queue_next(name, 0).map(|next| next.0)).collect()
}

#[test]
fn a_message_is_in_every_queue_it_names() {
    let world = World::new(1);
    let store = world.open();
    let both = format!("TAGS\u{1}t\u{2}{DISPATCH}\u{1}%LMQ%a,%LMQ%b\u{2}");
    let one = format!("{DISPATCH}\u{1}%LMQ%b");
    let placed = append(&store, &[draft("T", &one), draft("T", "TAGS\u{1}x"), draft("T", &both), draft("U", &both)]);
    assert_eq!(placed.iter().map(|at| at.queue_offset.0).collect::<Vec<_>>(), [0, 1, 2, 0]);
    let given: Vec<_> = placed.iter().map(|at| property(&store, at.log_offset, OFFSETS)).collect();
    assert_eq!(given, [Some("0".into()), None, Some("0,1".into()), Some("1,2".into())]);
    let (result, bytes) = world.read(&store, "%LMQ%b", 0, 0, 10);
    assert_eq!((result.status, result.min, result.max, result.next), (ReadStatus::Found, QueueOffset(0), QueueOffset(3), QueueOffset(3)));
    let own: Vec<_> =
        records(&bytes).map(|record| record.expect("reads")).map(|record| (record.topic.to_owned(), record.queue_offset.0)).collect();
    assert_eq!(own, [("T".to_owned(), 0), ("T".to_owned(), 2), ("U".to_owned(), 0)]);
    assert_eq!(world.read(&store, "%LMQ%b", 1, 0, 10).0.status, ReadStatus::NoMatchedLogicQueue);
    // What a tag filter needs is in the index of a light queue too, and so are times.
    let tags = store.index_entry("%LMQ%b", 0, QueueOffset(1)).map(|entry| entry.tags_code);
    assert_eq!(tags, Some(i64::from(b't')));
    assert_eq!(store.offset_by_time("%LMQ%b", 0, roxmq_protocol::time::Timestamp(world.start_ms + 1), Boundary::Lower), QueueOffset(3));
    assert_eq!((store.stats().queues, store.stats().light_queues), (4, 2));
}

#[test]
fn one_sent_to_a_light_queue_itself_follows_there() {
    let world = World::new(1);
    let store = world.open();
    let via = format!("{DISPATCH}\u{1}%LMQ%a");
    let direct = Draft { queue_id: 0, ..draft("%LMQ%a", "") };
    append(&store, &[draft("T", &via), direct, draft("T", &via), Draft { properties: &via, ..direct }, direct]);
    let check = |store: &Store| {
        let (result, bytes) = world.read(store, "%LMQ%a", 0, 0, 10);
        assert_eq!((result.messages, result.next), (6, QueueOffset(6)));
        let offset =
            |record: Record<'_>| light_places(record.topic, record.properties()).next().map_or(record.queue_offset.0, |(_, at)| at);
        let offsets: Vec<_> = records(&bytes).map(|record| offset(record.expect("reads"))).collect();
        // The fourth message is there twice, as it says.
        assert_eq!(offsets, [0, 1, 2, 4, 4, 5]);
    };
    check(&store);
    drop(store);
    world.sim.crash();
    check(&world.open());
}

#[test]
fn only_the_store_gives_light_offsets() {
    let world = World::new(1);
    let store = world.open();
    let forged = format!("{DISPATCH}\u{1}%LMQ%a\u{2}{OFFSETS}\u{1}70\u{2}TAGS\u{1}t\u{2}");
    let mut plain = Batch::new();
    plain.push(draft("T", &forged)).expect("fits");
    store.append(&mut plain).expect("appended");
    let _ = store.flush();
    assert_eq!(property(&store, plain.placed(0).log_offset, OFFSETS), None);
    assert_eq!(property(&store, plain.placed(0).log_offset, "TAGS").as_deref(), Some("t"));
    assert_eq!(next_offsets(&store, &["%LMQ%a"]), [None]);
    let placed = append(&store, &[draft("T", &forged), draft("%RETRY%g", &forged), draft("SCHEDULE_TOPIC_XXXX", &forged)]);
    let given: Vec<_> = placed.iter().map(|at| property(&store, at.log_offset, OFFSETS)).collect();
    assert_eq!(given, [Some("0".into()), None, None]);
    drop(store);
    world.sim.crash();
    assert_eq!(next_offsets(&world.open(), &["%LMQ%a"]), [Some(1)]);
}

#[test]
fn names_that_cannot_be_and_full_properties_leave_an_ordinary_message() {
    let mut world = World::new(1);
    world.config.segment_bytes = 64 << 10;
    let store = world.open();
    let padding = "p".repeat(32_700);
    let full = format!("pad\u{1}{padding}\u{2}{DISPATCH}\u{1}%LMQ%a\u{2}");
    let placed = append(&store, &[draft("T", &format!("{DISPATCH}\u{1}Other,%LMQ%a")), draft("T", &full)]);
    for at in placed {
        assert_eq!(property(&store, at.log_offset, OFFSETS), None);
        assert!(property(&store, at.log_offset, DISPATCH).is_some());
    }
    assert_eq!(next_offsets(&store, &["%LMQ%a", "Other"]), [None, None]);
}

#[test]
fn offsets_of_any_length_fit_and_go_on_after_a_restart() {
    let world = World::new(1);
    let mut properties = format!("{DISPATCH}\u{1}");
    properties.extend((0..128).map(|n| format!("%LMQ%{n},")));
    let mut given = Vec::new();
    for round in 0..12 {
        let store = world.open();
        let placed = append(&store, &[draft("T", &properties)]);
        given.push(property(&store, placed[0].log_offset, OFFSETS).expect("given"));
        match round % 3 {
            0 => store.shutdown(),
            1 => store.tick(),
            _ => {}
        }
        drop(store);
        world.sim.crash();
    }
    let expected: Vec<_> = (0..12).map(|offset| [&*offset.to_string(); 128].join(",")).collect();
    assert_eq!(given, expected);
}

#[test]
fn deleting_either_topic_leaves_the_other_over_restarts() {
    let world = World::new(1);
    let store = world.open();
    let both = format!("{DISPATCH}\u{1}%LMQ%a,%LMQ%b\u{2}");
    append(&store, &[draft("T", &both), draft("T", &both)]);
    store.delete_topic("%LMQ%a");
    append(&store, &[draft("T", &both)]);
    store.delete_topic("T");
    let check = |store: &Store| {
        let bounds = |topic: &str, queue_id| store.bounds(topic, queue_id).map(|(min, max)| (min.0, max.0));
        assert_eq!((bounds("T", 3), bounds("%LMQ%a", 0), bounds("%LMQ%b", 0)), (None, Some((0, 1)), Some((0, 3))));
        assert_eq!(world.read(store, "%LMQ%b", 0, 0, 10).0.messages, 3);
        assert_eq!(world.read(store, "%LMQ%a", 0, 0, 10).0.messages, 1);
        assert_eq!(store.stats().light_queues, 2);
    };
    check(&store);
    drop(store);
    world.sim.crash();
    let store = world.open();
    check(&store);
    store.shutdown();
    drop(store);
    check(&world.open());
}

#[test]
fn retention_takes_light_entries_with_their_messages() {
    let mut world = World::new(1);
    world.config.retention.file_reserved_hours = 1;
    let store = world.open();
    for n in 0..200 {
        world.send(&store, "T", 0, n).expect("appended");
    }
    store.tick();
    world.clock.advance(Duration::from_secs(3700));
    assert!(store.delete_expired() > 1);
    let min = store.bounds("%LMQ%a", 0).expect("known").0;
    assert!(min.0 > 0);
    let (result, _) = world.read(&store, "%LMQ%a", 0, 0, 1);
    assert_eq!((result.status, result.next), (ReadStatus::OffsetTooSmall, min));
    world.check_all(&store);
}

#[test]
fn no_more_light_queues_than_allowed() {
    let world = World::new(1);
    let store = world.open();
    let reserve = |names: &[&str]| store.reserve_light_queues(names.iter().copied(), 3).map_err(|full| full.count);
    assert_eq!(reserve(&["%LMQ%a", "%LMQ%b"]), Ok(()));
    assert_eq!(reserve(&["%LMQ%c", "%LMQ%d"]), Err(2));
    assert_eq!(reserve(&["%LMQ%c"]), Ok(()));
    assert_eq!(reserve(&["%LMQ%a", "%LMQ%b", "%LMQ%c"]), Ok(()));
    assert_eq!(reserve(&["%LMQ%d"]), Err(3));
    let all = format!("{DISPATCH}\u{1}%LMQ%c,%LMQ%a\u{2}");
    append(&store, &[draft("T", &all)]);
    assert_eq!(next_offsets(&store, &["%LMQ%a", "%LMQ%b", "%LMQ%c", "%LMQ%d"]), [Some(1), Some(0), Some(1), None]);
    store.delete_topic("%LMQ%b");
    assert_eq!(reserve(&["%LMQ%d"]), Ok(()));
}

/// As Java's store leaves it: offsets without room behind them, a name twice, and queues that are no light ones.
#[test]
fn opens_a_log_with_light_offsets_of_another_broker() {
    let world = World::new(1);
    let text = |offsets: &str, names: &str| format!("{OFFSETS}\u{1}{offsets}\u{2}TAGS\u{1}t\u{2}{DISPATCH}\u{1}{names}");
    let records = [
        ("T", text("0,0,0", "%LMQ%a,%LMQ%b,%LMQ%a")),
        ("T", text("2,1", "%LMQ%a,%LMQ%b")),
        ("T", text("3,5", "%LMQ%a,Other")),
        ("%RETRY%g", text("3,5", "%LMQ%a,%LMQ%b")),
        // It does not follow; only this queue does without it.
        ("T", text("1,2", "%LMQ%a,%LMQ%b")),
    ];
    let mut log = Vec::new();
    for (n, (topic, properties)) in records.iter().enumerate() {
        let at = log.len();
        let size = draft(topic, properties).encode(&mut log).expect("fits");
        let queue_offset = if *topic == "T" { n as i64 - i64::from(n > 3) } else { 0 };
        place(&mut log[at..at + size], QueueOffset(queue_offset), LogOffset(at as i64), Timestamp(world.start_ms));
    }
    log.resize(8192, 0);
    let disk = world.sim.disk();
    disk.create_dir_all(Path::new("/store/commitlog")).expect("creates");
    let file = disk.open(Path::new("/store/commitlog/00000000000000000000"), Open::Create).expect("creates");
    file.write_at(0, &log).expect("writes");
    let store = world.open();
    let read = |topic: &str, queue_id| world.read(&store, topic, queue_id, 0, 10).0;
    assert_eq!((read("T", 3).messages, read("%LMQ%b", 0).messages, read("%LMQ%a", 0).messages), (4, 3, 3));
    assert_eq!(next_offsets(&store, &["%LMQ%a", "%LMQ%b", "Other"]), [Some(4), Some(3), None]);
    append(&store, &[draft("T", &text("", "%LMQ%b,%LMQ%a"))]);
    assert_eq!(next_offsets(&store, &["%LMQ%a", "%LMQ%b"]), [Some(5), Some(4)]);
}
