//! Timed messages: never early, in the order of their times, each once, all that are due whenever the service has looked, recalled ones
//! never, for 400 days, while the log keeps three. What cannot be delivered is parked as if it were, and holds up nothing.

use super::cases;
use super::reader::Reader;
use super::world::{After, Mishap, World, a_while, flush, mishap, poison, topic};
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names::{PARKING_TOPIC, TIMER_TOPIC};
use crate::requests::timers::take_back;
use crate::settings::FlushDiskType;
use crate::testing::{QUEUE, TOPIC};
use crate::waiting::redraft::timed_properties;
use crate::waiting::timer::deliver::deliver_due;
use crate::waiting::timer::handle::{self, Handle};
use proptest::prelude::*;
use roxmq_protocol::record::Draft;
use roxmq_protocol::time::Timestamp;
use roxmq_store::Batch;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Send {
        after_ms: i64,
        count: usize,
        /// To a topic that no record can name.
        is_poison: bool,
    },
    Recall(prop::sample::Index),
    Deliver,
    Pass(Duration),
    /// Until something is due, or until shortly before.
    PassToDue {
        early_ms: i64,
    },
    /// Ordinary messages, so that the log grows and its oldest part can go.
    Fill,
    Mishap(Mishap),
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn step() -> impl Strategy<Value = Step> {
    let after = prop_oneof![3 => 1..10_000_i64, 3 => 1..HOUR_MS, 3 => 1..3 * HOUR_MS, 2 => 1..10 * DAY_MS, 1 => 1..400 * DAY_MS];
    let count = prop_oneof![9 => 1..4_usize, 1 => 100..300_usize];
    prop_oneof![
        8 => (after, count, poison()).prop_map(|(after_ms, count, is_poison)| Step::Send { after_ms, count, is_poison }),
        3 => any::<prop::sample::Index>().prop_map(Step::Recall),
        6 => Just(Step::Deliver),
        4 => a_while().prop_map(Step::Pass),
        4 => (0..3_i64).prop_map(|early_ms| Step::PassToDue { early_ms }),
        2 => Just(Step::Fill),
        4 => mishap().prop_map(Step::Mishap),
    ]
}

/// A message that was acknowledged.
#[derive(Debug)]
struct Waiting {
    body: String,
    log_end: i64,
    due_ms: i64,
    recall: Recall,
    is_poison: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recall {
    None,
    /// Acknowledged, with where the log ended then.
    Done(i64),
    /// Asked for, but the answer was an error.
    Unsure,
}

struct Model {
    world: World,
    flush: FlushDiskType,
    consumer: Reader,
    parked: Reader,
    waiting: Vec<Waiting>,
    /// Sent, but the answer was an error: each may come, once.
    unsure: Vec<String>,
    sent: usize,
}

impl Model {
    fn new(seed: u64, flush: FlushDiskType) -> Model {
        let (world, consumer, parked) = (World::new(seed, flush), Reader::of(TOPIC, QUEUE), Reader::of(PARKING_TOPIC, 0));
        Model { world, flush, consumer, parked, waiting: Vec::new(), unsure: Vec::new(), sent: 0 }
    }

