//! Which version of a table is this?

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// The version of a table, which grows with every change. Brokers before 5.0 send no `stateVersion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataVersion {
    /// Changes since the broker started.
    pub counter: i64,
    /// Grows when a broker takes over, so that an older instance cannot overwrite a newer one.
    pub state_version: i64,
    /// When the table last changed, milliseconds since the epoch.
    pub timestamp: i64,
}

impl DataVersion {
    /// The version of a table created at `now_ms`.
    pub fn new(now_ms: i64) -> DataVersion {
        DataVersion { counter: 0, state_version: 0, timestamp: now_ms }
    }

    /// The version after one more change, made at `now_ms` in state `state_version`.
    pub fn next(self, now_ms: i64, state_version: i64) -> DataVersion {
        DataVersion { counter: self.counter + 1, state_version, timestamp: now_ms }
    }

    /// Which of two versions is newer: by state, then counter, then time (Java `DataVersion.compare`).
    pub fn compare(&self, other: &DataVersion) -> Ordering {
        (self.state_version, self.counter, self.timestamp).cmp(&(other.state_version, other.counter, other.timestamp))
    }
}
