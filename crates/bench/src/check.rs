//! Does the broker hold what it acknowledged? Asked after a run, of the broker itself.

pub(crate) mod expected;
pub(crate) mod found;
pub(crate) mod read_back;

use crate::check::expected::Expected;
use crate::check::found::Found;
use crate::load::outcome::Outcome;
use crate::measure::histogram::Histogram;
use crate::measure::tally::Offsets;
use crate::options::{Delay, Options, Workload};
use crate::report::Check;
use crate::report::figures::Lateness;
use crate::wire::ask::{self, AskError, Asker};
use crate::wire::stamp::Stamp;
use roxmq_protocol::topic::DELAY_TOPIC;
use std::time::{Duration, Instant};

/// Where the messages of a topic were before a run.
pub struct Before {
    ends: Vec<i64>,
    waiting: i64,
}

impl Before {
    /// Looks at the topic, and where the run's messages will wait.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn look(asker: &mut Asker, options: &Options) -> Result<Before, AskError> {
        let ends = asker.end_offsets(&options.queues())?;
        Ok(Before { ends, waiting: waiting(asker, options)? })
    }

    /// The offset behind the last message of each queue.
    pub fn ends(&self) -> &[i64] {
        &self.ends
    }

    /// Compares what is there now with what the run expects.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn compare(&self, asker: &mut Asker, address: &str, options: &Options, expected: &Expected) -> Result<Check, AskError> {
        Ok(match (options.workload, options.delay()) {
            (Workload::Idle, _) => Check::Alive,
            (Workload::Pull | Workload::Tail, _) => Check::InOrder,
            (Workload::EndToEnd, _) if expected.received_in_all == expected.acknowledged_in_all * u64::from(options.groups) => {
                Check::ReceivedAsAcknowledged
            }
            (Workload::EndToEnd, _) => Check::Failed(format!(
                "{} messages acknowledged, {} received by {} groups",
                expected.acknowledged_in_all, expected.received_in_all, options.groups
            )),
            (Workload::Transaction, _) => {
                let delivered = self.delivered(asker, options, expected, options.patience)?;
                delivered.counts.map_or_else(Check::Failed, |(committed, rolled_back)| Check::AsDecided {
                    committed,
                    rolled_back,
                    settled_ms: delivered.settled_ms,
                })
            }
            (Workload::Send, None) => {
                let after = self.ends_after(asker, options, expected)?;
                match stored_as_acknowledged(&ask::stored(&self.ends, &after), &expected.acknowledged) {
                    Check::StoredAsAcknowledged if options.is_read_back => {
                        read_back::compare(address, options, expected, &self.ends, &after)?
                    }
                    check => check,
                }
            }
            // All messages of a level wait in one queue, whichever queue they were sent to.
            (Workload::Send, Some(Delay::Level(_))) => {
                let stored = ask::stored(&[self.waiting], &[waiting(asker, options)?]);
                let sum = expected.acknowledged.iter().fold(Offsets::default(), |sum, queue| sum.plus(*queue));
                stored_as_acknowledged(&stored, &[sum])
            }
            (Workload::Send, Some(Delay::Time(delay))) if delay > AWAITED_MAX => self.still_waiting(asker, options, expected)?,
            (Workload::Send, Some(Delay::Time(delay))) => {
                let delivered = self.delivered(asker, options, expected, delay + options.patience)?;
                match delivered.counts {
                    Ok(_) if delivered.early > 0 => Check::Failed(format!("{} messages delivered before their time", delivered.early)),
                    Ok(_) => Check::DeliveredOnce(delivered.late),
                    Err(what) => Check::Failed(what),
                }
            }
        })
    }

    /// The ends of the queues once everything acknowledged is in them, or patience ends. Java acknowledges before that.
    fn ends_after(&self, asker: &mut Asker, options: &Options, expected: &Expected) -> Result<Vec<i64>, AskError> {
        let started = Instant::now();
        loop {
            let after = asker.end_offsets(&options.queues())?;
            let stored = after.iter().sum::<i64>() - self.ends.iter().sum::<i64>();
            if stored >= expected.acknowledged_in_all as i64 || started.elapsed() >= options.patience {
                return Ok(after);
            }
            std::thread::sleep(LOOK_PERIOD);
        }
    }

    /// Whether as many more messages wait as were acknowledged. Java counts them some time after it acknowledges them.
    fn still_waiting(&self, asker: &mut Asker, options: &Options, expected: &Expected) -> Result<Check, AskError> {
        let started = Instant::now();
        loop {
            let more = waiting(asker, options)? - self.waiting;
            if more == expected.acknowledged_in_all as i64 {
                return Ok(Check::Waiting);
            }
            if started.elapsed() >= options.patience {
                return Ok(Check::Failed(format!("{more} more messages wait, {} acknowledged", expected.acknowledged_in_all)));
            }
            std::thread::sleep(LOOK_PERIOD);
        }
    }

    /// Reads what arrived in the topic since. Waits at most this long for all that is due.
    fn delivered(&self, asker: &mut Asker, options: &Options, expected: &Expected, patience: Duration) -> Result<Delivered, AskError> {
        let wanted = expected.outcomes.iter().flatten().filter(|outcome| **outcome == Outcome::Committed).count() as i64;
        let started = Instant::now();
        let mut before = None;
        let (ends, settled_ms) = loop {
            let ends = asker.end_offsets(&options.queues())?;
            let looked = started.elapsed();
            let come = ends.iter().sum::<i64>() - self.ends.iter().sum::<i64>();
            match before {
                // The number may be reached with some twice and others still missing.
                Some((number, settled_ms)) if number == come => break (ends, settled_ms),
                _ if looked >= patience => break (ends, looked.as_secs_f64() * 1e3),
                _ => before = (come >= wanted).then_some((come, looked.as_secs_f64() * 1e3)),
            }
            std::thread::sleep(LOOK_PERIOD);
        };

        let mut found = Found::new(expected.run, &expected.outcomes);
        let (mut late, mut early) = (Histogram::default(), 0);
        let queues = options.queues();
        for (queue, (from, until)) in queues.all().zip(self.ends.iter().zip(&ends)) {
            asker.each_record(&queues.topic_of(queue), queues.id(queue), *from, *until, |record| {
                let Some(stamp) = Stamp::read(record.body).filter(|stamp| stamp.run == expected.run) else { return };
                found.add(&stamp);
                let (stored_ms, due_ms) = (record.store_timestamp.0 as u64, (stamp.due + expected.deliver_after) / 1_000_000);
                early += u64::from(stored_ms < due_ms);
                late.add(stored_ms.saturating_sub(due_ms) * 1_000_000);
            })?;
        }
        Ok(Delivered { counts: found.compare(&expected.outcomes), early, late: Lateness::of(&late), settled_ms })
    }
}

