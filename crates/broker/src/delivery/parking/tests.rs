//! For each kind of waiting: a message that cannot be carried on, and others behind it.

use crate::announce::changing;
use crate::announce::topics;
use crate::broker::Broker;
use crate::delivery::carry_on::NO_TOPIC;
use crate::delivery::check_back::{CheckedBack, check_open};
use crate::delivery::clearing;
use crate::delivery::parking;
use crate::message::light;
use crate::message::room;
use crate::names::{self, DELAY_TOPIC, HALF_TOPIC, PARKING_TOPIC, TIMER_TOPIC, UNDECIDED_TOPIC};
use crate::requests::send::flow::{Flow, Sender};
use crate::requests::send::{self, Unprepared};
use crate::requests::send_back;
use crate::settings::BrokerConfig;
use crate::testing::decide;
use crate::testing::{self, NOW_MS, QUEUE, TOPIC, close, delivered, put, seen_in, try_open_with};
use crate::waiting::delay::levels::DelayLevel;
use crate::waiting::redraft;
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_env::randomness::Randomness;
use roxmq_protocol::body::{SubscriptionGroupConfig, TopicConfig};
use roxmq_protocol::permission::Permission;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, Properties, name};
use roxmq_protocol::record::Record;
use roxmq_protocol::request::{ConsumerSendBack, EndTransaction, SendMessage};
use roxmq_protocol::time::Timestamp;
use roxmq_store::Placed;
use std::sync::Arc;
use std::time::Duration;

const SEGMENT_BYTES: u64 = 1 << 20;
const GROUP: &str = "consumers";

fn ms(ms: i64) -> Duration {
    Duration::from_millis(ms as u64)
}

/// A broker with log files of a megabyte, and one that opens the same folder with smaller ones.
struct Place {
    sim: SimDisk,
    clock: Clock,
}

impl Place {
    fn new() -> Place {
        Place { sim: SimDisk::new(1), clock: Clock::manual(NOW_MS) }
    }

    fn open(&self) -> Broker {
        self.open_with(SEGMENT_BYTES, testing::config())
    }

    fn open_with(&self, segment_bytes: u64, config: BrokerConfig) -> Broker {
        let broker = try_open_with(segment_bytes, &self.sim.disk(), &self.clock, &Randomness::seeded(0), config).unwrap();
        broker.tables.topics.add(TopicConfig { topic_name: impossible_topic(), ..TopicConfig::default() });
        broker
    }
}

/// A topic that no record can name.
fn impossible_topic() -> String {
    names::retry_topic(&"g".repeat(300))
}

/// Properties of exactly so many bytes.
fn filled(properties: &str, bytes: usize) -> String {
    let rest = bytes - properties.len() - "fill".len() - 2;
    format!("{properties}fill\u{1}{}\u{2}", "x".repeat(rest))
}

fn reason_of(properties: &str) -> &str {
    Properties::new(properties).find(parking::REASON).unwrap_or("")
}

fn find(properties: &str, name: &str) -> Option<String> {
    Properties::new(properties).find(name).map(str::to_owned)
}

#[test]
fn messages_that_wait_for_a_deleted_topic_are_dropped() {
    let place = Place::new();
    let broker = place.open();
    for topic in ["deleted", "%RETRY%gone", "%RETRY%there", TOPIC] {
        let properties = redraft::waiting_properties("DELAY\u{1}1\u{2}", topic, 0);
        put(&broker, DELAY_TOPIC, DelayLevel(1).queue_id(), &properties, topic);
    }
    broker.tables.groups.put(SubscriptionGroupConfig { group_name: "there".into(), ..SubscriptionGroupConfig::default() });
    place.clock.advance(ms(1000));
    crate::delivery::delay::deliver_due(&broker);
    let mut went_to: Vec<String> = broker.store.queues().into_iter().map(|(topic, _)| topic).collect();
    went_to.retain(|topic| ![DELAY_TOPIC, names::DELIVERY_MARKS_TOPIC].contains(&&**topic));
    went_to.sort();
    assert_eq!(went_to, ["%RETRY%there", TOPIC]);
    assert!(broker.tables.topics.find("%RETRY%there").is_some(), "its group is there, and reads it");
    assert_eq!(broker.counts.figures.parked_messages(), 0);
    close(broker);
}

