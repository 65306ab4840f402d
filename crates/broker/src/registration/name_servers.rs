//! Which changes were announced to which NameServers?
//!
//! An answer about a new topic waits until the NameServers know the topic, but only for those that answer. A NameServer that did not
//! answer last time, or that takes longer than [`PATIENCE`], is not waited for until it answers again.

use parking_lot::{Condvar, Mutex};
use roxmq_remoting::client::Client;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Changed topics that are announced one by one. More of them are announced by registering at once.
const SINGLE_MAX: usize = 16;
/// How long an answer about a new topic waits for the NameServers: one that is down must not hold up the others' clients.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// The NameServers of the settings, and how far each of them was told.
#[derive(Default)]
pub struct Registration {
    pub(crate) name_servers: Mutex<Vec<Announcer>>,
    /// Notified when the settings may name other NameServers.
    pub(crate) list_changed: Notify,
    /// How many changes there were, and how many of them were announced to every NameServer that is waited for.
    pub(crate) changes: AtomicU64,
    announced: AtomicU64,
    pub(crate) client: Client,
    /// Notified when a NameServer has taken a registration.
    pub(crate) registered: Condvar,
    /// The broker stops: a NameServer that goes away now is not worth a warning, and none is added any more.
    pub(crate) stops: AtomicBool,
}

/// A NameServer of the settings, and the task that announces to it.
pub(crate) struct Announcer {
    pub name_server: Arc<NameServer>,
    pub task: JoinHandle<()>,
}

/// What is known of one NameServer.
pub(crate) struct NameServer {
    pub address: String,
    /// What is to be announced next.
    pub news: Mutex<News>,
    /// Notified when there is news.
    pub changed: Notify,
    /// How many changes were announced to it.
    pub announced: AtomicU64,
    pub contact: Mutex<Contact>,
    /// Notified when it is no longer in the settings, or the broker stops.
    pub leave: Notify,
}

/// How a NameServer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contact {
    /// It has not answered yet, since it was in the settings at the start.
    Starting,
    /// It has not answered yet, since it was added to the settings.
    Added,
    /// It knows the broker.
    Registered,
    /// It does not answer within [`PATIENCE`]; whether it knew the broker before.
    Slow {
        /// Whether it knew the broker before.
        was_registered: bool,
    },
    /// The last attempt failed, which was logged.
    Failing,
}

impl Contact {
    /// Whether answers wait for it. At the start no NameServer has answered yet; one that is added later has others beside it.
    pub fn is_waited_for(self) -> bool {
        match self {
            Contact::Starting | Contact::Registered => true,
            Contact::Added | Contact::Slow { .. } | Contact::Failing => false,
        }
    }

    /// Whether it knows the broker.
    pub fn is_registered(self) -> bool {
        match self {
            Contact::Registered | Contact::Slow { was_registered: true } => true,
            Contact::Starting | Contact::Added | Contact::Slow { was_registered: false } | Contact::Failing => false,
        }
    }
}

/// Changes that one NameServer does not know yet.
#[derive(Default)]
pub(crate) struct News {
    pub topics: Vec<String>,
    /// More than these topics: everything.
    pub all: bool,
}

impl News {
    fn add(&mut self, topic: &str) {
        self.all |= self.topics.len() >= SINGLE_MAX;
        if !self.all && !self.topics.iter().any(|known| known == topic) {
            self.topics.push(topic.to_owned());
        }
    }
}

impl NameServer {
    pub fn new(address: String, contact: Contact) -> NameServer {
        NameServer {
            address,
            news: Mutex::default(),
            changed: Notify::new(),
            announced: AtomicU64::new(0),
            contact: Mutex::new(contact),
            leave: Notify::new(),
        }
    }

    pub fn contact(&self) -> Contact {
        *self.contact.lock()
    }
}

impl Registration {
    /// Permissions changed, or topics are gone: registers now. The number of the change, for [`Registration::is_announced`].
    pub fn changed(&self) -> u64 {
        self.note(|news| news.all = true)
    }

    /// A topic is new or changed: announces it now. The number of the change, for [`Registration::is_announced`].
    pub fn topic_changed(&self, topic: &str) -> u64 {
        self.note(|news| news.add(topic))
    }

    /// The settings changed, and may name other NameServers.
    pub fn settings_changed(&self) -> u64 {
        self.list_changed.notify_one();
        self.changed()
    }

    fn note(&self, news: impl Fn(&mut News)) -> u64 {
        let name_servers = self.name_servers.lock();
        for Announcer { name_server, .. } in name_servers.iter() {
            news(&mut name_server.news.lock());
        }
        let change = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        self.update_announced(&name_servers);
        name_servers.iter().for_each(|announcer| announcer.name_server.changed.notify_one());
        change
    }

    /// Was the change announced to the NameServers that answer?
    pub fn is_announced(&self, change: u64) -> bool {
        self.announced.load(Ordering::SeqCst) >= change
    }

    /// Works out what is announced to all that are waited for. Whether that is more than before.
    pub(crate) fn update_announced(&self, name_servers: &[Announcer]) -> bool {
        let waited_for = name_servers.iter().map(|announcer| &announcer.name_server).filter(|one| one.contact().is_waited_for());
        let least = waited_for.map(|one| one.announced.load(Ordering::SeqCst)).min();
        let announced = least.unwrap_or_else(|| self.changes.load(Ordering::SeqCst));
        self.announced.swap(announced, Ordering::SeqCst) < announced
    }

    /// The NameServers that answer, or all of them if none does.
    pub(crate) fn reachable(&self) -> Vec<String> {
        let name_servers = self.name_servers.lock();
        let all = || name_servers.iter().map(|announcer| &announcer.name_server);
        let answering: Vec<String> = all().filter(|one| one.contact().is_waited_for()).map(|one| one.address.clone()).collect();
        if answering.is_empty() { all().map(|one| one.address.clone()).collect() } else { answering }
    }

    /// Waits until `count` NameServers know the broker, or `patience` is over. How many of how many know it.
    pub fn wait(&self, patience: Duration, count: usize) -> (usize, usize) {
        let known_by = |all: &Vec<Announcer>| all.iter().filter(|announcer| announcer.name_server.contact().is_registered()).count();
        let mut name_servers = self.name_servers.lock();
        self.registered.wait_while_for(&mut name_servers, |all| known_by(all) < count, patience);
        (known_by(&name_servers), count)
    }

    /// The broker is about to stop, and its NameServers perhaps too.
    pub fn about_to_stop(&self) {
        self.stops.store(true, Ordering::SeqCst);
    }
}
