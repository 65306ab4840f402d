//! How does one connection carry out transactions? A half message, its answer, the decision about it; every answer is checked.
//!
//! ```text
//! half message ──► answer ──► END_TRANSACTION               counted here, as clients do: they wait for no answer to it
//!                             END_TRANSACTION ──► answer    counted here with `--wait`
//! ```

use crate::load::answer::stored_at;
use crate::load::outcome::Outcome;
use crate::load::pace::Pace;
use crate::measure::clock::{Nanos, Window};
use crate::measure::tally::Tally;
use crate::wire::connection::{Load, WRITE_BYTES_MAX};
use crate::wire::sends::{PRODUCER_GROUP, SendFrames};
use crate::wire::slots::Slots;
use crate::wire::stamp::{self, Stamp};
use roxmq_protocol::code;
use roxmq_protocol::frame::{Encoding, Frame};
use roxmq_protocol::header::{self, Header, Top};
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::request::{EndTransaction, HeaderFields, Request};
use std::sync::Arc;

/// What is the same for all connections of a run.
#[derive(Clone, Debug)]
pub struct TransactorShape {
    /// Number of the run.
    pub run: u32,
    /// How headers are written.
    pub encoding: Encoding,
    /// Body of each message, in bytes.
    pub body_bytes: usize,
    /// When to begin transactions.
    pub window: Window,
    /// The share that is rolled back, from 0 to 1.
    pub rollbacks: f64,
    /// Whether the answer to a decision is waited for.
    pub is_decision_answered: bool,
}

/// One connection that begins and decides transactions.
pub struct Transactor {
    shape: TransactorShape,
    connection: u32,
    frames: Arc<SendFrames>,
    pace: Pace,
    slots: Slots<Step>,
    /// Decisions that are not written yet: no more than there are slots.
    decisions: Vec<Decision>,
    outcomes: Vec<Outcome>,
    /// What it saw.
    pub tally: Tally,
}

/// A request without an answer.
struct Step {
    sequence: u64,
    due: Nanos,
    kind: Kind,
}

enum Kind {
    Half { queue: u32 },
    Decision(Outcome),
}

/// An END_TRANSACTION that is to be written.
struct Decision {
    /// `None` when no answer is wanted.
    opaque: Option<i32>,
    sequence: u64,
    half_offset: i64,
    log_offset: i64,
    queue: u32,
    outcome: Outcome,
}