#[test]
fn a_level_delivers_the_messages_behind_one_that_it_parks() {
    let place = Place::new();
    let broker = place.open();
    let wait = |topic: &str, body: &str| {
        let properties = redraft::waiting_properties("DELAY\u{1}1\u{2}", topic, QUEUE);
        put(&broker, DELAY_TOPIC, DelayLevel(1).queue_id(), &properties, body);
    };
    wait(TOPIC, "before");
    wait(&impossible_topic(), "impossible");
    put(&broker, DELAY_TOPIC, DelayLevel(1).queue_id(), "DELAY\u{1}1\u{2}", "to nowhere");
    wait("deleted", "deleted");
    wait(TOPIC, "behind");
    place.clock.advance(ms(1000));
    crate::delivery::delay::deliver_due(&broker);
    assert_eq!(delivered(&broker), ["before", "behind"]);
    let parked = seen_in(&broker, PARKING_TOPIC, 0);
    assert_eq!(parked.iter().map(|(body, _)| &**body).collect::<Vec<_>>(), ["impossible", "to nowhere"]);
    assert!(reason_of(&parked[0].1).starts_with("the topic has 307 bytes"), "{}", parked[0].1);
    assert_eq!(reason_of(&parked[1].1), NO_TOPIC);
    assert_eq!(find(&parked[0].1, name::REAL_TOPIC), Some(impossible_topic()));
    assert_eq!(broker.counts.figures.parked_messages(), 2);
    assert!(broker.tables.topics.find(PARKING_TOPIC).is_some_and(|topic| topic.perm == Permission::READ_WRITE), "operators can read it");
    close(broker);

    let broker = place.open();
    crate::delivery::delay::deliver_due(&broker);
    assert_eq!((delivered(&broker).len(), seen_in(&broker, PARKING_TOPIC, 0).len()), (2, 2), "once, over a restart");
    close(broker);
}

fn wait_for_time(broker: &Broker, topic: &str, after_ms: i64, properties: &str, body: &str) -> Placed {
    let now = Timestamp(broker.clock.now_ms());
    let due = now.plus_ms(after_ms);
    let properties = redraft::timed_properties(properties, topic, QUEUE, due);
    put(broker, TIMER_TOPIC, broker.waiting.timers.queue_of(due, now), &properties, body)
}

#[test]
fn timers_deliver_the_messages_behind_one_that_they_park() {
    let place = Place::new();
    let broker = place.open();
    wait_for_time(&broker, TOPIC, 1000, "", "before");
    wait_for_time(&broker, &impossible_topic(), 1000, "", "impossible");
    wait_for_time(&broker, TOPIC, 1001, "", "behind");
    place.clock.advance(ms(2000));
    crate::delivery::timer::deliver_due(&broker);
    assert_eq!(delivered(&broker), ["before", "behind"]);
    let parked = seen_in(&broker, PARKING_TOPIC, 0);
    assert!(parked.len() == 1 && parked[0].0 == "impossible" && reason_of(&parked[0].1).starts_with("the topic has"), "{parked:?}");
    close(broker);
    let broker = place.open();
    crate::delivery::timer::deliver_due(&broker);
    assert_eq!((delivered(&broker).len(), seen_in(&broker, PARKING_TOPIC, 0).len()), (2, 1), "once, over a restart");
    close(broker);
}

#[test]
fn a_timed_message_whose_properties_are_full_is_delivered() {
    let place = Place::new();
    let config = BrokerConfig { light_queues: true, multi_dispatch: true, ..testing::config() };
    let broker = place.open_with(SEGMENT_BYTES, config);
    // A release that left no room accepted them: one is full when it is stored, one but for its offset in a light queue.
    let waiting = redraft::timed_properties("", TOPIC, QUEUE, Timestamp(NOW_MS + 1000)).len();
    wait_for_time(&broker, TOPIC, 1000, &filled("", PROPERTIES_BYTES_MAX - waiting), "full");
    let named = "INNER_MULTI_DISPATCH\u{1}%LMQ%a\u{2}";
    let light_bytes = light::asked(&broker.config(), TOPIC, Some("%LMQ%a")).unwrap().unwrap().1;
    wait_for_time(&broker, TOPIC, 1000, &filled(named, PROPERTIES_BYTES_MAX - waiting - light_bytes), "light");
    place.clock.advance(ms(1000));
    crate::delivery::timer::deliver_due(&broker);
    assert_eq!(delivered(&broker), ["full", "light"]);
    assert_eq!(broker.store.queue_next("%LMQ%a", 0).map(|next| next.0), Some(1));
    assert_eq!(broker.counts.figures.parked_messages(), 0);
    close(broker);
}

