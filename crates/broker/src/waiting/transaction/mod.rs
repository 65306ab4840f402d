//! Two-phase messages: half messages, commit and rollback (37), asking the producer (39), parking, resuming (323).
//!
//! ```text
//! send TRAN_MSG=true ──► RMQ_SYS_TRANS_HALF_TOPIC        invisible to consumers
//!     37 commit      ──► the real topic, and an op record that closes the half message, in one whole batch
//!     37 rollback    ──► an op record
//!     nothing        ──► 39 to a living producer of the group, again and again; then TRANS_CHECK_MAX_TIME_TOPIC and an op record
//! ```
//! The op record and the message it speaks of are one whole batch: after a crash both are there or neither, so that nothing is delivered
//! twice. An op record's body is the queue offset of the half message it closes. Which half messages are open is derived from the two queues:
//! those in the half queue that no op record names. How often each was asked about is in the log as well (`checks.rs`).
//! `config/transactions.json` says from where to read all this after a restart; it is only ever behind. Follows Java's `TransactionalMessageBridge`, `TransactionalMessageServiceImpl` and `EndTransactionProcessor`.

mod checks;
pub mod decisions;

use crate::announce::topics;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names::{HALF_TOPIC, MARKS_TOPIC, OP_TOPIC, UNDECIDED_TOPIC};
use crate::tables::file::TableFile;
use crate::trouble::Troubles;
use crate::waiting::delay::redelivered;
use crate::waiting::parking;
use crate::waiting::system_queue::read_on;
pub use checks::{CHECKS_QUEUE, never_checked};
use decisions::push_op;
use parking_lot::Mutex;
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::properties::{PropertiesBuf, name};
use roxmq_protocol::record::Record;
use roxmq_protocol::record::placing::place;
use roxmq_protocol::request::{self, CheckTransaction};
use roxmq_remoting::{Answer, Call};
use roxmq_store::{Batch, Store};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tracing::{error, info, warn};

/// Which half messages are open.
pub struct Transactions {
    file: TableFile,
    state: Mutex<State>,
    /// How many in the last round had nobody who could be asked.
    unasked: AtomicU32,
    /// Nothing can be stored of the checks.
    uncounted: Troubles<()>,
    unparked: Troubles<()>,
}

#[derive(Default)]
struct State {
    /// By offset in the half queue.
    open: BTreeMap<i64, Open>,
    /// Everything before was read.
    half_read: i64,
    op_read: i64,
    checks_read: i64,
    /// Op records may be read before the half messages they close.
    closed_early: Vec<i64>,
}

struct Open {
    log_offset: LogOffset,
    stored_ms: i64,
    checks: u32,
    /// Op records before this one were appended before the half message was looked at, so none of them closes it.
    ops_before: i64,
    /// Counts of checks before this one were written before the half message was looked at, so none of them is of it.
    checks_before: i64,
}

/// The file: from where the queues are read after a restart.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Marks {
    /// Offset in the half queue.
    pub half: i64,
    /// Offset in the op queue.
    pub op: i64,
    /// Offset in the queue of counted checks.
    pub checks: i64,
}

impl Transactions {
    /// Loads the marks.
    ///
    /// # Errors
    /// When their file cannot be read.
    pub fn load(file: TableFile) -> io::Result<Transactions> {
        let marks: Marks = file.load()?.unwrap_or_default();
        let state = State { half_read: marks.half, op_read: marks.op, checks_read: marks.checks, ..State::default() };
        Ok(Transactions {
            file,
            state: Mutex::new(state),
            unasked: AtomicU32::new(0),
            uncounted: Troubles::default(),
            unparked: Troubles::default(),
        })
    }

