//! Transactions: a committed message is delivered once, one that is rolled back never; the producer of an undecided one is checked back
//! until the message is parked.

use super::cases;
use super::client::message;
use super::reader::{Reader, Seen};
use super::world::{ANYONE, After, Mishap, Who, World, a_while, flush, mishap};
use crate::delivery::check_back::check_all;
use crate::delivery::decide::{COMMIT, ROLLBACK};
use crate::delivery::delay::deliver_due;
use crate::names::{HALF_TOPIC, UNDECIDED_TOPIC};
use crate::settings::FlushDiskType;
use crate::testing::{QUEUE, TOPIC, commit_of};
use crate::testing::{checks_of, open_offsets};
use proptest::prelude::*;
use roxmq_protocol::body::{HeartbeatData, ProducerData};
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::name;
use roxmq_protocol::record::{Record, sys_flag};
use roxmq_protocol::request::{
    CheckTransaction, EndTransaction, HeaderFields, Request, ResumeTransaction, SendMessage, SendMessageV2, UnregisterClient,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    /// A half message, with its own immunity or without, for a delay level or none.
    Half {
        immunity_s: Option<u32>,
        level: i32,
    },
    /// A producer decides about one of the newest.
    Decide(usize, How),
    /// The service asks about what is open.
    Round,
    /// Producers of the group come or go.
    Producers(bool),
    /// A parked message is asked about again.
    Resume(usize),
    Deliver,
    Pass(Duration),
    Mishap(Mishap),
}

/// How a half message is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Committed,
    RolledBack,
    Parked,
}

fn step() -> impl Strategy<Value = Step> {
    let half = (prop::option::of(0..200_u32), prop_oneof![3 => Just(0), 1 => 1..=3_i32]);
    prop_oneof![
        6 => half.prop_map(|(immunity_s, level)| Step::Half { immunity_s, level }),
        4 => (0..20_usize).prop_map(|which| Step::Decide(which, How::Committed)),
        2 => (0..20_usize).prop_map(|which| Step::Decide(which, How::RolledBack)),
        4 => Just(Step::Round),
        1 => any::<bool>().prop_map(Step::Producers),
        1 => (0..20_usize).prop_map(Step::Resume),
        1 => Just(Step::Deliver),
        4 => a_while().prop_map(Step::Pass),
        3 => mishap().prop_map(Step::Mishap),
    ]
}

/// A half message that the log has.
#[derive(Debug)]
struct Half {
    body: String,
    log_offset: i64,
    stored_ms: i64,
    /// Its producers were asked so often.
    checks: u32,
    /// The log says so before this: how many, and where it ended then.
    counted: (u32, i64),
    closed: Option<Closed>,
    /// What was tried, and answered with an error.
    tried: Option<How>,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    how: How,
    at_ms: i64,
    /// The log says so before this.
    log_end: i64,
}

struct Model {
    world: World,
    producer: Who,
    flush: FlushDiskType,
    /// By offset in the half queue.
    halves: BTreeMap<i64, Half>,
    half_queue: Reader,
    parked: Reader,
    consumer: Reader,
    has_producers: bool,
    sent: usize,
    /// Half messages: a place in the log behind which it has all of their records, and their bodies.
    acknowledged: Vec<(i64, String)>,
}

impl Model {
    fn new(seed: u64, flush: FlushDiskType) -> Model {
        let mut world = World::new(seed, flush);
        Model {
            producer: world.join(producer()),
            world,
            flush,
            halves: BTreeMap::new(),
            half_queue: Reader::of(HALF_TOPIC, 0),
            parked: Reader::of(UNDECIDED_TOPIC, 0),
            consumer: Reader::of(TOPIC, QUEUE),
            has_producers: true,
            sent: 0,
            acknowledged: Vec::new(),
        }
    }

