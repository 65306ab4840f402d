//! Which delay levels are there, and in which queue does each wait?

use crate::error::Refusal;
use crate::waiting::marks::OTHERS_FROM_QUEUE;

/// The level a message asks for: `DELAY` above 0, at most the last level there is.
///
/// # Errors
/// When it is no number: such a message would come too early.
pub fn level_asked(delay: Option<&str>, levels: usize) -> Result<Option<i32>, Refusal> {
    let Some(text) = delay.filter(|text| !text.is_empty()) else { return Ok(None) };
    let level: i32 = text.parse().map_err(|_| Refusal::Message(format!("the delay level {text:?} is no whole number")))?;
    Ok((level > 0).then(|| level.min(levels as i32)))
}

/// Every level there can be: also what waits in one that the settings do not have any more is delivered, after the last one's time.
pub fn levels() -> impl Iterator<Item = i32> {
    (0..OTHERS_FROM_QUEUE).map(level_of)
}

/// The queue in which a level waits.
pub fn queue_of(level: i32) -> u32 {
    (level - 1).max(0) as u32
}

/// The level that waits in a queue.
pub fn level_of(queue_id: u32) -> i32 {
    queue_id as i32 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_above_the_last_wait_in_the_last() {
        assert_eq!(level_asked(None, 18).unwrap(), None);
        assert_eq!(level_asked(Some("0"), 18).unwrap(), None);
        assert_eq!(level_asked(Some("-1"), 18).unwrap(), None);
        assert_eq!(level_asked(Some(""), 18).unwrap(), None);
        for none in ["x", "1e3", " 3 ", "99999999999"] {
            assert_eq!(level_asked(Some(none), 18).unwrap_err().code(), 13, "{none}");
        }
        assert_eq!(level_asked(Some("3"), 18).unwrap(), Some(3));
        assert_eq!(level_asked(Some("99"), 18).unwrap(), Some(18));
        assert_eq!((queue_of(1), queue_of(18)), (0, 17));
    }
}