#[test]
fn a_message_that_cannot_be_stored_again_does_not_hold_up_a_deletion() {
    let place = Place::new();
    let broker = place.open();
    let waiting = redraft::timed_properties("", TOPIC, QUEUE, Timestamp(NOW_MS + 40 * DAY_MS)).len();
    let full = filled("", PROPERTIES_BYTES_MAX - waiting);
    wait_for_time(&broker, TOPIC, 40 * DAY_MS, &full, "full");
    wait_for_time(&broker, TOPIC, 40 * DAY_MS, "", &"long".repeat(10_000));
    wait_for_time(&broker, TOPIC, 40 * DAY_MS, "", "far");
    close(broker);
    // Log files are smaller now than the messages that wait.
    let broker = Arc::new(place.open_with(16 << 10, testing::config()));
    clearing::watch(&broker);
    let fill = |bytes: u64| {
        (0..bytes / 1000).for_each(|_| {
            put(&broker, TOPIC, QUEUE + 1, "", &"x".repeat(1000));
        })
    };
    fill(SEGMENT_BYTES);
    place.clock.advance(ms(5 * DAY_MS));
    fill(64 << 10);
    broker.store.tick();
    clearing::delete_expired(&broker);
    broker.store.tick();
    assert!(broker.store.min_log_offset() > LogOffset(0), "the oldest part was deleted");
    let parked: Vec<(String, usize)> =
        seen_in(&broker, PARKING_TOPIC, 0).into_iter().map(|(body, properties)| (body, properties.len())).collect();
    assert_eq!(parked.len(), 2, "{parked:?}");
    for (body, properties_bytes) in &parked {
        assert!(body.contains("the message is at log offset"), "{body}");
        assert!(*properties_bytes < 1000);
    }
    place.clock.advance(ms(36 * DAY_MS));
    crate::delivery::timer::deliver_due(&broker);
    assert_eq!(delivered(&broker), ["far"]);
    assert_eq!(broker.counts.figures.parked_messages(), 2);
    close(Arc::into_inner(broker).unwrap());
}

const DAY_MS: i64 = 86_400_000;

fn put_half(broker: &Broker, properties: &str, body: &str) -> EndTransaction<'static> {
    let properties = redraft::waiting_properties(&format!("PGROUP\u{1}producers\u{2}{properties}"), TOPIC, QUEUE);
    let placed = put(broker, HALF_TOPIC, 0, &properties, body);
    testing::commit_of(placed.queue_offset, placed.log_offset)
}

#[test]
fn a_commit_that_cannot_be_carried_out_is_parked_and_closes_its_half_message() {
    let place = Place::new();
    let broker = place.open();
    let waiting = redraft::waiting_properties("PGROUP\u{1}producers\u{2}", TOPIC, QUEUE).len();
    // Full before the commit writes when it is due.
    let timed = put_half(&broker, &filled("TIMER_DELAY_SEC\u{1}5\u{2}", PROPERTIES_BYTES_MAX - waiting), "timed");
    let plain = put_half(&broker, &filled("", PROPERTIES_BYTES_MAX - waiting), "plain");
    assert_eq!(decide(&broker, &timed), Ok(()));
    assert_eq!(decide(&broker, &plain), Ok(()));
    assert_eq!((delivered(&broker), testing::open_offsets(&broker)), (vec!["plain".to_owned()], vec![]));
    let parked = seen_in(&broker, PARKING_TOPIC, 0);
    assert!(parked.len() == 1 && parked[0].0 == "timed", "{parked:?}");
    close(broker);
    let broker = place.open();
    assert_eq!(testing::open_offsets(&broker), Vec::<i64>::new());
    close(broker);
}

