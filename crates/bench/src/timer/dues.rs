//! When is each message due?

/// Due times that fill a span of time evenly, in an order that jumps about in it, in ms since 1970.
///
/// Any part of them, too, lies evenly over the span: each is a step of the golden ratio on from the one before, and begins again at the
/// start where the span ends.
pub fn spread(count: u64, start_ms: i64, span_ms: u64) -> Vec<i64> {
    let due = |number: u64| {
        let share = number.wrapping_mul(GOLDEN_RATIO);
        start_ms + ((u128::from(share) * u128::from(span_ms)) >> 64) as i64
    };
    (0..count).map(due).collect()
}

/// 2^64 divided by the golden ratio.
const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_gets_its_share() {
        let dues = spread(60_000, 1_700_000_000_000, 30_000);
        for second in 0..30 {
            let from = 1_700_000_000_000 + second * 1000;
            let count = dues.iter().filter(|due| (from..from + 1000).contains(*due)).count();
            assert!((1990..=2010).contains(&count), "{count} in second {second}");
        }
        assert!(dues.iter().all(|due| (1_700_000_000_000..1_700_000_030_000).contains(due)));
        // One after the other they are far apart.
        assert!(dues.windows(2).all(|two| two[0].abs_diff(two[1]) > 10_000));
    }
}
