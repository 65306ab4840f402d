//! Which time does a message ask for?

use crate::error::Refusal;
use crate::settings::BrokerConfig;
use roxmq_protocol::properties::{Properties, name};

/// The log offset of a message's first copy. Copies of one message are told by it to be the same.
pub const ORIGIN: &str = "TIMER_ORIGIN";

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
