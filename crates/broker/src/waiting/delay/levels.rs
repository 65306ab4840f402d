//! Which delay levels are there, and in which queue does each wait?

use crate::error::Refusal;
use crate::waiting::marks::OTHERS_FROM_QUEUE;
use std::fmt;

/// A delay level, counted from 1 as clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DelayLevel(pub i32);

impl DelayLevel {
    /// The level that a message asks for: `DELAY` above 0, at most the last of `levels`.
    ///
    /// # Errors
    /// When `DELAY` is no number: without a level the message would come too early.
    pub fn asked(delay: Option<&str>, levels: usize) -> Result<Option<DelayLevel>, Refusal> {
        let Some(text) = delay.filter(|text| !text.is_empty()) else { return Ok(None) };
        let level: i32 = text.parse().map_err(|_| Refusal::Message(format!("the delay level {text:?} is no whole number")))?;
        Ok((level > 0).then(|| DelayLevel(level.min(levels as i32))))
    }

    /// All levels that have a queue. Those beyond the settings are among them: messages in them wait as long as in the last one.
    pub fn all() -> impl Iterator<Item = DelayLevel> {
        (0..OTHERS_FROM_QUEUE).map(DelayLevel::of_queue)
    }

    /// The level that waits in a queue.
    pub fn of_queue(queue_id: u32) -> DelayLevel {
        DelayLevel(queue_id as i32 + 1)
    }

    /// The queue in which the level waits.
    pub fn queue_id(self) -> u32 {
        (self.0 - 1).max(0) as u32
    }
}

impl fmt::Display for DelayLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_above_the_last_waits_as_the_last() {
        let asked = |delay| DelayLevel::asked(delay, 18);
        for none in [None, Some("0"), Some("-1"), Some("")] {
            assert_eq!(asked(none), Ok(None), "{none:?}");
        }
        for bad in ["x", "1e3", " 3 ", "99999999999"] {
            assert_eq!(asked(Some(bad)).unwrap_err().code(), 13, "{bad}");
        }
        assert_eq!(asked(Some("3")), Ok(Some(DelayLevel(3))));
        assert_eq!(asked(Some("99")), Ok(Some(DelayLevel(18))));
        assert_eq!([1, 18].map(|level| DelayLevel(level).queue_id()), [0, 17]);
    }
}
