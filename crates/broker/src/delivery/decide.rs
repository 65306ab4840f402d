//! How are decisions of producers carried out (37)?

use crate::broker::Broker;
use crate::delivery::parking::{self, Parked};
use crate::error::Refusal;
use crate::names::{HALF_TOPIC, OP_TOPIC};
use crate::settings::BrokerConfig;
use crate::waiting::delay::levels::DelayLevel;
use crate::waiting::fate::Fate;
use crate::waiting::redraft::{queue_that_is_read, real_queue_id, redelivered};
use crate::waiting::timer::times::Times;
use crate::waiting::transaction::checks::with_times;
use crate::waiting::transaction::open::State;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::{Properties, PropertiesBuf, name};
use roxmq_protocol::record::{Record, sys_flag};
use roxmq_protocol::request::{self, HeaderFields};
use roxmq_protocol::time::Timestamp;
use roxmq_remoting::{Answer, ConnectionId, Peer};
use roxmq_store::Batch;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The tag of an op record (`TransactionalMessageUtil.REMOVE_TAG`).
const OP_TAG: &str = "d";
/// The request's word for a commit.
pub const COMMIT: i32 = 8;
/// The request's word for a rollback.
pub const ROLLBACK: i32 = 12;
/// Bytes appended together.
const BYTES_AT_ONCE: usize = 1 << 20;
/// An op record has fewer bytes, and a committed record hardly more than its half message.
const OP_BYTES_MAX: usize = 1024;

/// Carries out decisions until none waits.
pub fn serve(broker: &Broker) {
    while let Some(pending) = broker.waiting.decisions.next() {
        let headers: Vec<_> = pending.iter().map(|decision| decision.request.header()).collect();
        let taken = catch_unwind(AssertUnwindSafe(|| {
            let requests = headers.iter().map(|header| request::EndTransaction::read(&header.fields).map_err(Refusal::from));
            decide_all(broker, requests.collect())
        }));
        let failed = || vec![Err(Refusal::Failed("the decision failed inside the broker; its log says where".into())); pending.len()];
        let answers = taken.unwrap_or_else(|_| failed());
        let mut answered: HashMap<ConnectionId, (&Peer, usize)> = HashMap::new();
        for (decision, outcome) in pending.iter().zip(answers) {
            decision.peer.answer(decision.ticket, outcome.map_or_else(|refusal| refusal.answer(), |()| Answer::ok()));
            answered.entry(decision.peer.id()).or_insert((&decision.peer, 0)).1 += 1;
        }
        answered.values().for_each(|(peer, count)| peer.finished(*count));
    }
}

/// Closes half messages as their producers decide, with one outcome for each request. A decision about a closed half message changes
/// nothing, and is no error.
pub fn decide_all(broker: &Broker, requests: Vec<Result<request::EndTransaction<'_>, Refusal>>) -> Vec<Result<(), Refusal>> {
    let halves: Vec<_> = requests.into_iter().map(|request| request.and_then(|request| Half::read(broker, &request))).collect();
    let mut outcomes = vec![Ok(()); halves.len()];
    let appended = {
        // Held until the log has all of it: of two decisions about one half message, the second finds it closed.
        let Ok(mut state) = broker.waiting.transactions.known(&broker.store) else {
            let unread = Refusal::Failed("the queues of transactions cannot be read now".into());
            return vec![Err(unread); halves.len()];
        };
        let mut closing = Closing::new(broker);
        for (number, half) in halves.iter().enumerate() {
            let half = match half {
                Ok(Some(half)) => half,
                // The producer does not know yet; it will be checked back.
                Ok(None) => continue,
                Err(refusal) => {
                    outcomes[number] = Err(refusal.clone());
                    continue;
                }
            };
            if !closing.has_room(broker, half) {
                closing.append(broker, &mut state, &mut outcomes);
            }
            if !state.is_closed(half.offset)
                && let Err(refusal) = closing.push(broker, number, half, state.checks(half.offset))
            {
                outcomes[number] = Err(refusal);
            }
        }
        closing.append(broker, &mut state, &mut outcomes);
        closing.appended
    };
    for (batch, numbers) in appended {
        let outcome = broker.confirm(&batch).into_result();
        numbers.into_iter().for_each(|number| outcomes[number] = outcome.clone());
    }
    outcomes
}

/// A half message and its decision.
struct Half {
    bytes: Vec<u8>,
    offset: QueueOffset,
    decision: Decision,
}

enum Decision {
    Commit,
    Rollback,
}

impl Half {
    /// The half message that a request decides about; none if it decides nothing.
    fn read(broker: &Broker, request: &request::EndTransaction<'_>) -> Result<Option<Half>, Refusal> {
        let decision = match request.commit_or_rollback {
            COMMIT => Decision::Commit,
            ROLLBACK => Decision::Rollback,
            _ => return Ok(None),
        };
        let bytes = broker.store.message_at(LogOffset(request.commit_log_offset));
        let bytes = bytes.ok_or_else(|| Refusal::Failed("Find prepared transaction message failed".into()))?;
        let (record, _) = Record::parse(&bytes).map_err(|error| Refusal::Failed(error.to_string()))?;
        if record.topic != HALF_TOPIC || record.properties().find(name::PGROUP) != Some(&*request.producer_group) {
            return Err(Refusal::Failed("The producer group wrong".into()));
        }
        let offset = record.queue_offset;
        if offset.0 != request.tran_state_table_offset {
            return Err(Refusal::Failed("The transaction state table offset wrong".into()));
        }
        Ok(Some(Half { bytes, offset, decision }))
    }
}

