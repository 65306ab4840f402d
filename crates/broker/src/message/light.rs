//! Which light queues should a message be in besides its own queue, and may it? Java: `LmqDispatch`, `LmqTopicConfigManager`.
//!
//! Light queues cost nothing but their entries. They need not be created: they exist as soon as a message names them. The store puts the
//! message into them; topics, groups and offsets of light queues are found like any other (`tables/topics.rs`, `tables/groups.rs`).

use crate::error::Refusal;
use crate::settings::BrokerConfig;
use roxmq_protocol::light::{allows_light, light_names, light_property_bytes};
use roxmq_store::Store;

/// The light queues that a message to the topic goes to, of those that its producer names, and the bytes that its offsets in them take.
///
/// # Errors
/// When one of the names is not that of a light queue.
pub fn asked<'a>(config: &BrokerConfig, topic: &str, named: Option<&'a str>) -> Result<Option<(&'a str, usize)>, Refusal> {
    let Some(named) = named.filter(|_| config.serves_light_queues() && allows_light(topic)) else { return Ok(None) };
    let count = light_names(named).map_err(|error| Refusal::Message(error.to_string()))?.count();
    Ok((count > 0).then_some((named, light_property_bytes(count))))
}

/// Reserves a place for these light queues.
///
/// # Errors
/// When there would be too many.
pub fn reserve(store: &Store, config: &BrokerConfig, named: &[&str]) -> Result<(), Refusal> {
    if named.is_empty() {
        return Ok(());
    }
    let names = named.iter().filter_map(|names| light_names(names).ok()).flatten();
    let max = if config.light_queues_quota { config.light_queues_max as usize } else { WITHOUT_QUOTA_MAX };
    let reserved = store.reserve_light_queues(names, max);
    reserved.map_err(|full| Refusal::Failed(format!("[LMQ_CONSUME_QUEUE_NUM_EXCEEDED] {full} (enableLmqQuota, maxLmqConsumeQueueNum)")))
}

/// Light queues at most when there is no quota: half a gigabyte of memory. Java has no limit.
const WITHOUT_QUOTA_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests;
