//! Which brokers should hear that their group has another lowest id?

use super::state::{Name, RouteTable};

/// The lowest living id of a group is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinIdChange {
    /// The group.
    pub broker_name: String,
    /// The lowest id.
    pub min_id: i64,
    /// Its address.
    pub min_addr: String,
    /// The broker that went, if that is the reason.
    pub offline_addr: Option<String>,
    /// Where replicas reach the broker that came, if that is the reason.
    pub ha_addr: Option<String>,
    /// Addresses of the brokers to notify.
    pub notified: Vec<String>,
}

impl RouteTable {
    pub(super) fn min_id_change(&self, name: &Name, offline_addr: Option<String>, ha_addr: Option<String>) -> Option<MinIdChange> {
        let members = &self.groups.get(name)?.members;
        let (&min_id, lowest) = members.first_key_value()?;
        // The broker that came knows itself; all hear of one that went.
        let skip = (offline_addr.is_none() && members.len() > 1).then_some(&lowest.addr);
        Some(MinIdChange {
            broker_name: name.to_string(),
            min_id,
            min_addr: lowest.addr.clone(),
            offline_addr,
            ha_addr,
            notified: members.values().map(|member| &member.addr).filter(|addr| Some(*addr) != skip).cloned().collect(),
        })
    }
}
