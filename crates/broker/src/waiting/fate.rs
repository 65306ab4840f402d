//! Is a message delivered at once, or does it wait, and where?

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

    /// Adds to a new message's properties where it goes after it has waited.
    pub fn write_into(self, properties: &mut String, topic: &str, queue_id: u32) {
        match self {
            Fate::Now | Fate::DeadLetter => {}
            Fate::Level(_) => *properties = redraft::waiting_properties(properties, topic, queue_id),
            Fate::At(due) => *properties = redraft::timed_properties(properties, topic, queue_id, due),
            Fate::Decision => *properties = checks::never_checked(&redraft::waiting_properties(properties, topic, queue_id)),
        }
    }
}
