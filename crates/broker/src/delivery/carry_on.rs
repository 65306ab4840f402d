//! How does a message leave the queue in which it has waited?
//!
//! ```text
//! its topic is there      ──► its queue, or rmq_sys_parked if no record can hold it
//! its topic was deleted   ──► nowhere: what waits for a topic goes with it
//! it names no topic       ──► rmq_sys_parked
//! ```

use crate::announce::topics;
use crate::broker::Broker;
use crate::delivery::parking::{self, Parked};
use crate::names::{self, PARKING_TOPIC};
use crate::waiting::redraft::{queue_that_is_read, real_queue_id, redelivered};
use roxmq_protocol::light::{LIGHT_QUEUE_ID, is_light};
use roxmq_protocol::properties::name;
use roxmq_protocol::record::Record;
use roxmq_store::Batch;
use std::collections::BTreeMap;
use tracing::warn;

/// Why a message is parked that names no topic.
pub const NO_TOPIC: &str = "it does not say to which topic it goes";

/// Messages of a batch that do not reach their topics. They are logged once the batch is stored.
#[derive(Default)]
#[must_use = "they are logged once the batch is stored"]
pub struct Undelivered {
    parked: Vec<Parked>,
    /// How many were dropped, by deleted topic.
    dropped: BTreeMap<String, u64>,
}

impl Undelivered {
    /// Logs them: a line for each parked message, and one for each deleted topic.
    pub fn log(self, broker: &Broker) {
        parking::log(broker, self.parked);
        for (topic, messages) in self.dropped {
            warn!(topic, messages, "dropped messages that waited for a deleted topic");
        }
    }
}

/// Pushes what becomes of a message that has waited; consumers see it with `properties`.
pub fn carry_on(broker: &Broker, record: &Record<'_>, properties: &str, batch: &mut Batch, undelivered: &mut Undelivered) {
    match destination(broker, record) {
        Destination::Queue(topic, queue_id) => {
            let draft = redelivered(record, broker.identity.advertised, topic, queue_id, properties);
            undelivered.parked.extend(parking::push(broker, record, draft, batch));
        }
        Destination::Deleted(topic) => *undelivered.dropped.entry(topic.to_owned()).or_default() += 1,
        Destination::Unsaid => undelivered.parked.push(parking::park(broker, record, PARKING_TOPIC, NO_TOPIC, batch)),
    }
}

/// Where a waiting message goes.
enum Destination<'a> {
    /// To this queue of this topic.
    Queue(&'a str, u32),
    /// Nowhere: this topic was deleted.
    Deleted(&'a str),
    /// It names no topic.
    Unsaid,
}

/// Where a waiting message goes, as topics and groups are now.
fn destination<'a>(broker: &Broker, record: &Record<'a>) -> Destination<'a> {
    let properties = record.properties();
    let Some(topic) = properties.find(name::REAL_TOPIC) else { return Destination::Unsaid };
    let queue_id = real_queue_id(properties);
    match broker.tables.topics.find(topic) {
        Some(found) => Destination::Queue(topic, queue_that_is_read(queue_id, found.read_queue_nums)),
        // Light queues need no topic in the table, even while they are switched off.
        None if is_light(topic) => Destination::Queue(topic, LIGHT_QUEUE_ID),
        None => match topic.strip_prefix(names::RETRY_PREFIX).and_then(|group| broker.tables.groups.find(group)) {
            // A group that is there needs its retry topic: it is made again.
            Some(group) => {
                topics::add_retry_topic(broker, &group.group_name, group.retry_queue_nums);
                Destination::Queue(topic, queue_that_is_read(queue_id, group.retry_queue_nums))
            }
            None => Destination::Deleted(topic),
        },
    }
}
