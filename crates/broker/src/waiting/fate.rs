//! What does a message wait for, and where is it stored meanwhile? For a send `requests/send/asked.rs` decides it.

use crate::names::{DELAY_TOPIC, HALF_TOPIC, TIMER_TOPIC};
use crate::waiting::delay::levels::DelayLevel;
use crate::waiting::redraft;
use crate::waiting::timer::timers::Timers;
use crate::waiting::transaction::checks;
use roxmq_protocol::time::Timestamp;

/// Where a message goes when it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes to its queue.
    Now,
    /// It is dead-lettered: it was tried as often as allowed, or cannot be tried again.
    DeadLetter,
    /// It waits for this delay level.
    Level(DelayLevel),
    /// It waits for this time.
    At(Timestamp),
    /// It waits for its producer's decision.
    Decision,
}

impl Fate {
    /// Of a message that asks for this level and this time. A level wins over a time.
    pub fn of(level: Option<DelayLevel>, due: Option<Timestamp>) -> Fate {
        match (level, due) {
            (Some(level), _) => Fate::Level(level),
            (None, Some(due)) => Fate::At(due),
            (None, None) => Fate::Now,
        }
    }

    /// Whether it lies in a queue of the broker's own before it goes to its own queue.
    pub fn waits(self) -> bool {
        match self {
            Fate::Now | Fate::DeadLetter => false,
            Fate::Level(_) | Fate::At(_) | Fate::Decision => true,
        }
    }

    /// The topic and queue in which a message for this topic and queue is stored.
    pub fn place<'a>(self, timers: &Timers, topic: &'a str, queue_id: u32, now: Timestamp) -> (&'a str, u32) {
        match self {
            Fate::Now | Fate::DeadLetter => (topic, queue_id),
            Fate::Level(level) => (DELAY_TOPIC, level.queue_id()),
            Fate::At(due) => (TIMER_TOPIC, timers.queue_of(due, now)),
            Fate::Decision => (HALF_TOPIC, 0),
        }
    }

    /// Adds to a new message's properties what its fate needs there: where it goes after it has waited, or that it is a dead letter.
    pub fn write_into(self, properties: &mut String, topic: &str, queue_id: u32) {
        match self {
            Fate::Now => {}
            Fate::DeadLetter => *properties = redraft::dead_letter_properties(properties),
            Fate::Level(_) => *properties = redraft::waiting_properties(properties, topic, queue_id),
            Fate::At(due) => *properties = redraft::timed_properties(properties, topic, queue_id, due),
            Fate::Decision => *properties = checks::never_checked(&redraft::waiting_properties(properties, topic, queue_id)),
        }
    }
}
