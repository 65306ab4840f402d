//! How are producers checked back about open half messages (39)?

use crate::announce::topics;
use crate::broker::Broker;
use crate::delivery::decide::push_op;
use crate::delivery::parking;
use crate::error::Refusal;
use crate::names::{DELIVERY_MARKS_TOPIC, UNDECIDED_TOPIC};
use crate::waiting::redraft::{real_queue_id, redelivered};
use crate::waiting::transaction::checks::{self, CHECKS_QUEUE};
use crate::waiting::transaction::open::Open;
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::properties::name;
use roxmq_protocol::record::Record;
use roxmq_protocol::record::placing::place;
use roxmq_protocol::request::CheckTransaction;
use roxmq_store::Batch;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info, warn};

/// Checks back for as long as the broker lives. The first interval begins now.
pub fn run(broker: Arc<Broker>) -> impl Future<Output = ()> {
    let started = broker.clock.elapsed();
    check_from(broker, started)
}

async fn check_from(broker: Arc<Broker>, started: Duration) {
    let mut last_round = started;
    loop {
        // The interval can change at run time, so it is read again every second.
        let interval = Duration::from_millis(broker.config().transaction_check_interval_ms);
        tokio::time::sleep(interval.min(Duration::from_secs(1))).await;
        if broker.clock.elapsed() < last_round + interval {
            continue;
        }
        last_round = broker.clock.elapsed();
        let working = Arc::clone(&broker);
        if tokio::task::spawn_blocking(move || check_all(&working)).await.is_err() {
            error!("checking back panicked; it is retried in the next round");
        }
    }
}

/// One round: checks back about all open half messages.
pub fn check_all(broker: &Broker) {
    let mut without_producer = 0;
    check_open(broker, |half, times| {
        let asked = ask(broker, half, times);
        without_producer += u32::from(asked == CheckedBack::NoProducer);
        asked
    });
    // Logged when it changes, not in every round.
    match (broker.waiting.transactions.note_without_producer(without_producer), without_producer) {
        (before, now) if before == now => {}
        (_, 0) => info!("recovered: every open half message has a connected producer"),
        _ => warn!(half_messages = without_producer, "half messages wait for a decision, and no producer of their groups is connected"),
    }
}

/// Whether a producer was asked for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckedBack {
    /// This counts as one of the checks of the half message.
    Yes,
    /// No producer of the group is connected.
    NoProducer,
}

/// One round, in which `ask` gets each half message to check and how many checks it has had, this one included.
///
/// Decisions go on meanwhile: no lock is held while half messages are read, or while a write is confirmed.
pub fn check_open(broker: &Broker, mut ask: impl FnMut(&Record<'_>, u32) -> CheckedBack) {
    let transactions = &broker.waiting.transactions;
    let open = {
        let Ok(state) = transactions.known(&broker.store) else {
            // Producers would be checked back about half messages that they have decided.
            return warn!("retrying to check back: the queues of transactions cannot be read");
        };
        state.all_open()
    };
    let mut asked = Vec::new();
    let mut batch = broker.store.batch();
    for (offset, log_offset) in open {
        // The disk may read it in the next round.
        let Ok(found) = broker.store.find_message(log_offset) else { continue };
        let Some(bytes) = found else {
            warn!(%offset, "lost an undecided half message: it is damaged, or gone from the log");
            transactions.state().close(offset);
            continue;
        };
        let Ok((record, _)) = Record::parse(&bytes) else { continue };
        let mut state = transactions.state();
        // It may have been decided since.
        let Some(open) = state.open_mut(offset) else { continue };
        match check(broker, open, &record) {
            Check::Early => {}
            Check::Ask => {
                let checks = open.checks.saturating_add(1);
                if ask(&record, checks) == CheckedBack::Yes {
                    open.checks = checks;
                    asked.push((offset, checks));
                }
            }
            Check::Park => match park(broker, &record, open.checks, &mut batch) {
                Ok(()) => {
                    state.close(offset);
                    transactions.unparked.ends(&());
                }
                Err(refusal) if transactions.unparked.begins(()) => {
                    warn!(%refusal, "retrying to park undecided half messages: the store refuses them");
                }
                Err(_) => {}
            },
        }
    }
    if !asked.is_empty() {
        match count(broker, &asked) {
            Ok(()) => drop(transactions.uncounted.ends(&())),
            Err(refusal) if transactions.uncounted.begins(()) => {
                warn!(%refusal, "the store refuses the counts of checks: after a restart producers are checked back more often");
            }
            Err(_) => {}
        }
    }
    broker.confirm(&batch);
}

/// What to do about an open half message in this round.
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
    // Parked before retention deletes it, so that operators can still see it.
    let age_max = (config.file_reserved_h as i64).saturating_mul(3_600_000) / 10 * 9;
    if open.checks >= config.transaction_checks_max || age > age_max {
        Check::Park
    } else if age < immunity {
        Check::Early
    } else {
        Check::Ask
    }
}

/// Asks any connected producer of the group; the sender may be gone.
fn ask(broker: &Broker, half: &Record<'_>, times: u32) -> CheckedBack {
    let properties = half.properties();
    let producers = broker.tables.clients.producers(properties.find(name::PGROUP).unwrap_or_default());
    let Some(producer) = broker.randomness.pick(&producers) else { return CheckedBack::NoProducer };
    let unique = properties.unique_key().unwrap_or_default().to_owned();
    let topic = properties.find(name::REAL_TOPIC).unwrap_or_default();
    let queue_id = real_queue_id(properties);
    let counted = checks::with_times(half.properties, times);
    let mut restored = Vec::new();
    let met_as = producer.peer.met_as();
    if redelivered(half, met_as, topic, queue_id, &counted).encode(&mut restored).is_err() {
        return CheckedBack::Yes;
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
    CheckedBack::Yes
}

/// Parks an undecided half message where tools find it. The caller confirms `batch`.
fn park(broker: &Broker, half: &Record<'_>, checks: u32, batch: &mut Batch) -> Result<(), Refusal> {
    topics::add_parking_topic(broker, UNDECIDED_TOPIC);
    batch.clear();
    push_op(broker, half.queue_offset, batch)?;
    let counted = checks::with_times(half.properties, checks);
    let draft = redelivered(half, broker.identity.advertised, UNDECIDED_TOPIC, 0, &counted);
    let cut = parking::try_push(broker, draft, batch).err().map(|reason| parking::park(broker, half, UNDECIDED_TOPIC, &reason, batch));
    broker.append_atomic(batch)?;
    parking::log(broker, cut);
    warn!(offset = %half.queue_offset, checks, "parked an undecided half message in {UNDECIDED_TOPIC}");
    Ok(())
}

/// Half messages counted by one record.
const AT_ONCE: usize = 1024;

/// Appends the counts of checks of these half messages. Does not wait for the disk.
fn count(broker: &Broker, asked: &[(QueueOffset, u32)]) -> Result<(), Refusal> {
    let mut batch = broker.store.batch();
    for some in asked.chunks(AT_ONCE) {
        let words: Vec<String> = some.iter().map(|(offset, times)| format!("{offset}:{times}")).collect();
        batch.push(broker.system_draft(DELIVERY_MARKS_TOPIC, CHECKS_QUEUE, words.join(",").as_bytes(), ""))?;
    }
    if batch.is_empty() { Ok(()) } else { broker.append(&mut batch) }
}
