//! Asking producers about half messages that are open (39).

use super::checks::{self, CHECKS_QUEUE};
use super::decide::push_op;
use super::open::Open;
use crate::announce::topics;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names::{PROGRESS_TOPIC, UNDECIDED_TOPIC};
use crate::waiting::parking;
use crate::waiting::redraft::redelivered;
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::name;
use roxmq_protocol::record::Record;
use roxmq_protocol::record::placing::place;
use roxmq_protocol::request::CheckTransaction;
use roxmq_store::Batch;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::{error, info, warn};

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

pub fn ask_all(broker: &Broker) {
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
    let open: Vec<(QueueOffset, LogOffset)> = {
        let Ok(state) = broker.waiting.transactions.known(&broker.store) else {
            // Else producers would be asked about what they have decided.
            return warn!("half messages are not checked: what was decided cannot be read now");
        };
        state.open.iter().map(|(offset, open)| (*offset, open.log_offset)).collect()
    };
    let mut asked = Vec::new();
    let mut batch = broker.store.batch();
    for (offset, log_offset) in open {
        // What the disk refuses to read now it may read in the next round.
        let Ok(found) = broker.store.find_message(log_offset) else { continue };
        let Some(bytes) = found else {
            warn!(%offset, "a half message is gone from the log, or damaged, undecided");
            broker.waiting.transactions.state().open.remove(&offset);
            continue;
        };
        let Ok((record, _)) = Record::parse(&bytes) else { continue };
        let mut state = broker.waiting.transactions.state();
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
        match count(broker, &asked) {
            Ok(()) => drop(broker.waiting.transactions.uncounted.ends(&())),
            Err(refusal) if broker.waiting.transactions.uncounted.begins(()) => {
                warn!(%refusal, "could not write down how often producers were asked; after a restart they are asked more often");
            }
            Err(_) => {}
        }
    }
    broker.confirm(&batch);
}

enum Check {
    Early,
    Ask,
    Park,
}

fn check(broker: &Broker, open: &Open, record: &Record<'_>) -> Check {
    let config = broker.config();
    let age = broker.clock.now_ms() - open.stored.0;
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
    push_op(broker, half.queue_offset, batch)?;
    let counted = checks::with_times(half.properties, checks);
    let draft = redelivered(half, broker.identity.advertised, UNDECIDED_TOPIC, 0, &counted);
    let cut = parking::try_push(broker, draft, batch).err().map(|reason| parking::park(broker, half, UNDECIDED_TOPIC, &reason, batch));
    broker.append_atomic(batch)?;
    parking::log(broker, cut);
    warn!(offset = half.queue_offset.0, "a transaction was checked as often as allowed, and is laid aside in {UNDECIDED_TOPIC}");
    Ok(())
}

/// Half messages counted by one record.
const AT_ONCE: usize = 1024;

/// Writes down how often each of these half messages was asked about by now. Does not wait for the disk.
fn count(broker: &Broker, asked: &[(QueueOffset, u32)]) -> Result<(), Refusal> {
    let mut batch = broker.store.batch();
    for some in asked.chunks(AT_ONCE) {
        let words: Vec<String> = some.iter().map(|(offset, times)| format!("{offset}:{times}")).collect();
        batch.push(broker.own(PROGRESS_TOPIC, CHECKS_QUEUE, words.join(",").as_bytes(), ""))?;
    }
    if batch.is_empty() { Ok(()) } else { broker.append(&mut batch) }
}