    /// Writes the marks if they moved: from where the open ones, and only few more, are found again.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        self.file.save_behind(store, || {
            let state = self.state.lock();
            match state.open.first_key_value() {
                None => Marks { half: state.half_read, op: state.op_read, checks: state.checks_read },
                // What is said of this one, or of one after it, comes after what had been read when it was met.
                Some((first, open)) => Marks { half: *first, op: open.ops_before, checks: open.checks_before },
            }
        })
    }

    /// Reads a queue from its end at the latest: marks beyond it are of messages that a crash took away.
    pub fn keep_within(&self, half_max: i64, op_max: i64, checks_max: i64) {
        let mut state = self.state.lock();
        if state.half_read > half_max || state.op_read > op_max || state.checks_read > checks_max {
            warn!(half_max, op_max, checks_max, "the marks of transactions were ahead of the log");
            state.half_read = state.half_read.min(half_max);
            state.op_read = state.op_read.min(op_max);
            state.checks_read = state.checks_read.min(checks_max);
            self.file.touch();
        }
    }
}

impl State {
    /// Was the half message closed?
    fn is_closed(&self, offset: i64) -> bool {
        offset < self.half_read && !self.open.contains_key(&offset)
    }

    /// Reads what was added to the queues. False where the disk refuses: then not all that is open, or closed, is known.
    #[must_use]
    fn catch_up(&mut self, broker: &Broker) -> bool {
        let before = (self.half_read, self.op_read);
        let (ops_before, checks_before) = (self.op_read, self.checks_read);
        let halves = read_on(broker, HALF_TOPIC, 0, self.half_read, |record| {
            // Java stores a half message again for each check, and counts there.
            let checks = checks::said_in(record);
            let (log_offset, stored_ms) = (record.log_offset, record.store_timestamp.0);
            let open = Open { log_offset, stored_ms, checks, ops_before, checks_before };
            self.open.insert(record.queue_offset.0, open);
        });
        self.half_read = halves.next;
        let half_read = self.half_read;
        let ops = read_on(broker, OP_TOPIC, 0, self.op_read, |record| {
            let text = std::str::from_utf8(record.body).unwrap_or_default();
            for closed in text.split(',').filter_map(|offset| offset.trim().parse::<i64>().ok()) {
                if self.open.remove(&closed).is_none() && closed >= half_read {
                    self.closed_early.push(closed);
                }
            }
        });
        self.op_read = ops.next;
        self.closed_early.retain(|closed| self.open.remove(closed).is_none() && *closed >= half_read);
        let checks = read_on(broker, MARKS_TOPIC, CHECKS_QUEUE, self.checks_read, |record| {
            for (offset, count) in checks::counted(record.body) {
                if let Some(open) = self.open.get_mut(&offset) {
                    open.checks = open.checks.max(count);
                }
            }
        });
        self.checks_read = checks.next;
        if before != (self.half_read, self.op_read) {
            broker.waiting.transactions.file.touch();
        }
        [halves, ops, checks].iter().all(|read| read.is_whole)
    }

    /// How often producers were asked about a half message that is open.
    fn checks(&self, offset: i64) -> u32 {
        self.open.get(&offset).map_or(0, |open| open.checks)
    }
}

/// Where the oldest open half message lies in the log.
pub fn waits_from(broker: &Broker) -> Option<LogOffset> {
    let mut state = broker.waiting.transactions.state.lock();
    if !state.catch_up(broker) {
        // Anything may be open.
        return Some(LogOffset(0));
    }
    state.open.values().map(|open| open.log_offset).next()
}

/// Asks producers about what is open, for as long as the broker lives. The first interval begins now.
pub fn run(broker: Arc<Broker>) -> impl Future<Output = ()> {
    let started = broker.clock.elapsed();
    ask_from(broker, started)
}

async fn ask_from(broker: Arc<Broker>, started: Duration) {
    let mut last_round = started;
    loop {
        // The interval can change at run time: it is looked at again every second.
        let interval = Duration::from_millis(broker.config().transaction_check_interval_ms);
        tokio::time::sleep(interval.min(Duration::from_secs(1))).await;
        if broker.clock.elapsed() < last_round + interval {
            continue;
        }
        last_round = broker.clock.elapsed();
        let working = Arc::clone(&broker);
        if tokio::task::spawn_blocking(move || ask_all(&working)).await.is_err() {
            error!("checking transactions failed inside the broker; it goes on");
        }
    }
}