/// What was found in the topic.
struct Delivered {
    /// How many are there and how many are not, if all of them are as they must be.
    counts: Result<(u64, u64), String>,
    /// Messages stored before they were due.
    early: u64,
    /// How late messages were stored; meaningless where they are not timed.
    late: Lateness,
    /// How long it took until the last of them was there, in ms.
    settled_ms: f64,
}

/// How many messages wait where those of this run will: the end of their delay level's queue, or the number that wait for a time of
/// their own.
fn waiting(asker: &mut Asker, options: &Options) -> Result<i64, AskError> {
    match options.delay() {
        Some(Delay::Level(level)) => asker.end_offset(DELAY_TOPIC, level - 1),
        Some(Delay::Time(_)) => asker.timers_waiting(&options.queues()),
        None => Ok(0),
    }
}

fn stored_as_acknowledged(stored: &[Offsets], acknowledged: &[Offsets]) -> Check {
    let differing = stored.iter().zip(acknowledged).enumerate().find(|(_, (stored, acknowledged))| stored != acknowledged);
    match differing {
        None => Check::StoredAsAcknowledged,
        Some((queue, (stored, acknowledged))) if stored.count != acknowledged.count => {
            Check::Failed(format!("queue {queue}: {} messages stored, {} acknowledged", stored.count, acknowledged.count))
        }
        Some((queue, _)) => Check::Failed(format!("queue {queue}: the offsets in the answers are not those of its messages")),
    }
}

/// The longest delay whose end is waited for.
const AWAITED_MAX: Duration = Duration::from_secs(120);
const LOOK_PERIOD: Duration = Duration::from_millis(20);
