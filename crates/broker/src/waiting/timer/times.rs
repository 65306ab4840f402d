//! Which time does a message ask for?

use crate::error::Refusal;
use crate::settings::BrokerConfig;
use roxmq_protocol::properties::{Properties, name};
use roxmq_protocol::time::Timestamp;

/// A property that the broker sets: the log offset of a message's first copy. Copies with one origin are one message.
pub const ORIGIN: &str = "TIMER_ORIGIN";

/// The times that a message asks for. If there are several, the first of these fields counts.
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

/// The text that says when a message is due.
struct AskedTime<'a> {
    text: &'a str,
    /// The time, if the text is a number.
    due: Option<Timestamp>,
}

impl<'a> Times<'a> {
    /// The times in a property string.
    pub fn of(properties: Properties<'a>) -> Times<'a> {
        let mut times = Times::default();
        for (name, value) in properties.iter() {
            times.note(name, value);
        }
        times
    }

    /// Takes a property if it is one of the four.
    pub fn note(&mut self, name: &str, value: &'a str) {
        match name {
            name::TIMER_DELAY_SEC => self.delay_s = Some(value),
            name::TIMER_DELAY_MS => self.delay_ms = Some(value),
            name::TIMER_DELIVER_MS => self.deliver_ms = Some(value),
            name::TIMER_OUT_MS => self.has_waited = true,
            _ => {}
        }
    }

    /// Does the message ask for a time? One that has waited already does not.
    pub fn is_asked(&self) -> bool {
        !self.has_waited && (self.delay_s.is_some() || self.delay_ms.is_some() || self.deliver_ms.is_some())
    }

    /// When a new message is due; `None` if that is now.
    ///
    /// # Errors
    /// When the text is no time or the time is too far ahead, and when timed messages are switched off.
    pub fn due(self, now: Timestamp, config: &BrokerConfig) -> Result<Option<Timestamp>, Refusal> {
        let Some(AskedTime { text, due }) = self.asked(now) else { return Ok(None) };
        if !config.timer {
            return Err(Refusal::Failed("accurate timer message is not enabled, timerWheelEnable is false".into()));
        }
        let max_ms = (config.timer_max_delay_s as i64).saturating_mul(1000);
        match due {
            Some(due) if due <= now => Ok(None),
            Some(due) if due.ms_since(now) <= max_ms => Ok(Some(due)),
            _ => Err(Refusal::TimerIllegal { max_ms, asked: text.chars().take(64).collect() }),
        }
    }

    /// The same for a message that was accepted before. It is delivered even if the settings of today would refuse it.
    pub fn due_of_accepted(self, now: Timestamp) -> Option<Timestamp> {
        self.asked(now)?.due.filter(|due| *due > now)
    }

    fn asked(self, now: Timestamp) -> Option<AskedTime<'a>> {
        if self.has_waited {
            return None;
        }
        let (text, unit_ms, from) = match (self.delay_s, self.delay_ms, self.deliver_ms) {
            (Some(seconds), _, _) => (seconds, 1000, now),
            (None, Some(ms), _) => (ms, 1, now),
            (None, None, Some(at)) => (at, 1, Timestamp(0)),
            (None, None, None) => return None,
        };
        let number: Option<i64> = text.trim().parse().ok();
        Some(AskedTime { text, due: number.map(|number| from.plus_ms(number.saturating_mul(unit_ms))) })
    }
}
