use super::*;

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// How many answers a shard gives in a second that is asked for one each `every`, and the longest wait.
fn a_second_of(every: Duration) -> (u32, Duration) {
    let (mut pace, mut given, mut longest) = (Pace::default(), 0, Duration::ZERO);
    let mut now = Duration::ZERO;
    while now < Duration::from_secs(1) {
        match pace.wait(now, now) {
            None => {
                pace.answered(now, 1);
                given += 1;
            }
            Some(wait) => longest = longest.max(wait),
        }
        now += every;
    }
    (given, longest)
}

#[test]
fn no_pull_waits_below_the_rate_and_above_it_the_rate_holds() {
    assert_eq!(a_second_of(us(100)), (10_000, Duration::ZERO));
    assert_eq!(a_second_of(us(25)), (40_000, Duration::ZERO));
    let (given, longest) = a_second_of(us(5));
    assert!((40_000..=40_041).contains(&given), "{given}");
    assert!(longest <= SLOT, "{longest:?}");
}

#[test]
fn many_at_once_wait_no_longer_than_the_most() {
    let mut pace = Pace::default();
    let all_since = us(7);
    let (mut now, mut at_once, mut later) = (all_since, 0, 0);
    while at_once + later < 100_000 {
        match pace.wait(now, all_since) {
            Some(wait) => now += wait,
            None => {
                pace.answered(now, 1);
                *if now < all_since + WAIT_MAX { &mut at_once } else { &mut later } += 1;
            }
        }
    }
    assert_eq!(now, all_since + WAIT_MAX);
    assert!((400..=441).contains(&at_once), "{at_once}");
    assert_eq!(pace.wait(now, now), Some(WAIT_MAX - AHEAD_MAX), "later ones wait no longer for it");
}

#[test]
fn answers_with_many_messages_neither_wait_nor_make_others_wait() {
    let (mut pace, now) = (Pace::default(), us(7));
    for _ in 0..10_000 {
        pace.answered(now, FEW);
    }
    assert_eq!(pace.wait(now, now), None);
    for _ in 0..10_000 {
        pace.answered(now, FEW - 1);
    }
    assert_eq!(pace.wait(now, now), Some(WAIT_MAX - AHEAD_MAX));
    for (found, waits) in [(0, false), (1, true), (7, true), (8, false), (32, false), (-5, false)] {
        assert_eq!(pace.is_ahead_of(now, || found), waits, "{found}");
    }
    assert!(!Pace::default().is_ahead_of(now, || panic!("nothing is counted while no pull waits")));
}
