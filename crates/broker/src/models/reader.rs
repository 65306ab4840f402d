//! What does a consumer see of a queue?

use super::world::{ANYONE, World};
use crate::settings::FlushDiskType;
use roxmq_protocol::body::SubscriptionData;
use roxmq_protocol::code;
use roxmq_protocol::record::records;
use roxmq_protocol::request::{PULL_SUBSCRIPTION, Pull, PullMessage};
use std::collections::HashMap;

/// A message as a consumer sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub body: String,
    pub queue_offset: i64,
    pub log_offset: i64,
    pub store_ms: i64,
    pub reconsume_times: i32,
}

/// A consumer that reads everything as soon as it may, and remembers.
pub struct Reader {
    topic: String,
    queue_id: u32,
    next: i64,
    pub seen: Vec<Seen>,
    /// How often each body was seen.
    times: HashMap<String, usize>,
}

impl Reader {
    pub fn of(topic: &str, queue_id: u32) -> Reader {
        Reader { topic: topic.to_owned(), queue_id, next: 0, seen: Vec::new(), times: HashMap::new() }
    }

    /// Pulls what is new. Offsets have no gap.
    pub fn read(&mut self, world: &World) -> Vec<Seen> {
        let before = self.seen.len();
        loop {
            let pull = PullMessage(Pull {
                consumer_group: GROUP.into(),
                topic: self.topic.as_str().into(),
                queue_id: self.queue_id as i32,
                queue_offset: self.next,
                max_msg_nums: 32,
                sys_flag: PULL_SUBSCRIPTION,
                commit_offset: 0,
                suspend_timeout_ms: 0,
                subscription: Some(SubscriptionData::ALL.into()),
                sub_version: 0,
                expression_type: Some(SubscriptionData::TAG.into()),
                max_msg_bytes: None,
            });
            let answered = world.ask(ANYONE, &pull, b"");
            match answered.code() {
                code::SUCCESS => self.see(answered.body()),
                // A topic of the broker's own is made when a message is parked there.
                code::PULL_NOT_FOUND | code::PULL_OFFSET_MOVED | code::TOPIC_NOT_EXIST => return self.seen[before..].to_vec(),
                _ => panic!("{} {}: {answered:?}", self.topic, self.queue_id),
            }
        }
    }

    fn see(&mut self, body: &[u8]) {
        for record in records(body).map(|record| record.expect("reads")) {
            assert_eq!(record.queue_offset.0, self.next, "{} {}: a gap", self.topic, self.queue_id);
            self.next += 1;
            let body = String::from_utf8_lossy(record.body).into_owned();
            *self.times.entry(body.clone()).or_default() += 1;
            self.seen.push(Seen {
                body,
                queue_offset: record.queue_offset.0,
                log_offset: record.log_offset.0,
                store_ms: record.store_timestamp.0,
                reconsume_times: record.reconsume_times,
            });
        }
    }

    /// The broker died and its log ends here: what was behind it was never seen. With SYNC_FLUSH there is no such thing.
    pub fn forget_behind(&mut self, log_end: i64, flush: FlushDiskType) {
        let times = &mut self.times;
        self.seen.retain(|seen| {
            let is_there = seen.log_offset < log_end;
            assert!(is_there || flush == FlushDiskType::AsyncFlush, "{} was seen, and is gone", seen.body);
            *times.entry(seen.body.clone()).or_default() -= usize::from(!is_there);
            is_there
        });
        self.next = self.seen.last().map_or(0, |last| last.queue_offset + 1);
    }

    pub fn times(&self, body: &str) -> usize {
        self.times.get(body).copied().unwrap_or(0)
    }
}

const GROUP: &str = "readers";
