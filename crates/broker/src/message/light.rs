//! Which light queues shall a message be in besides its own, and may it? Java: `LmqDispatch`, `LmqTopicConfigManager`.
//!
//! Light queues cost nothing but their entries, so nobody makes them: they are there when a message names them. The store puts the
//! message into them; topics, groups and offsets of light queues are found like any other (`tables/topics.rs`, `tables/groups.rs`).

use crate::broker::Broker;
use crate::error::Refusal;
use crate::settings::BrokerConfig;
use roxmq_protocol::light::{allows_light, light_names, light_property_bytes};

/// Which light queues a message to the topic goes to, of those that its producer names, and how many bytes its offsets in them take.
///
/// # Errors
/// When one of them cannot be.
pub fn asked<'a>(config: &BrokerConfig, topic: &str, named: Option<&'a str>) -> Result<Option<(&'a str, usize)>, Refusal> {
    let Some(named) = named.filter(|_| config.serves_light_queues() && allows_light(topic)) else { return Ok(None) };
    let count = light_names(named).map_err(|error| Refusal::Message(error.to_string()))?.count();
    Ok((count > 0).then_some((named, light_property_bytes(count))))
}

/// Has a place for these light queues.
///
/// # Errors
/// When there would be too many.
pub fn reserve(broker: &Broker, config: &BrokerConfig, named: &[&str]) -> Result<(), Refusal> {
    if named.is_empty() {
        return Ok(());
    }
    let names = named.iter().filter_map(|names| light_names(names).ok()).flatten();
    let max = if config.light_queues_quota { config.light_queues_max as usize } else { WITHOUT_QUOTA_MAX };
    let reserved = broker.store.reserve_light_queues(names, max);
    reserved.map_err(|full| Refusal::Failed(format!("[LMQ_CONSUME_QUEUE_NUM_EXCEEDED] {full} (enableLmqQuota, maxLmqConsumeQueueNum)")))
}

/// Light queues where no quota is set: half a gigabyte of memory. Java has no limit then.
const WITHOUT_QUOTA_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests;
