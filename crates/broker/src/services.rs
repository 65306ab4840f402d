//! What runs by itself.
//!
//! | service | every | what |
//! |---|---|---|
//! | registration | 30 s, and on each change of topics | tells the NameServers |
//! | delayed messages | 50 ms | delivers what is due |
//! | transactions | `transactionCheckInterval` | asks producers about open half messages |
//! | tables | 50 ms for topics and groups, `flushConsumerOffsetInterval` for offsets | writes those that changed |
//! | clients | 10 s | drops clients that went silent |
//! | statistics | 10 s | takes the samples |

use crate::{Broker, delay, registration, transaction};
use std::sync::Arc;
use std::time::Duration;
use tracing::error;

const TABLES_PERIOD: Duration = Duration::from_millis(50);
const CLIENT_SCAN_PERIOD: Duration = Duration::from_secs(10);
const SAMPLE_PERIOD: Duration = Duration::from_secs(10);

/// Starts them all.
pub fn start(broker: &Arc<Broker>) {
    broker.pool.service(registration::run(Arc::clone(broker)));
    broker.pool.service(delay::run(Arc::clone(broker)));
    broker.pool.service(transaction::run(Arc::clone(broker)));
    broker.pool.service(every(Arc::clone(broker), |_| TABLES_PERIOD, save_topics_and_groups));
    let offsets_period = |broker: &Broker| Duration::from_millis(broker.config().flush_consumer_offsets_ms);
    broker.pool.service(every(Arc::clone(broker), offsets_period, save_offsets));
    broker.pool.service(every(Arc::clone(broker), |_| CLIENT_SCAN_PERIOD, drop_silent_clients));
    broker.pool.service(every(Arc::clone(broker), |_| SAMPLE_PERIOD, sample));
}

async fn every(broker: Arc<Broker>, period: fn(&Broker) -> Duration, work: fn(&Broker)) {
    loop {
        tokio::time::sleep(period(&broker)).await;
        let working = Arc::clone(&broker);
        // A panic in one round is logged by the runtime; the next round tries again.
        let _ = tokio::task::spawn_blocking(move || work(&working)).await;
    }
}

/// Writes every table that changed.
pub fn save_tables(broker: &Broker) {
    save_topics_and_groups(broker);
    save_offsets(broker);
}

fn save_topics_and_groups(broker: &Broker) {
    for saved in [broker.topics.save(), broker.groups.save()] {
        if let Err(error) = saved {
            error!(%error, "a table could not be written; it is tried again");
        }
    }
}

fn save_offsets(broker: &Broker) {
    for saved in [broker.offsets.save(&broker.store), broker.delayed.save(&broker.store), broker.transactions.save(&broker.store)] {
        if let Err(error) = saved {
            error!(%error, "the offsets could not be written; it is tried again");
        }
    }
}

fn drop_silent_clients(broker: &Broker) {
    let before = broker.clock.now_ms() - broker.config().channel_expired_ms as i64;
    for peer in broker.clients.silent_since(before) {
        peer.close();
    }
}

fn sample(broker: &Broker) {
    broker.statistics.sample(broker.clock.elapsed());
    broker.figures.sample(&broker.clock);
}
