//! Which brokers are in a cluster (106, 901, 907)?

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::route::BrokerData;

/// The answer to `GET_BROKER_CLUSTER_INFO` (106), always written in the fastjson dialect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterInfo {
    /// Broker groups by name.
    pub broker_addr_table: BTreeMap<String, BrokerData>,
    /// Names of the broker groups of each cluster.
    pub cluster_addr_table: BTreeMap<String, BTreeSet<String>>,
}

/// The registered brokers of one group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerMemberGroup {
    /// Addresses by broker id.
    pub broker_addrs: BTreeMap<i64, String>,
    /// The group's name.
    pub broker_name: String,
    /// The cluster it belongs to.
    pub cluster: String,
}

/// The answer to `GET_BROKER_MEMBER_GROUP` (901).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetBrokerMemberGroupResponseBody {
    /// The group.
    pub broker_member_group: BrokerMemberGroup,
}

/// The answer to `GET_BROKER_HA_STATUS` (907).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HaRuntimeInfo {
    /// A slave's view of its link to the master.
    pub ha_client_runtime_info: HaClientRuntimeInfo,
    /// A master's view of its slaves.
    pub ha_connection_info: Vec<HaConnectionRuntimeInfo>,
    /// Slaves that are close enough to count as replicas.
    pub in_sync_slave_nums: i32,
    /// Whether the broker is a master.
    pub master: bool,
    /// End of the master's log, bytes.
    pub master_commit_log_max_offset: i64,
}

/// A master's view of one slave.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HaConnectionRuntimeInfo {
    /// The slave's address.
    pub addr: String,
    /// How many bytes it is behind.
    pub diff: i64,
    /// Whether it counts as a replica.
    pub in_sync: bool,
    /// The log offset it has acknowledged.
    pub slave_ack_offset: i64,
    /// Where the next transfer starts.
    pub transfer_from_where: i64,
    /// Bytes per second.
    pub transferred_byte_in_second: i64,
}

/// A slave's view of its master.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HaClientRuntimeInfo {
    /// When it last received bytes, milliseconds since the epoch.
    pub last_read_timestamp: i64,
    /// When the slave last reported, milliseconds since the epoch.
    pub last_write_timestamp: i64,
    /// The master's address.
    pub master_addr: Option<String>,
    /// The log offset that the master has flushed.
    pub master_flush_offset: i64,
    /// End of the slave's log.
    pub max_offset: i64,
    /// Bytes per second.
    pub transferred_byte_in_second: i64,
}