    fn run(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.take(step));
        let after = self.world.calm();
        self.learn(after == After::Died);
        self.check();
        self.producers(true);
        // Without a decision the producer is checked back as often as allowed, and then the message is parked.
        for _ in 0..=CHECKS_MAX {
            self.take(&Step::Pass(Duration::from_secs(3600)));
            self.take(&Step::Round);
        }
        assert_eq!(open_offsets(self.world.broker()), Vec::<i64>::new());
        self.take(&Step::Pass(Duration::from_secs(3600)));
        self.take(&Step::Deliver);
        for (body, committed) in self.count(How::Committed) {
            assert_eq!(self.consumer.times(&body), committed, "{body} is committed");
        }
    }

    fn take(&mut self, step: &Step) {
        let mut after = After::Well;
        let mut asked = None;
        match step {
            Step::Half { immunity_s, level } => self.send(*immunity_s, *level),
            Step::Decide(which, how) => self.decide(*which, *how),
            Step::Round => asked = Some((self.expected_of_round(), self.round())),
            Step::Producers(are_there) => self.producers(*are_there),
            Step::Resume(which) => self.resume(*which),
            Step::Deliver => deliver_due(self.world.broker()),
            Step::Pass(time) => self.world.clock.advance(*time),
            Step::Mishap(mishap) => {
                if self.world.meet(mishap) {
                    after = After::Died;
                }
            }
        }
        after = after.max(self.world.recover());
        self.learn(after == After::Died);
        if let (After::Well, Some((expected, (asked, parked)))) = (after, asked) {
            assert_eq!((asked, parked), expected, "which are checked back, and which are parked");
            let log_end = self.world.log_end();
            self.halves.values_mut().for_each(|half| half.counted = (half.checks, log_end));
        }
        self.check();
    }

    fn send(&mut self, immunity_s: Option<u32>, level: i32) {
        let body = format!("{};{};{level}", self.sent, immunity_s.map_or("-".into(), |seconds| seconds.to_string()));
        self.sent += 1;
        let (immunity, level) = (immunity_s.map(|seconds| seconds.to_string()), level.to_string());
        let mut properties = vec![(name::TRAN_MSG, "true"), (name::PGROUP, GROUP)];
        properties.extend(immunity.as_deref().map(|seconds| (name::CHECK_IMMUNITY_TIME_IN_SECONDS, seconds)));
        properties.extend((level != "0").then_some((name::DELAY, &*level)));
        let SendMessageV2(message) = message(TOPIC, QUEUE, &body, &properties);
        let prepared = SendMessageV2(SendMessage { sys_flag: sys_flag::TRANSACTION_PREPARED, ..message });
        if let Some(stored) = self.world.ask(self.producer, &prepared, body.as_bytes()).stored() {
            self.read_halves();
            let half = &self.halves[&stored.queue_offset];
            assert_eq!((half.log_offset, &half.body), (stored.log_offset, &body));
            self.acknowledged.push((stored.log_offset + 1, body));
        }
    }

    fn decide(&mut self, which: usize, how: How) {
        if self.halves.is_empty() {
            return;
        }
        let which = which % self.halves.len();
        let (offset, half) = self.halves.iter_mut().nth_back(which).expect("one of them");
        let request = EndTransaction {
            producer_group: GROUP.into(),
            commit_or_rollback: if how == How::Committed { COMMIT } else { ROLLBACK },
            ..commit_of(QueueOffset(*offset), LogOffset(half.log_offset))
        };
        let is_success = self.world.ask(self.producer, &request, b"").is_success();
        match half.closed {
            // It stays as it is. Its message may be gone from the log.
            Some(_) => {}
            None if is_success => half.closed = Some(Closed { how, at_ms: self.world.now_ms(), log_end: self.world.log_end() }),
            None => half.tried = Some(how),
        }
    }

    /// Producers say that they are there, or leave.
    fn producers(&mut self, are_there: bool) {
        self.has_producers = are_there;
        let mut heartbeat = producer();
        if !are_there {
            let client_id = heartbeat.client_id.clone().into();
            let request = UnregisterClient { client_id, producer_group: Some(GROUP.into()), consumer_group: None };
            self.world.ask(self.producer, &request, b"").expect_success();
            heartbeat.producer_data_set.clear();
        }
        self.world.beat(self.producer, heartbeat);
    }

    /// Which half messages a round has to check back, and which to park.
    fn expected_of_round(&self) -> (BTreeSet<i64>, BTreeSet<i64>) {
        let (mut asked, mut parked) = (BTreeSet::new(), BTreeSet::new());
        for (offset, half) in self.halves.iter().filter(|(_, half)| half.closed.is_none()) {
            let age = self.world.now_ms() - half.stored_ms;
            let immunity = half.body.split(';').nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(6) * 1000;
            if half.checks >= CHECKS_MAX || age > LIFE_MS {
                parked.insert(*offset);
            } else if age >= immunity && self.has_producers {
                asked.insert(*offset);
            }
        }
        (asked, parked)
    }

    /// Which it checks back, and which it parks.
    fn round(&mut self) -> (BTreeSet<i64>, BTreeSet<i64>) {
        let open: Vec<i64> = open_offsets(self.world.broker());
        check_all(self.world.broker());
        let mut asked = BTreeSet::new();
        for request in self.world.heard(self.producer) {
            let header = request.header();
            assert_eq!(header.code, CheckTransaction::CODE);
            let asks = CheckTransaction::read(&header.fields).expect("reads");
            let (record, _) = Record::parse(request.body()).expect("reads");
            let half = self.halves.get_mut(&asks.tran_state_table_offset).expect("a known one");
            assert_eq!((asks.commit_log_offset, record.body), (half.log_offset, half.body.as_bytes()));
            half.checks += 1;
            assert!(asked.insert(asks.tran_state_table_offset), "{} is asked about twice in a round", half.body);
        }
        let still_open = open_offsets(self.world.broker());
        let parked = open.into_iter().filter(|offset| !still_open.contains(offset)).collect();
        (asked, parked)
    }

    fn resume(&mut self, which: usize) {
        if self.parked.seen.is_empty() {
            return;
        }
        let seen = self.parked.seen[which % self.parked.seen.len()].clone();
        let store_host = self.world.broker().identity.advertised;
        let id = MessageId { store_host, log_offset: LogOffset(seen.log_offset) }.to_string();
        if self.world.ask(ANYONE, &ResumeTransaction { topic: None, msg_id: id.into() }, b"").is_success() {
            self.acknowledged.push((self.world.log_end(), seen.body));
        }
    }

    fn read_halves(&mut self) {
        for seen in self.half_queue.read(&self.world) {
            let half = Half {
                body: seen.body,
                log_offset: seen.log_offset,
                stored_ms: seen.store_ms,
                checks: 0,
                counted: (0, 0),
                closed: None,
                tried: None,
            };
            self.halves.insert(seen.queue_offset, half);
        }
    }

    /// Finds out what became of what ended with an error, and of what a power cut may have taken away.
    fn learn(&mut self, died: bool) {
        let end = self.world.kept_to();
        if died {
            for reader in [&mut self.half_queue, &mut self.parked, &mut self.consumer] {
                reader.forget_behind(end, self.flush);
            }
            self.halves.retain(|_, half| half.log_offset < end);
            self.acknowledged.retain(|(record_end, _)| *record_end <= end || self.flush == FlushDiskType::SyncFlush);
            for half in self.halves.values_mut() {
                if let Some(closed) = half.closed.filter(|closed| closed.log_end > end) {
                    assert!(self.flush == FlushDiskType::AsyncFlush, "{} was closed, and is not", half.body);
                    (half.closed, half.tried) = (None, Some(closed.how));
                }
            }
        }
        self.read_halves();
        self.parked.read(&self.world);
        let new = self.consumer.read(&self.world);
        let open = open_offsets(self.world.broker());
        let parked: BTreeMap<String, usize> = self.count(How::Parked);
        let (at_ms, log_end) = (self.world.now_ms(), self.world.log_end());
        for (offset, half) in &mut self.halves {
            let tried = half.tried.take();
            let is_open = open.contains(offset);
            assert!(!is_open || half.closed.is_none(), "{} was closed as {:?}, and is open", half.body, half.closed);
            if !is_open && half.closed.is_none() {
                let is_parked = self.parked.times(&half.body) > parked.get(&half.body).copied().unwrap_or(0);
                let how = tried.filter(|_| !is_parked).or(is_parked.then_some(How::Parked));
                let how = how.unwrap_or_else(|| panic!("{} was closed without a decision", half.body));
                half.closed = Some(Closed { how, at_ms, log_end });
            }
        }
        self.check_new(&new);
        if died {
            self.learn_checks(end);
        }
    }

    /// How often producers were asked outlives the broker, but for what a power cut took away.
    fn learn_checks(&mut self, end: i64) {
        for (offset, half) in self.halves.iter_mut().filter(|(_, half)| half.closed.is_none()) {
            let said = checks_of(self.world.broker(), *offset);
            let (counted, log_end) = half.counted;
            let may_say = if log_end <= end { counted..=half.checks } else { 0..=half.checks };
            assert!(may_say.contains(&said), "{} was asked about {said} times, not {may_say:?}", half.body);
            (half.checks, half.counted) = (said, (said, end));
        }
    }

    fn check(&self) {
        let committed = self.count(How::Committed);
        let parked = self.count(How::Parked);
        let mut acknowledged: BTreeMap<&String, usize> = BTreeMap::new();
        self.acknowledged.iter().for_each(|(_, body)| *acknowledged.entry(body).or_default() += 1);
        for (body, count) in acknowledged {
            assert!(self.half_queue.times(body) >= count, "{body} was acknowledged {count} times");
        }
        for half in self.halves.values() {
            let body = &half.body;
            let (seen, committed) = (self.consumer.times(body), committed.get(body).copied().unwrap_or(0));
            let is_delayed = !body.ends_with(";0");
            assert!(seen <= committed, "{body} is committed {committed} times, and was seen {seen} times");
            assert!(is_delayed || seen == committed, "{body} is committed {committed} times, and was seen {seen} times");
            assert_eq!(self.parked.times(body), parked.get(body).copied().unwrap_or(0), "{body} is parked");
        }
    }

    /// Nothing is seen that was not committed, nor before its delay is over.
    fn check_new(&self, seen: &[Seen]) {
        for seen in seen {
            let level: usize = seen.body.rsplit(';').next().and_then(|level| level.parse().ok()).expect("a level");
            let delay_ms = [0, 1000, 5000, 10_000][level];
            let closed = self.halves.values().filter(|half| half.body == seen.body).filter_map(|half| half.closed);
            let committed_ms = closed.filter(|closed| closed.how == How::Committed).map(|closed| closed.at_ms).min();
            let committed_ms = committed_ms.unwrap_or_else(|| panic!("{} was not committed", seen.body));
            assert!(seen.store_ms >= committed_ms + delay_ms, "{} came early", seen.body);
        }
    }

    /// How many half messages of each body were closed so.
    fn count(&self, how: How) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for half in self.halves.values().filter(|half| half.closed.is_some_and(|closed| closed.how == how)) {
            *count.entry(half.body.clone()).or_default() += 1;
        }
        count
    }
}