/// Half messages that are being closed, as many as go into one append.
struct Closing {
    batch: Batch,
    all: Vec<Closed>,
    /// Batches that are in the log, and the numbers of their requests.
    appended: Vec<(Batch, Vec<usize>)>,
}

struct Closed {
    /// The number of its request.
    number: usize,
    offset: QueueOffset,
    committed: Committed,
}

/// What follows once a commit is in the log.
#[derive(Default)]
struct Committed {
    /// Topic and due time, if it is a timed message.
    timed: Option<(String, Timestamp)>,
    parked: Option<Parked>,
}

impl Closing {
    fn new(broker: &Broker) -> Closing {
        Closing { batch: broker.store.batch(), all: Vec::new(), appended: Vec::new() }
    }

    fn has_room(&self, broker: &Broker, half: &Half) -> bool {
        let bytes_max = broker.store.record_bytes_max().min(BYTES_AT_ONCE);
        self.batch.bytes() + half.bytes.len() + OP_BYTES_MAX <= bytes_max
    }

    /// Adds the records that close one. A second decision about it in the same append shares the outcome of the first.
    fn push(&mut self, broker: &Broker, number: usize, half: &Half, checks: u32) -> Result<(), Refusal> {
        let mut committed = Committed::default();
        if self.all.iter().all(|closed| closed.offset != half.offset) {
            let before = self.batch.len();
            let pushed = push_op(broker, half.offset, &mut self.batch).and_then(|()| match half.decision {
                Decision::Commit => push_committed(broker, half, checks, &mut self.batch),
                Decision::Rollback => Ok(Committed::default()),
            });
            committed = pushed.inspect_err(|_| self.batch.truncate(before))?;
        }
        self.all.push(Closed { number, offset: half.offset, committed });
        Ok(())
    }

    fn append(&mut self, broker: &Broker, state: &mut State, outcomes: &mut [Result<(), Refusal>]) {
        if self.batch.is_empty() {
            return;
        }
        let mut batch = std::mem::replace(&mut self.batch, broker.store.batch());
        if let Err(refusal) = broker.append_atomic(&mut batch) {
            self.all.drain(..).for_each(|closed| outcomes[closed.number] = Err(refusal.clone()));
            return;
        }
        let numbers = self.all.iter().map(|closed| closed.number).collect();
        for Closed { offset, committed, .. } in self.all.drain(..) {
            // Closed, even if it is not yet confirmed: a second decision must find it so.
            state.close(offset);
            if let Some((topic, due)) = committed.timed {
                broker.waiting.timers.arrived(&topic, due);
            }
            parking::log(broker, committed.parked);
        }
        self.appended.push((batch, numbers));
    }
}

/// Pushes the committed message: as consumers will see it, or as it waits for a delay level or a time.
fn push_committed(broker: &Broker, half: &Half, checks: u32, batch: &mut Batch) -> Result<Committed, Refusal> {
    let (half, _) = &Record::parse(&half.bytes).map_err(|error| Refusal::Failed(error.to_string()))?;
    let mut properties = PropertiesBuf::from_text(&with_times(half.properties, checks));
    let topic = properties.find(name::REAL_TOPIC).unwrap_or_default().to_owned();
    let queue_id = real_queue_id(half.properties());
    let Some(found) = broker.tables.topics.find(&topic) else { return Err(Refusal::no_topic(&topic)) };
    let config = broker.config();
    let now = Timestamp(broker.clock.now_ms());
    let fate = committed_fate(&properties, half.properties(), &config, now);
    match fate {
        Fate::At(due) => drop(properties.set(name::TIMER_OUT_MS, &due.to_string())),
        Fate::Now | Fate::DeadLetter => drop(properties.remove(name::REAL_TOPIC).remove(name::REAL_QID)),
        Fate::Level(_) | Fate::Decision => {}
    }
    let queue_id = if fate.waits() { queue_id } else { queue_that_is_read(queue_id, found.read_queue_nums) };
    let (to, queue) = fate.place(&broker.waiting.timers, &topic, queue_id, now);
    let mut draft = redelivered(half, broker.identity.advertised, to, queue, properties.as_str());
    draft.sys_flag = sys_flag::with_transaction(half.sys_flag, sys_flag::TRANSACTION_COMMIT);
    draft.prepared_transaction_offset = half.log_offset.0;
    let parked = parking::push(broker, half, draft, batch);
    let timed = match fate {
        Fate::At(due) if parked.is_none() => Some((topic.clone(), due)),
        Fate::At(_) | Fate::Now | Fate::DeadLetter | Fate::Level(_) | Fate::Decision => None,
    };
    Ok(Committed { timed, parked })
}

/// Where a committed message goes. Its properties were checked when it was sent; the settings may have changed since.
fn committed_fate(properties: &PropertiesBuf, of_half: Properties<'_>, config: &BrokerConfig, now: Timestamp) -> Fate {
    let level = DelayLevel::asked(properties.find(name::DELAY), config.delay_ladder.levels_ms().len()).unwrap_or_default();
    Fate::of(level, Times::of(of_half).due_of_accepted(now))
}

/// The record that closes a half message.
pub fn push_op(broker: &Broker, half_offset: QueueOffset, batch: &mut Batch) -> Result<(), Refusal> {
    let properties = format!("{}\u{1}{OP_TAG}\u{2}", name::TAGS);
    batch.push(broker.system_draft(OP_TOPIC, 0, half_offset.to_string().as_bytes(), &properties))?;
    Ok(())
}

#[cfg(test)]
mod tests;
