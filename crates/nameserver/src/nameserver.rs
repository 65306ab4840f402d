//! What are the parts of a NameServer, and what goes through all of them?

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::kv::KvConfig;
use crate::readiness::{BrokerIdentity, Readiness};
use crate::settings::NameServerConfig;
use crate::table::{ChannelId, Gone, MinIdChange, Policy, RouteTable};

/// Notices that may wait to be sent; further ones are dropped, brokers ask for their group every second anyway.
pub(crate) const NOTICES_MAX: usize = 1_024;

/// The state that all connections share.
pub(crate) struct NameServer {
    pub(crate) table: RwLock<RouteTable>,
    pub(crate) readiness: Readiness,
    pub(crate) kv: Mutex<KvConfig>,
    pub(crate) config: RwLock<Arc<NameServerConfig>>,
    /// Held while settings change, so that the file and the running ones agree.
    pub(crate) changing: Mutex<()>,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) notices: mpsc::Sender<MinIdChange>,
    /// It stops: no broker leaves the table any more.
    pub(crate) stops: AtomicBool,
}

impl NameServer {
    pub(crate) fn open(
        config: NameServerConfig,
        own: Option<BrokerIdentity>,
        clock: Clock,
        disk: Disk,
        notices: mpsc::Sender<MinIdChange>,
    ) -> io::Result<NameServer> {
        let kv = Mutex::new(KvConfig::open(disk.clone(), &config.kv_config_path)?);
        let mut table = RouteTable::default();
        let readiness = Readiness::open(&disk, &config, own, clock.elapsed(), &mut table)?;
        Ok(NameServer {
            table: RwLock::new(table),
            readiness,
            kv,
            config: RwLock::new(Arc::new(config)),
            changing: Mutex::default(),
            clock,
            disk,
            notices,
            stops: AtomicBool::new(false),
        })
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The settings now. No lock is held afterwards, so that no order of locks has to be kept.
    pub(crate) fn config(&self) -> Arc<NameServerConfig> {
        Arc::clone(&self.config.read())
    }

    pub(crate) fn policy(&self) -> Policy {
        let config = self.config();
        Policy {
            delete_topic_with_registration: config.delete_topic_with_registration,
            support_acting_master: config.support_acting_master,
            notify_min_broker_id: config.notify_min_broker_id,
        }
    }

    /// Has brokers notified.
    pub(crate) fn notify(&self, notices: impl IntoIterator<Item = MinIdChange>) {
        for notice in notices {
            if self.notices.try_send(notice).is_err() {
                warn!("dropping a notice of a new lowest broker id: too many are waiting");
            }
        }
    }

    /// Does the table know every broker that it should? Before, a topic that it lacks is unknown, not absent.
    pub(crate) fn is_complete(&self) -> bool {
        self.readiness.was_complete() || !self.config().wait_for_service || self.readiness.is_complete(&self.table.read(), self.now())
    }

    /// Removes brokers from the table, and notifies those that should hear of it. Returns whether any were removed.
    pub(crate) fn remove_brokers(&self, which: impl FnOnce(&mut RouteTable, &Policy) -> Gone) -> bool {
        if self.stops.load(Ordering::SeqCst) {
            return false;
        }
        let gone = which(&mut self.table.write(), &self.policy());
        if gone.brokers.is_empty() {
            return false;
        }
        self.readiness.changed();
        self.notify(gone.notices);
        true
    }

    /// A connection is gone, and with it the brokers that registered on it.
    pub(crate) fn channel_lost(&self, channel: ChannelId) {
        if !self.table.read().is_on(channel) {
            return;
        }
        self.remove_brokers(|table, policy| {
            let gone = table.close(channel, policy);
            info!(brokers = ?gone.brokers, "lost brokers: their connection is gone");
            gone
        });
    }

    /// Takes off brokers that have been silent for too long.
    pub(crate) fn scan(&self) {
        if !self.table.read().has_silent(self.now()) {
            return;
        }
        let mut ends_wipes = false;
        self.remove_brokers(|table, policy| {
            let wiped = table.wiped().count();
            let gone = table.expire(self.now(), policy);
            ends_wipes = table.wiped().count() != wiped;
            if !gone.brokers.is_empty() {
                warn!(brokers = ?gone.brokers, "lost brokers: they have been silent for too long");
            }
            gone
        });
        if ends_wipes {
            self.readiness.changed();
        }
    }

    /// Writes which brokers there are, for a restart.
    pub(crate) fn save_brokers(&self) -> io::Result<()> {
        self.readiness.save(&self.table)
    }
}