#[test]
fn an_undecided_half_message_is_parked_however_long_it_is() {
    let place = Place::new();
    let broker = place.open();
    let waiting = redraft::waiting_properties("PGROUP\u{1}producers\u{2}", TOPIC, QUEUE).len();
    put_half(&broker, &filled("", PROPERTIES_BYTES_MAX - waiting), "full");
    put_half(&broker, "", &"long".repeat(10_000));
    put_half(&broker, "", "short");
    close(broker);
    let broker = place.open_with(16 << 10, testing::config());
    for _ in 0..=broker.config().transaction_checks_max {
        place.clock.advance(ms(3_600_000));
        check_open(&broker, |_, _| CheckedBack::Yes);
    }
    assert_eq!(testing::open_offsets(&broker), Vec::<i64>::new());
    let parked = seen_in(&broker, UNDECIDED_TOPIC, 0);
    assert_eq!(parked.len(), 3);
    assert_eq!(parked[2].0, "short");
    assert!(parked[..2].iter().all(|(body, _)| body.contains("a log file holds 16376")), "{}", parked[0].0);
    close(broker);
}

fn send_back(offset: LogOffset) -> ConsumerSendBack<'static> {
    ConsumerSendBack {
        offset: offset.0,
        group: GROUP.into(),
        delay_level: 0,
        origin_msg_id: None,
        origin_topic: None,
        unit_mode: None,
        max_reconsume_times: None,
    }
}

#[test]
fn a_message_without_room_for_a_retry_is_a_dead_letter() {
    let place = Place::new();
    let broker = place.open();
    for bytes in [PROPERTIES_BYTES_MAX - 300, PROPERTIES_BYTES_MAX - 120, PROPERTIES_BYTES_MAX - 60, PROPERTIES_BYTES_MAX] {
        let placed = put(&broker, TOPIC, QUEUE, &filled("UNIQ_KEY\u{1}key\u{2}", bytes), &bytes.to_string());
        assert_eq!(
            send_back::retry_or_dead_letter(&broker, &send_back(placed.log_offset), 0, broker.identity.advertised),
            Ok(()),
            "{bytes}"
        );
    }
    place.clock.advance(ms(100_000));
    crate::delivery::delay::deliver_due(&broker);
    let came: Vec<String> = broker
        .store
        .queues()
        .iter()
        .filter(|(topic, _)| topic.starts_with('%'))
        .flat_map(|(topic, queue_id)| seen_in(&broker, topic, *queue_id).into_iter().map(move |(body, _)| format!("{topic} {body}")))
        .collect();
    let [retried, dead @ ..] = ["%RETRY%consumers 32467", "%DLQ%consumers 32647", "%DLQ%consumers 32707", "%DLQ%consumers 32767"];
    let expected: Vec<&str> = dead.into_iter().chain([retried]).collect();
    assert_eq!(came, expected);
    assert_eq!(broker.counts.figures.parked_messages(), 3);
    let dead = seen_in(&broker, &names::dead_letter_topic(GROUP), 0);
    assert_eq!(find(&dead[0].1, name::RETRY_TOPIC).as_deref(), Some(TOPIC), "it says where it comes from, where there is room");
    assert_eq!(dead[2].1.len(), PROPERTIES_BYTES_MAX);
    close(broker);
}

fn send(broker: &Broker, topic: &str, properties: &str, body: &[u8], reconsume_times: i32) -> Result<Placed, String> {
    let request = SendMessage {
        producer_group: "producers".into(),
        topic: topic.into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id: if topic == TOPIC { QUEUE as i32 } else { 0 },
        sys_flag: 0,
        born_timestamp: Timestamp(NOW_MS),
        flag: 0,
        properties: properties.into(),
        reconsume_times,
        unit_mode: false,
        batch: false,
        max_reconsume_times: Some(3),
        broker_name: None,
    };
    let sender = Sender { address: ([127, 0, 0, 1], 1).into(), met_as: broker.identity.advertised, version: 500 };
    topics::add_retry_topic(broker, GROUP, 1);
    changing::sync(broker).unwrap();
    let mut batch = broker.store.batch();
    let mut flow = Flow::new(broker);
    let prepared = send::prepare_one(broker, sender, request, body, &mut flow, &mut batch);
    prepared.map_err(|why| match why {
        Unprepared::Refused(refusal) => format!("{} {refusal}", refusal.code()),
        Unprepared::TopicIsNew { .. } => unreachable!("it is durable"),
    })?;
    broker.append_and_confirm(&mut batch).unwrap();
    Ok(batch.placed(0))
}

