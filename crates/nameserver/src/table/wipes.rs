//! Of which brokers did an operator take the write permission off, and until when?

use super::registration::Registration;
use super::state::{MASTER_ID, RouteTable, Wiped};

/// Broker names whose write permission may be wiped.
pub const WIPED_MAX: usize = 10_000;

impl Wiped {
    /// Of a master at `addr` that started at `started`, as far as is known.
    pub fn of(addr: Option<String>, started: Option<i64>) -> Wiped {
        Wiped { started, addr, away_since: None }
    }

    pub(super) fn ends_with(&self, master: &Registration) -> bool {
        match (master.started, self.started) {
            (Some(now), before) => before != Some(now),
            (None, Some(_)) => true,
            (None, None) => self.addr.as_deref().is_some_and(|addr| addr != master.addr),
        }
    }
}

impl RouteTable {
    /// Takes the write permission off all queues of a group, those to come too; says of how many topics. `None` if too many are wiped.
    pub fn wipe_write_perm(&mut self, broker_name: &str) -> Option<usize> {
        let Some((name, group)) = self.groups.get_key_value(broker_name) else { return Some(0) };
        if self.wiped.len() >= WIPED_MAX && !self.wiped.contains_key(broker_name) {
            return None;
        }
        let master = group.members.get(&MASTER_ID);
        let wiped = Wiped::of(master.map(|master| master.addr.clone()), master.and_then(|master| master.started));
        self.wiped.insert(name.clone(), wiped);
        Some(self.topics_on(broker_name))
    }

    /// Lets all queues of a group be written again as its broker says; says of how many topics.
    pub fn add_write_perm(&mut self, broker_name: &str) -> usize {
        self.wiped.remove(broker_name);
        self.topics_on(broker_name)
    }

    /// The groups whose write permission was taken off.
    pub fn wiped(&self) -> impl Iterator<Item = (&str, &Wiped)> {
        self.wiped.iter().map(|(name, wiped)| (&**name, wiped))
    }

    /// Restores what an operator had said before a restart.
    pub fn restore_wiped(&mut self, broker_name: &str, wiped: Wiped) {
        let name = self.shared_name(broker_name);
        self.wiped.insert(name, wiped);
    }
}
