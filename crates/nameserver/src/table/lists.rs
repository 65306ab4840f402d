//! Which clusters, brokers and topics are there?

use roxmq_protocol::body::{BrokerMemberGroup, ClusterInfo, TopicList};

use super::reach::Viewer;
use super::state::{Name, Queues, RouteTable};
use std::collections::{BTreeMap, BTreeSet};

/// The topic belongs to a unit (`TopicSysFlag`).
const FLAG_UNIT: i32 = 1;
/// Units subscribe to the topic.
const FLAG_UNIT_SUB: i32 = 2;

/// Which topics of units are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitTopics {
    /// Topics of units.
    Unit,
    /// Topics that units subscribe to.
    WithUnitSubscription,
    /// Topics of no unit that units subscribe to.
    OutsideWithUnitSubscription,
}

impl RouteTable {
    /// All clusters and groups.
    pub fn cluster_info(&self, viewer: &Viewer) -> ClusterInfo {
        let groups = self.groups.iter().map(|(name, group)| (name.to_string(), self.broker_data(name, group, viewer)));
        let clusters =
            self.clusters().into_iter().map(|(cluster, names)| (cluster.to_owned(), names.into_iter().map(str::to_owned).collect()));
        ClusterInfo { broker_addr_table: groups.collect(), cluster_addr_table: clusters.collect() }
    }

    /// The living brokers of one group; none if it is not known.
    pub fn member_group(&self, cluster: &str, broker_name: &str, viewer: &Viewer) -> BrokerMemberGroup {
        BrokerMemberGroup {
            broker_addrs: self.groups.get(broker_name).map(|group| group.addrs_for(viewer)).unwrap_or_default(),
            broker_name: broker_name.to_owned(),
            cluster: cluster.to_owned(),
        }
    }

    /// All topics.
    pub fn topics(&self) -> TopicList {
        self.topics_where(|_| true)
    }

    /// The topics on the brokers of a cluster.
    pub fn topics_of_cluster(&self, cluster: &str) -> TopicList {
        let names: BTreeSet<&Name> = self.groups.iter().filter(|(_, group)| group.is_in(cluster)).map(|(name, _)| name).collect();
        let holds = |queues: &BTreeMap<Name, Queues>| queues.keys().any(|name| names.contains(name));
        let topics = self.topics.iter().filter(|(_, queues)| holds(queues)).map(|(topic, _)| topic.clone());
        TopicList { broker_addr: None, topic_list: topics.collect() }
    }

    /// Names of clusters and groups, which are topics too, and a broker that knows the other system topics.
    pub fn system_topics(&self, viewer: &Viewer) -> TopicList {
        let clusters = self.clusters().into_iter();
        let names = clusters.flat_map(|(cluster, names)| std::iter::once(cluster).chain(names)).map(str::to_owned);
        let first = self.groups.values().find_map(|group| group.addrs_for(viewer).into_values().next());
        TopicList { broker_addr: first, topic_list: names.collect() }
    }

    /// The names of brokers by cluster.
    fn clusters(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut clusters: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, _, member) in self.members() {
            clusters.entry(&member.cluster).or_default().insert(name);
        }
        clusters
    }

    /// Topics of units, as the queues of the first broker are flagged.
    pub fn unit_topics(&self, wanted: UnitTopics) -> TopicList {
        self.topics_where(|queues| {
            let (unit, sub) = (queues.sys_flag & FLAG_UNIT != 0, queues.sys_flag & FLAG_UNIT_SUB != 0);
            match wanted {
                UnitTopics::Unit => unit,
                UnitTopics::WithUnitSubscription => sub,
                UnitTopics::OutsideWithUnitSubscription => sub && !unit,
            }
        })
    }

    fn topics_where(&self, wanted: impl Fn(&Queues) -> bool) -> TopicList {
        let first_is_wanted = |queues: &BTreeMap<Name, Queues>| queues.values().next().is_some_and(&wanted);
        let topics = self.topics.iter().filter(|(_, queues)| first_is_wanted(queues)).map(|(topic, _)| topic.clone());
        TopicList { broker_addr: None, topic_list: topics.collect() }
    }
}
