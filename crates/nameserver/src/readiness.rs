//! Is this NameServer ready: have all brokers registered that it knew before?
//!
//! A NameServer that has just started knows no broker. Until those register that were there before, "there is no such topic" would be a
//! guess, and half a route is as bad: consumers would give up the queues that it lacks. So routes and lists are refused with "not ready"
//! until one of these is true:
//!
//! - every broker of the file `brokers.json` is registered again. The file names those that were registered when the NameServer stopped, by
//!   cluster, name and id: not those that had said goodbye or were lost before, nor their addresses;
//! - it names no broker, and 2 s have passed: ours try a NameServer that is away every second at least. Java's register every 30 s, and
//!   are in the file unless it was lost;
//! - `waitSecondsForService` have passed. A broker that has not come by then has to be taken for gone.
//!
//! A broker in the same process registers as soon as it serves, and is waited for without the file. If the file names no other, it is
//! waited for alone.
//!
//! The file also says of which brokers an operator took the write permission off: a restart here does not end that.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use roxmq_env::disk::Disk;
use roxmq_protocol::json::{self, Dialect};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::settings::NameServerConfig;
use crate::table::{RouteTable, WIPED_MAX, Wiped};

/// How long a start without a list waits for brokers to register.
const UNLISTED_BROKERS_WAIT: Duration = Duration::from_secs(2);
/// Brokers that the file names at most; of more of them the rest is not waited for.
const BROKERS_MAX: usize = 10_000;
/// The file, beside that of the key-value configuration.
const FILE: &str = "brokers.json";

/// Names a broker, wherever it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BrokerIdentity {
    /// The cluster.
    pub cluster: String,
    /// The name that it shares with its replicas.
    pub broker_name: String,
    /// 0 for a master.
    pub broker_id: i64,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Saved {
    brokers: BTreeSet<BrokerIdentity>,
    wiped: Vec<SavedWiped>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedWiped {
    broker_name: String,
    started: Option<i64>,
    addr: Option<String>,
}

/// The brokers that are waited for, and the file.
#[derive(Debug)]
pub struct Readiness {
    disk: Disk,
    path: PathBuf,
    /// Held while the file is written, so that the last one written is the newest.
    saving: Mutex<()>,
    to_save: Notify,
    is_out_of_date: AtomicBool,
    was_complete: AtomicBool,
    awaited: Mutex<Awaited>,
}

#[derive(Debug)]
struct Awaited {
    brokers: BTreeSet<BrokerIdentity>,
    /// Not complete before.
    from: Duration,
    /// Complete from here on, whichever are missing.
    until: Duration,
}

impl Readiness {
    /// Reads the file, which need not exist.
    ///
    /// # Errors
    /// When it cannot be read. One that is damaged is as good as none.
    pub fn open(
        disk: &Disk,
        config: &NameServerConfig,
        own: Option<BrokerIdentity>,
        now: Duration,
        table: &mut RouteTable,
    ) -> io::Result<Readiness> {
        let path = config.kv_config_path.with_file_name(FILE);
        let text = disk.read(&path)?.unwrap_or_default();
        let saved = if text.is_empty() { Saved::default() } else { read(&text).unwrap_or_else(|error| damaged(&path, &error)) };
        for SavedWiped { broker_name, started, addr } in saved.wiped.into_iter().take(WIPED_MAX) {
            table.restore_wiped(&broker_name, Wiped::of(addr, started));
        }
        let mut brokers = saved.brokers;
        let until = now + Duration::from_secs(config.wait_for_service_s);
        let from = if brokers.is_empty() && own.is_none() { until.min(now + UNLISTED_BROKERS_WAIT) } else { now };
        brokers.extend(own);
        Ok(Readiness {
            disk: disk.clone(),
            path,
            saving: Mutex::default(),
            to_save: Notify::new(),
            is_out_of_date: AtomicBool::new(false),
            was_complete: AtomicBool::new(false),
            awaited: Mutex::new(Awaited { brokers, from, until }),
        })
    }

    /// Has the table been found complete?
    pub fn was_complete(&self) -> bool {
        self.was_complete.load(Ordering::Acquire)
    }

    /// Is the table complete at time `now`? Once it is, it stays so.
    pub fn is_complete(&self, table: &RouteTable, now: Duration) -> bool {
        let mut awaited = self.awaited.lock();
        awaited.brokers.retain(|broker| !table.is_registered(&broker.cluster, &broker.broker_name, broker.broker_id));
        if now < awaited.until && (now < awaited.from || !awaited.brokers.is_empty()) {
            return false;
        }
        if !self.was_complete.swap(true, Ordering::AcqRel) {
            match awaited.brokers.is_empty() {
                true => info!("ready: all brokers have registered"),
                false => warn!(missing = ?awaited.brokers, "ready, without brokers that were registered before the start"),
            }
            if !std::mem::take(&mut awaited.brokers).is_empty() {
                self.changed();
            }
        }
        true
    }

    /// The file is out of date.
    pub fn changed(&self) {
        self.is_out_of_date.store(true, Ordering::Release);
        self.to_save.notify_one();
    }

    /// Is the file out of date?
    pub fn is_out_of_date(&self) -> bool {
        self.is_out_of_date.load(Ordering::Acquire)
    }

    /// Waits until the file is out of date.
    pub async fn to_save(&self) {
        self.to_save.notified().await;
    }

    /// Writes which brokers are registered or still waited for, and which are wiped; when it returns, that is durable.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, table: &RwLock<RouteTable>) -> io::Result<()> {
        let _saving = self.saving.lock();
        self.is_out_of_date.store(false, Ordering::Release);
        let mut brokers = self.awaited.lock().brokers.clone();
        let saved = {
            let table = table.read();
            brokers.extend(table.brokers().map(|broker| BrokerIdentity {
                cluster: broker.cluster,
                broker_name: broker.broker_name,
                broker_id: broker.broker_id,
            }));
            let wiped = table.wiped().map(|(name, wiped)| SavedWiped {
                broker_name: name.to_owned(),
                started: wiped.started,
                addr: wiped.addr.clone(),
            });
            Saved { brokers: brokers.into_iter().take(BROKERS_MAX).collect(), wiped: wiped.collect() }
        };
        if let Some(folder) = self.path.parent() {
            self.disk.create_dir_all(folder)?;
        }
        let written = self.disk.replace_atomically(&self.path, &json::to_vec(&saved, Dialect::Standard));
        self.is_out_of_date.fetch_or(written.is_err(), Ordering::AcqRel);
        written
    }
}

fn read(text: &[u8]) -> Result<Saved, json::JsonError> {
    json::from_slice(text)
}

fn damaged(path: &std::path::Path, error: &json::JsonError) -> Saved {
    warn!(path = %path.display(), %error, "the file of known brokers is damaged: starting without it");
    Saved::default()
}
