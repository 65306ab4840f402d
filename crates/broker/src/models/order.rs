//! Order: a queue has one owner at a time, and whoever it is reads its messages in the order in which they were sent.

use super::cases;
use super::world::{After, Mishap, Reader, World, mishap};
use crate::settings::FlushDiskType;
use crate::tables::locks::{LIFE, Queue};
use crate::testing::{TOPIC, try_put};
use proptest::prelude::*;
use std::collections::HashMap;
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
    /// The client leaves the group, or its connection breaks.
    Leave {
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
        1 => client.prop_map(|client| Step::Leave { client }),
        5 => time.prop_map(|ms| Step::Pass(Duration::from_millis(ms))),
        8 => (0..QUEUES).prop_map(|queue| Step::Send { queue }),
        6 => (0..QUEUES).prop_map(|queue| Step::Consume { queue }),
        3 => mishap().prop_map(Step::Mishap),
    ]
}

struct Model {
    world: World,
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
        Model {
            world: World::new(seed, FlushDiskType::SyncFlush),
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
                Step::Unlock { client, queues } => {
                    self.world.broker().tables.locks.unlock(GROUP, CLIENTS[*client], &named(queues));
                    self.locks.retain(|queue, (owner, _)| !(owner == client && queues.contains(queue)));
                }
                Step::Leave { client } => {
                    self.world.broker().tables.locks.client_left(GROUP, CLIENTS[*client]);
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
        let mut expected = Vec::new();
        for queue in queues {
            let is_anothers = self.locks.get(queue).is_some_and(|(owner, renewed)| *owner != client && now - *renewed < LIFE);
            if !is_anothers {
                self.locks.insert(*queue, (client, now));
                expected.push((TOPIC.to_owned(), *queue));
            }
        }
        let granted = self.world.broker().tables.locks.lock(GROUP, CLIENTS[client], named(queues), now);
        assert_eq!(granted, expected, "{} locks {queues:?}", CLIENTS[client]);
    }

    fn send(&mut self, queue: i32) {
        let number = self.sent;
        self.sent += 1;
        if try_put(self.world.broker(), TOPIC, queue as u32, "", &number.to_string()).is_ok() {
            self.acknowledged[queue as usize].push(number);
        }
    }

    fn consume(&mut self, queue: i32) {
        let now = self.world.broker().clock.elapsed();
        if self.locks.get(&queue).is_none_or(|(_, renewed)| now - *renewed >= LIFE) {
            return;
        }
        let offsets = &self.world.broker().tables.offsets;
        let from = offsets.find(GROUP, TOPIC, queue).unwrap_or(0);
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
            offsets.commit(GROUP, TOPIC, queue, last + 1, || true);
        }
    }

    fn check(&mut self, died: bool) {
        if died {
            // Clients lock again after a restart.
            self.locks.clear();
            let end = self.world.kept_to();
            self.readers.iter_mut().for_each(|reader| reader.forget_behind(end, FlushDiskType::SyncFlush));
        }
        let now = self.world.broker().clock.elapsed();
        let is_ordered = self.locks.values().any(|(_, renewed)| now - *renewed < LIFE);
        assert_eq!(self.world.broker().tables.locks.is_ordered(GROUP, now), is_ordered);
        for (queue, reader) in self.readers.iter_mut().enumerate() {
            reader.read(self.world.broker());
            let numbers: Vec<usize> = reader.seen.iter().map(|seen| seen.body.parse().expect("a number")).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "queue {queue} is out of order: {numbers:?}");
            let acknowledged = &self.acknowledged[queue];
            assert!(acknowledged.iter().all(|number| numbers.binary_search(number).is_ok()), "queue {queue} lost one: {numbers:?}");
            let committed = self.world.broker().tables.offsets.find(GROUP, TOPIC, queue as i32).unwrap_or(0);
            assert!(committed <= numbers.len() as i64, "queue {queue}: {committed} is committed, of {} messages", numbers.len());
            let handled = &self.handled[queue];
            assert!(handled.iter().all(|(offset, number)| numbers.get(*offset as usize) == Some(number)), "queue {queue}: {handled:?}");
        }
    }
}

fn named(queues: &[i32]) -> Vec<Queue> {
    queues.iter().map(|queue| (TOPIC.to_owned(), *queue)).collect()
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