/// A message that is accepted can go every way, even with the longest names.
#[test]
fn a_send_leaves_room_for_whatever_may_become_of_the_message() {
    let place = Place::new();
    let broker = place.open();
    let key = "UNIQ_KEY\u{1}key\u{2}";
    let marks = seen_in_plain_send(&broker).len();
    let half = "TRAN_MSG\u{1}true\u{2}PGROUP\u{1}producers\u{2}";
    for (asks, way) in [("", "plain"), ("DELAY\u{1}1\u{2}", "level"), ("TIMER_DELAY_MS\u{1}1000\u{2}", "timer"), (half, "half")] {
        let most =
            PROPERTIES_BYTES_MAX - room::later_bytes(TOPIC, room::WaitsFor { time: way == "timer", decision: way == "half" }) - marks;
        assert!(most > 32_200, "{way}: what applications have is far from the limit");
        send(&broker, TOPIC, &(filled(asks, most) + key), way.as_bytes(), 0).unwrap();
        for too_long in [most + 1, PROPERTIES_BYTES_MAX - marks, PROPERTIES_BYTES_MAX, PROPERTIES_BYTES_MAX + 5000] {
            let refused = send(&broker, TOPIC, &(filled(asks, too_long) + key), b"x", 0).unwrap_err();
            assert!(refused.starts_with("13 ") && refused.contains(&format!("{} B", too_long + marks)), "{way} {too_long}: {refused}");
        }
    }
    let half = seen_half(&broker);
    check_open(&broker, |_, _| CheckedBack::Yes);
    assert_eq!(decide(&broker, &half), Ok(()));
    place.clock.advance(ms(2000));
    crate::delivery::delay::deliver_due(&broker);
    crate::delivery::timer::deliver_due(&broker);
    let mut came = delivered(&broker);
    came.sort();
    assert_eq!(came, ["half", "level", "plain", "timer"]);
    // Each is sent back until it is a dead letter, by a group with the longest name.
    let group = "g".repeat(120);
    let first: Vec<LogOffset> = log_offsets(&broker, TOPIC, QUEUE);
    let mut sent_back = first;
    for round in 0..4 {
        for offset in sent_back.drain(..) {
            let request = ConsumerSendBack { group: group.as_str().into(), max_reconsume_times: Some(3), ..send_back(offset) };
            send_back::retry_or_dead_letter(&broker, &request, 500, broker.identity.advertised).unwrap();
        }
        place.clock.advance(ms(3_600_000));
        crate::delivery::delay::deliver_due(&broker);
        sent_back = log_offsets(&broker, &names::retry_topic(&group), 0).into_iter().skip(4 * round).collect();
        assert_eq!(sent_back.len(), if round < 3 { 4 } else { 0 }, "round {round}");
    }
    assert_eq!(seen_in(&broker, &names::dead_letter_topic(&group), 0).len(), 4);
    assert_eq!(broker.counts.figures.parked_messages(), 0);
    close(broker);
}

/// The properties that the broker stores with a message that has only a unique key.
fn seen_in_plain_send(broker: &Broker) -> String {
    let placed = send(broker, "another", "UNIQ_KEY\u{1}key\u{2}", b"x", 0).unwrap();
    let bytes = broker.store.message_at(placed.log_offset).unwrap();
    Record::parse(&bytes).unwrap().0.properties.to_owned()
}

fn seen_half(broker: &Broker) -> EndTransaction<'static> {
    let offsets = log_offsets(broker, HALF_TOPIC, 0);
    testing::commit_of(QueueOffset(0), offsets[0])
}

fn log_offsets(broker: &Broker, topic: &str, queue_id: u32) -> Vec<LogOffset> {
    let Some((min, max)) = broker.store.bounds(topic, queue_id) else { return Vec::new() };
    let entry = |offset| broker.store.index_entry(topic, queue_id, QueueOffset(offset)).unwrap().log_offset;
    (min.0..max.0).map(entry).collect()
}

