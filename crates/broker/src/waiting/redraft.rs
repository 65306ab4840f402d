//! Which parts of a message change when it goes from one queue to another?

use crate::waiting::timer::times::ORIGIN;
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, Properties, PropertiesBuf, name};
use roxmq_protocol::record::{Draft, Record};
use roxmq_protocol::time::Timestamp;
use std::net::SocketAddr;

/// The properties of a message that waits in a system topic: they say where it goes afterwards.
pub fn waiting_properties(properties: &str, topic: &str, queue_id: u32) -> String {
    let mut waiting = PropertiesBuf::from_text(properties);
    waiting.set(name::REAL_TOPIC, topic).set(name::REAL_QID, &queue_id.to_string());
    // Only the broker sets it.
    waiting.remove(ORIGIN);
    waiting.into_string()
}

/// The properties of a message that waits for a time of its own.
pub fn timed_properties(properties: &str, topic: &str, queue_id: u32, due: Timestamp) -> String {
    let mut waiting = PropertiesBuf::from_text(&waiting_properties(properties, topic, queue_id));
    waiting.set(name::TIMER_OUT_MS, &due.to_string());
    waiting.into_string()
}

/// The same message for another queue.
pub fn redelivered<'a>(record: &Record<'a>, store_host: SocketAddr, topic: &'a str, queue_id: u32, properties: &'a str) -> Draft<'a> {
    Draft {
        topic,
        queue_id,
        flag: record.flag,
        sys_flag: record.sys_flag,
        born_timestamp: record.born_timestamp,
        born_host: record.born_host,
        store_host,
        reconsume_times: record.reconsume_times,
        prepared_transaction_offset: record.prepared_transaction_offset,
        body: record.body,
        properties,
    }
}

/// The queue that a waiting message names; the first if it names none.
pub fn real_queue_id(properties: Properties<'_>) -> u32 {
    properties.find(name::REAL_QID).and_then(|queue_id| queue_id.parse().ok()).unwrap_or(0)
}

/// A queue that consumers read: the topic may have fewer queues now than when the message was sent.
pub fn queue_that_is_read(queue_id: u32, queues: i32) -> u32 {
    match u32::try_from(queues) {
        Ok(queues) if queues > 0 => queue_id % queues,
        _ => queue_id,
    }
}

/// Properties of a message that is dead-lettered although its consumer has sent it to the retry topic.
///
/// Where there is no room for all of them, those go first that clients and brokers have added since its first send.
pub fn dead_letter_properties(stored: &str) -> String {
    let mut properties = PropertiesBuf::from_text(stored);
    properties.set(name::DELAY, "-1");
    let added = [name::WAIT, name::RECONSUME_TIME, name::MAX_RECONSUME_TIMES, name::TRACE_ON, name::MSG_REGION, name::CLUSTER, name::DELAY];
    for name in added {
        if properties.as_str().len() > PROPERTIES_BYTES_MAX {
            properties.remove(name);
        }
    }
    properties.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_waits_for_no_level() {
        let laid = dead_letter_properties("UNIQ_KEY\u{1}id\u{2}DELAY\u{1}5\u{2}");
        assert_eq!(Properties::new(&laid).find(name::DELAY), Some("-1"));
        assert_eq!(Properties::new(&laid).find(name::UNIQ_KEY), Some("id"));
    }
}
