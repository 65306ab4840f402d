//! Messages that wait for a time.

use super::version::DataVersion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many messages wait for a time (`TimerMetrics.TimerMetricsSerializeWrapper`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimerMetricsBody {
    /// Version of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_version: Option<DataVersion>,
    /// By the topic they go to.
    pub timing_count: BTreeMap<String, TimerCount>,
}

/// Messages of one topic (`TimerMetrics.Metric`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimerCount {
    /// How many.
    pub count: i64,
    /// When that was so, ms.
    pub time_stamp: i64,
}
