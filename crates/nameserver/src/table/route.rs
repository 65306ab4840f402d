//! Where is a topic, for the one who asks?

use std::collections::BTreeMap;

use roxmq_protocol::body::{BrokerData, QueueData, TopicRouteData};

use super::reach::addr_for;
use super::{Group, MASTER_ID, Name, PERM_WRITE, Policy, Queues, RouteTable, SYNC_MEMBER_PREFIX, Viewer};

impl RouteTable {
    /// The route of `topic` without its order configuration; `None` if no living broker holds it.
    pub fn route(&self, topic: &str, viewer: &Viewer, policy: &Policy) -> Option<TopicRouteData> {
        let queues = self.topics.get(topic)?;
        let acting = policy.support_acting_master && !topic.starts_with(SYNC_MEMBER_PREFIX);
        let mut route = TopicRouteData {
            topic_queue_mapping_by_broker: self.mappings.get(topic).cloned(),
            queue_datas: queues.iter().map(|(name, queues)| queue_data(name, queues)).collect(),
            ..TopicRouteData::default()
        };
        for (name, queues) in queues {
            let Some(group) = self.groups.get(name) else { continue };
            let mut data = self.broker_data(name, group, viewer);
            for (id, addr) in &group.addrs {
                let filters = self.live.get(&(group.cluster.clone(), addr.clone())).map(|live| &live.filter_servers);
                if let Some(filters) = filters.filter(|filters| !filters.is_empty()) {
                    route.filter_server_table.insert(data.broker_addrs[id].clone(), filters.clone());
                }
            }
            if acting && group.acting_master && queues.perm & PERM_WRITE == 0 {
                present_acting_master(&mut data.broker_addrs);
            }
            route.broker_datas.push(data);
        }
        (!route.broker_datas.is_empty()).then_some(route)
    }

    pub(super) fn broker_data(&self, name: &Name, group: &Group, viewer: &Viewer) -> BrokerData {
        BrokerData {
            broker_addrs: self.addrs_for(group, viewer),
            broker_name: name.to_string(),
            cluster: group.cluster.clone(),
            enable_acting_master: group.acting_master,
            zone_name: group.zone_name.clone(),
        }
    }

    pub(super) fn addrs_for(&self, group: &Group, viewer: &Viewer) -> BTreeMap<i64, String> {
        group.addrs.iter().map(|(&id, addr)| (id, self.addr_for(&group.cluster, addr, viewer))).collect()
    }

    /// The address of a broker as `viewer` reaches it.
    pub fn addr_for(&self, cluster: &str, addr: &str, viewer: &Viewer) -> String {
        match self.live.get(&(cluster.to_owned(), addr.to_owned())) {
            Some(live) => addr_for(live.address_is, addr, viewer),
            None => addr.to_owned(),
        }
    }

    /// Where `viewer` replicates from the broker at `addr`.
    pub fn ha_addr_for(&self, cluster: &str, addr: &str, viewer: &Viewer) -> Option<String> {
        let live = self.live.get(&(cluster.to_owned(), addr.to_owned()))?;
        live.ha_addr.as_ref().map(|ha_addr| addr_for(live.address_is, ha_addr, viewer))
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

fn queue_data(name: &Name, queues: &Queues) -> QueueData {
    QueueData {
        broker_name: name.to_string(),
        perm: queues.perm,
        read_queue_nums: queues.read,
        topic_sys_flag: queues.sys_flag,
        write_queue_nums: queues.write,
    }
}