fn ask_all(broker: &Broker) {
    let mut unasked = 0;
    check_open(broker, |half, times| {
        let is_asked = ask(broker, half, times);
        unasked += u32::from(!is_asked);
        is_asked
    });
    // Said when it changes, not in every round.
    match (broker.waiting.transactions.unasked.swap(unasked, Ordering::Relaxed), unasked) {
        (before, now) if before == now => {}
        (_, 0) => info!("no half message waits for a producer that is not connected any more"),
        _ => warn!(unasked, "half messages wait for a decision, and no producer of their groups is connected"),
    }
}

/// One round. `ask` is told how often this half message is asked about with this time, and says whether there was anybody to ask: only
/// then it counts as one of the times that a producer is given.
///
/// Decisions go on meanwhile: the state is not locked while half messages are read, nor while a write is waited for.
pub fn check_open(broker: &Broker, mut ask: impl FnMut(&Record<'_>, u32) -> bool) {
    let open: Vec<(i64, LogOffset)> = {
        let mut state = broker.waiting.transactions.state.lock();
        if !state.catch_up(broker) {
            // Else producers would be asked about what they have decided.
            return warn!("half messages are not checked: what was decided cannot be read now");
        }
        state.open.iter().map(|(offset, open)| (*offset, open.log_offset)).collect()
    };
    let mut asked = Vec::new();
    let mut batch = broker.store.batch();
    for (offset, log_offset) in open {
        // What the disk refuses to read now it may read in the next round.
        let Ok(found) = broker.store.find_message(log_offset) else { continue };
        let Some(bytes) = found else {
            warn!(offset, "a half message is gone from the log, or damaged, undecided");
            broker.waiting.transactions.state.lock().open.remove(&offset);
            continue;
        };
        let Ok((record, _)) = Record::parse(&bytes) else { continue };
        let mut state = broker.waiting.transactions.state.lock();
        // Decided since.
        let Some(open) = state.open.get_mut(&offset) else { continue };
        match check(broker, open, &record) {
            Check::Early => {}
            Check::Ask => {
                if ask(&record, open.checks.saturating_add(1)) {
                    open.checks = open.checks.saturating_add(1);
                    asked.push((offset, open.checks));
                }
            }
            Check::Park => match park(broker, &record, open.checks, &mut batch) {
                Ok(()) => {
                    state.open.remove(&offset);
                    broker.waiting.transactions.unparked.ends(&());
                }
                Err(refusal) if broker.waiting.transactions.unparked.begins(()) => {
                    warn!(%refusal, "undecided transactions cannot be parked; it is tried again");
                }
                Err(_) => {}
            },
        }
    }
    if !asked.is_empty() {
        match checks::count(broker, &asked) {
            Ok(()) => drop(broker.waiting.transactions.uncounted.ends(&())),
            Err(refusal) if broker.waiting.transactions.uncounted.begins(()) => {
                warn!(%refusal, "could not write down how often producers were asked; after a restart they are asked more often");
            }
            Err(_) => {}
        }
    }
    broker.settle(&batch);
}

enum Check {
    Early,
    Ask,
    Park,
}

fn check(broker: &Broker, open: &Open, record: &Record<'_>) -> Check {
    let config = broker.config();
    let age = broker.clock.now_ms() - open.stored_ms;
    let own = record.properties().find(name::CHECK_IMMUNITY_TIME_IN_SECONDS).and_then(|seconds| seconds.trim().parse::<i64>().ok());
    let immunity =
        own.filter(|seconds| *seconds >= 0).map_or(config.transaction_immunity_ms as i64, |seconds| seconds.saturating_mul(1000));
    // Before retention takes the half message away, somebody should still be able to see it.
    let life = (config.file_reserved_h as i64).saturating_mul(3_600_000) / 10 * 9;
    if open.checks >= config.transaction_checks_max || age > life {
        Check::Park
    } else if age < immunity {
        Check::Early
    } else {
        Check::Ask
    }
}

/// Asks any living producer of the group; its sender may be gone. Is there one?
fn ask(broker: &Broker, half: &Record<'_>, times: u32) -> bool {
    let properties = half.properties();
    let producers = broker.tables.clients.producers(properties.find(name::PGROUP).unwrap_or_default());
    let Some(producer) = broker.randomness.pick(&producers) else { return false };
    let unique = properties.unique_key().unwrap_or_default().to_owned();
    let topic = properties.find(name::REAL_TOPIC).unwrap_or_default();
    let queue_id = properties.find(name::REAL_QID).and_then(|queue_id| queue_id.parse().ok()).unwrap_or(0);
    let counted = checks::with_times(half.properties, times);
    let mut restored = Vec::new();
    let met_as = producer.peer.met_as();
    if redelivered(half, met_as, topic, queue_id, &counted).encode(&mut restored).is_err() {
        return true;
    }
    place(&mut restored, half.queue_offset, half.log_offset, half.store_timestamp);
    let request = CheckTransaction {
        topic: Some(topic.into()),
        tran_state_table_offset: half.queue_offset.0,
        commit_log_offset: half.log_offset.0,
        msg_id: Some(unique.as_str().into()),
        transaction_id: Some(unique.as_str().into()),
        offset_msg_id: Some(MessageId { store_host: met_as, log_offset: half.log_offset }.to_string().into()),
    };
    producer.peer.send_oneway(&request, &restored);
    true
}

/// Lays an undecided half message aside, where tools find it. `batch` then holds what has to become durable.
fn park(broker: &Broker, half: &Record<'_>, checks: u32, batch: &mut Batch) -> Result<(), Refusal> {
    topics::add_parking_topic(broker, UNDECIDED_TOPIC);
    batch.clear();
    push_op(broker, half.queue_offset.0, batch)?;
    let counted = checks::with_times(half.properties, checks);
    let draft = redelivered(half, broker.identity.advertised, UNDECIDED_TOPIC, 0, &counted);
    let cut = parking::try_push(broker, draft, batch).err().map(|reason| parking::park(broker, half, UNDECIDED_TOPIC, &reason, batch));
    broker.put_whole(batch)?;
    parking::tell(broker, cut);
    warn!(offset = half.queue_offset.0, "a transaction was checked as often as allowed, and is laid aside in {UNDECIDED_TOPIC}");
    Ok(())
}

/// Code 323: a parked half message is asked about again.
pub fn resume(broker: &Broker, _: &Call<'_>, request: request::ResumeTransaction<'_>) -> Result<Answer, Refusal> {
    put_back(broker, &request.msg_id)?;
    Ok(Answer::ok())
}

/// Makes a parked message a half message again.
///
/// # Errors
/// When the id is not one of a parked message, or the store refuses.
pub fn put_back(broker: &Broker, id: &str) -> Result<(), Refusal> {
    let parsed = MessageId::parse(id).ok_or_else(|| Refusal::Failed(format!("{id:?} is no offset message id")))?;
    let bytes = broker.store.message_at(parsed.log_offset);
    let bytes = bytes.ok_or_else(|| Refusal::Failed(format!("no message with the id {id}")))?;
    let (record, _) = Record::parse(&bytes).map_err(|error| Refusal::Failed(error.to_string()))?;
    if record.topic != UNDECIDED_TOPIC {
        return Err(Refusal::Failed(format!("the message {id} is not in {UNDECIDED_TOPIC}")));
    }
    let mut properties = PropertiesBuf::from_text(record.properties);
    properties.remove(name::TRANSACTION_CHECK_TIMES).remove(parking::REASON);
    let mut batch = broker.store.batch();
    batch.push(redelivered(&record, broker.identity.advertised, HALF_TOPIC, 0, properties.as_str()))?;
    broker.append_own(&mut batch)
}

/// How often producers were asked about a half message, as far as the log says.
#[cfg(test)]
pub fn checks_of(broker: &Broker, offset: i64) -> u32 {
    let mut state = broker.waiting.transactions.state.lock();
    let _ = state.catch_up(broker);
    state.checks(offset)
}

/// The offsets in the half queue of what is open.
#[cfg(test)]
pub fn open_offsets(broker: &Broker) -> Vec<i64> {
    let mut state = broker.waiting.transactions.state.lock();
    let _ = state.catch_up(broker);
    state.open.keys().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::decisions::{ROLLBACK, decide, decide_all};
    use super::*;
    use crate::settings::BrokerConfig;
    use crate::testing::{self, NOW_MS, QUEUE, TOPIC, close, delivered, open, put, seen_in, try_open};
    use crate::waiting::delay;
    use crate::waiting::system_queue::AT_ONCE;
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;
    use roxmq_protocol::position::QueueOffset;
    use roxmq_protocol::properties::Properties;
    use roxmq_protocol::record::records;

    fn put_half(broker: &Broker, body: &str) -> request::EndTransaction<'static> {
        let properties = format!("PGROUP\u{1}producers\u{2}UNIQ_KEY\u{1}{body}\u{2}");
        let placed = put(broker, HALF_TOPIC, 0, &delay::waiting_properties(&properties, TOPIC, QUEUE), body);
        testing::commit_of(placed.queue_offset, placed.log_offset)
    }

    #[test]
    fn what_nobody_can_be_asked_about_waits_for_its_producers_as_long_as_it_is_kept() {
        let (disk, clock) = (SimDisk::new(8).disk(), Clock::manual(NOW_MS));
        let broker = open(&disk, &clock);
        let undecided = put_half(&broker, "undecided");
        for _ in 0..100 {
            clock.advance(Duration::from_secs(30 * 60));
            ask_all(&broker);
        }
        assert_eq!(open_offsets(&broker), [0]);
        clock.advance(Duration::from_secs(15 * 3600));
        ask_all(&broker);
        assert_eq!(open_offsets(&broker), Vec::<i64>::new());
        decide(&broker, &undecided).unwrap();
        assert_eq!(delivered(&broker), Vec::<String>::new());
        // It is laid aside, and can be taken up again.
        let mut bytes = Vec::new();
        let read = broker.store.read(UNDECIDED_TOPIC, 0, QueueOffset(0), AT_ONCE, &mut |_| true, &mut bytes);
        assert_eq!(read.messages, 1);
        let parked = records(&bytes).next().unwrap().unwrap().message_id().to_string();
        assert!(put_back(&broker, "nonsense").is_err());
        put_back(&broker, &parked).unwrap();
        assert_eq!(open_offsets(&broker), [1]);
        close(broker);
    }

    /// Asks in one round. Whom, and the how manieth time it is.
    fn asked_in_a_round(broker: &Broker, clock: &Clock) -> Vec<(i64, u32)> {
        clock.advance(Duration::from_secs(60));
        let mut asked = Vec::new();
        check_open(broker, |half, times| {
            asked.push((half.queue_offset.0, times));
            true
        });
        asked
    }

    #[test]
    fn how_often_a_producer_was_asked_outlives_restarts() {
        let (disk, clock) = (SimDisk::new(12).disk(), Clock::manual(NOW_MS));
        let config = BrokerConfig { transaction_checks_max: 3, ..testing::config() };
        let open = || try_open(&disk, &clock, config.clone()).unwrap();
        let broker = open();
        put_half(&broker, "first");
        assert_eq!(asked_in_a_round(&broker, &clock), [(0, 1)]);
        put_half(&broker, "second");
        assert_eq!(asked_in_a_round(&broker, &clock), [(0, 2), (1, 1)]);
        close(broker);
        let broker = open();
        assert_eq!(asked_in_a_round(&broker, &clock), [(0, 3), (1, 2)]);
        close(broker);
        // Nor does it matter what becomes of the file.
        disk.remove(&config.store_root.join("config/transactions.json")).unwrap();
        let broker = open();
        assert_eq!(asked_in_a_round(&broker, &clock), [(1, 3)]);
        assert_eq!(asked_in_a_round(&broker, &clock), []);
        assert_eq!(open_offsets(&broker), Vec::<i64>::new());
        let parked: Vec<_> =
            seen_in(&broker, UNDECIDED_TOPIC, 0).into_iter().map(|(body, properties)| (body, times_in(&properties))).collect();
        assert_eq!(parked, [("first".to_owned(), Some("3".to_owned())), ("second".to_owned(), Some("3".to_owned()))]);
        close(broker);
    }

    fn times_in(properties: &str) -> Option<String> {
        Properties::new(properties).find(name::TRANSACTION_CHECK_TIMES).map(str::to_owned)
    }

    #[test]
    fn what_is_committed_says_how_often_its_producer_was_asked() {
        let (disk, clock) = (SimDisk::new(13).disk(), Clock::manual(NOW_MS));
        let broker = open(&disk, &clock);
        let at_once = put_half(&broker, "at once");
        decide(&broker, &at_once).unwrap();
        let later = put_half(&broker, "later");
        assert_eq!(asked_in_a_round(&broker, &clock), [(1, 1)]);
        assert_eq!(asked_in_a_round(&broker, &clock), [(1, 2)]);
        decide(&broker, &later).unwrap();
        let seen: Vec<_> = seen_in(&broker, TOPIC, QUEUE).into_iter().map(|(_, properties)| times_in(&properties)).collect();
        assert_eq!(seen, [None, Some("2".to_owned())]);
        // A parked one begins anew when it is resumed.
        put_half(&broker, "parked");
        (0..=broker.config().transaction_checks_max).for_each(|_| drop(asked_in_a_round(&broker, &clock)));
        let parked = broker.store.index_entry(UNDECIDED_TOPIC, 0, QueueOffset(0)).unwrap().log_offset;
        put_back(&broker, &MessageId { store_host: broker.identity.advertised, log_offset: parked }.to_string()).unwrap();
        assert_eq!(asked_in_a_round(&broker, &clock), [(3, 1)]);
        close(broker);
    }

    #[test]
    fn what_nobody_can_be_asked_about_is_logged_when_it_changes() {
        let clock = Clock::manual(NOW_MS);
        let broker = open(&SimDisk::new(4).disk(), &clock);
        let round = || {
            clock.advance(Duration::from_secs(60));
            crate::testing::logged(|| ask_all(&broker))
        };
        let decision = put_half(&broker, "one");
        let first = round();
        assert!(first.len() == 1 && first[0].contains("half messages wait for a decision"), "{first:?}");
        assert_eq!(round(), [""; 0], "nothing is new");
        let other = put_half(&broker, "two");
        assert_eq!(round().len(), 1, "there are two now");
        assert_eq!(round(), [""; 0]);
        for request in [&decision, &other] {
            decisions::decide(&broker, request).unwrap();
        }
        assert_eq!((round().len(), round().len()), (1, 0), "none waits any more");
        close(broker);
    }

    #[test]
    fn half_messages_are_open_without_their_file_too() {
        let (disk, clock) = (SimDisk::new(9).disk(), Clock::manual(NOW_MS));
        let broker = open(&disk, &clock);
        let [first, ..] = ["first", "second", "third"].map(|body| put_half(&broker, body));
        decide(&broker, &first).unwrap();
        let file = broker.config().store_root.join("config/transactions.json");
        close(broker);
        disk.remove(&file).unwrap();
        let broker = open(&disk, &clock);
        assert_eq!((delivered(&broker), open_offsets(&broker)), (vec!["first".to_owned()], vec![1, 2]));
        close(broker);
    }

    #[test]
    fn decisions_hold_over_restarts() {
        let (disk, clock) = (SimDisk::new(7).disk(), Clock::manual(NOW_MS));
        let broker = open(&disk, &clock);
        let [commit, rollback, undecided, late] = ["committed", "rolled back", "undecided", "late"].map(|body| put_half(&broker, body));
        decide(&broker, &commit).unwrap();
        decide(&broker, &request::EndTransaction { commit_or_rollback: ROLLBACK, ..rollback.clone() }).unwrap();
        assert_eq!((delivered(&broker), open_offsets(&broker)), (vec!["committed".to_owned()], vec![2, 3]));
        close(broker);

        let broker = open(&disk, &clock);
        assert_eq!((delivered(&broker), open_offsets(&broker)), (vec!["committed".to_owned()], vec![2, 3]));
        // A decision that comes twice counts once; one against what was decided counts for nothing.
        decide(&broker, &commit).unwrap();
        decide(&broker, &rollback).unwrap();
        decide(&broker, &late).unwrap();
        decide(&broker, &request::EndTransaction { commit_or_rollback: 0, ..undecided.clone() }).unwrap();
        assert_eq!((delivered(&broker), open_offsets(&broker)), (vec!["committed".to_owned(), "late".to_owned()], vec![2]));
        close(broker);

        let broker = open(&disk, &clock);
        assert_eq!(open_offsets(&broker), [2]);
        let wrong_group = request::EndTransaction { producer_group: "others".into(), ..undecided.clone() };
        let wrong_offset = request::EndTransaction { tran_state_table_offset: 1, ..undecided.clone() };
        let no_message = request::EndTransaction { commit_log_offset: 1, ..undecided.clone() };
        let told = [wrong_group, wrong_offset, no_message].map(|wrong| {
            let refusal = decide(&broker, &wrong).unwrap_err();
            (refusal.code(), refusal.to_string())
        });
        let expected = ["The producer group wrong", "The transaction state table offset wrong", "Find prepared transaction message failed"];
        assert_eq!(told, expected.map(|what| (1, what.to_owned())));
        assert_eq!(open_offsets(&broker), [2]);
        decide(&broker, &undecided).unwrap();
        assert_eq!((delivered(&broker).len(), open_offsets(&broker)), (3, vec![]));
        close(broker);
    }

    #[test]
    fn many_decisions_are_taken_together_and_each_has_its_own_outcome() {
        let (disk, clock) = (SimDisk::new(11).disk(), Clock::manual(NOW_MS));
        let broker = open(&disk, &clock);
        let [first, second, third, left] = ["first", "second", "third", "left"].map(|body| put_half(&broker, body));
        let nowhere = {
            let properties = delay::waiting_properties("PGROUP\u{1}producers\u{2}UNIQ_KEY\u{1}nowhere\u{2}", "no-such-topic", 0);
            let placed = put(&broker, HALF_TOPIC, 0, &properties, "nowhere");
            let (tran_state_table_offset, commit_log_offset) = (placed.queue_offset.0, placed.log_offset.0);
            request::EndTransaction { tran_state_table_offset, commit_log_offset, ..first.clone() }
        };
        let rollback = |of: &request::EndTransaction<'static>| request::EndTransaction { commit_or_rollback: ROLLBACK, ..of.clone() };
        let wrong_group = request::EndTransaction { producer_group: "others".into(), ..left.clone() };
        let (rolled_back, twice) = (rollback(&second), rollback(&first));
        let asked = vec![Ok(first), Ok(nowhere), Ok(rolled_back), Ok(wrong_group), Ok(twice), Err(Refusal::Busy("no")), Ok(third)];
        let before = broker.store.max_log_offset();
        let outcomes: Vec<String> = decide_all(&broker, asked)
            .into_iter()
            .map(|outcome| match outcome {
                Ok(()) => "decided".to_owned(),
                Err(refusal) => refusal.to_string(),
            })
            .collect();
        assert!(broker.store.max_log_offset() > before);
        assert_eq!(outcomes[0], "decided");
        assert!(outcomes[1].contains("no-such-topic"), "{}", outcomes[1]);
        assert_eq!(outcomes[2], "decided");
        assert_eq!(outcomes[3], "The producer group wrong");
        // It was committed just before, and that stands.
        assert_eq!(outcomes[4], "decided");
        assert_eq!(outcomes[5], Refusal::Busy("no").to_string());
        assert_eq!(outcomes[6], "decided");
        assert_eq!((delivered(&broker), open_offsets(&broker)), (vec!["first".to_owned(), "third".to_owned()], vec![3, 4]));
        close(broker);
        // What one append closed is closed after a start, too.
        let broker = open(&disk, &clock);
        assert_eq!((delivered(&broker).len(), open_offsets(&broker)), (2, vec![3, 4]));
        close(broker);
    }
}
