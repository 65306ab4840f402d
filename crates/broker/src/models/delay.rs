//! Delay levels: never early, in the order of their level, each once, and all that are due whenever the service has looked. What cannot be
//! delivered is parked as if it were, and holds up nothing.

use super::cases;
use super::client::message;
use super::poison::{self, poison};
use super::reader::Reader;
use super::world::{ANYONE, After, Mishap, World, a_while, flush, mishap};
use crate::delivery::delay::deliver_due;
use crate::names;
use crate::settings::FlushDiskType;
use crate::testing::{QUEUE, TOPIC};
use crate::waiting::delay::levels::DelayLevel;
use crate::waiting::redraft::waiting_properties;
use proptest::prelude::*;
use roxmq_protocol::properties::name;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Send {
        level: i32,
        count: usize,
        /// To a topic that no record can name.
        is_poison: bool,
    },
    Deliver,
    Pass(Duration),
    /// Until something is due, or until shortly before.
    PassToDue {
        early_ms: i64,
    },
    Mishap(Mishap),
}

fn step() -> impl Strategy<Value = Step> {
    let count = prop_oneof![9 => 1..4_usize, 1 => 100..300_usize];
    prop_oneof![
        6 => (1..=18_i32, count, poison()).prop_map(|(level, count, is_poison)| Step::Send { level, count, is_poison }),
        6 => Just(Step::Deliver),
        4 => a_while().prop_map(Step::Pass),
        4 => (0..3_i64).prop_map(|early_ms| Step::PassToDue { early_ms }),
        3 => mishap().prop_map(Step::Mishap),
    ]
}

/// A message that was acknowledged.
#[derive(Debug)]
struct Waiting {
    body: String,
    level: i32,
    log_offset: i64,
    due_ms: i64,
    is_poison: bool,
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
        let (world, consumer, parked) = (World::new(seed, flush), Reader::of(TOPIC, QUEUE), Reader::of(names::PARKING_TOPIC, 0));
        Model { world, flush, consumer, parked, waiting: Vec::new(), unsure: Vec::new(), sent: 0 }
    }

    fn run(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Send { level, count, is_poison } => self.send(*level, *count, *is_poison),
                Step::Pass(time) => self.world.clock.advance(*time),
                Step::PassToDue { early_ms } => self.pass_to_due(*early_ms),
                Step::Deliver => deliver_due(self.world.broker()),
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
        self.world.clock.advance(Duration::from_secs(3 * 3600));
        deliver_due(self.world.broker());
        self.check(true);
    }

    fn send(&mut self, level: i32, count: usize, is_poison: bool) {
        let bodies: Vec<String> = (self.sent..self.sent + count).map(|n| format!("{n}")).collect();
        self.sent += count;
        let delay_ms = self.world.broker().config().delay_ladder.delay_ms(level).unwrap() as i64;
        let due_ms = self.world.now_ms() + delay_ms;
        let stored = if is_poison { store_poison(&self.world, level, &bodies) } else { send(&self.world, level, &bodies) };
        for (body, stored) in bodies.into_iter().zip(stored) {
            match stored {
                Some(log_offset) => self.waiting.push(Waiting { body, level, log_offset, due_ms, is_poison }),
                None => self.unsure.push(body),
            }
        }
    }

    fn pass_to_due(&self, early_ms: i64) {
        let now = self.world.now_ms();
        let next = self.waiting.iter().map(|waiting| waiting.due_ms - early_ms).filter(|at| *at > now).min();
        self.world.clock.advance(Duration::from_millis(next.map_or(0, |at| (at - now) as u64)));
    }

    /// With ASYNC_FLUSH the end of the log may be gone.
    fn died(&mut self) {
        let end = self.world.kept_to();
        self.consumer.forget_behind(end, self.flush);
        self.parked.forget_behind(end, self.flush);
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.log_offset < end);
        assert!(self.flush == FlushDiskType::AsyncFlush || self.waiting.len() == before, "acknowledged, and gone");
    }

    fn check(&mut self, is_delivered: bool) {
        self.consumer.read(&self.world);
        self.parked.read(&self.world);
        let now = self.world.now_ms();
        let mut last_of_level = [[-1; 19]; 2];
        for Waiting { body, level, due_ms, is_poison, .. } in &self.waiting {
            let (reader, other) = if *is_poison { (&self.parked, &self.consumer) } else { (&self.consumer, &self.parked) };
            assert_eq!(other.times(body), 0, "{body} went the other way");
            let of_body: Vec<_> = reader.seen.iter().filter(|seen| seen.body == *body).collect();
            assert!(of_body.len() <= 1, "{body} came {} times", of_body.len());
            match of_body.first() {
                Some(seen) => {
                    assert!(seen.store_ms >= *due_ms, "{body} came {} ms early", due_ms - seen.store_ms);
                    let last = &mut last_of_level[usize::from(*is_poison)][*level as usize];
                    assert!(seen.queue_offset > *last, "{body} came before its turn");
                    *last = seen.queue_offset;
                }
                None => assert!(!is_delivered || *due_ms > now, "{body} is {} ms late", now - due_ms),
            }
        }
        for body in &self.unsure {
            assert!(self.consumer.times(body) + self.parked.times(body) <= 1, "{body} came twice");
        }
        let known = |body: &String| self.unsure.contains(body) || self.waiting.iter().any(|waiting| waiting.body == *body);
        assert!(self.consumer.seen.iter().chain(&self.parked.seen).all(|seen| known(&seen.body)), "it was never sent");
    }
}

/// Sends messages without waiting in between. Where each is in the log, if that was answered.
fn send(world: &World, level: i32, bodies: &[String]) -> Vec<Option<i64>> {
    let level = level.to_string();
    let messages: Vec<_> = bodies.iter().map(|body| message(TOPIC, QUEUE, body, &[(name::DELAY, &level)])).collect();
    let answered = world.ask_together(ANYONE, messages.iter().zip(bodies).map(|(message, body)| (message, body.as_bytes())));
    answered.iter().map(|answered| Some(answered.stored()?.log_offset)).collect()
}

fn store_poison(world: &World, level: i32, bodies: &[String]) -> Vec<Option<i64>> {
    let properties = waiting_properties(&format!("DELAY\u{1}{level}\u{2}"), &poison::topic(), QUEUE);
    let messages: Vec<_> = bodies.iter().map(|body| (body.clone(), properties.clone())).collect();
    match poison::store(world.broker(), names::DELAY_TOPIC, DelayLevel(level).queue_id(), &messages) {
        Ok(offsets) => offsets.into_iter().map(Some).collect(),
        Err(_) => vec![None; bodies.len()],
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn never_early_never_lost_never_twice(seed: u64, flush in flush(), steps in prop::collection::vec(step(), 1..60)) {
        Model::new(seed, flush).run(&steps);
    }
}
