//! Which client may consume a queue in order. In memory only: after a restart clients lock again. Java: `RebalanceLockManager`.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;

/// A lock that was not renewed for so long is free.
pub const LIFE: Duration = Duration::from_secs(60);

/// A queue of a topic.
pub type Queue = (String, i32);

struct Held {
    client_id: String,
    renewed: Duration,
}

impl Held {
    fn is_live(&self, now: Duration) -> bool {
        now.saturating_sub(self.renewed) < LIFE
    }
}

/// The table of locks.
#[derive(Default)]
pub struct Locks(Mutex<HashMap<String, OfGroup>>);

/// What the members of one group hold.
#[derive(Default)]
struct OfGroup {
    held: HashMap<Queue, Held>,
    /// Members that broadcast: each holds whatever it asks for, and takes it from nobody. By client id, with the time they asked last.
    broadcasting: HashMap<String, Duration>,
}

impl Locks {
    /// Locks what is free and renews what the client holds already. The queues that it holds now.
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
        // Nobody else clears away what its holder never comes back to.
        held.retain(|_, held| held.is_live(now));
        if of_group.is_empty() {
            groups.remove(group);
        }
        granted
    }

    /// A member that broadcasts asks for queues: it gets them all, and what it held alone is free.
    pub fn lock_broadcasting(&self, group: &str, client_id: &str, now: Duration) {
        let mut groups = self.0.lock();
        let of_group = groups.entry(group.to_owned()).or_default();
        of_group.held.retain(|_, held| held.client_id != client_id);
        of_group.broadcasting.retain(|_, asked| now.saturating_sub(*asked) < LIFE);
        of_group.broadcasting.insert(client_id.to_owned(), now);
    }

    /// Gives up what the client holds of these queues.
    pub fn unlock(&self, group: &str, client_id: &str, queues: &[Queue]) {
        self.release(group, |queue, held| held.client_id == client_id && queues.contains(queue));
    }

    /// The client has left the group: everything it holds there is free at once.
    pub fn client_left(&self, group: &str, client_id: &str) {
        if let Some(of_group) = self.0.lock().get_mut(group) {
            of_group.broadcasting.remove(client_id);
        }
        self.release(group, |_, held| held.client_id == client_id);
    }

    /// The group is deleted: what those hold who are not its members is free. The others go on consuming, and make it again.
    pub fn forget_group(&self, group: &str, members: &[String]) {
        self.release(group, |_, held| !members.contains(&held.client_id));
    }

    /// The topic is deleted: there is nothing to be held.
    pub fn forget_topic(&self, topic: &str) {
        let mut groups = self.0.lock();
        groups.values_mut().for_each(|of_group| of_group.held.retain(|(name, _), _| name != topic));
        groups.retain(|_, of_group| !of_group.is_empty());
    }

    /// Does anybody of the group hold a lock, so that it consumes in order?
    pub fn is_ordered(&self, group: &str, now: Duration) -> bool {
        self.0.lock().get(group).is_some_and(|of_group| {
            of_group.held.values().any(|held| held.is_live(now))
                || of_group.broadcasting.values().any(|asked| now.saturating_sub(*asked) < LIFE)
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

impl OfGroup {
    fn is_empty(&self) -> bool {
        self.held.is_empty() && self.broadcasting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line a step: seconds, client, `lock` or `unlock` or `leave`, queues; then what it holds.
    #[test]
    fn locks_live_a_minute_and_go_with_their_client() {
        let locks = Locks::default();
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
