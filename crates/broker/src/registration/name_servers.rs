//! Which changes were announced to which NameServers?
//!
//! An answer about a new topic waits until the NameServers know the topic, but only for those that answer. A NameServer that did not
//! answer last time, or that takes longer than [`PATIENCE`], is not waited for until it answers again.

use parking_lot::{Condvar, Mutex};
use roxmq_remoting::CallError;
use roxmq_remoting::client::Client;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::{info, warn};

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
    registered: Condvar,
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
    contact: Mutex<Contact>,
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

/// What came of an announcement.
pub(crate) enum Outcome {
    /// So many changes are announced.
    Announced(u64),
    Failed(CallError),
    /// It takes longer than [`PATIENCE`].
    Late,
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

    /// Notes what came of an announcement. Whether more is announced to all that are waited for than before.
    pub(crate) fn record(&self, name_server: &NameServer, outcome: Outcome) -> bool {
        let name_servers = self.name_servers.lock();
        let before = name_server.contact();
        let now = match outcome {
            Outcome::Announced(changes) => {
                name_server.announced.store(changes, Ordering::SeqCst);
                if !before.is_registered() {
                    info!(name_server = name_server.address, "registered");
                }
                Contact::Registered
            }
            Outcome::Failed(error) => {
                if before != Contact::Failing && !self.stops.load(Ordering::SeqCst) {
                    warn!(name_server = name_server.address, %error, "the NameServer does not answer; retrying");
                }
                Contact::Failing
            }
            Outcome::Late if before == Contact::Failing => Contact::Failing,
            Outcome::Late => Contact::Slow { was_registered: before.is_registered() },
        };
        *name_server.contact.lock() = now;
        if now == Contact::Registered {
            self.registered.notify_all();
        }
        self.update_announced(&name_servers)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn with_name_servers(count: usize, contact: Contact) -> (Registration, Vec<Arc<NameServer>>) {
        let registration = Registration::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let all: Vec<_> = (0..count).map(|number| Arc::new(NameServer::new(format!("n{number}"), contact))).collect();
        for name_server in &all {
            let task = runtime.spawn(async {});
            registration.name_servers.lock().push(Announcer { name_server: Arc::clone(name_server), task });
        }
        (registration, all)
    }

    fn failed() -> Outcome {
        Outcome::Failed(CallError::Refused { code: 1, remark: String::new() })
    }

    #[test]
    fn a_change_is_announced_when_all_that_answer_know_it() {
        let (registration, all) = with_name_servers(2, Contact::Starting);
        let change = registration.topic_changed("T");
        assert!(!registration.is_announced(change), "at the start all are waited for");
        assert!(!registration.record(&all[0], Outcome::Announced(change)));
        assert!(registration.record(&all[1], Outcome::Late), "one that is late is not waited for");
        assert!(registration.is_announced(change));
        registration.record(&all[1], Outcome::Announced(change));
        let next = registration.changed();
        registration.record(&all[0], Outcome::Announced(next));
        assert!(!registration.is_announced(next), "it answers again, so it is waited for again");
        registration.record(&all[1], failed());
        assert!(registration.is_announced(next));
    }

    #[test]
    fn what_an_attempt_shows_of_a_name_server() {
        let slow = |was_registered| Contact::Slow { was_registered };
        for (before, outcome, now) in [
            (Contact::Starting, Outcome::Late, slow(false)),
            (Contact::Starting, Outcome::Announced(0), Contact::Registered),
            (Contact::Added, failed(), Contact::Failing),
            (Contact::Registered, Outcome::Late, slow(true)),
            (slow(true), Outcome::Late, slow(true)),
            (slow(true), failed(), Contact::Failing),
            (Contact::Failing, Outcome::Late, Contact::Failing),
            (Contact::Failing, Outcome::Announced(0), Contact::Registered),
        ] {
            let (registration, all) = with_name_servers(1, before);
            registration.record(&all[0], outcome);
            assert_eq!(all[0].contact(), now, "after {before:?}");
        }
    }
}
