//! What is a broker made of?

use crate::announce::{changing, registration};
use crate::confirm::{Flushed, Kept};
use crate::error::Refusal;
use crate::figures::Figures;
use crate::names;
use crate::pool::Pool;
use crate::requests::{assignment, groups, send, topics};
use crate::settings::BrokerConfig;
use crate::settings::store::store_config;
use crate::shard::ShardDoor;
use crate::tables::TableFile;
use crate::tables::arrivals::{Arrivals, QueueKey};
use crate::tables::changes::{Change, Table};
use crate::tables::clients::{Clients, Subscription};
use crate::tables::deleted::Deleted;
use crate::tables::groups::Groups;
use crate::tables::journal::Journal;
use crate::tables::lives::Lives;
use crate::tables::locks::Locks;
use crate::tables::modes::RequestModes;
use crate::tables::offsets::Offsets;
use crate::tables::statistics::{Counter, Moved, Statistics};
use crate::tables::topics::Topics;
use crate::waiting::{delay, deletions, timer, transaction};
use parking_lot::{Mutex, RwLock};
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_protocol::body::{DataVersion, SubscriptionData, SubscriptionGroupConfig};
use roxmq_protocol::position::LogOffset;
use roxmq_remoting::address::MetAs;
use roxmq_store::{Batch, Placed, Store};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use thiserror::Error;
use tracing::info;

/// What the broker is told at its start.
pub struct Setup {
    /// Its settings.
    pub config: BrokerConfig,
    /// Was the advertised address chosen by us, so that a NameServer may answer a better one?
    pub address_is_chosen: bool,
    /// The host that clients are told: a name or an address.
    pub advertised_host: String,
    /// Time.
    pub clock: Clock,
    /// Files.
    pub disk: Disk,
}

/// Why a broker does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] roxmq_store::OpenError),
    /// The advertised host has no address, so that messages could not say where they are.
    #[error("the advertised host {0} (brokerIP1) has no address: {1}")]
    Advertised(String, io::Error),
    /// A table cannot be read, an address not be listened on, or a thread not be started.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A broker's state, shared by its threads.
pub struct Broker {
    pub(crate) config: RwLock<Arc<BrokerConfig>>,
    /// How often the settings were changed since the start.
    pub(crate) settings_changes: AtomicU64,
    /// Held by who changes them, with the version that tools are told.
    pub(crate) settings_version: Mutex<DataVersion>,
    /// Held while settings change, so that the file and those in force agree. Also while the file is written.
    pub(crate) settings_turn: Mutex<()>,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) store: Arc<Store>,
    pub(crate) topics: Topics,
    pub(crate) deleted: Deleted,
    pub(crate) groups: Groups,
    pub(crate) offsets: Offsets,
    pub(crate) request_modes: RequestModes,
    pub(crate) journal: Arc<Journal>,
    pub(crate) promises: changing::Promises,
    pub(crate) routes: assignment::Routes,
    pub(crate) delayed: delay::Delayed,
    pub(crate) timers: timer::Timers,
    pub(crate) transactions: transaction::Transactions,
    pub(crate) decisions: transaction::decisions::Decisions,
    pub(crate) deletions: deletions::Deletions,
    pub(crate) clients: Clients,
    pub(crate) lives: Lives,
    pub(crate) arrivals: Arrivals,
    pub(crate) flushed: Flushed,
    pub(crate) locks: Locks,
    pub(crate) statistics: Statistics,
    pub(crate) broker_puts: Arc<Counter>,
    pub(crate) broker_gets: Arc<Counter>,
    pub(crate) figures: Figures,
    pub(crate) pool: Pool,
    pub(crate) shards: RwLock<Vec<ShardDoor>>,
    pub(crate) registration: registration::Registration,
    /// Could the tables not be written the last time?
    pub(crate) tables_fail: AtomicBool,
    /// Host and port as NameServers are told.
    pub(crate) address: String,
    /// The same as an address, which stored messages carry.
    pub(crate) advertised: SocketAddr,
    /// What clients are told instead, in copies of those messages too.
    pub(crate) met_as: MetAs,
    pub(crate) started_ms: i64,
    pub(crate) everything: Arc<Subscription>,
}

impl Broker {
    pub(crate) fn open(setup: Setup) -> Result<Broker, StartError> {
        let store = Store::open(setup.clock.clone(), setup.disk.clone(), store_config(&setup.config))?;
        Broker::over(store, setup)
    }

