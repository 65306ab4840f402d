//! Timed messages: never early, in the order of their times, each once, all that are due whenever the service has looked, recalled ones
//! never, for 400 days, while the log keeps three. What cannot be delivered is parked as if it were, and holds up nothing.

use super::cases;
use super::client::message;
use super::poison::{self, poison};
use super::reader::Reader;
use super::world::{ANYONE, After, Mishap, World, a_while, flush, mishap};
use crate::delivery::timer::deliver_due;
use crate::names::{PARKING_TOPIC, TIMER_TOPIC};
use crate::settings::FlushDiskType;
use crate::testing::{QUEUE, TOPIC};
use crate::waiting::redraft::timed_properties;
use crate::waiting::timer::handle::handle;
use proptest::prelude::*;
use roxmq_protocol::code;
use roxmq_protocol::properties::name;
use roxmq_protocol::request::RecallMessage;
use roxmq_protocol::time::Timestamp;
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
    log_offset: i64,
    handle: String,
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
        let stored = if is_poison { store_poison(&self.world, due_ms, &bodies) } else { send(&self.world, due_ms, &bodies) };
        for (body, stored) in bodies.into_iter().zip(stored) {
            match stored {
                Some((log_offset, handle)) => {
                    self.waiting.push(Waiting { body, log_offset, handle, due_ms, recall: Recall::None, is_poison });
                }
                None => self.unsure.push(body),
            }
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
        let topic = if waiting.is_poison { poison::topic() } else { TOPIC.to_owned() };
        let recall_handle = waiting.handle.as_str().into();
        let request = RecallMessage { producer_group: None, topic: topic.into(), recall_handle };
        let answered = self.world.ask(ANYONE, &request, b"");
        let was = waiting.recall;
        match answered.code() {
            code::SUCCESS => {
                assert_eq!(answered.text("msgId").as_ref(), Some(&waiting.body));
                waiting.recall = Recall::Done(self.world.log_end());
            }
            code::ILLEGAL_OPERATION => assert_ne!(was, Recall::None, "{} still waits, but: {answered:?}", waiting.body),
            _ if was == Recall::None => waiting.recall = Recall::Unsure,
            _ => {}
        }
    }

    fn pass_to_due(&self, early_ms: i64) {
        let now = self.world.now_ms();
        let next = self.waiting.iter().map(|waiting| waiting.due_ms - early_ms).filter(|at| *at > now).min();
        self.world.clock.advance(Duration::from_millis(next.map_or(0, |at| (at - now) as u64)));
    }

    fn fill(&self) {
        let message = message(TOPIC, QUEUE + 1, "filling", &[]);
        self.world.ask_together(ANYONE, std::iter::repeat_n((&message, &[b'x'; 1000][..]), 24));
    }

    /// With ASYNC_FLUSH the end of the log may be gone.
    fn died(&mut self) {
        let end = self.world.kept_to();
        self.consumer.forget_behind(end, self.flush);
        self.parked.forget_behind(end, self.flush);
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.log_offset < end);
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

/// Where a message is in the log, and by which handle it is taken back, if that was answered.
type Stored = Option<(i64, String)>;

/// Sends messages without waiting in between.
fn send(world: &World, due_ms: i64, bodies: &[String]) -> Vec<Stored> {
    let due = due_ms.to_string();
    let messages: Vec<_> = bodies.iter().map(|body| message(TOPIC, QUEUE, body, &[(name::TIMER_DELIVER_MS, &due)])).collect();
    let answered = world.ask_together(ANYONE, messages.iter().zip(bodies).map(|(message, body)| (message, body.as_bytes())));
    answered.iter().map(|answered| Some((answered.stored()?.log_offset, answered.text("recallHandle").expect("a handle")))).collect()
}

fn store_poison(world: &World, due_ms: i64, bodies: &[String]) -> Vec<Stored> {
    let (broker, topic) = (world.broker(), poison::topic());
    let properties = |body: &String| timed_properties(&format!("UNIQ_KEY\u{1}{body}\u{2}"), &topic, QUEUE, Timestamp(due_ms));
    let messages: Vec<_> = bodies.iter().map(|body| (body.clone(), properties(body))).collect();
    let queue_id = broker.waiting.timers.queue_of(Timestamp(due_ms), Timestamp(broker.clock.now_ms()));
    match poison::store(broker, TIMER_TOPIC, queue_id, &messages) {
        Ok(offsets) => {
            let handles = bodies.iter().map(|body| handle(&broker.config().broker_name, &topic, Timestamp(due_ms), body));
            offsets.into_iter().zip(handles).map(Some).collect()
        }
        Err(_) => vec![None; bodies.len()],
    }
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