/// `maxMessageSize` and room for later properties are limits of new messages: those that were accepted before are carried on.
#[test]
fn a_lowered_limit_is_one_for_new_messages_only() {
    let place = Place::new();
    let broker = place.open();
    let long = "l".repeat(4000);
    let properties = redraft::waiting_properties("DELAY\u{1}1\u{2}", TOPIC, QUEUE);
    put(&broker, DELAY_TOPIC, DelayLevel(1).queue_id(), &properties, &long);
    wait_for_time(&broker, TOPIC, 1000, "", &long);
    let half = put_half(&broker, "", &long);
    let read = put(&broker, TOPIC, QUEUE + 1, "", &long);
    close(broker);
    // 1 KiB, less than what waits.
    assert!((testing::config().max_message_bytes as usize) < long.len());
    let broker = place.open();
    assert!(send(&broker, TOPIC, "", long.as_bytes(), 0).unwrap_err().starts_with("13 "));
    place.clock.advance(ms(1000));
    crate::delivery::delay::deliver_due(&broker);
    crate::delivery::timer::deliver_due(&broker);
    assert_eq!(decide(&broker, &half), Ok(()));
    assert_eq!(delivered(&broker).len(), 3);
    assert_eq!(send_back::retry_or_dead_letter(&broker, &send_back(read.log_offset), 0, broker.identity.advertised), Ok(()));
    // A consumer sends one to the retry topic itself, to be tried again and as a dead letter.
    let retry_topic = names::retry_topic(GROUP);
    send(&broker, &retry_topic, "DELAY\u{1}1\u{2}", long.as_bytes(), 1).unwrap();
    send(&broker, &retry_topic, "DELAY\u{1}1\u{2}", long.as_bytes(), 4).unwrap();
    place.clock.advance(ms(10_000));
    crate::delivery::delay::deliver_due(&broker);
    assert_eq!(log_offsets(&broker, &retry_topic, 0).len(), 2);
    assert_eq!(seen_in(&broker, &names::dead_letter_topic(GROUP), 0).len(), 1);
    close(broker);
}

/// An ordered consumer gives up a message by sending it itself, and handles nothing else before.
#[test]
fn a_retry_that_has_no_room_to_wait_is_given_up() {
    let place = Place::new();
    let broker = place.open();
    let retry_topic = names::retry_topic(GROUP);
    let added = "RECONSUME_TIME\u{1}4\u{2}MAX_RECONSUME_TIMES\u{1}3\u{2}UNIQ_KEY\u{1}key\u{2}DELAY\u{1}3\u{2}";
    for (bytes, reconsume_times) in [(PROPERTIES_BYTES_MAX - 100, 1), (PROPERTIES_BYTES_MAX, 1), (PROPERTIES_BYTES_MAX, 4)] {
        send(&broker, &retry_topic, &filled(added, bytes), b"body", reconsume_times).unwrap();
    }
    let dead = seen_in(&broker, &names::dead_letter_topic(GROUP), 0);
    assert_eq!(dead.len(), 3);
    assert!(dead.iter().all(|(_, properties)| find(properties, name::UNIQ_KEY).as_deref() == Some("key")));
    close(broker);
}

#[test]
fn a_record_that_is_too_long_for_a_log_file_is_refused_by_itself() {
    let place = Place::new();
    let config = BrokerConfig { max_message_bytes: 1 << 20, ..testing::config() };
    let broker = place.open_with(16 << 10, config);
    let refused = send(&broker, TOPIC, "", &[b'x'; 20_000], 0).unwrap_err();
    assert!(refused.starts_with("13 ") && refused.contains("a log file holds"), "{refused}");
    close(broker);
}

#[test]
fn a_parked_message_is_still_a_record() {
    let place = Place::new();
    let broker = place.open();
    let placed = put(&broker, DELAY_TOPIC, 0, "UNIQ_KEY\u{1}key\u{2}", "body");
    let bytes = broker.store.message_at(placed.log_offset).unwrap();
    let (record, _) = Record::parse(&bytes).unwrap();
    let mut batch = broker.store.batch();
    let parked = parking::park(&broker, &record, PARKING_TOPIC, "a reason", &mut batch);
    broker.append_atomic(&mut batch).unwrap();
    broker.confirm(&batch);
    parking::log(&broker, [parked]);
    let expected = ("body".to_owned(), "UNIQ_KEY\u{1}key\u{2}PARKED_REASON\u{1}a reason\u{2}".to_owned());
    assert_eq!(seen_in(&broker, PARKING_TOPIC, 0), [expected]);
    close(broker);
}
