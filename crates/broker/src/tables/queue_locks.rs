//! Which client may consume a queue in order? In memory only: after a restart clients lock again. Java: `RebalanceLockManager`.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;

/// A lock that was not renewed for this long is free.
pub const EXPIRY: Duration = Duration::from_secs(60);

/// A queue of a topic.
pub type Queue = (String, i32);

struct Held {
    client_id: String,
    renewed: Duration,
}

impl Held {
    fn is_live(&self, now: Duration) -> bool {
        now.saturating_sub(self.renewed) < EXPIRY
    }
}

/// The table of locks.
#[derive(Default)]
pub struct QueueLocks(Mutex<HashMap<String, GroupLocks>>);

/// The locks of one group.
#[derive(Default)]
struct GroupLocks {
    held: HashMap<Queue, Held>,
    /// Members that broadcast, by client id, with the time of their last request. Each is granted every queue, beside the others.
    broadcasting: HashMap<String, Duration>,
}

impl QueueLocks {
    /// QueueLocks the free queues among these and renews the client's own. Returns those that it holds now.
    pub fn lock(&self, group: &str, client_id: &str, queues: impl IntoIterator<Item = Queue>, now: Duration) -> Vec<Queue> {
        let mut groups = self.0.lock();
        let of_group = groups.entry(group.to_owned()).or_default();
        of_group.broadcasting.remove(client_id);
        let held = &mut of_group.held;
        let mut granted = Vec::new();
        for queue in queues {
            match held.get_mut(&queue) {
                Some(known) if known.client_id == client_id => known.renewed = now,
                Some(known) if known.is_live(now) => continue,
                _ => drop(held.insert(queue.clone(), Held { client_id: client_id.to_owned(), renewed: now })),
            }
            granted.push(queue);
        }
        // Only here are locks removed whose holders never come back.
        held.retain(|_, held| held.is_live(now));
        if of_group.is_empty() {
            groups.remove(group);
        }
        granted
    }

    /// A member that broadcasts asks for queues: it gets them all, and its exclusive locks are free.
    pub fn lock_broadcasting(&self, group: &str, client_id: &str, now: Duration) {
        let mut groups = self.0.lock();
        let of_group = groups.entry(group.to_owned()).or_default();
        of_group.held.retain(|_, held| held.client_id != client_id);
        of_group.broadcasting.retain(|_, asked| now.saturating_sub(*asked) < EXPIRY);
        of_group.broadcasting.insert(client_id.to_owned(), now);
    }

    /// Unlocks those of these queues that the client holds.
    pub fn unlock(&self, group: &str, client_id: &str, queues: &[Queue]) {
        self.release(group, |queue, held| held.client_id == client_id && queues.contains(queue));
    }

    /// The client has left the group: all its locks there are free at once.
    pub fn client_left(&self, group: &str, client_id: &str) {
        if let Some(of_group) = self.0.lock().get_mut(group) {
            of_group.broadcasting.remove(client_id);
        }
        self.release(group, |_, held| held.client_id == client_id);
    }

    /// The group is deleted: locks of clients that are not its members are free. Members go on consuming, and make the group again.
    pub fn forget_group(&self, group: &str, members: &[String]) {
        self.release(group, |_, held| !members.contains(&held.client_id));
    }

    /// The topic is deleted, and the locks of its queues with it.
    pub fn forget_topic(&self, topic: &str) {
        let mut groups = self.0.lock();
        groups.values_mut().for_each(|of_group| of_group.held.retain(|(name, _), _| name != topic));
        groups.retain(|_, of_group| !of_group.is_empty());
    }

    /// Does any member of the group hold a lock, that is, does the group consume in order?
    pub fn is_ordered(&self, group: &str, now: Duration) -> bool {
        self.0.lock().get(group).is_some_and(|of_group| {
            of_group.held.values().any(|held| held.is_live(now))
                || of_group.broadcasting.values().any(|asked| now.saturating_sub(*asked) < EXPIRY)
        })
    }

    fn release(&self, group: &str, which: impl Fn(&Queue, &Held) -> bool) {
        let mut groups = self.0.lock();
        if let Some(of_group) = groups.get_mut(group) {
            of_group.held.retain(|queue, held| !which(queue, held));
            if of_group.is_empty() {
                groups.remove(group);
            }
        }
    }
}

impl GroupLocks {
    fn is_empty(&self) -> bool {
        self.held.is_empty() && self.broadcasting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line a step: seconds, client, `lock` or `unlock` or `leave`, queues; then the queues that it holds.
    #[test]
    fn locks_last_a_minute_and_end_with_their_client() {
        let locks = QueueLocks::default();
        let script = [
            (0, "a", "lock", vec![0, 1], vec![0, 1]),
            (1, "b", "lock", vec![1, 2], vec![2]),
            (50, "a", "lock", vec![0], vec![0]),
            (59, "b", "lock", vec![1], vec![]),
            (61, "b", "lock", vec![0, 1], vec![1]),
            (62, "a", "unlock", vec![0, 1], vec![]),
            (63, "b", "lock", vec![0], vec![0]),
            (64, "b", "leave", vec![], vec![]),
            (65, "a", "lock", vec![0, 1, 2], vec![0, 1, 2]),
        ];
        for (second, client, step, queues, expected) in script {
            let queues: Vec<Queue> = queues.into_iter().map(|queue| ("t".to_owned(), queue)).collect();
            let granted = match step {
                "lock" => locks.lock("g", client, queues, Duration::from_secs(second)),
                "unlock" => {
                    locks.unlock("g", client, &queues);
                    Vec::new()
                }
                _ => {
                    locks.client_left("g", client);
                    Vec::new()
                }
            };
            let granted: Vec<i32> = granted.into_iter().map(|(_, queue)| queue).collect();
            assert_eq!(granted, expected, "second {second}, {client} {step}");
        }
        assert!(locks.is_ordered("g", Duration::from_secs(66)) && !locks.is_ordered("g", Duration::from_secs(200)));
    }
}
