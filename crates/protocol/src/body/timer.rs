//! How many timed messages wait?

use super::version::DataVersion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many timed messages wait (`TimerMetrics.TimerMetricsSerializeWrapper`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimerMetricsBody {
    /// Version of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_version: Option<DataVersion>,
    /// By destination topic.
    pub timing_count: BTreeMap<String, TimerCount>,
}

/// Messages of one topic (`TimerMetrics.Metric`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimerCount {
    /// How many.
    pub count: i64,
    /// When they were counted, ms.
    pub time_stamp: i64,
}
