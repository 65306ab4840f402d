use crate::broker::Broker;
use crate::delivery::check_back::{CheckedBack, check_all, check_open};
use crate::delivery::decide::{ROLLBACK, decide_all};
use crate::error::Refusal;
use crate::names::{HALF_TOPIC, UNDECIDED_TOPIC};
use crate::requests::transactions::put_back;
use crate::settings::BrokerConfig;
use crate::testing::decide;
use crate::testing::open_offsets;
use crate::testing::{self, NOW_MS, QUEUE, TOPIC, close, delivered, open, put, seen_in, try_open};
use crate::waiting::redraft;
use crate::waiting::system_queue::AT_ONCE;
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::properties::Properties;
use roxmq_protocol::properties::name;
use roxmq_protocol::record::records;
use roxmq_protocol::request;
use roxmq_store::{Filter, ReadRequest};
use std::time::Duration;

fn put_half(broker: &Broker, body: &str) -> request::EndTransaction<'static> {
    let properties = format!("PGROUP\u{1}producers\u{2}UNIQ_KEY\u{1}{body}\u{2}");
    let placed = put(broker, HALF_TOPIC, 0, &redraft::waiting_properties(&properties, TOPIC, QUEUE), body);
    testing::commit_of(placed.queue_offset, placed.log_offset)
}

