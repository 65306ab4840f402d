//! Which topics were deleted here, and may still exist on other brokers? File: `config/deletedTopics.json`.
//!
//! Producers learn from NameServers that a topic is no longer here, but not before their next poll, and send here until then. Such a send
//! must not make the topic again.

use super::file::TableFile;
use parking_lot::Mutex;
use roxmq_env::clock::Clock;
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
    until_ms: BTreeMap<String, i64>,
    /// Topics to which sends were refused.
    to_ask: BTreeSet<String>,
    /// Where the round through the others stands.
    asked_to: String,
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Saved {
    until_ms: BTreeMap<String, i64>,
}

impl Deleted {
    /// Loads the table.
    ///
    /// # Errors
    /// When its file cannot be read. A damaged file does not prevent a start: it counts as empty.
    pub fn load(clock: &Clock, file: TableFile) -> io::Result<Deleted> {
        let mut until_ms = match file.load::<Saved>() {
            Ok(saved) => saved.unwrap_or_default().until_ms,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                warn!(%error, "the table of deleted topics is damaged; starting without it");
                file.touch();
                BTreeMap::new()
            }
            Err(error) => return Err(error),
        };
        let now_ms = clock.now_ms();
        until_ms.retain(|_, until_ms| *until_ms > now_ms);
        let count = AtomicUsize::new(until_ms.len());
        let state = Mutex::new(State { until_ms, ..State::default() });
        Ok(Deleted { clock: clock.clone(), file, state, count, asked: Notify::new() })
    }

    /// A topic was just deleted.
    pub fn note(&self, topic: &str) {
        let until_ms = self.clock.now_ms() + REMEMBERED.as_millis() as i64;
        let mut state = self.state.lock();
        state.until_ms.insert(topic.to_owned(), until_ms);
        if state.until_ms.len() > TOPICS_MAX {
            let oldest = state.until_ms.iter().min_by_key(|(_, until_ms)| **until_ms).map(|(topic, _)| topic.clone());
            oldest.and_then(|topic| state.until_ms.remove(&topic));
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
        if state.until_ms.remove(topic).is_some() {
            self.changed(&state);
        }
    }

    /// Was the topic deleted here a short time ago? If so, [`Deleted::to_ask`] returns it next.
    pub fn holds(&self, topic: &str) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut state = self.state.lock();
        let now_ms = self.clock.now_ms();
        let Some(until_ms) = state.until_ms.get(topic).copied() else { return false };
        // A clock that was set back must not extend this.
        if (0..=REMEMBERED.as_millis() as i64).contains(&(until_ms - now_ms)) {
            state.to_ask.insert(topic.to_owned());
            self.asked.notify_one();
            return true;
        }
        state.until_ms.remove(topic);
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
        let others = state.until_ms.range::<String, _>((Bound::Excluded(&after), Bound::Unbounded)).map(|(topic, _)| topic.clone());
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
        self.file.save(|| Saved { until_ms: self.state.lock().until_ms.clone() })
    }

    fn changed(&self, state: &State) {
        self.count.store(state.until_ms.len(), Ordering::Release);
        self.file.touch();
    }
}
