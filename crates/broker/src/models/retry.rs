//! Retry: a message that is sent back comes again after its level's time, as often as allowed, and is then dead-lettered. None is lost.

use super::cases;
use super::client::message;
use super::reader::{Reader, Seen};
use super::world::{ANYONE, After, Mishap, Who, World, a_while, mishap};
use crate::delivery::delay::deliver_due;
use crate::names;
use crate::settings::FlushDiskType;
use crate::testing::{QUEUE, TOPIC};
use proptest::prelude::*;
use roxmq_protocol::body::{ConsumerData, HeartbeatData, SubscriptionGroupConfig};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request::{ConsumerSendBack, GroupConfig, UpdateGroup};
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Send,
    /// The consumer handles one of those it has. If that fails it gives it back, for the level of its turn, another, or none.
    Consume {
        which: usize,
        fails: bool,
        level: i32,
    },
    Deliver,
    Pass(Duration),
    Mishap(Mishap),
}

fn step() -> impl Strategy<Value = Step> {
    let level = prop_oneof![8 => Just(0), 1 => 1..=4_i32, 1 => Just(-1)];
    let consume = (any::<usize>(), prop::bool::weighted(0.8), level);
    prop_oneof![
        3 => Just(Step::Send),
        8 => consume.prop_map(|(which, fails, level)| Step::Consume { which, fails, level }),
        6 => Just(Step::Deliver),
        6 => a_while().prop_map(Step::Pass),
        3 => mishap().prop_map(Step::Mishap),
    ]
}

/// A message on its way; one that is sent back twice, as the first answer was an error, may be on its way twice.
#[derive(Clone, Debug)]
struct Copy {
    body: String,
    times: i32,
    place: Place,
}

#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// The consumer has it.
    AtConsumer { log_offset: i64 },
    /// It was sent back and comes again then.
    Waits { due_ms: i64 },
    /// It was sent back for the last time.
    GivenUp,
    /// It was handled, or is among the dead letters.
    Over,
}

struct Model {
    world: World,
    member: Who,
    sent: usize,
    acknowledged: Vec<String>,
    copies: Vec<Copy>,
    /// Given back, but the answer was an error: each may come.
    unsure: Vec<Copy>,
    topic: Reader,
    retry: [Reader; RETRY_QUEUES as usize],
    dead: Reader,
}

impl Model {
    fn new(seed: u64) -> Model {
        let mut world = World::new(seed, FlushDiskType::SyncFlush);
        world.ask(ANYONE, &UpdateGroup {}, &json::to_vec(&group(), Dialect::Fastjson)).expect_success();
        Model {
            member: world.join(member()),
            world,
            sent: 0,
            acknowledged: Vec::new(),
            copies: Vec::new(),
            unsure: Vec::new(),
            topic: Reader::of(TOPIC, QUEUE),
            retry: [0, 1].map(|queue_id| Reader::of(&names::retry_topic(GROUP), queue_id)),
            dead: Reader::of(&names::dead_letter_topic(GROUP), 0),
        }
    }

