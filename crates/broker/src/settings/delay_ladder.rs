//! How long does each delay level wait?

use roxmq_config::Kind;

/// The waiting times of the delay levels: level `n` waits for the `n`-th of them, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayLadder {
    text: String,
    levels_ms: Vec<u64>,
}

impl DelayLadder {
    /// Waiting times in milliseconds; level `n` is at `n - 1`. Never empty.
    pub fn levels_ms(&self) -> &[u64] {
        &self.levels_ms
    }

    /// The waiting time of `level` in milliseconds. Levels above the last one wait as the last one does (Java: ScheduleMessageService);
    /// `None` for level 0 and below, which do not wait.
    pub fn delay_ms(&self, level: i32) -> Option<u64> {
        let last = self.levels_ms.len();
        let level = usize::try_from(level).ok().filter(|level| *level > 0)?;
        self.levels_ms.get(level.min(last) - 1).copied()
    }
}

impl Default for DelayLadder {
    fn default() -> Self {
        let text = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h";
        Ladder.parse(text).expect("the ladder of Apache RocketMQ is legal")
    }
}

/// `1s 5s 1m 2h 1d`, one waiting time for each delay level.
pub struct Ladder;

impl Kind<DelayLadder> for Ladder {
    fn parse(&self, text: &str) -> Option<DelayLadder> {
        let levels_ms: Vec<u64> = text.split_whitespace().map(step_ms).collect::<Option<_>>()?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (1..=LADDER_LEVELS_MAX).contains(&levels_ms.len()).then_some(DelayLadder { text, levels_ms })
    }
    fn print(&self, value: &DelayLadder) -> String {
        value.text.clone()
    }
    fn allowed(&self) -> String {
        format!("1 to {LADDER_LEVELS_MAX} waiting times such as 1s 5m 2h 1d, separated by blanks")
    }
}

fn step_ms(step: &str) -> Option<u64> {
    let unit_ms = match step.bytes().last()? {
        b's' => 1_000,
        b'm' => 60_000,
        b'h' => 3_600_000,
        b'd' => 86_400_000,
        _ => return None,
    };
    // The last byte is ASCII, so this is a character boundary.
    let count: u64 = step[..step.len() - 1].parse().ok()?;
    count.checked_mul(unit_ms).filter(|ms| *ms <= STEP_MS_MAX)
}

const LADDER_LEVELS_MAX: usize = 64;
/// Ten years: far beyond any use, and far from overflow when added to a clock.
const STEP_MS_MAX: u64 = 10 * 365 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ladder_is_read_and_printed() {
        let through = |text: &str| Ladder.parse(text).map_or_else(|| "-".to_owned(), |ladder| Ladder.print(&ladder));
        assert_eq!(
            ["1s  5m 2h", "1d", "", "5", "s", "1w", "9999999999999h", "1é"].map(through),
            ["1s 5m 2h", "1d", "-", "-", "-", "-", "-", "-"]
        );
    }

    #[test]
    fn levels_count_from_one_and_end_at_the_last() {
        let ladder = DelayLadder::default();
        assert_eq!(ladder.levels_ms().len(), 18);
        let delays = [-1, 0, 1, 3, 18, 19, i32::MAX].map(|level| ladder.delay_ms(level));
        let last = Some(7_200_000);
        assert_eq!(delays, [None, None, Some(1_000), Some(10_000), last, last, last]);
    }
}