    fn run(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Send { after_ms, count, is_poison } => self.send(*after_ms, *count, *is_poison),
                Step::Recall(which) => self.recall(*which),
                Step::Pass(time) => self.world.clock.advance(*time),
                Step::PassToDue { early_ms } => self.pass_to_due(*early_ms),
                Step::Deliver => drop(deliver_due(self.world.broker())),
                Step::Fill => self.fill(),
                Step::Mishap(mishap) => {
                    if self.world.meet(mishap) {
                        self.died();
                    }
                }
            }
            let after = self.world.recover();
            if after == After::Died {
                self.died();
            }
            self.check(after == After::Well && matches!(step, Step::Deliver));
        }
        if self.world.calm() == After::Died {
            self.died();
        }
        // The rest of the 400 days, with housekeeping now and then: what is far is stored again and again.
        for _ in 0..30 {
            self.world.clock.advance(Duration::from_millis(14 * DAY_MS as u64));
            self.fill();
            deliver_due(self.world.broker());
            self.world.meet(&Mishap::Tick);
            self.check(true);
        }
        let came = |body: &str| self.consumer.times(body) + self.parked.times(body);
        let is_left = |waiting: &&Waiting| waiting.recall == Recall::None && came(&waiting.body) == 0;
        assert_eq!(self.waiting.iter().filter(is_left).count(), 0);
    }

    fn send(&mut self, after_ms: i64, count: usize, is_poison: bool) {
        let bodies: Vec<String> = (self.sent..self.sent + count).map(|n| format!("{n}")).collect();
        self.sent += count;
        let due_ms = self.world.now_ms() + after_ms;
        match send(self.world.broker(), due_ms, is_poison, &bodies) {
            Ok(ends) => {
                let sent = bodies.into_iter().zip(ends);
                let recall = Recall::None;
                self.waiting.extend(sent.map(|(body, log_end)| Waiting { body, log_end, due_ms, recall, is_poison }));
            }
            Err(_) => self.unsure.extend(bodies),
        }
    }

    fn recall(&mut self, which: prop::sample::Index) {
        let now = self.world.now_ms();
        let mut open: Vec<&mut Waiting> = self.waiting.iter_mut().filter(|waiting| waiting.due_ms > now).collect();
        if open.is_empty() {
            return;
        }
        let at = which.index(open.len());
        let waiting = &mut *open[at];
        let text = handle::handle("any", &topic(waiting.is_poison), waiting.due_ms, &waiting.body);
        let handle = Handle::parse(&text).expect("ours");
        let was = waiting.recall;
        match take_back(self.world.broker(), &handle, now) {
            Ok(()) => waiting.recall = Recall::Done(self.world.broker().store.watermarks().written().0),
            Err(Refusal::IllegalOperation(why)) => assert_ne!(was, Recall::None, "{} still waits, but: {why}", waiting.body),
            Err(_) if was == Recall::None => waiting.recall = Recall::Unsure,
            Err(_) => {}
        }
    }

    fn pass_to_due(&self, early_ms: i64) {
        let now = self.world.now_ms();
        let next = self.waiting.iter().map(|waiting| waiting.due_ms - early_ms).filter(|at| *at > now).min();
        self.world.clock.advance(Duration::from_millis(next.map_or(0, |at| (at - now) as u64)));
    }

    fn fill(&self) {
        let broker = self.world.broker();
        for _ in 0..24 {
            let _ = put_plain(broker, &[b'x'; 1000]);
        }
    }

    /// With ASYNC_FLUSH the end of the log may be gone.
    fn died(&mut self) {
        let end = self.world.kept_to();
        self.consumer.forget_behind(end, self.flush);
        self.parked.forget_behind(end, self.flush);
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.log_end <= end);
        assert!(self.flush == FlushDiskType::AsyncFlush || self.waiting.len() == before, "acknowledged, and gone");
        for waiting in &mut self.waiting {
            if let Recall::Done(at) = waiting.recall
                && at > end
            {
                waiting.recall = Recall::Unsure;
            }
        }
    }

    fn check(&mut self, is_delivered: bool) {
        self.consumer.read(&self.world);
        self.parked.read(&self.world);
        let now = self.world.now_ms();
        let mut seen_of: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for seen in self.consumer.seen.iter().chain(&self.parked.seen) {
            seen_of.entry(&seen.body).or_default().push(seen);
        }
        for Waiting { body, due_ms, recall, is_poison, .. } in &self.waiting {
            let other = if *is_poison { &self.consumer } else { &self.parked };
            assert_eq!(other.times(body), 0, "{body} went the other way");
            let of_body = seen_of.get(&**body).map_or(&[][..], |seen| seen);
            assert!(of_body.len() <= 1, "{body} came {} times", of_body.len());
            match of_body.first() {
                Some(seen) => {
                    assert!(seen.store_ms >= *due_ms, "{body} came {} ms early", due_ms - seen.store_ms);
                    assert!(!matches!(recall, Recall::Done(_)), "{body} came, but was recalled");
                }
                None => assert!(!is_delivered || *due_ms > now || *recall != Recall::None, "{body} is {} ms late", now - due_ms),
            }
        }
        for body in &self.unsure {
            assert!(self.consumer.times(body) + self.parked.times(body) <= 1, "{body} came twice");
        }
    }
}

/// Sends in one batch; where the records end.
fn send(broker: &Broker, due_ms: i64, is_poison: bool, bodies: &[String]) -> Result<Vec<i64>, Refusal> {
    let mut batch = Batch::new();
    let queue_id = broker.waiting.timers.queue_of(Timestamp(due_ms), Timestamp(broker.clock.now_ms()));
    for body in bodies {
        let properties = timed_properties(&format!("UNIQ_KEY\u{1}{body}\u{2}"), &topic(is_poison), QUEUE, due_ms);
        batch.push(draft(broker, TIMER_TOPIC, queue_id, body.as_bytes(), &properties))?;
    }
    broker.append_and_confirm(&mut batch)?;
    Ok((0..bodies.len()).map(|n| batch.placed(n).end.0).collect())
}

fn put_plain(broker: &Broker, body: &[u8]) -> Result<(), Refusal> {
    let mut batch = Batch::new();
    batch.push(draft(broker, TOPIC, QUEUE + 1, body, ""))?;
    broker.append_and_confirm(&mut batch)
}

fn draft<'a>(broker: &Broker, topic: &'a str, queue_id: u32, body: &'a [u8], properties: &'a str) -> Draft<'a> {
    Draft::own(topic, queue_id, broker.identity.advertised, Timestamp(broker.clock.now_ms()), body, properties)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn never_early_never_lost_never_twice_for_400_days(
        seed: u64,
        flush in flush(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        Model::new(seed, flush).run(&steps);
    }
}
