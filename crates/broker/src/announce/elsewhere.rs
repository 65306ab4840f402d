//! Is a topic that was deleted here still on other brokers?
//!
//! While it is, producers send to this one as long as their routes are old, and must not make it again by that: they are refused, and
//! their clients go on to the others. Once it is nowhere, a send makes it as it makes every topic whose name is new.

use crate::announce::route::Found;
use crate::broker::Broker;
use std::sync::Arc;
use std::time::Duration;

/// How long a deletion waits for the NameServers' word.
const PATIENCE: Duration = Duration::from_millis(100);
/// How soon they are asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks about topics that were deleted, for as long as the broker lives.
pub async fn run(broker: Arc<Broker>) {
    loop {
        for topic in broker.tables.deleted.to_ask().await {
            if !is_elsewhere(&broker, &topic).await {
                broker.tables.deleted.forget(&topic);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Is the topic on other brokers, as far as can be found out in a moment? Waits for the NameServers.
pub fn may_be_elsewhere(broker: &Broker, topic: &str) -> bool {
    broker.pool.block_on(async { tokio::time::timeout(PATIENCE, is_elsewhere(broker, topic)).await }).unwrap_or(true)
}

async fn is_elsewhere(broker: &Broker, topic: &str) -> bool {
    let config = broker.config();
    if config.namesrv_addr.is_empty() {
        return false;
    }
    match broker.announce.registration.route(topic).await {
        Found::Route(route) => route.queue_datas.iter().any(|queues| queues.broker_name != config.broker_name),
        Found::Nowhere => false,
        Found::NoAnswer => true,
    }
}
