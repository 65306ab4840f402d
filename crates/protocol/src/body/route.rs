//! Where is a topic? Its queues on each broker group and the addresses of the brokers (105, 217).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mapping::TopicQueueMappingInfo;
use crate::permission::Permission;

/// The answer to `GET_ROUTEINFO_BY_TOPIC` (105).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicRouteData {
    /// The brokers, one entry for each group.
    pub broker_datas: Vec<BrokerData>,
    /// Filter servers by broker address; always empty since 5.0.
    pub filter_server_table: BTreeMap<String, Vec<String>>,
    /// `broker:queues;broker:queues`, which pins the queues of an ordered topic.
    pub order_topic_conf: Option<String>,
    /// The queues, one entry for each group.
    pub queue_datas: Vec<QueueData>,
    /// Static topics: which logical queues each broker holds.
    pub topic_queue_mapping_by_broker: Option<BTreeMap<String, TopicQueueMappingInfo>>,
}

/// A topic's queues on one broker group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueData {
    /// The broker group.
    pub broker_name: String,
    /// What clients may do.
    pub perm: Permission,
    /// Queues 0 to here may be read.
    pub read_queue_nums: i32,
    /// 1 unit topic, 2 has subscribers in units.
    pub topic_sys_flag: i32,
    /// Queues 0 to here may be written.
    pub write_queue_nums: i32,
}

/// A broker group's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerData {
    /// Addresses by broker id; 0 is the master.
    pub broker_addrs: BTreeMap<i64, String>,
    /// The group's name.
    pub broker_name: String,
    /// The cluster it belongs to.
    pub cluster: String,
    /// A slave may act as master while there is none.
    pub enable_acting_master: bool,
    /// The zone of the group.
    pub zone_name: Option<String>,
}