fn producer() -> HeartbeatData {
    let group = ProducerData { group_name: GROUP.into() };
    HeartbeatData { client_id: "producer".into(), producer_data_set: vec![group], ..HeartbeatData::default() }
}

const GROUP: &str = "producers";
const CHECKS_MAX: u32 = 3;
/// Nine tenths of the time that messages are kept.
const LIFE_MS: i64 = 72 * 3_600_000 / 10 * 9;

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn committed_once_rolled_back_never_undecided_laid_aside(
        seed: u64,
        flush in flush(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        Model::new(seed, flush).run(&steps);
    }
}

#[test]
fn over_four_hundred_days() {
    let mut random = fastrand::Rng::with_seed(400);
    let a_day = Duration::from_secs(86_400);
    let steps = (0..400).flat_map(|_| {
        let decided = if random.bool() { How::Committed } else { How::RolledBack };
        vec![
            Step::Half { immunity_s: None, level: random.i32(0..=3) },
            Step::Half { immunity_s: Some(60), level: 0 },
            Step::Decide(random.usize(..8), decided),
            Step::Round,
            Step::Mishap(if random.u8(..8) == 0 { Mishap::PowerCutAt(random.u64(..20)) } else { Mishap::Save }),
            Step::Pass(a_day),
            Step::Deliver,
            Step::Mishap(Mishap::Tick),
        ]
    });
    Model::new(400, FlushDiskType::SyncFlush).run(&steps.collect::<Vec<_>>());
}