    pub(crate) fn over(store: Arc<Store>, setup: Setup) -> Result<Broker, StartError> {
        let Setup { config, address_is_chosen, advertised_host, clock, disk } = setup;
        let advertised = resolve(&advertised_host, config.listen_port)?;
        if advertised.is_ipv6() {
            info!(%advertised, "messages carry an IPv6 address, which the clients of Node.js, C++ and Python cannot read");
        }
        let tables = config.store_root.join("config");
        disk.create_dir_all(&tables)?;
        let file = |name| TableFile::new(&disk, &tables, name);
        let (journal, changes) = Journal::load(&clock, &disk, &tables)?;
        let journal = Arc::new(journal);
        let topics = Topics::load(&clock, file("topics.json"), &journal, config.light_queues)?;
        let deleted = Deleted::load(&clock, file("deletedTopics.json"))?;
        let groups = Groups::load(&clock, file("subscriptionGroup.json"), &journal, config.light_queues)?;
        let offsets = Offsets::load(&clock, file("consumerOffset.json"))?;
        let request_modes = RequestModes::load(file("messageRequestMode.json"), &journal)?;
        changes.into_iter().for_each(|change| restore(change, &topics, &groups, &request_modes));
        let delayed = delay::Delayed::load(file("delayOffset.json"), &store)?;
        let timers = timer::Timers::load(file("timers.json"), store.readable())?;
        let transactions = transaction::Transactions::load(file("transactions.json"))?;
        keep_within_log(&store, &offsets, &delayed, &transactions);
        topics::tell_unserved(&topics);
        topics::add_system_topics(&topics, &config);
        topics::adopt_from_log(&topics, &store);
        groups::add_system_groups(&groups);
        if topics.is_touched() || groups.is_touched() || request_modes.is_touched() {
            journal.want_saving();
        }
        let statistics = Statistics::default();
        let flushed = Flushed::of(&store);
        let everything = SubscriptionData { sub_string: SubscriptionData::ALL.to_owned(), ..SubscriptionData::default() };
        Ok(Broker {
            started_ms: clock.now_ms(),
            broker_puts: statistics.counter(Moved::BrokerPuts, &config.broker_cluster_name),
            broker_gets: statistics.counter(Moved::BrokerGets, &config.broker_cluster_name),
            config: RwLock::new(Arc::new(config)),
            settings_changes: AtomicU64::new(0),
            settings_version: Mutex::new(DataVersion::new(clock.now_ms())),
            settings_turn: Mutex::default(),
            figures: Figures::new(&clock),
            pool: Pool::start()?,
            clock,
            disk,
            store,
            topics,
            deleted,
            groups,
            offsets,
            request_modes,
            journal,
            promises: changing::Promises::default(),
            routes: assignment::Routes::default(),
            delayed,
            timers,
            transactions,
            decisions: transaction::decisions::Decisions::default(),
            deletions: deletions::Deletions::default(),
            clients: Clients::default(),
            lives: Lives::default(),
            arrivals: Arrivals::default(),
            flushed,
            locks: Locks::default(),
            statistics,
            shards: RwLock::default(),
            registration: registration::Registration::default(),
            tables_fail: AtomicBool::new(false),
            address: host_and_port(&advertised_host, advertised.port()),
            advertised,
            met_as: if address_is_chosen { MetAs::Dialled(advertised) } else { MetAs::Configured(advertised) },
            everything: Arc::new(Subscription::new(everything)),
        })
    }

    /// The settings as they are now.
    pub fn config(&self) -> Arc<BrokerConfig> {
        Arc::clone(&self.config.read())
    }

    /// How often the settings were changed. What is found after this was read is no older than it says.
    pub(crate) fn settings_changes(&self) -> u64 {
        self.settings_changes.load(Ordering::Acquire)
    }

    /// Has these settings be in force from now on.
    pub(crate) fn take_settings(&self, config: BrokerConfig) {
        *self.config.write() = Arc::new(config);
        self.settings_changes.fetch_add(1, Ordering::Release);
    }

    /// The host and port that NameServers are told.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The host and port that tools are told who know the broker by this address.
    pub(crate) fn address_to(&self, met_as: SocketAddr) -> String {
        match self.met_as {
            MetAs::Configured(_) => self.address.clone(),
            MetAs::Dialled(_) => met_as.to_string(),
        }
    }

    /// Waits until every NameServer was told of this broker, or `patience` is over. How many of how many know it.
    pub fn wait_registered(&self, patience: Duration) -> (usize, usize) {
        self.registration.wait(patience, self.config().namesrv_addr.len())
    }

    pub(crate) fn add_shard(&self, door: ShardDoor) -> usize {
        let mut shards = self.shards.write();
        shards.push(door);
        shards.len() - 1
    }

    pub(crate) fn wake_shard(&self, shard: usize) {
        if let Some(door) = self.shards.read().get(shard) {
            door.handle.wake();
        }
    }

    pub(crate) fn wake_shards(&self) {
        self.shards.read().iter().for_each(|door| door.handle.wake());
    }

    /// Somebody changed what may be read: pulls that wait and may not any more are refused.
    pub(crate) fn reading_changed(&self) {
        self.shards.read().iter().for_each(ShardDoor::recheck);
    }

    /// Everybody who waits for a message of the queue looks again.
    pub(crate) fn look_again(&self, topic: &str, queue_id: u32) {
        if let Some((queue, shards)) = self.arrivals.waiting(topic, queue_id) {
            shards.into_iter().for_each(|shard| self.tell_shard(shard, queue.clone()));
        }
    }

    /// Everybody who waits for a message of the topic looks again.
    pub(crate) fn look_again_at_all(&self, topic: &str) {
        for (queue, shards) in self.arrivals.of_topic(topic) {
            shards.into_iter().for_each(|shard| self.tell_shard(shard, queue.clone()));
        }
    }