#[test]
fn without_a_producer_a_half_message_waits_until_it_would_expire() {
    let (disk, clock) = (SimDisk::new(8).disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    let undecided = put_half(&broker, "undecided");
    for _ in 0..100 {
        clock.advance(Duration::from_secs(30 * 60));
        check_all(&broker);
    }
    assert_eq!(open_offsets(&broker), [0]);
    clock.advance(Duration::from_secs(15 * 3600));
    check_all(&broker);
    assert_eq!(open_offsets(&broker), Vec::<i64>::new());
    decide(&broker, &undecided).unwrap();
    assert_eq!(delivered(&broker), Vec::<String>::new());
    // It is parked, and can be resumed.
    let mut bytes = Vec::new();
    let read = broker.store.read(
        &ReadRequest { topic: UNDECIDED_TOPIC, queue_id: 0, from: QueueOffset(0), limits: AT_ONCE },
        Filter::ALL,
        &mut bytes,
    );
    assert_eq!(read.messages, 1);
    let parked = records(&bytes).next().unwrap().unwrap().message_id().to_string();
    assert!(put_back(&broker, "nonsense").is_err());
    put_back(&broker, &parked).unwrap();
    assert_eq!(open_offsets(&broker), [1]);
    close(broker);
}

/// Checks back in one round: the half messages, and how often each was checked by now.
fn asked_in_a_round(broker: &Broker, clock: &Clock) -> Vec<(i64, u32)> {
    clock.advance(Duration::from_secs(60));
    let mut asked = Vec::new();
    check_open(broker, |half, times| {
        asked.push((half.queue_offset.0, times));
        CheckedBack::Yes
    });
    asked
}

#[test]
fn counts_of_checks_outlive_restarts() {
    let (disk, clock) = (SimDisk::new(12).disk(), Clock::manual(NOW_MS));
    let config = BrokerConfig { transaction_checks_max: 3, ..testing::config() };
    let open = || try_open(&disk, &clock, config.clone()).unwrap();
    let broker = open();
    put_half(&broker, "first");
    assert_eq!(asked_in_a_round(&broker, &clock), [(0, 1)]);
    put_half(&broker, "second");
    assert_eq!(asked_in_a_round(&broker, &clock), [(0, 2), (1, 1)]);
    close(broker);
    let broker = open();
    assert_eq!(asked_in_a_round(&broker, &clock), [(0, 3), (1, 2)]);
    close(broker);
    // The file does not matter.
    disk.remove(&config.store_root.join("config/transactions.json")).unwrap();
    let broker = open();
    assert_eq!(asked_in_a_round(&broker, &clock), [(1, 3)]);
    assert_eq!(asked_in_a_round(&broker, &clock), []);
    assert_eq!(open_offsets(&broker), Vec::<i64>::new());
    let parked: Vec<_> = seen_in(&broker, UNDECIDED_TOPIC, 0).into_iter().map(|(body, properties)| (body, times_in(&properties))).collect();
    assert_eq!(parked, [("first".to_owned(), Some("3".to_owned())), ("second".to_owned(), Some("3".to_owned()))]);
    close(broker);
}

fn times_in(properties: &str) -> Option<String> {
    Properties::new(properties).find(name::TRANSACTION_CHECK_TIMES).map(str::to_owned)
}

#[test]
fn a_committed_message_says_how_often_its_producer_was_checked_back() {
    let (disk, clock) = (SimDisk::new(13).disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    let at_once = put_half(&broker, "at once");
    decide(&broker, &at_once).unwrap();
    let later = put_half(&broker, "later");
    assert_eq!(asked_in_a_round(&broker, &clock), [(1, 1)]);
    assert_eq!(asked_in_a_round(&broker, &clock), [(1, 2)]);
    decide(&broker, &later).unwrap();
    let seen: Vec<_> = seen_in(&broker, TOPIC, QUEUE).into_iter().map(|(_, properties)| times_in(&properties)).collect();
    assert_eq!(seen, [None, Some("2".to_owned())]);
    // The count of a parked one starts again when it is resumed.
    put_half(&broker, "parked");
    (0..=broker.config().transaction_checks_max).for_each(|_| drop(asked_in_a_round(&broker, &clock)));
    let parked = broker.store.index_entry(UNDECIDED_TOPIC, 0, QueueOffset(0)).unwrap().log_offset;
    put_back(&broker, &MessageId { store_host: broker.identity.advertised, log_offset: parked }.to_string()).unwrap();
    assert_eq!(asked_in_a_round(&broker, &clock), [(3, 1)]);
    close(broker);
}

#[test]
fn half_messages_without_a_producer_are_logged_when_their_number_changes() {
    let clock = Clock::manual(NOW_MS);
    let broker = open(&SimDisk::new(4).disk(), &clock);
    let round = || {
        clock.advance(Duration::from_secs(60));
        crate::testing::logged(|| check_all(&broker))
    };
    let decision = put_half(&broker, "one");
    let first = round();
    assert!(first.len() == 1 && first[0].contains("half messages wait for a decision"), "{first:?}");
    assert_eq!(round(), [""; 0], "nothing is new");
    let other = put_half(&broker, "two");
    assert_eq!(round().len(), 1, "there are two now");
    assert_eq!(round(), [""; 0]);
    for request in [&decision, &other] {
        decide(&broker, request).unwrap();
    }
    assert_eq!((round().len(), round().len()), (1, 0), "none waits any more");
    close(broker);
}

#[test]
fn half_messages_are_open_without_their_file_too() {
    let (disk, clock) = (SimDisk::new(9).disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    let [first, ..] = ["first", "second", "third"].map(|body| put_half(&broker, body));
    decide(&broker, &first).unwrap();
    let file = broker.config().store_root.join("config/transactions.json");
    close(broker);
    disk.remove(&file).unwrap();
    let broker = open(&disk, &clock);
    assert_eq!((delivered(&broker), open_offsets(&broker)), (vec!["first".to_owned()], vec![1, 2]));
    close(broker);
}

#[test]
fn decisions_hold_over_restarts() {
    let (disk, clock) = (SimDisk::new(7).disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    let [commit, rollback, undecided, late] = ["committed", "rolled back", "undecided", "late"].map(|body| put_half(&broker, body));
    decide(&broker, &commit).unwrap();
    decide(&broker, &request::EndTransaction { commit_or_rollback: ROLLBACK, ..rollback.clone() }).unwrap();
    assert_eq!((delivered(&broker), open_offsets(&broker)), (vec!["committed".to_owned()], vec![2, 3]));
    close(broker);

    let broker = open(&disk, &clock);
    assert_eq!((delivered(&broker), open_offsets(&broker)), (vec!["committed".to_owned()], vec![2, 3]));
    // A repeated decision counts once; a contrary one counts for nothing.
    decide(&broker, &commit).unwrap();
    decide(&broker, &rollback).unwrap();
    decide(&broker, &late).unwrap();
    decide(&broker, &request::EndTransaction { commit_or_rollback: 0, ..undecided.clone() }).unwrap();
    assert_eq!((delivered(&broker), open_offsets(&broker)), (vec!["committed".to_owned(), "late".to_owned()], vec![2]));
    close(broker);

    let broker = open(&disk, &clock);
    assert_eq!(open_offsets(&broker), [2]);
    let wrong_group = request::EndTransaction { producer_group: "others".into(), ..undecided.clone() };
    let wrong_offset = request::EndTransaction { tran_state_table_offset: 1, ..undecided.clone() };
    let no_message = request::EndTransaction { commit_log_offset: 1, ..undecided.clone() };
    let refused = [wrong_group, wrong_offset, no_message].map(|wrong| {
        let refusal = decide(&broker, &wrong).unwrap_err();
        (refusal.code(), refusal.to_string())
    });
    let expected = ["The producer group wrong", "The transaction state table offset wrong", "Find prepared transaction message failed"];
    assert_eq!(refused, expected.map(|what| (1, what.to_owned())));
    assert_eq!(open_offsets(&broker), [2]);
    decide(&broker, &undecided).unwrap();
    assert_eq!((delivered(&broker).len(), open_offsets(&broker)), (3, vec![]));
    close(broker);
}

#[test]
fn decisions_are_carried_out_together_and_each_has_its_own_outcome() {
    let (disk, clock) = (SimDisk::new(11).disk(), Clock::manual(NOW_MS));
    let broker = open(&disk, &clock);
    let [first, second, third, left] = ["first", "second", "third", "left"].map(|body| put_half(&broker, body));
    let nowhere = {
        let properties = redraft::waiting_properties("PGROUP\u{1}producers\u{2}UNIQ_KEY\u{1}nowhere\u{2}", "no-such-topic", 0);
        let placed = put(&broker, HALF_TOPIC, 0, &properties, "nowhere");
        let (tran_state_table_offset, commit_log_offset) = (placed.queue_offset.0, placed.log_offset.0);
        request::EndTransaction { tran_state_table_offset, commit_log_offset, ..first.clone() }
    };
    let rollback = |of: &request::EndTransaction<'static>| request::EndTransaction { commit_or_rollback: ROLLBACK, ..of.clone() };
    let wrong_group = request::EndTransaction { producer_group: "others".into(), ..left.clone() };
    let (rolled_back, twice) = (rollback(&second), rollback(&first));
    let asked = vec![Ok(first), Ok(nowhere), Ok(rolled_back), Ok(wrong_group), Ok(twice), Err(Refusal::Busy("no")), Ok(third)];
    let before = broker.store.visible_end();
    let outcomes: Vec<String> = decide_all(&broker, asked)
        .into_iter()
        .map(|outcome| match outcome {
            Ok(()) => "decided".to_owned(),
            Err(refusal) => refusal.to_string(),
        })
        .collect();
    assert!(broker.store.visible_end() > before);
    assert_eq!(outcomes[0], "decided");
    assert!(outcomes[1].contains("no-such-topic"), "{}", outcomes[1]);
    assert_eq!(outcomes[2], "decided");
    assert_eq!(outcomes[3], "The producer group wrong");
    // The commit just before stands.
    assert_eq!(outcomes[4], "decided");
    assert_eq!(outcomes[5], Refusal::Busy("no").to_string());
    assert_eq!(outcomes[6], "decided");
    assert_eq!((delivered(&broker), open_offsets(&broker)), (vec!["first".to_owned(), "third".to_owned()], vec![3, 4]));
    close(broker);
    // The half messages that one append closed are closed after a start, too.
    let broker = open(&disk, &clock);
    assert_eq!((delivered(&broker).len(), open_offsets(&broker)), (2, vec![3, 4]));
    close(broker);
}
