//! Queues, their gaps, deletions, and how much is in memory.

use super::*;
use crate::index::queue::{Follows, Located};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::time::Timestamp;

fn entry(log_offset: i64) -> TailEntry {
    let entry = Entry { log_offset: LogOffset(log_offset), size: 10, tags: 0, envelope: 0 };
    TailEntry { entry, store_time: Timestamp(log_offset) }
}

fn filled(offsets: impl Iterator<Item = i64>) -> Index {
    let mut index = Index::default();
    let no = index.find_or_create("t", 3);
    for (n, offset) in offsets.enumerate() {
        let TailEntry { entry, store_time } = entry(n as i64 * 10);
        index.dispatch(Dispatch { queued: Some((no, QueueOffset(offset))), entry, store_time, hashes: &[7] });
    }
    index
}

#[test]
fn shows_only_what_ends_before_the_bound() {
    let index = filled(0..100);
    let queue = index.queue("t", 3).expect("queue");
    let mut out = Vec::new();
    assert_eq!((queue.min(), queue.next), (QueueOffset(0), QueueOffset(100)));
    for bound in 0..=1000 {
        assert_eq!(queue.visible_next(LogOffset(bound)), QueueOffset(bound / 10));
    }
    assert!(matches!(queue.locate(QueueOffset(50), LogOffset(505), 10, &mut out), Located::End));
    assert!(matches!(queue.locate(QueueOffset(50), LogOffset(525), 10, &mut out), Located::Tail));
    assert_eq!(out.len(), 2);
    assert!(matches!(queue.locate(QueueOffset(2), LogOffset(1000), 64, &mut out), Located::Tail));
    assert_eq!(out.len(), 66);
    assert_eq!(out[2].entry.log_offset, LogOffset(20));
    assert_eq!(out.last().expect("copied").entry.log_offset, LogOffset(650));
    assert!(matches!(queue.locate(QueueOffset(100), LogOffset(1000), 10, &mut out), Located::End));
}

#[test]
fn knows_gaps() {
    let index = filled((0..5).chain(9..12));
    let queue = index.queue("t", 3).expect("queue");
    let mut out = Vec::new();
    assert!(matches!(queue.locate(QueueOffset(3), LogOffset(1000), 10, &mut out), Located::Tail));
    assert_eq!(out.len(), 2);
    assert!(matches!(queue.locate(QueueOffset(5), LogOffset(1000), 10, &mut out), Located::Gap(QueueOffset(9))));
    assert!(matches!(queue.locate(QueueOffset(7), LogOffset(1000), 10, &mut out), Located::Gap(QueueOffset(9))));
    assert!(matches!(queue.locate(QueueOffset(7), LogOffset(55), 10, &mut out), Located::End));
    out.clear();
    assert_eq!(
        (queue.tail_before(LogOffset(1000), &mut out).as_slice(), out.len()),
        ([(QueueOffset(0), 5), (QueueOffset(9), 3)].as_slice(), 8)
    );
    assert_eq!(
        (queue.tail_before(LogOffset(60), &mut out).as_slice(), out.len()),
        ([(QueueOffset(0), 5), (QueueOffset(9), 1)].as_slice(), 14)
    );
    assert_eq!((queue.tail_before(LogOffset(0), &mut out).as_slice(), out.len()), ([].as_slice(), 14));
    assert_eq!(queue.follows(QueueOffset(12)), Follows::Directly);
    assert_eq!(queue.follows(QueueOffset(13)), Follows::WithGap);
    assert_eq!(queue.follows(QueueOffset(0)), Follows::AsNew);
    assert_eq!(queue.follows(QueueOffset(4)), Follows::NotAtAll);
}

#[test]
fn drops_keys_in_log_order() {
    let mut index = filled(0..10_000);
    index.keys.drop_before(LogOffset(50_000));
    assert_eq!(index.keys.find(7).count(), 5_000);
    assert_eq!(index.keys.find(7).last(), Some(LogOffset(50_000)));
    assert_eq!(index.keys.before(LogOffset(60_000)).len(), 1_000);
    assert_eq!(index.keys.find(8).count(), 0);
}

#[test]
fn a_deleted_topic_leaves_its_number_to_another() {
    let mut index = filled(0..3);
    assert!(index.delete_topic("t", LogOffset(30)) && !index.delete_topic("t", LogOffset(40)));
    assert!(index.queue("t", 3).is_none() && index.is_dead("t", LogOffset(29)) && !index.is_dead("t", LogOffset(30)));
    index.find_or_create("u", 0);
    assert_eq!((index.queue_count(), index.find("t", 3)), (1, None));
}

#[test]
fn a_queue_goes_on_until_the_deletion_of_its_topic_is_durable() {
    let next = |index: &mut Index, queue_id: u32| {
        let no = index.find_or_create("t", queue_id);
        index.at(no).expect("queue").next.0
    };
    let mut index = filled(0..3);
    index.delete_topic("t", LogOffset(30));
    assert_eq!((next(&mut index, 3), next(&mut index, 4)), (3, 0));
    let no = index.find("t", 3).expect("queue");
    index.add(no, QueueOffset(3), entry(40).entry, Timestamp(0));
    // Deleted once more: what is written down by then is not the last word.
    index.delete_topic("t", LogOffset(50));
    assert!(index.deletions(LogOffset(49)).is_empty());
    index.deletions_are_durable(&[("t".into(), LogOffset(30))]);
    assert!(index.has_pending_deletions());
    assert_eq!(next(&mut index, 3), 4);
    index.delete_topic("t", LogOffset(50));
    let deletions = index.deletions(LogOffset(50));
    index.deletions_are_durable(&deletions);
    assert!(!index.has_pending_deletions());
    assert_eq!(next(&mut index, 3), 0);
}

#[test]
fn knows_how_much_of_it_is_in_memory() {
    let mut index = filled((0..1500).chain(2000..2001));
    let tail_bytes = |index: &Index| index.tail_bytes() - index.keys.bytes();
    assert_eq!(tail_bytes(&index), 1501 * 32);
    assert!(index.take_back_outlier(0, QueueOffset(1700)));
    assert_eq!(tail_bytes(&index), 1500 * 32);
    index.add(0, QueueOffset(1800), entry(15_000).entry, Timestamp(0));
    index.take_back_unexplained(|_, _| QueueOffset(1800));
    assert_eq!(index.at(0).expect("queue").next, QueueOffset(1801), "known to be the next one");
    index.take_back_unexplained(|_, _| QueueOffset(1799));
    assert_eq!((tail_bytes(&index), index.at(0).expect("queue").next.0), (1500 * 32, 1500));
    let other = index.find_or_create("u", 0);
    (0..7).for_each(|offset| index.add(other, QueueOffset(offset), entry(16_000).entry, Timestamp(0)));
    index.restart_queue(0);
    assert_eq!(tail_bytes(&index), 7 * 32);
    index.delete_topic("u", LogOffset(20_000));
    assert_eq!(tail_bytes(&index), 0);
}
