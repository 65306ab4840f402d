//! Order: a queue has one owner at a time, which reads its messages in the order in which they were sent.

use super::cases;
use super::client::message;
use super::reader::Reader;
use super::world::{ANYONE, After, Mishap, Who, World, mishap};
use crate::settings::FlushDiskType;
use crate::tables::queue_locks::EXPIRY;
use crate::testing::TOPIC;
use proptest::prelude::*;
use roxmq_protocol::body::{ConsumerData, HeartbeatData, LockBatchRequestBody, LockBatchResponseBody, MessageQueue};
use roxmq_protocol::code;
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request::{LockQueues, OffsetReply, QueryConsumerOffset, UnlockQueues, UnregisterClient, UpdateConsumerOffset};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Lock {
        client: usize,
        queues: Vec<i32>,
    },
    Unlock {
        client: usize,
        queues: Vec<i32>,
    },
    /// The client leaves the group, and comes back.
    Leave {
        client: usize,
    },
    /// Its connection breaks, and it connects again.
    Break {
        client: usize,
    },
    Pass(Duration),
    Send {
        queue: i32,
    },
    /// The owner reads on from the committed offset, and commits how far it came.
    Consume {
        queue: i32,
    },
    Mishap(Mishap),
}

fn step() -> impl Strategy<Value = Step> {
    let (client, queues) = (0..CLIENTS.len(), prop::collection::vec(0..QUEUES, 1..4));
    // A lock lives a minute: at its end, and one before, it matters.
    let time = prop_oneof![4 => 0..30_000_u64, 2 => 30_000..70_000_u64, 2 => Just(60_000_u64), 2 => Just(59_999_u64)];
    prop_oneof![
        8 => (client.clone(), queues.clone()).prop_map(|(client, queues)| Step::Lock { client, queues }),
        2 => (client.clone(), queues).prop_map(|(client, queues)| Step::Unlock { client, queues }),
        1 => client.clone().prop_map(|client| Step::Leave { client }),
        1 => client.prop_map(|client| Step::Break { client }),
        5 => time.prop_map(|ms| Step::Pass(Duration::from_millis(ms))),
        8 => (0..QUEUES).prop_map(|queue| Step::Send { queue }),
        6 => (0..QUEUES).prop_map(|queue| Step::Consume { queue }),
        3 => mishap().prop_map(Step::Mishap),
    ]
}

struct Model {
    world: World,
    clients: [Who; CLIENTS.len()],
    /// Who holds a queue, and since when it has not said so again.
    locks: HashMap<i32, (usize, Duration)>,
    sent: usize,
    /// By queue: what was acknowledged, in order.
    acknowledged: Vec<Vec<usize>>,
    readers: Vec<Reader>,
    /// By queue: what its owners handled, at which offset.
    handled: Vec<Vec<(i64, usize)>>,
}

impl Model {
    fn new(seed: u64) -> Model {
        let count = QUEUES as usize;
        let mut world = World::new(seed, FlushDiskType::SyncFlush);
        Model {
            clients: CLIENTS.map(|client| world.join(member(client))),
            world,
            locks: HashMap::new(),
            sent: 0,
            acknowledged: vec![Vec::new(); count],
            readers: (0..QUEUES).map(|queue| Reader::of(TOPIC, queue as u32)).collect(),
            handled: vec![Vec::new(); count],
        }
    }

    fn run(&mut self, steps: &[Step]) {
        for step in steps {
            let mut after = After::Well;
            match step {
                Step::Lock { client, queues } => self.lock(*client, queues),
                Step::Unlock { client, queues } => self.unlock(*client, queues),
                Step::Leave { client } => self.leave(*client),
                Step::Break { client } => {
                    self.world.connect_again(self.clients[*client]);
                    self.locks.retain(|_, (owner, _)| owner != client);
                }
                Step::Pass(time) => self.world.clock.advance(*time),
                Step::Send { queue } => self.send(*queue),
                Step::Consume { queue } => self.consume(*queue),
                Step::Mishap(mishap) => {
                    if self.world.meet(mishap) {
                        after = After::Died;
                    }
                }
            }
            after = after.max(self.world.recover());
            self.check(after == After::Died);
        }
    }

    fn lock(&mut self, client: usize, queues: &[i32]) {
        let now = self.world.broker().clock.elapsed();
        let mut expected = BTreeSet::new();
        for queue in queues {
            let is_anothers = self.locks.get(queue).is_some_and(|(owner, renewed)| *owner != client && now - *renewed < EXPIRY);
            if !is_anothers {
                self.locks.insert(*queue, (client, now));
                expected.insert(named(*queue));
            }
        }
        let answered = self.world.ask(self.clients[client], &LockQueues {}, &of_client(client, queues));
        answered.expect_success();
        let granted: LockBatchResponseBody = json::from_slice(answered.body()).expect("reads");
        assert_eq!(granted.lock_ok_mq_set, expected, "{} locks {queues:?}", CLIENTS[client]);
    }