impl Transactor {
    /// The transactions of connection `number`. `frames` write half messages.
    pub fn new(number: u32, frames: Arc<SendFrames>, pace: Pace, shape: TransactorShape) -> Transactor {
        Transactor {
            shape,
            connection: number,
            frames,
            pace,
            slots: Slots::new(pace.slots()),
            decisions: Vec::new(),
            outcomes: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Its number.
    pub fn connection(&self) -> usize {
        self.connection as usize
    }

    /// What became of its half messages, by their sequence.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Counts unanswered requests as errors, once the connection is no longer used.
    pub fn give_up(&mut self) {
        for _ in 0..self.slots.unanswered() {
            self.tally.error("no answer".into());
        }
    }

    fn stamp(&self, sequence: u64, due: Nanos) -> Stamp {
        Stamp { run: self.shape.run, connection: self.connection, sequence, due }
    }

    /// A half message is stored: what is decided about it. Its own place in `slots` has just become free.
    fn decide(&mut self, header: &Header<'_>, sequence: u64, queue: u32, due: Nanos, now: Nanos) -> Result<(), String> {
        let half_offset = stored_at(header, self.frames.queues().id(queue), 1)?;
        let id = header.fields.text("msgId").unwrap_or_default();
        let log_offset = MessageId::parse(&id).ok_or("msgId is not what it must be")?.log_offset.0;
        let is_rolled_back = is_chosen(sequence, self.shape.rollbacks);
        let outcome = if is_rolled_back { Outcome::RolledBack } else { Outcome::Committed };
        let opaque = match self.shape.is_decision_answered {
            true => self.slots.put(Step { sequence, due, kind: Kind::Decision(outcome) }),
            false => {
                self.settle(sequence, outcome, due, now);
                None
            }
        };
        self.decisions.push(Decision { opaque, sequence, half_offset, log_offset, queue, outcome });
        Ok(())
    }

    /// The transaction is over, as far as its producer is concerned.
    fn settle(&mut self, sequence: u64, outcome: Outcome, due: Nanos, now: Nanos) {
        self.outcomes[sequence as usize] = outcome;
        self.tally.messages_in_all += 1;
        if self.shape.window.counts(now) {
            self.tally.requests += 2;
            self.tally.messages += 1;
            self.tally.bytes += self.shape.body_bytes as u64;
            self.tally.latency.add(now.saturating_sub(due));
        }
    }

    fn write_decision(&self, out: &mut Vec<u8>, decision: &Decision) {
        let key = format!("{:032X}", stamp::unique_key(&self.stamp(decision.sequence, 0)));
        let request = EndTransaction {
            topic: Some(self.frames.queues().topic_of(decision.queue)),
            producer_group: PRODUCER_GROUP.into(),
            tran_state_table_offset: decision.half_offset,
            commit_log_offset: decision.log_offset,
            commit_or_rollback: if decision.outcome == Outcome::Committed { COMMIT } else { ROLLBACK },
            from_transaction_check: false,
            msg_id: Some(key.as_str().into()),
            transaction_id: Some(key.as_str().into()),
        };
        let top = Top::request(decision.opaque.unwrap_or(UNANSWERED), EndTransaction::CODE, decision.opaque.is_none());
        header::write_frame(out, self.shape.encoding, top, |sink| request.write(sink), b"");
    }
}

impl Load for Transactor {
    fn ask(&mut self, out: &mut Vec<u8>, now: Nanos) {
        for decision in std::mem::take(&mut self.decisions) {
            self.write_decision(out, &decision);
        }
        while let Some(due) = self.pace.next(&self.shape.window, self.outcomes.len() as u64, now) {
            let sequence = self.outcomes.len() as u64;
            let queue = ((u64::from(self.connection) + sequence) % u64::from(self.frames.queues().count())) as u32;
            let Some(opaque) = self.slots.put(Step { sequence, due, kind: Kind::Half { queue } }) else { break };
            self.frames.write(out, opaque, queue, self.stamp(sequence, due), 0);
            self.outcomes.push(Outcome::Undecided);
            if out.len() > WRITE_BYTES_MAX {
                break;
            }
        }
    }

    fn answer(&mut self, frame: &Frame<'_>, now: Nanos) {
        let header = match header::read(frame) {
            Ok(header) => header,
            Err(error) => return self.tally.error(error.to_string()),
        };
        let Some(Step { sequence, due, kind }) = self.slots.take(header.opaque) else {
            return self.tally.error("answer to no request".into());
        };
        match kind {
            Kind::Half { queue } => {
                if let Err(what) = self.decide(&header, sequence, queue, due, now) {
                    self.tally.error(what);
                }
            }
            Kind::Decision(outcome) if header.code == code::SUCCESS => self.settle(sequence, outcome, due, now),
            Kind::Decision(_) => {
                let remark = header.remark.map(|remark| remark.unescape().into_owned()).unwrap_or_default();
                self.tally.error(format!("decision refused with code {}: {remark}", header.code));
            }
        }
    }

    fn is_done(&self, now: Nanos) -> bool {
        let begun = self.outcomes.len() as u64;
        self.pace.is_over(&self.shape.window, begun, now) && self.slots.unanswered() == 0 && self.decisions.is_empty()
    }

    fn has_due_times(&self) -> bool {
        matches!(self.pace, Pace::Due { .. })
    }
}

/// Whether number `at` is one of a share that is spread evenly over all numbers.
fn is_chosen(at: u64, share: f64) -> bool {
    ((at + 1) as f64 * share).floor() > (at as f64 * share).floor()
}

/// How a decision is spelled.
const COMMIT: i32 = 8;
const ROLLBACK: i32 = 12;
/// The opaque of decisions that are not answered; no other request has it.
const UNANSWERED: i32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_spread_evenly() {
        for (share, of_1000, of_first_10) in [(0.0, 0, 0), (1.0, 1000, 10), (0.25, 250, 2), (0.001, 1, 0), (0.7, 700, 7)] {
            let chosen = |count: u64| (0..count).filter(|at| is_chosen(*at, share)).count();
            assert_eq!((chosen(1000), chosen(10)), (of_1000, of_first_10), "{share}");
        }
    }
}
