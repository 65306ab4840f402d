//! Which NameServers were told of which changes?
//!
//! Answers about a new topic wait until the NameServers know it, but only for those that answer: one that did not answer last time, or has
//! kept us waiting for [`PATIENCE`], is not waited for until it answers.

use super::route::{self, Found};
use parking_lot::{Condvar, Mutex};
use roxmq_remoting::client::Client;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Changed topics that are told one by one; for more of them there is a registration at once.
const SINGLE_MAX: usize = 16;
/// How long an answer about a new topic waits for the NameServers: one that is down must not hold up the others' clients.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// State of the registration.
#[derive(Default)]
pub struct Registration {
    pub(super) name_servers: Mutex<Vec<Told>>,
    /// The settings may name others now.
    pub(super) listed_anew: Notify,
    /// How many changes there were, and how many of them every NameServer that is waited for was told.
    pub(super) changes: AtomicU64,
    pub(super) told: AtomicU64,
    pub(super) client: Client,
    pub(super) answered: Condvar,
    /// The broker stops: NameServers that go away are nothing to speak of, and none comes any more.
    pub(super) stops: AtomicBool,
}

/// A NameServer of the settings, and the task that tells it.
pub(super) struct Told {
    pub(super) name_server: Arc<NameServer>,
    pub(super) task: JoinHandle<()>,
}

pub(super) struct NameServer {
    pub(super) address: String,
    /// What it is to be told.
    pub(super) news: Mutex<News>,
    pub(super) changed: Notify,
    /// How many changes it was told of.
    pub(super) told: AtomicU64,
    /// It is waited for.
    pub(super) answers: AtomicBool,
    pub(super) is_registered: AtomicBool,
    /// That it does not answer was said.
    pub(super) fails: AtomicBool,
    /// It is in the settings no more, or the broker stops.
    pub(super) leave: Notify,
}

#[derive(Default)]
pub(super) struct News {
    pub(super) topics: Vec<String>,
    /// More than these topics: everything.
    pub(super) all: bool,
}

impl News {
    fn add(&mut self, topic: &str) {
        self.all |= self.topics.len() >= SINGLE_MAX;
        if !self.all && !self.topics.iter().any(|known| known == topic) {
            self.topics.push(topic.to_owned());
        }
    }
}

impl Registration {
    /// Permissions changed, or topics are gone: register now. The number of the change, for [`Registration::is_told`].
    pub fn changed(&self) -> u64 {
        self.note(|news| news.all = true)
    }

    /// A topic is new or another: tell of it now. The number of the change, for [`Registration::is_told`].
    pub fn topic_changed(&self, topic: &str) -> u64 {
        self.note(|news| news.add(topic))
    }

    /// The settings changed: perhaps there are other NameServers in them.
    pub fn settings_changed(&self) -> u64 {
        self.listed_anew.notify_one();
        self.changed()
    }

    fn note(&self, news: impl Fn(&mut News)) -> u64 {
        let name_servers = self.name_servers.lock();
        for Told { name_server, .. } in name_servers.iter() {
            news(&mut name_server.news.lock());
        }
        let change = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        self.settle(&name_servers);
        name_servers.iter().for_each(|told| told.name_server.changed.notify_one());
        change
    }

    /// Were the NameServers told of the change, those that answer?
    pub fn is_told(&self, change: u64) -> bool {
        self.told.load(Ordering::SeqCst) >= change
    }

    /// Whether more was told than before.
    pub(super) fn settle(&self, name_servers: &[Told]) -> bool {
        let waited_for = name_servers.iter().filter(|told| told.name_server.answers.load(Ordering::SeqCst));
        let least = waited_for.map(|told| told.name_server.told.load(Ordering::SeqCst)).min();
        let told = least.unwrap_or_else(|| self.changes.load(Ordering::SeqCst));
        self.told.swap(told, Ordering::SeqCst) < told
    }

    /// What the NameServers that answer say about a topic.
    pub async fn route(&self, topic: &str) -> Found {
        route::ask(&self.client, &self.to_ask(), topic).await
    }

    /// Whom to ask: the NameServers that answer, all of them if none does.
    fn to_ask(&self) -> Vec<String> {
        let name_servers = self.name_servers.lock();
        let address = |told: &Told| told.name_server.address.clone();
        let answer: Vec<String> = name_servers.iter().filter(|told| told.name_server.answers.load(Ordering::SeqCst)).map(address).collect();
        if answer.is_empty() { name_servers.iter().map(address).collect() } else { answer }
    }

    /// Waits until `count` NameServers know the broker, or `patience` is over. How many of how many know it.
    pub fn wait(&self, patience: Duration, count: usize) -> (usize, usize) {
        let known_by = |all: &Vec<Told>| all.iter().filter(|told| told.name_server.is_registered.load(Ordering::SeqCst)).count();
        let mut name_servers = self.name_servers.lock();
        self.answered.wait_while_for(&mut name_servers, |all| known_by(all) < count, patience);
        (known_by(&name_servers), count)
    }

    /// The broker is about to stop, and NameServers perhaps as well.
    pub fn about_to_stop(&self) {
        self.stops.store(true, Ordering::SeqCst);
    }
}