    fn unlock(&mut self, client: usize, queues: &[i32]) {
        self.world.ask(self.clients[client], &UnlockQueues {}, &of_client(client, queues)).expect_success();
        self.locks.retain(|queue, (owner, _)| !(*owner == client && queues.contains(queue)));
    }

    fn leave(&mut self, client: usize) {
        let (who, client_id) = (self.clients[client], CLIENTS[client].into());
        let request = UnregisterClient { client_id, producer_group: None, consumer_group: Some(GROUP.into()) };
        self.world.ask(who, &request, b"").expect_success();
        self.locks.retain(|_, (owner, _)| *owner != client);
        self.world.beat(who, member(CLIENTS[client]));
    }

    fn send(&mut self, queue: i32) {
        let number = self.sent;
        self.sent += 1;
        let body = number.to_string();
        if self.world.ask(ANYONE, &message(TOPIC, queue as u32, &body, &[]), body.as_bytes()).is_success() {
            self.acknowledged[queue as usize].push(number);
        }
    }

    fn consume(&mut self, queue: i32) {
        let now = self.world.broker().clock.elapsed();
        if self.locks.get(&queue).is_none_or(|(_, renewed)| now - *renewed >= EXPIRY) {
            return;
        }
        let from = self.committed(queue);
        let seen = &self.readers[queue as usize].seen;
        let new =
            seen.iter().filter(|seen| seen.queue_offset >= from).map(|seen| (seen.queue_offset, seen.body.parse().expect("a number")));
        let handled = &mut self.handled[queue as usize];
        let before = handled.len();
        handled.extend(new);
        // After a crash the committed offset may be an earlier one: then some come again, but none is left out.
        if let (Some((last, _)), Some((next, _))) = (before.checked_sub(1).map(|last| handled[last]), handled.get(before)) {
            assert!(*next <= last + 1, "{} was left out", last + 1);
        }
        if let Some((last, _)) = handled[before..].last() {
            let commit =
                UpdateConsumerOffset { consumer_group: GROUP.into(), topic: TOPIC.into(), queue_id: queue, commit_offset: last + 1 };
            self.world.ask(ANYONE, &commit, b"").expect_success();
        }
    }

    fn committed(&self, queue: i32) -> i64 {
        let (consumer_group, topic) = (GROUP.into(), TOPIC.into());
        let request = QueryConsumerOffset { consumer_group, topic, queue_id: queue, set_zero_if_not_found: Some(false) };
        let answered = self.world.ask(ANYONE, &request, b"");
        if answered.code() == code::QUERY_NOT_FOUND { 0 } else { answered.fields::<OffsetReply>().offset }
    }

    fn check(&mut self, died: bool) {
        if died {
            // Clients lock again after a restart.
            self.locks.clear();
            let end = self.world.kept_to();
            self.readers.iter_mut().for_each(|reader| reader.forget_behind(end, FlushDiskType::SyncFlush));
        }
        let now = self.world.broker().clock.elapsed();
        let is_ordered = self.locks.values().any(|(_, renewed)| now - *renewed < EXPIRY);
        assert_eq!(self.world.broker().tables.locks.is_ordered(GROUP, now), is_ordered);
        for queue in 0..self.readers.len() {
            self.readers[queue].read(&self.world);
            let reader = &self.readers[queue];
            let numbers: Vec<usize> = reader.seen.iter().map(|seen| seen.body.parse().expect("a number")).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "queue {queue} is out of order: {numbers:?}");
            let acknowledged = &self.acknowledged[queue];
            assert!(acknowledged.iter().all(|number| numbers.binary_search(number).is_ok()), "queue {queue} lost one: {numbers:?}");
            let committed = self.committed(queue as i32);
            assert!(committed <= numbers.len() as i64, "queue {queue}: {committed} is committed, of {} messages", numbers.len());
            let handled = &self.handled[queue];
            assert!(handled.iter().all(|(offset, number)| numbers.get(*offset as usize) == Some(number)), "queue {queue}: {handled:?}");
        }
    }
}

fn named(queue: i32) -> MessageQueue {
    MessageQueue::new(TOPIC, "broker", queue)
}

fn of_client(client: usize, queues: &[i32]) -> Vec<u8> {
    let request = LockBatchRequestBody {
        client_id: CLIENTS[client].into(),
        consumer_group: GROUP.into(),
        mq_set: queues.iter().map(|queue| named(*queue)).collect(),
        only_this_broker: false,
    };
    json::to_vec(&request, Dialect::Fastjson)
}

fn member(client_id: &str) -> HeartbeatData {
    let group = ConsumerData { group_name: GROUP.into(), ..ConsumerData::default() };
    HeartbeatData { client_id: client_id.into(), consumer_data_set: vec![group], ..HeartbeatData::default() }
}

const GROUP: &str = "consumers";
const CLIENTS: [&str; 3] = ["a", "b", "c"];
const QUEUES: i32 = 3;

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn one_owner_at_a_time_and_the_order_of_sending(seed: u64, steps in prop::collection::vec(step(), 1..80)) {
        Model::new(seed).run(&steps);
    }
}
