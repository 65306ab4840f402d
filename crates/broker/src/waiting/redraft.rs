//! What of a message is written again when it goes from one queue to another?

use crate::waiting::timer::times::ORIGIN;
use roxmq_protocol::properties::{PropertiesBuf, name};
use roxmq_protocol::record::{Draft, Record};
use std::net::SocketAddr;

/// The property string of a message that waits elsewhere: it says where it really goes.
pub fn waiting_properties(properties: &str, topic: &str, queue_id: u32) -> String {
    let mut waiting = PropertiesBuf::from_text(properties);
    waiting.set(name::REAL_TOPIC, topic).set(name::REAL_QID, &queue_id.to_string());
    // That one is the broker's to give.
    waiting.remove(ORIGIN);
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

/// The topic may have fewer queues than when the message was sent: nobody would read what goes to the others.
pub fn queue_that_is_read(queue_id: u32, queues: i32) -> u32 {
    match u32::try_from(queues) {
        Ok(queues) if queues > 0 => queue_id % queues,
        _ => queue_id,
    }
}

/// The property string of a message that waits for a time.
pub fn timed_properties(properties: &str, topic: &str, queue_id: u32, due_ms: i64) -> String {
    let mut waiting = PropertiesBuf::from_text(&waiting_properties(properties, topic, queue_id));
    waiting.set(name::TIMER_OUT_MS, &due_ms.to_string());
    waiting.into_string()
}