    fn run(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.take(step));
        let died = self.world.calm() == After::Died;
        self.learn(died);
        for _ in 0..=LIMIT {
            for which in (0..self.copies.len()).rev() {
                self.take(&Step::Consume { which, fails: true, level: 0 });
            }
            self.take(&Step::Pass(Duration::from_secs(3 * 3600)));
            self.take(&Step::Deliver);
        }
        for which in (0..self.copies.len()).rev() {
            self.take(&Step::Consume { which, fails: true, level: 0 });
        }
        let left: Vec<_> = self.copies.iter().filter(|copy| copy.place != Place::Over).collect();
        assert!(left.is_empty(), "neither handled nor dead-lettered: {left:?}");
    }

    fn take(&mut self, step: &Step) {
        let mut after = After::Well;
        match step {
            Step::Send => self.send(),
            Step::Consume { which, fails, level } => self.consume(*which, *fails, *level),
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
        if after == After::Well && matches!(step, Step::Deliver) {
            let now = self.world.now_ms();
            let late = self.copies.iter().find(|copy| matches!(copy.place, Place::Waits { due_ms } if due_ms <= now));
            assert!(late.is_none(), "it is late: {late:?}");
        }
    }

    fn send(&mut self) {
        let body = format!("{}", self.sent);
        self.sent += 1;
        if self.world.ask(ANYONE, &message(TOPIC, QUEUE, &body, &[]), body.as_bytes()).is_success() {
            self.acknowledged.push(body);
        }
    }

    fn consume(&mut self, which: usize, fails: bool, level: i32) {
        let at_consumer = |copy: &&mut Copy| matches!(copy.place, Place::AtConsumer { .. });
        let count = self.copies.iter_mut().filter(at_consumer).count();
        if count == 0 {
            return;
        }
        let copy = self.copies.iter_mut().filter(at_consumer).nth(which % count).expect("one of them");
        let Place::AtConsumer { log_offset } = copy.place else { return };
        if !fails {
            copy.place = Place::Over;
            return;
        }
        let asked = own_limit(&copy.body);
        let request = ConsumerSendBack {
            offset: log_offset,
            group: GROUP.into(),
            delay_level: level,
            origin_msg_id: None,
            origin_topic: None,
            unit_mode: None,
            max_reconsume_times: asked,
        };
        let place = if level < 0 || copy.times >= asked.unwrap_or(LIMIT) {
            Place::GivenUp
        } else {
            let level = if level == 0 { 3 + copy.times } else { level };
            Place::Waits {
                due_ms: self.world.now_ms() + self.world.broker().config().delay_ladder.delay_ms(level).expect("a level") as i64,
            }
        };
        let given_back = Copy { body: copy.body.clone(), times: copy.times + 1, place };
        match self.world.ask(self.member, &request, b"").is_success() {
            true => *copy = given_back,
            false => self.unsure.push(given_back),
        }
    }

    fn learn(&mut self, died: bool) {
        if died {
            let end = self.world.kept_to();
            let readers = self.retry.iter_mut().chain([&mut self.topic, &mut self.dead]);
            readers.for_each(|reader| reader.forget_behind(end, FlushDiskType::SyncFlush));
            let known = self.world.ask(ANYONE, &GroupConfig { group: GROUP.into() }, b"");
            known.expect_success();
            assert_eq!(json::from_slice::<SubscriptionGroupConfig>(known.body()).expect("reads"), group());
        }
        for seen in self.topic.read(&self.world) {
            self.copies.push(Copy { body: seen.body, times: 0, place: Place::AtConsumer { log_offset: seen.log_offset } });
        }
        for body in &self.acknowledged {
            assert_eq!(self.topic.times(body), 1, "{body} was acknowledged");
        }
        for queue in 0..self.retry.len() {
            for seen in self.retry[queue].read(&self.world) {
                assert!(seen.reconsume_times <= own_limit(&seen.body).unwrap_or(LIMIT), "{} comes once too often", seen.body);
                let is_due = |place: &Place| matches!(place, Place::Waits { due_ms } if *due_ms <= seen.store_ms);
                self.came(&seen, is_due).place = Place::AtConsumer { log_offset: seen.log_offset };
            }
        }
        for seen in self.dead.read(&self.world) {
            self.came(&seen, |place| *place == Place::GivenUp).place = Place::Over;
        }
        let left = self.copies.iter().find(|copy| copy.place == Place::GivenUp);
        assert!(left.is_none(), "it is not among the dead letters: {left:?}");
    }

    /// The copy that came: one that had to come, or one of which that is not known.
    fn came(&mut self, seen: &Seen, may_come: impl Fn(&Place) -> bool) -> &mut Copy {
        let fits = |copy: &Copy| copy.body == seen.body && copy.times == seen.reconsume_times && may_come(&copy.place);
        let at = self.copies.iter().position(&fits).unwrap_or_else(|| {
            let unsure = self.unsure.iter().position(&fits).unwrap_or_else(|| panic!("unexpected: {seen:?} of {:?}", self.copies));
            self.copies.push(self.unsure.swap_remove(unsure));
            self.copies.len() - 1
        });
        &mut self.copies[at]
    }
}

fn group() -> SubscriptionGroupConfig {
    SubscriptionGroupConfig {
        group_name: GROUP.into(),
        retry_max_times: LIMIT,
        retry_queue_nums: RETRY_QUEUES,
        ..SubscriptionGroupConfig::default()
    }
}

fn member() -> HeartbeatData {
    let group = ConsumerData { group_name: GROUP.into(), ..ConsumerData::default() };
    HeartbeatData { client_id: "member".into(), consumer_data_set: vec![group], ..HeartbeatData::default() }
}

/// Every other message's consumer says itself how often it wants it.
fn own_limit(body: &str) -> Option<i32> {
    body.ends_with(['1', '3', '5', '7', '9']).then_some(2)
}

const GROUP: &str = "consumers";
const LIMIT: i32 = 4;
const RETRY_QUEUES: i32 = 2;

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn as_often_as_allowed_and_never_lost(seed: u64, steps in prop::collection::vec(step(), 1..60)) {
        Model::new(seed).run(&steps);
    }
}
