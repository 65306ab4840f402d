//! Messages that wait for a time of their own: `TIMER_DELAY_SEC`, `TIMER_DELAY_MS`, `TIMER_DELIVER_MS`.
//!
//! ```text
//! send ──► rmq_sys_wheel_timer, the queue of the hour in which it is due ──due──► the real topic, and a mark that says so
//! ```
//! Queues cost no files, so each hour has its own: what is due soon is in one or two queues, and only that is in memory. A message of
//! which the log would be deleted before it is due is stored again first (`roll.rs`). Which messages of an hour were delivered
//! is known from the marks, records of a system topic that are appended together with what they speak of; `config/timers.json` says
//! from where the marks are read after a restart, and is only ever behind.
//!
//! Java's `TimerMessageStore` and `HookUtils.handleScheduleMessage` decide which messages wait and what is refused. Java's times are
//! rounded down to a second, here a message is never early.

mod counts;
pub mod decoders;
mod deliver;
mod recall;
mod roll;
mod waiting;

pub use counts::metrics;
#[cfg(test)]
pub use deliver::deliver_due;
pub use deliver::run;
#[cfg(test)]
pub use recall::{Handle, take_back};
pub use recall::{handle, recall};
pub use roll::{Progress, roll};

use crate::broker::Broker;
use crate::error::Refusal;
use crate::settings::BrokerConfig;
use crate::tables::file::TableFile;
use crate::trouble::Troubles;
use crate::waiting::delay::waiting_properties;
use counts::Counts;
use parking_lot::Mutex;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::properties::{Properties, PropertiesBuf, name};
use roxmq_store::Store;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Notify;
use waiting::Waiting;

const HOUR_MS: i64 = 3_600_000;
/// Hours that have a queue of their own. More hours ahead than this share queues with nearer ones, and are passed over until it is
/// their turn.
const HOURS: i64 = 16_384;
/// The log offset of a message's first copy. Copies of one message are told by it to be the same.
pub const ORIGIN: &str = "TIMER_ORIGIN";

/// What waits, and how far it was delivered.
pub struct Timers {
    file: TableFile,
    waiting: Mutex<Waiting>,
    counts: Counts,
    /// Everything due up to then was looked at already.
    passed_ms: AtomicI64,
    /// Rung when something comes in that may be due soon.
    bell: Notify,
    /// How things were at the start, until what waited then is counted.
    at_open: Mutex<Option<(LogOffset, Done)>>,
    /// Nothing can be stored.
    refused: Troubles<()>,
}

/// Everything that was due up to `due_ms` and is stored before `log_offset` was delivered, or is named by a mark from `marks` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    due_ms: i64,
    log_offset: i64,
    marks: i64,
}

/// Without the file nothing is known to be done, and all marks are read.
const NOTHING_DONE: Done = Done { due_ms: i64::MIN, log_offset: 0, marks: 0 };

impl Timers {
    /// Loads how far things were delivered; the log ends at `log_end`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load(file: TableFile, log_end: LogOffset) -> io::Result<Timers> {
        let done: Done = file.load()?.unwrap_or(NOTHING_DONE);
        Ok(Timers {
            file,
            waiting: Mutex::new(Waiting::after(done)),
            counts: Counts::default(),
            passed_ms: AtomicI64::new(done.due_ms),
            bell: Notify::new(),
            at_open: Mutex::new(Some((log_end, done))),
            refused: Troubles::default(),
        })
    }

    /// Writes how far things were delivered, if that changed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        self.file.save_behind(store, || self.waiting.lock().done)
    }

    /// Holds up deliveries, as one does that is under way.
    #[cfg(test)]
    pub fn lock_waiting(&self) -> impl Drop + '_ {
        self.waiting.lock()
    }

    /// How many messages wait.
    pub fn waiting_count(&self) -> i64 {
        self.counts.total().max(0)
    }

    /// A message that waits was stored.
    pub fn arrived(&self, topic: &str, due_ms: i64) {
        self.counts.add(topic, 1);
        if due_ms < self.passed_ms.load(Ordering::Relaxed).saturating_add(deliver::LOOK_AHEAD_MS) {
            self.bell.notify_one();
        }
    }
}

