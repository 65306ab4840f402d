//! A broker on a simulated disk and a clock that stands still, without sockets.

use crate::broker::Broker;
use crate::broker::Setup;
use crate::broker::StartError;
use crate::delivery::decide::{COMMIT, decide_all};
use crate::error::Refusal;
use crate::pool::Pool;
use crate::settings::store::store_config;
use crate::settings::{BrokerConfig, FlushDiskType};
use parking_lot::Mutex;
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_env::randomness::Randomness;
use roxmq_protocol::body::TopicConfig;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::{Draft, records};
use roxmq_protocol::request::EndTransaction;
use roxmq_protocol::time::Timestamp;
use roxmq_remoting::address::Advertised;
use roxmq_store::{Filter, Patience, Placed, ReadLimits, ReadRequest, Store, StoreConfig};
use std::fmt::Write as _;
use std::sync::Arc;

/// When the clock starts.
pub const NOW_MS: i64 = 1_800_000_000_000;
/// The one topic that there is.
pub const TOPIC: &str = "Orders";
/// The queue of it that messages are meant for.
pub const QUEUE: u32 = 2;

/// Opens a broker on what is on the disk.
pub fn open(disk: &Disk, clock: &Clock) -> Broker {
    try_open(disk, clock, BrokerConfig { flush_disk_type: FlushDiskType::SyncFlush, ..config() }).unwrap()
}

/// Small files, so that there are many.
pub fn config() -> BrokerConfig {
    BrokerConfig { segment_bytes: 64 << 10, max_message_bytes: 1 << 10, disk_reserve_bytes: 0, ..BrokerConfig::default() }
}

/// Opens a broker without threads: it does the same whenever the same is asked of it.
pub fn try_open(disk: &Disk, clock: &Clock, config: BrokerConfig) -> Result<Broker, StartError> {
    try_open_with(16 << 10, disk, clock, &Randomness::seeded(0), config)
}

/// As [`try_open`], with log files of this many bytes, and with this chance.
pub fn try_open_with(
    segment_bytes: u64,
    disk: &Disk,
    clock: &Clock,
    randomness: &Randomness,
    config: BrokerConfig,
) -> Result<Broker, StartError> {
    let (clock, disk, randomness) = (clock.clone(), disk.clone(), randomness.clone());
    let alone = StoreConfig { background: false, segment_bytes, tail_checkpoint_bytes: 4 << 10, ..store_config(&config) };
    let store = Store::open(clock.clone(), disk.clone(), alone)?;
    let setup = Setup { config, advertised: Advertised::Configured("127.0.0.1".into()), clock, disk, randomness };
    let broker = Broker::over(store, Pool::without_threads(), setup)?;
    broker.tables.topics.add(TopicConfig { topic_name: TOPIC.into(), ..TopicConfig::default() });
    Ok(broker)
}

/// Closes a broker as a stop does.
pub fn close(broker: Broker) {
    broker.pool.stop();
    crate::saving::close_tables(&broker);
    broker.store.shutdown();
}

/// The request of `producers` that commits a half message.
pub fn commit_of(half: QueueOffset, log_offset: LogOffset) -> EndTransaction<'static> {
    EndTransaction {
        topic: None,
        producer_group: "producers".into(),
        tran_state_table_offset: half.0,
        commit_log_offset: log_offset.0,
        commit_or_rollback: COMMIT,
        from_transaction_check: false,
        msg_id: None,
        transaction_id: None,
    }
}

/// Stores one message.
pub fn put(broker: &Broker, topic: &str, queue_id: u32, properties: &str, body: &str) -> Placed {
    try_put(broker, topic, queue_id, properties, body).unwrap()
}

/// Stores one message, if the disk takes it.
pub fn try_put(broker: &Broker, topic: &str, queue_id: u32, properties: &str, body: &str) -> Result<Placed, Refusal> {
    let mut batch = broker.store.batch();
    let draft = Draft::own(topic, queue_id, broker.identity.advertised, Timestamp(NOW_MS), body.as_bytes(), properties);
    batch.push(draft).unwrap();
    broker.append_and_confirm(&mut batch)?;
    Ok(batch.placed(0))
}

/// The bodies that consumers of the queue see.
pub fn delivered(broker: &Broker) -> Vec<String> {
    seen_in(broker, TOPIC, QUEUE).into_iter().map(|(body, _)| body).collect()
}

/// Body and properties of every message of a queue.
pub fn seen_in(broker: &Broker, topic: &str, queue_id: u32) -> Vec<(String, String)> {
    let limits = ReadLimits { messages_max: 1000, bytes_max: 1 << 24, scan_max: 1000, patience: Patience::WaitForDisk };
    let mut bytes = Vec::new();
    broker.store.read(&ReadRequest { topic, queue_id, from: QueueOffset(0), limits }, Filter::ALL, &mut bytes);
    let seen = records(&bytes).map(|record| record.unwrap());
    seen.map(|record| (String::from_utf8_lossy(record.body).into_owned(), record.properties.to_owned())).collect()
}

/// The lines that are logged while `work` runs on this thread.
pub fn logged(work: impl FnOnce()) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    tracing::subscriber::with_default(Lines(Arc::clone(&lines)), work);
    std::mem::take(&mut lines.lock())
}

struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            let _ = write!(line, "{field}={value:?} ");
        });
        self.0.lock().push(line);
    }
}

/// How often producers were asked about a half message, as far as the log says.
pub fn checks_of(broker: &Broker, offset: i64) -> u32 {
    broker.waiting.transactions.known(&broker.store).map_or(0, |state| state.checks(QueueOffset(offset)))
}

/// The offsets in the half queue of what is open.
pub fn open_offsets(broker: &Broker) -> Vec<i64> {
    broker
        .waiting
        .transactions
        .known(&broker.store)
        .map_or(Vec::new(), |state| state.all_open().iter().map(|(offset, _)| offset.0).collect())
}

/// Carries out one decision about a half message.
pub fn decide(broker: &Broker, request: &EndTransaction<'_>) -> Result<(), Refusal> {
    decide_all(broker, vec![Ok(request.clone())]).swap_remove(0)
}
