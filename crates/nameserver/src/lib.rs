//! The NameServer: it knows which brokers are alive and which of them holds which topic, and tells whoever asks.
//!
//! NameServers do not know each other. Brokers register with all of them, clients ask any of them, and what one has lost it learns
//! again from the brokers. [`table::RouteTable`] is the state, [`members`] says from when on it is complete, `routes.rs` says which request
//! does what, this file runs it.

pub mod decoders;
mod error;
mod handlers;
mod kv;
mod members;
mod routes;
pub mod settings;
pub mod table;

pub use members::BrokerIdentity;
pub use routes::served;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::settings::NameServerConfig;
use parking_lot::{Mutex, RwLock};
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_protocol::request::NotifyMinBrokerIdChange;
use roxmq_remoting::client::Client;
use roxmq_remoting::{Answer, Call, Connection, Incoming, Listen, Server, ServerOptions, Service, guarded};
use tokio::sync::{Notify, mpsc};
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};

use crate::kv::KvConfig;
use crate::members::Members;
use crate::table::{ChannelId, Gone, MinIdChange, Policy, RouteTable};

/// Connections above which further ones are closed.
const CONNECTIONS_MAX: usize = 100_000;
/// Notices that may wait to be sent; further ones are dropped, brokers ask for their group every second anyway.
const NOTICES_MAX: usize = 1_024;
/// How long telling one broker may take, as in Java.
const NOTICE_TIMEOUT: Duration = Duration::from_millis(300);

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

    /// Writes what is left of the answers, closes all connections and ends its threads. What it knows stays as it is meanwhile: brokers
    /// whose connections are closed by this are not gone.
    pub fn stop(self) {
        self.state.stops.store(true, Ordering::SeqCst);
        self.server.stop();
        self.stop.notify_one();
        if self.watch.join().is_err() {
            warn!("the thread that watches over brokers had panicked");
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
    };
    let scan_interval = Duration::from_millis(config.scan_interval_ms);
    let (notices, to_tell) = mpsc::channel(NOTICES_MAX);
    let state = Arc::new(NameServer::open(config, own, clock, disk, notices)?);
    let stop = Arc::new(Notify::new());
    let watch = start_watch(Arc::clone(&state), scan_interval, to_tell, Arc::clone(&stop))?;
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

/// The state that all connections share.
pub(crate) struct NameServer {
    table: RwLock<RouteTable>,
    members: Members,
    kv: Mutex<KvConfig>,
    config: RwLock<Arc<NameServerConfig>>,
    /// Held while settings change, so that the file and the running ones agree.
    changing: Mutex<()>,
    clock: Clock,
    disk: Disk,
    notices: mpsc::Sender<MinIdChange>,
    /// It stops: nobody leaves the table any more.
    stops: AtomicBool,
}

impl NameServer {
    fn open(
        config: NameServerConfig,
        own: Option<BrokerIdentity>,
        clock: Clock,
        disk: Disk,
        notices: mpsc::Sender<MinIdChange>,
    ) -> io::Result<NameServer> {
        let kv = Mutex::new(KvConfig::open(disk.clone(), &config.kv_config_path)?);
        let mut table = RouteTable::default();
        let members = Members::open(&disk, &config, own, clock.elapsed(), &mut table)?;
        Ok(NameServer {
            table: RwLock::new(table),
            members,
            kv,
            config: RwLock::new(Arc::new(config)),
            changing: Mutex::default(),
            clock,
            disk,
            notices,
            stops: AtomicBool::new(false),
        })
    }

    fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The settings now. No lock is held afterwards, so that no order of locks has to be kept.
    fn config(&self) -> Arc<NameServerConfig> {
        Arc::clone(&self.config.read())
    }

    fn policy(&self) -> Policy {
        let config = self.config();
        Policy {
            delete_topic_with_registration: config.delete_topic_with_registration,
            support_acting_master: config.support_acting_master,
            notify_min_broker_id: config.notify_min_broker_id,
        }
    }

    fn tell(&self, notices: impl IntoIterator<Item = MinIdChange>) {
        for notice in notices {
            if self.notices.try_send(notice).is_err() {
                warn!("a notice of a new lowest broker id was dropped: too many are waiting");
            }
        }
    }

    /// Does the table know every broker that it should? Before, what it lacks is not "none".
    fn is_complete(&self) -> bool {
        self.members.is_complete() || !self.config().wait_for_service || self.members.look(&self.table.read(), self.now())
    }

    /// Takes brokers off the table, and tells who should hear of it.
    fn take_off(&self, which: impl FnOnce(&mut RouteTable, &Policy) -> Gone) -> bool {
        if self.stops.load(Ordering::SeqCst) {
            return false;
        }
        let gone = which(&mut self.table.write(), &self.policy());
        if gone.brokers.is_empty() {
            return false;
        }
        self.members.changed();
        self.tell(gone.notices);
        true
    }

    /// A connection is gone, and with it the brokers that registered on it.
    fn channel_lost(&self, channel: ChannelId) {
        if !self.table.read().is_on(channel) {
            return;
        }
        self.take_off(|table, policy| {
            let gone = table.close(channel, policy);
            info!(brokers = ?gone.brokers, "the connection of brokers is gone");
            gone
        });
    }

    /// Takes off brokers that have been silent for too long.
    fn scan(&self) {
        if !self.table.read().has_silent(self.now()) {
            return;
        }
        let mut ends_wipes = false;
        self.take_off(|table, policy| {
            let wiped = table.wiped().count();
            let gone = table.expire(self.now(), policy);
            ends_wipes = table.wiped().count() != wiped;
            if !gone.brokers.is_empty() {
                warn!(brokers = ?gone.brokers, "brokers have been silent for too long");
            }
            gone
        });
        if ends_wipes {
            self.members.changed();
        }
    }

    /// Has a restart know which brokers there are.
    fn save_members(&self) -> io::Result<()> {
        self.members.save(&self.table)
    }
}

struct Shard {
    state: Arc<NameServer>,
}

impl Service for Shard {
    fn request(&self, from: &Rc<Connection>, request: Incoming<'_>) {
        let call = Call { header: &request.header, body: request.frame.body, peer: &from.peer() };
        from.answer(request.ticket(), guarded(|| routes::answer(&self.state, &call)).unwrap_or_else(Answer::from));
    }

    fn turn(&self) -> Duration {
        Duration::MAX
    }

    fn closed(&self, connection: &Connection) {
        self.state.channel_lost(connection.id);
    }
}

/// The thread that looks for silent brokers and tells brokers of new lowest ids.
fn start_watch(
    state: Arc<NameServer>,
    scan_interval: Duration,
    mut to_tell: mpsc::Receiver<MinIdChange>,
    stop: Arc<Notify>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    roxmq_env::vital::spawn("nameserver-watch", move || {
        runtime.block_on(async move {
            let client = Client::new();
            let mut scan = tokio::time::interval(scan_interval);
            scan.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.notified() => break,
                    _ = scan.tick() => state.scan(),
                    () = state.members.to_save() => {
                        if let Err(error) = state.save_members() {
                            warn!(%error, "which brokers there are could not be written; a restart will not know of all of them");
                        }
                    }
                    Some(notice) = to_tell.recv() => tell_brokers(&client, notice),
                }
            }
        });
    })
}

fn tell_brokers(client: &Client, notice: MinIdChange) {
    let MinIdChange { broker_name, min_id, min_addr, offline_addr, ha_addr, tell } = notice;
    let request = NotifyMinBrokerIdChange {
        min_broker_id: min_id,
        broker_name: Some(broker_name.into()),
        min_broker_addr: Some(min_addr.into()),
        offline_broker_addr: offline_addr.map(Into::into),
        ha_broker_addr: ha_addr.map(Into::into),
    };
    for addr in tell {
        let (client, request) = (client.clone(), request.clone());
        tokio::spawn(async move {
            if let Err(error) = client.call(&addr, &request, b"", NOTICE_TIMEOUT).await {
                debug!(addr, %error, "a broker was not told of a new lowest id");
            }
        });
    }
}
