//! How does a broker start, serve and stop?

use crate::announce::registering;
use crate::broker::{Broker, Setup, StartError};
use crate::saving;
use crate::services;
use crate::shard::BrokerShard;
use roxmq_env::slices::ask_for_short_slices;
use roxmq_remoting::{Listen, Server, ServerOptions};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Open connections above which further ones are closed at once.
const CONNECTIONS_MAX: usize = 60_000;

/// A running broker.
pub struct RunningBroker {
    broker: Arc<Broker>,
    server: Server,
}

impl RunningBroker {
    /// Opens the data folder, listens, registers with the NameServers and serves.
    ///
    /// # Errors
    /// When the folder, a table or an address cannot be used.
    pub fn start(setup: Setup) -> Result<RunningBroker, StartError> {
        let config = &setup.config;
        let options = ServerOptions {
            name: "broker",
            shards: if config.shards == 0 { std::thread::available_parallelism()?.get() } else { config.shards as usize },
            idle_max: Duration::from_secs(config.connection_idle_s),
            connections_max: CONNECTIONS_MAX,
            clock: setup.clock.clone(),
        };
        let listen =
            [config.listen_port, config.fast_listen_port()].map(|port| Listen { address: SocketAddr::new(config.bind_address, port) });
        let broker = Arc::new(Broker::open(setup)?);
        let for_shards = Arc::clone(&broker);
        let server = Server::start(&listen, options, move |handle| {
            if !ask_for_short_slices() {
                tracing::debug!("no short time slices for a shard: it may wait some milliseconds for a core");
            }
            BrokerShard::new(Arc::clone(&for_shards), handle)
        })?;
        services::start(&broker);
        Ok(RunningBroker { broker, server })
    }

    /// The broker's state.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Addresses listened on: all requests, and the VIP port.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// Notes that a stop is near: NameServers that go away now are taken to be stopping, too.
    pub fn about_to_stop(&self) {
        self.broker.announcements.registration.about_to_stop();
    }

    /// Leaves the NameServers, answers requests that are under way, saves the tables, flushes the log and records a clean stop.
    pub fn stop(self) {
        self.broker.pool.block_on(registering::leave(&self.broker));
        self.server.stop();
        self.broker.pool.stop();
        saving::close_tables(&self.broker);
        self.broker.store.shutdown();
    }
}
