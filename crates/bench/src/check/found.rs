//! Is in the topic what was committed, once, and nothing that was rolled back?

use crate::load::outcome::Outcome;
use crate::wire::stamp::Stamp;

/// How often each message of a run was found in the topic.
pub struct Found {
    run: u32,
    /// By connection and sequence.
    times: Vec<Vec<u8>>,
    /// Messages of the run that were never sent.
    unknown: u64,
}

impl Found {
    /// Nothing yet of the messages that these are the outcomes of, by connection and sequence.
    pub fn new(run: u32, outcomes: &[Vec<Outcome>]) -> Found {
        Found { run, times: outcomes.iter().map(|of_connection| vec![0; of_connection.len()]).collect(), unknown: 0 }
    }

    /// A message of the topic. Those of other runs do not count.
    pub fn add(&mut self, stamp: &Stamp) {
        if stamp.run != self.run {
            return;
        }
        match self.times.get_mut(stamp.connection as usize).and_then(|times| times.get_mut(stamp.sequence as usize)) {
            Some(times) => *times = times.saturating_add(1),
            None => self.unknown += 1,
        }
    }

    /// How many were committed and how many rolled back, if that is what the topic shows.
    ///
    /// # Errors
    /// How many messages are not as they must be, and in which way.
    pub fn compare(&self, outcomes: &[Vec<Outcome>]) -> Result<(u64, u64), String> {
        let (mut committed, mut rolled_back) = (0, 0);
        let (mut missing, mut twice, mut visible) = (0u64, 0u64, 0u64);
        for (outcome, times) in outcomes.iter().flatten().zip(self.times.iter().flatten()) {
            twice += u64::from(*times > 1);
            match outcome {
                Outcome::Committed => {
                    committed += 1;
                    missing += u64::from(*times == 0);
                }
                Outcome::RolledBack => {
                    rolled_back += 1;
                    visible += u64::from(*times > 0);
                }
                // It may have arrived or not.
                Outcome::Undecided => {}
            }
        }
        let kinds = [
            (missing, "committed and missing"),
            (visible, "rolled back and delivered"),
            (twice, "delivered twice"),
            (self.unknown, "never sent"),
        ];
        let wrong: Vec<String> =
            kinds.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} messages {what}")).collect();
        if wrong.is_empty() { Ok((committed, rolled_back)) } else { Err(wrong.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_is_wrong() {
        use Outcome::{Committed, RolledBack, Undecided};
        let outcomes = [vec![Committed, RolledBack, Undecided], vec![Committed]];
        for (found, expected) in [
            (&[(0, 0), (1, 0)][..], Ok((2, 1))),
            (&[(0, 0), (1, 0), (0, 2)], Ok((2, 1))),
            (&[(0, 0)], Err("1 messages committed and missing")),
            (&[(0, 0), (0, 1), (1, 0)], Err("1 messages rolled back and delivered")),
            (&[(0, 0), (1, 0), (1, 0), (1, 1)], Err("1 messages delivered twice, 1 messages never sent")),
        ] {
            let mut all = Found::new(7, &outcomes);
            for (connection, sequence) in found {
                all.add(&Stamp { run: 7, connection: *connection, sequence: *sequence, due: 0 });
                all.add(&Stamp { run: 8, connection: *connection, sequence: *sequence, due: 0 });
            }
            assert_eq!(all.compare(&outcomes), expected.map_err(str::to_owned), "{found:?}");
        }
    }
}
