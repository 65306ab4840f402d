//! Which routes of topics on all brokers were read lately?

use parking_lot::Mutex;
use roxmq_protocol::body::MessageQueue;
use std::collections::HashMap;
use std::time::Duration;

/// Topics whose routes are kept; when there are more, all are read again.
const ROUTES_MAX: usize = 10_000;

/// The routes that were read lately.
#[derive(Default)]
pub struct KnownRoutes(Mutex<HashMap<String, Route>>);

struct Route {
    queues: Vec<MessageQueue>,
    read_at: Duration,
}

impl KnownRoutes {
    /// The queues of a topic, if its route was read no longer ago.
    pub fn known(&self, topic: &str, not_before: Duration) -> Option<Vec<MessageQueue>> {
        self.0.lock().get(topic).filter(|route| route.read_at >= not_before).map(|route| route.queues.clone())
    }

    /// Notes the queues of a topic.
    pub fn note(&self, topic: &str, queues: Vec<MessageQueue>, read_at: Duration) {
        let mut routes = self.0.lock();
        if routes.len() >= ROUTES_MAX && !routes.contains_key(topic) {
            routes.clear();
        }
        routes.insert(topic.to_owned(), Route { queues, read_at });
    }

    /// There is no such topic any more.
    pub fn forget(&self, topic: &str) {
        self.0.lock().remove(topic);
    }
}
