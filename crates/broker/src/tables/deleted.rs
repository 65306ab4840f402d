//! Which topics were deleted here, and may still exist on other brokers? File: `config/deletedTopics.json`.
//!
//! Producers learn from NameServers that a topic is no longer here, but not before their next poll, and send here until then. Such a send
//! must not make the topic again.

use super::file::TableFile;
use parking_lot::Mutex;
use roxmq_env::clock::Clock;
use roxmq_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tracing::warn;

/// How long a deletion is remembered: ten times the default age of clients' routes (`pollNameServerInterval`).
pub const REMEMBERED: Duration = Duration::from_secs(300);
/// Deletions that are remembered. Beyond that the oldest are forgotten.
const TOPICS_MAX: usize = 1000;

/// How often NameServers are asked about deleted topics to which no send came, and about how many at a time.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
const LOOK_AT_ONCE: usize = 16;

/// The deletions.
pub struct Deleted {
    clock: Clock,
    file: TableFile,
    state: Mutex<State>,
    /// How many there are. Usually none, and then a send need not take the lock.
    count: AtomicUsize,
    asked: Notify,
}

#[derive(Default)]
struct State {
    until: BTreeMap<String, Timestamp>,
    /// Topics to which sends were refused.
    to_ask: BTreeSet<String>,
    /// Where the round through the others stands.
    asked_to: String,
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    #[serde(rename = "untilMs")]
    until: BTreeMap<String, Timestamp>,
}

impl Deleted {
    /// Loads the table.
    ///
    /// # Errors
    /// When its file cannot be read. A damaged file does not prevent a start: it counts as empty.
    pub fn load(clock: &Clock, file: TableFile) -> io::Result<Deleted> {
        let mut until = match file.load::<Saved>() {
            Ok(saved) => saved.unwrap_or_default().until,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                warn!(%error, "the table of deleted topics is damaged; starting without it");
                file.touch();
                BTreeMap::new()
            }
            Err(error) => return Err(error),
        };
        let now = Timestamp(clock.now_ms());
        until.retain(|_, until| *until > now);
        let count = AtomicUsize::new(until.len());
        let state = Mutex::new(State { until, ..State::default() });
        Ok(Deleted { clock: clock.clone(), file, state, count, asked: Notify::new() })
    }

    /// A topic was just deleted.
    pub fn note(&self, topic: &str) {
        let until = Timestamp(self.clock.now_ms()) + REMEMBERED;
        let mut state = self.state.lock();
        state.until.insert(topic.to_owned(), until);
        if state.until.len() > TOPICS_MAX {
            let oldest = state.until.iter().min_by_key(|(_, until)| **until).map(|(topic, _)| topic.clone());
            oldest.and_then(|topic| state.until.remove(&topic));
        }
        self.changed(&state);
        self.asked.notify_one();
    }

    /// Sends may make the topic again: a tool has made it, or no other broker has it.
    pub fn forget(&self, topic: &str) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut state = self.state.lock();
        state.to_ask.remove(topic);
        if state.until.remove(topic).is_some() {
            self.changed(&state);
        }
    }

    /// Was the topic deleted here a short time ago? If so, [`Deleted::to_ask`] returns it next.
    pub fn holds(&self, topic: &str) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut state = self.state.lock();
        let now = Timestamp(self.clock.now_ms());
        let Some(until) = state.until.get(topic).copied() else { return false };
        // A clock that was set back must not extend this.
        if (now..=now + REMEMBERED).contains(&until) {
            state.to_ask.insert(topic.to_owned());
            self.asked.notify_one();
            return true;
        }
        state.until.remove(topic);
        self.changed(&state);
        false
    }

    /// Waits for topics that NameServers should be asked about: at once those to which sends were refused, and now and then some of the
    /// others, since the send that is refused here may make the topic on another broker.
    pub async fn to_ask(&self) -> BTreeSet<String> {
        match self.count.load(Ordering::Acquire) {
            0 => self.asked.notified().await,
            _ => drop(tokio::time::timeout(LOOK_PERIOD, self.asked.notified()).await),
        }
        let mut state = self.state.lock();
        let mut to_ask = std::mem::take(&mut state.to_ask);
        let after = std::mem::take(&mut state.asked_to);
        let others = state.until.range::<String, _>((Bound::Excluded(&after), Bound::Unbounded)).map(|(topic, _)| topic.clone());
        let others: Vec<String> = others.take(LOOK_AT_ONCE).collect();
        // After the last one the round begins again.
        state.asked_to = others.last().filter(|_| others.len() == LOOK_AT_ONCE).cloned().unwrap_or_default();
        to_ask.extend(others);
        to_ask
    }

    /// Writes the table if it changed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self) -> io::Result<()> {
        self.file.save(|| Saved { until: self.state.lock().until.clone() })
    }

    fn changed(&self, state: &State) {
        self.count.store(state.until.len(), Ordering::Release);
        self.file.touch();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_protocol::json::{self, Dialect};

    #[test]
    fn the_file_has_milliseconds() {
        let saved = Saved { until: [("t".to_owned(), Timestamp(7))].into() };
        let text = r#"{"untilMs":{"t":7}}"#;
        assert_eq!(json::to_vec(&saved, Dialect::Standard), text.as_bytes());
        assert_eq!(json::from_slice::<Saved>(text.as_bytes()).unwrap().until, saved.until);
    }
}