/// The times that a message asks for; of several the first here counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times<'a> {
    /// `TIMER_DELAY_SEC`
    pub delay_s: Option<&'a str>,
    /// `TIMER_DELAY_MS`
    pub delay_ms: Option<&'a str>,
    /// `TIMER_DELIVER_MS`
    pub deliver_ms: Option<&'a str>,
    /// `TIMER_OUT_MS`: the message has waited already, and is sent on.
    pub has_waited: bool,
}

impl<'a> Times<'a> {
    /// Those in a property string.
    pub fn of(properties: Properties<'a>) -> Times<'a> {
        let mut times = Times::default();
        for (name, value) in properties.iter() {
            times.note(name, value);
        }
        times
    }

    /// Takes a property if it is one of the three.
    pub fn note(&mut self, name: &str, value: &'a str) {
        match name {
            name::TIMER_DELAY_SEC => self.delay_s = Some(value),
            name::TIMER_DELAY_MS => self.delay_ms = Some(value),
            name::TIMER_DELIVER_MS => self.deliver_ms = Some(value),
            name::TIMER_OUT_MS => self.has_waited = true,
            _ => {}
        }
    }

    /// Whether there is any, of a message that has not waited already.
    pub fn is_asked(&self) -> bool {
        !self.has_waited && (self.delay_s.is_some() || self.delay_ms.is_some() || self.deliver_ms.is_some())
    }

    /// When the message is due, in ms since 1970; `None` if at once.
    ///
    /// # Errors
    /// When that is no time, is too far ahead, or the broker has no timers.
    pub fn due(self, now_ms: i64, config: &BrokerConfig) -> Result<Option<i64>, Refusal> {
        let Some((text, due)) = self.time(now_ms) else { return Ok(None) };
        if !config.timer {
            return Err(Refusal::Failed("accurate timer message is not enabled, timerWheelEnable is false".into()));
        }
        let max_ms = (config.timer_max_delay_s as i64).saturating_mul(1000);
        match due {
            Some(due) if due <= now_ms => Ok(None),
            Some(due) if due - now_ms <= max_ms => Ok(Some(due)),
            _ => Err(Refusal::TimerIllegal { max_ms, asked: text.chars().take(64).collect() }),
        }
    }

    /// The same for a message that was accepted before: the settings may have changed since, and it is delivered all the same.
    pub fn due_of_accepted(self, now_ms: i64) -> Option<i64> {
        self.time(now_ms).and_then(|(_, due)| due).filter(|due| *due > now_ms)
    }

    /// The text that says when, and the time, if it is one.
    fn time(self, now_ms: i64) -> Option<(&'a str, Option<i64>)> {
        if self.has_waited {
            return None;
        }
        let (text, unit_ms, from_ms) = match (self.delay_s, self.delay_ms, self.deliver_ms) {
            (Some(seconds), _, _) => (seconds, 1000, now_ms),
            (None, Some(ms), _) => (ms, 1, now_ms),
            (None, None, Some(at)) => (at, 1, 0),
            (None, None, None) => return None,
        };
        let number: Option<i64> = text.trim().parse().ok();
        Some((text, number.map(|number| number.saturating_mul(unit_ms).saturating_add(from_ms))))
    }
}

/// The queue of an hour.
fn queue_of_hour(hour: i64) -> u32 {
    1 + hour.rem_euclid(HOURS) as u32
}

fn hour_of(time_ms: i64) -> i64 {
    time_ms.div_euclid(HOUR_MS)
}

/// The queue in which a message waits. What is already late waits where is looked at now.
pub fn queue_of(broker: &Broker, due_ms: i64, now_ms: i64) -> u32 {
    queue_of_hour(hour_of(due_ms.max(now_ms).max(broker.waiting.timers.passed_ms.load(Ordering::Relaxed))))
}

/// The property string of a message that waits for a time.
pub fn timed_properties(properties: &str, topic: &str, queue_id: u32, due_ms: i64) -> String {
    let mut waiting = PropertiesBuf::from_text(&waiting_properties(properties, topic, queue_id));
    waiting.set(name::TIMER_OUT_MS, &due_ms.to_string());
    waiting.into_string()
}

#[cfg(test)]
mod tests;
