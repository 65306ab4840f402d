//! Where is a topic, for the client that asks?

use std::collections::BTreeMap;

use roxmq_protocol::body::{BrokerData, QueueData, TopicRouteData};
use roxmq_protocol::permission::Permission;

use super::reach::{Viewer, addr_for};
use super::registration::Master;
use super::state::{Group, MASTER_ID, Name, Policy, Queues, RouteTable};

/// Topics of this prefix are used by brokers to find each other and keep the true ids of replicas in their routes.
const SYNC_MEMBER_PREFIX: &str = "rmq_sys_SYNC_BROKER_MEMBER_";

impl RouteTable {
    /// The route of `topic` without its order configuration; `None` if no living broker holds it.
    pub fn route(&self, topic: &str, viewer: &Viewer, policy: &Policy) -> Option<TopicRouteData> {
        let queues = self.topics.get(topic)?;
        let acting = policy.support_acting_master && !topic.starts_with(SYNC_MEMBER_PREFIX);
        let mut route = TopicRouteData {
            topic_queue_mapping_by_broker: self.mappings.get(topic).cloned(),
            queue_datas: queues.iter().map(|(name, queues)| queue_data(name, queues, self.perm(name, queues))).collect(),
            ..TopicRouteData::default()
        };
        for (name, queues) in queues {
            let Some(group) = self.groups.get(name) else { continue };
            let mut data = self.broker_data(name, group, viewer);
            for (id, member) in group.members.iter().filter(|(_, member)| !member.filter_servers.is_empty()) {
                route.filter_server_table.insert(data.broker_addrs[id].clone(), member.filter_servers.clone());
            }
            if acting && group.acting_master && !self.perm(name, queues).is_writable() {
                present_acting_master(&mut data.broker_addrs);
            }
            route.broker_datas.push(data);
        }
        (!route.broker_datas.is_empty()).then_some(route)
    }

    /// The permission of the queues: as the broker says, unless an operator took the write permission off it.
    fn perm(&self, name: &Name, queues: &Queues) -> Permission {
        if self.wiped.contains_key(name) { queues.perm.without(Permission::WRITE) } else { queues.perm }
    }

    pub(super) fn broker_data(&self, name: &Name, group: &Group, viewer: &Viewer) -> BrokerData {
        BrokerData {
            broker_addrs: group.addrs_for(viewer),
            broker_name: name.to_string(),
            cluster: group.cluster().to_owned(),
            enable_acting_master: group.acting_master,
            zone_name: group.zone_name.clone(),
        }
    }

    /// The address of the master of a group, and where its replicas replicate from, as `viewer` reaches them.
    pub fn master_for(&self, broker_name: &str, viewer: &Viewer) -> Option<Master> {
        let master = self.groups.get(broker_name)?.members.get(&MASTER_ID)?;
        let reached = |addr: &String| addr_for(master.address_is, addr, viewer);
        Some(Master { addr: reached(&master.addr), ha_addr: master.ha_addr.as_ref().map(reached) })
    }
}

impl Group {
    pub(super) fn addrs_for(&self, viewer: &Viewer) -> BTreeMap<i64, String> {
        self.members.iter().map(|(&id, member)| (id, addr_for(member.address_is, &member.addr, viewer))).collect()
    }
}

/// Without a master, the lowest replica stands under the master's id: clients read from it and write elsewhere.
fn present_acting_master(addrs: &mut BTreeMap<i64, String>) {
    if !addrs.contains_key(&MASTER_ID)
        && let Some((_, lowest)) = addrs.pop_first()
    {
        addrs.insert(MASTER_ID, lowest);
    }
}

fn queue_data(name: &Name, queues: &Queues, perm: Permission) -> QueueData {
    QueueData {
        broker_name: name.to_string(),
        perm,
        read_queue_nums: queues.read,
        topic_sys_flag: queues.sys_flag,
        write_queue_nums: queues.write,
    }
}
