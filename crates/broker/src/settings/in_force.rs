//! Which settings are in force now?

use crate::settings::BrokerConfig;
use parking_lot::{Mutex, RwLock};
use roxmq_protocol::body::DataVersion;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The settings, which tools may change while the broker runs.
pub struct Settings {
    config: RwLock<Arc<BrokerConfig>>,
    changes: AtomicU64,
    /// The version that tools are told.
    pub version: Mutex<DataVersion>,
    /// Held while settings change, so that the file and those in force agree. Also while the file is written.
    pub turn: Mutex<()>,
}

impl Settings {
    /// Those of the start.
    pub fn new(config: BrokerConfig, now_ms: i64) -> Settings {
        Settings {
            config: RwLock::new(Arc::new(config)),
            changes: AtomicU64::new(0),
            version: Mutex::new(DataVersion::new(now_ms)),
            turn: Mutex::default(),
        }
    }

    /// The settings now.
    pub fn now(&self) -> Arc<BrokerConfig> {
        Arc::clone(&self.config.read())
    }

    /// How often they were changed since the start. Settings that are read after this are no older than it says.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Puts these settings in force.
    pub fn put(&self, config: BrokerConfig) {
        *self.config.write() = Arc::new(config);
        self.changes.fetch_add(1, Ordering::Release);
    }
}
