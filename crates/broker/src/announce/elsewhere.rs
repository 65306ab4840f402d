//! Is a topic that was deleted here still on other brokers?
//!
//! While it is, producers with an old route still send to this broker. Such a send must not make the topic again: it is refused, and the
//! client goes on to the other brokers. Once the topic is nowhere, a send makes it like any topic with a new name.

use crate::announce::route::{self, Found};
use crate::broker::Broker;
use std::sync::Arc;
use std::time::Duration;

/// How long a deletion waits for the NameServers.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long to wait before they are asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks about deleted topics for as long as the broker lives.
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

/// Is the topic on other brokers, as far as the NameServers say at once? Blocks.
pub fn may_be_elsewhere(broker: &Broker, topic: &str) -> bool {
    broker.pool.block_on(async { tokio::time::timeout(PATIENCE, is_elsewhere(broker, topic)).await }).unwrap_or(true)
}

async fn is_elsewhere(broker: &Broker, topic: &str) -> bool {
    let config = broker.config();
    if config.namesrv_addr.is_empty() {
        return false;
    }
    match route::ask(broker, topic).await {
        Found::Route(route) => route.queue_datas.iter().any(|queues| queues.broker_name != config.broker_name),
        Found::Nowhere => false,
        Found::NoAnswer => true,
    }
}