    pub(crate) fn tell_shard(&self, shard: usize, queue: QueueKey) {
        if let Some(door) = self.shards.read().get(shard) {
            door.tell(queue);
        }
    }

    /// Appends messages of the broker's own making, waits until they are as durable as the settings ask for, and tells who waits for
    /// them. Not for a shard's thread, and not under a lock that others wait for.
    pub(crate) fn append_own(&self, batch: &mut Batch) -> Result<(), Refusal> {
        self.put_own(batch)?;
        self.settle(batch).in_time()
    }

    /// As [`Broker::append_own`], and after a crash all of them are there or none. An error means that nothing was appended; what was
    /// must not be appended again, even if it was not durable in time.
    pub(crate) fn append_whole(&self, batch: &mut Batch) -> Result<Kept, Refusal> {
        self.put_whole(batch)?;
        Ok(self.settle(batch))
    }

    /// The first half of [`Broker::append_own`], which does not wait.
    pub(crate) fn put_own(&self, batch: &mut Batch) -> Result<(), Refusal> {
        self.store.append(batch).map_err(|error| send::refusal(&error))
    }

    /// The first half of [`Broker::append_whole`], which does not wait.
    pub(crate) fn put_whole(&self, batch: &mut Batch) -> Result<(), Refusal> {
        // Only in segments that hold hardly more than the longest message can it be too long.
        if batch.bytes() <= self.store.whole_bytes_max() {
            batch.keep_whole();
        }
        self.put_own(batch)
    }

    /// The second half: waits until what was appended is as durable as the settings ask for, and tells who waits for it.
    pub(crate) fn settle(&self, batch: &Batch) -> Kept {
        let Some(last) = batch.len().checked_sub(1) else { return Kept::Durable };
        let kept = self.wait_durable(batch.placed(last).end);
        batch.queues().for_each(|(topic, queue_id)| self.look_again(topic, queue_id));
        kept
    }

    /// Waits until everything before `end` is as durable as the settings ask for.
    pub(crate) fn wait_durable(&self, end: LogOffset) -> Kept {
        let timeout = Duration::from_millis(self.config().sync_flush_timeout_ms);
        match self.flushed.wait(&self.store, end, timeout) {
            true => Kept::Durable,
            false => self.store.fenced().map_or(Kept::NotInTime, Kept::Fenced),
        }
    }

    /// Counts what was stored.
    pub(crate) fn stored(&self, prepared: &send::Prepared, places: &[Placed]) {
        let bytes: u64 = places.iter().map(|place| place.size as u64).sum();
        let count = places.len() as u64;
        self.figures.put(count, bytes);
        prepared.destination.count(self, count, bytes);
        self.broker_puts.add(count, bytes);
    }

    /// Checks the name of a group. One that is longer than all clients can read is let in only if it is there already.
    pub(crate) fn check_group(&self, group: &str) -> Result<(), Refusal> {
        names::check_group(group)?;
        self.check_group_length(group)
    }

    pub(crate) fn check_group_length(&self, group: &str) -> Result<(), Refusal> {
        match group.len() > names::GROUP_BYTES_MAX && self.groups.find(group).is_none() {
            true => Err(names::group_too_long(group)),
            false => Ok(()),
        }
    }

    /// The group's settings; it is made on first use where that is allowed.
    pub(crate) fn group(&self, config: &BrokerConfig, group: &str) -> Result<Arc<SubscriptionGroupConfig>, Refusal> {
        self.check_group(group)?;
        let create = config.auto_create_group || (config.create_system_groups && names::is_system_group(group));
        self.groups.find_or_add(group, create).ok_or_else(|| Refusal::GroupUnknown(group.to_owned()))
    }
}

/// Takes a change that the journal tells of.
fn restore(change: Change, topics: &Topics, groups: &Groups, request_modes: &RequestModes) {
    match change.table {
        Table::Topics => topics.restore(change),
        Table::Groups | Table::Forbidden => groups.restore(change),
        Table::Modes => request_modes.restore(change),
    }
}

/// After a crash, or with tables from elsewhere, offsets may be ahead of the log.
fn keep_within_log(store: &Store, offsets: &Offsets, delayed: &delay::Delayed, transactions: &transaction::Transactions) {
    let end = |topic: &str, queue_id: i32| {
        let queue_id = u32::try_from(queue_id).ok();
        queue_id.and_then(|queue_id| store.bounds(topic, queue_id)).map_or(0, |(_, max)| max.0)
    };
    offsets.keep_within(end);
    delayed.keep_within(|level| end(names::DELAY_TOPIC, delay::queue_of(level) as i32));
    let checks = end(names::MARKS_TOPIC, transaction::CHECKS_QUEUE as i32);
    transactions.keep_within(end(names::HALF_TOPIC, 0), end(names::OP_TOPIC, 0), checks);
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr, StartError> {
    let failed = |error| StartError::Advertised(host.to_owned(), error);
    let mut addresses = (host, port).to_socket_addrs().map_err(failed)?;
    let address = addresses.next().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    Ok(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// IPv6 addresses stand in brackets.
fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
