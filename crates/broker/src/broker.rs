//! Which parts make up a broker?

use crate::confirm::FlushWatch;
use crate::counts::Counts;
use crate::identity::Identity;
use crate::notify::shards::Shards;
use crate::pool::Pool;
use crate::registration::Announcements;
use crate::settings::BrokerConfig;
use crate::settings::in_force::Settings;
use crate::settings::store::store_config;
use crate::tables::Tables;
use crate::waiting::Waiting;
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_env::randomness::Randomness;
use roxmq_protocol::time::Timestamp;
use roxmq_remoting::address::Advertised;
use roxmq_store::Store;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tracing::info;

/// Settings and surroundings of a broker to be started.
pub struct Setup {
    /// Its settings.
    pub config: BrokerConfig,
    /// Where clients find it.
    pub advertised: Advertised,
    /// Time.
    pub clock: Clock,
    /// Files.
    pub disk: Disk,
    /// Randomness.
    pub randomness: Randomness,
}

/// Why a broker does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] roxmq_store::OpenError),
    /// The advertised host has no address, and messages have to carry one.
    #[error("the advertised host {0} (brokerIP1) has no address: {1}")]
    Advertised(String, io::Error),
    /// A table cannot be read, an address cannot be listened on, or a thread cannot be started.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A broker's state, shared by its threads.
pub struct Broker {
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) randomness: Randomness,
    pub(crate) store: Arc<Store>,
    pub(crate) flush_watch: FlushWatch,
    pub(crate) tables: Tables,
    pub(crate) waiting: Waiting,
    pub(crate) announcements: Announcements,
    pub(crate) shards: Shards,
    pub(crate) counts: Counts,
    pub(crate) pool: Pool,
}

impl Broker {
    /// Opens the data folder.
    pub(crate) fn open(setup: Setup) -> Result<Broker, StartError> {
        let store = Store::open(setup.clock.clone(), setup.disk.clone(), store_config(&setup.config))?;
        Broker::over(store, Pool::start()?, setup)
    }

    /// A broker over a store that is open.
    pub(crate) fn over(store: Arc<Store>, pool: Pool, setup: Setup) -> Result<Broker, StartError> {
        let Setup { config, advertised, clock, disk, randomness } = setup;
        let identity = Identity::new(&advertised, config.listen_port, Timestamp(clock.now_ms()))
            .map_err(|error| StartError::Advertised(advertised.host().to_owned(), error))?;
        if identity.advertised.is_ipv6() {
            let advertised = identity.advertised;
            info!(%advertised, "messages carry an IPv6 address, which the clients of Node.js, C++ and Python cannot read");
        }
        let folder = config.store_root.join("config");
        disk.create_dir_all(&folder)?;
        // The process before may have ended, or failed, before a name that is read now was durable. From here on it must be.
        disk.sync_dir(&folder)?;
        let tables = Tables::load(&clock, &disk, &folder, config.light_queues)?;
        let waiting = Waiting::load(&disk, &folder, &store)?;
        tables.complete(&store, &config);
        Ok(Broker {
            identity,
            flush_watch: FlushWatch::of(&store),
            tables,
            waiting,
            announcements: Announcements::default(),
            shards: Shards::default(),
            counts: Counts::new(&clock, &config.broker_cluster_name),
            pool,
            settings: Settings::new(config, clock.now_ms()),
            clock,
            disk,
            randomness,
            store,
        })
    }

    /// The settings in force.
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.settings.now()
    }

    /// The host and port that are announced to NameServers.
    pub fn address(&self) -> &str {
        &self.identity.address
    }

    /// Waits until every NameServer has registered this broker, or `patience` is over. Returns how many have, and of how many.
    pub fn wait_registered(&self, patience: Duration) -> (usize, usize) {
        self.announcements.registration.wait(patience, self.config().namesrv_addr.len())
    }
}
