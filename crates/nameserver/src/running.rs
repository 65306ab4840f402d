//! How does a NameServer start, and how does it stop?

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_remoting::{Listen, Server, ServerOptions};
use tokio::sync::{Notify, mpsc};
use tracing::warn;

use crate::nameserver::{NOTICES_MAX, NameServer};
use crate::readiness::BrokerIdentity;
use crate::settings::NameServerConfig;
use crate::shard::Shard;
use crate::watch::start_watch;

/// Connections above which further ones are closed.
const CONNECTIONS_MAX: usize = 100_000;

/// A running NameServer.
pub struct Running {
    state: Arc<NameServer>,
    server: Server,
    stop: Arc<Notify>,
    watch: JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    /// Takes brokers off that have been silent for too long. It does so by itself every few seconds; a test whose clock stands still says
    /// when.
    pub fn look_for_silent_brokers(&self) {
        self.state.scan();
    }

    /// Writes the answers that are left, closes all connections and ends its threads. The table stays as it is meanwhile: brokers
    /// whose connections are closed by this are not gone.
    pub fn stop(self) {
        self.state.stops.store(true, Ordering::SeqCst);
        self.server.stop();
        self.stop.notify_one();
        if self.watch.join().is_err() {
            warn!("the thread that watches brokers had panicked");
        }
    }
}

/// Starts a NameServer. Port 0 takes a free one. `own` is the broker that starts in the same process, if there is one.
///
/// # Errors
/// When it cannot listen, or the key-value file cannot be read.
pub fn serve(config: NameServerConfig, own: Option<BrokerIdentity>, clock: Clock, disk: Disk) -> io::Result<Running> {
    let listen = Listen { address: SocketAddr::new(config.bind_address, config.listen_port) };
    let options = ServerOptions {
        name: "nameserver",
        shards: match config.shards {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            shards => shards as usize,
        },
        idle_max: Duration::from_secs(config.connection_idle_s),
        connections_max: CONNECTIONS_MAX,
        clock: clock.clone(),
    };
    let scan_interval = Duration::from_millis(config.scan_interval_ms);
    let (notices, to_send) = mpsc::channel(NOTICES_MAX);
    let state = Arc::new(NameServer::open(config, own, clock, disk, notices)?);
    let stop = Arc::new(Notify::new());
    let watch = start_watch(Arc::clone(&state), scan_interval, to_send, Arc::clone(&stop))?;
    let for_shards = Arc::clone(&state);
    let server = Server::start(&[listen], options, move |_| Shard { state: Arc::clone(&for_shards) });
    match server {
        Ok(server) => Ok(Running { state, server, stop, watch }),
        Err(error) => {
            stop.notify_one();
            Err(error)
        }
    }
}
