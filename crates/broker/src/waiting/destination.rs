//! Where does a message go that has waited?

use crate::announce::topics;
use crate::broker::Broker;
use crate::names;
use crate::waiting::redraft::queue_that_is_read;
use roxmq_protocol::light::{LIGHT_QUEUE_ID, is_light};
use roxmq_protocol::properties::name;
use roxmq_protocol::record::Record;
use std::collections::BTreeMap;
use tracing::warn;

/// Where a waiting message really goes.
pub enum Destination {
    /// To this queue of this topic.
    Queue(String, u32),
    /// Nowhere: its topic was deleted, and what waits for a topic goes with it.
    Deleted(String),
    /// It does not say.
    Unsaid,
}

/// Why a message is parked that does not say where it goes.
pub const UNSAID: &str = "it does not say to which topic it goes";

/// Where a waiting message really goes, as things are now.
pub fn destination(broker: &Broker, record: &Record<'_>) -> Destination {
    let properties = record.properties();
    let Some(topic) = properties.find(name::REAL_TOPIC) else { return Destination::Unsaid };
    let queue_id = properties.find(name::REAL_QID).and_then(|queue_id| queue_id.parse().ok()).unwrap_or(0);
    match broker.tables.topics.find(topic) {
        Some(found) => Destination::Queue(topic.to_owned(), queue_that_is_read(queue_id, found.read_queue_nums)),
        // Light queues are there without being made, also while they are switched off.
        None if is_light(topic) => Destination::Queue(topic.to_owned(), LIGHT_QUEUE_ID),
        None => match topic.strip_prefix(names::RETRY_PREFIX).and_then(|group| broker.tables.groups.find(group)) {
            // Whoever consumes makes it again.
            Some(group) => {
                topics::add_retry_topic(broker, &group.group_name, group.retry_queue_nums);
                Destination::Queue(topic.to_owned(), queue_that_is_read(queue_id, group.retry_queue_nums))
            }
            None => Destination::Deleted(topic.to_owned()),
        },
    }
}

/// Messages that are dropped because their topics were deleted.
#[derive(Default)]
pub struct Dropped(BTreeMap<String, u64>);

impl Dropped {
    /// One for this topic.
    pub fn add(&mut self, topic: String) {
        *self.0.entry(topic).or_default() += 1;
    }

    /// Logs them, a line for each topic.
    pub fn log(self) {
        for (topic, messages) in self.0 {
            warn!(topic, messages, "dropped messages that waited: their topic was deleted");
        }
    }
}
