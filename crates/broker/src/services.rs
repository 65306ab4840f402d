//! What runs by itself.
//!
//! | service | every | what |
//! |---|---|---|
//! | registration | 30 s, and on each change of topics | tells the NameServers |
//! | deleted topics | when a send to one was refused | asks the NameServers whether it is elsewhere |
//! | delayed messages | 50 ms, if any wait | delivers what is due |
//! | timed messages | when the next is due, at least every second | delivers what is due |
//! | transactions | `transactionCheckInterval` | asks producers about open half messages |
//! | deletions | when the store may not delete yet | stores timed messages again that lie in the oldest part of the log |
//! | journal | 50 ms, if there are any | writes changes of topics, groups and request modes that nobody waits for, and saves these tables now and then |
//! | offsets | `flushConsumerOffsetInterval` | writes the tables that say how far something has come |
//! | clients | 10 s | drops clients that went silent |
//! | statistics | 10 s | takes the samples |

#![expect(clippy::disallowed_methods, reason = "what sleeps in the runtime's time asks for that time")]

use crate::announce::elsewhere;
use crate::announce::registering;
use crate::broker::Broker;
use crate::saving;
use crate::waiting::delay::deliver as delay;
use crate::waiting::preparing;
use crate::waiting::timer::deliver as timer;
use crate::waiting::transaction::check_back;
use roxmq_env::teeth::{Tooth, bites};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::error;

const JOURNAL_PERIOD: Duration = Duration::from_millis(50);
const CLIENT_SCAN_PERIOD: Duration = Duration::from_secs(10);
const SAMPLE_PERIOD: Duration = Duration::from_secs(10);

/// Starts them all.
pub fn start(broker: &Arc<Broker>) {
    let weak = Arc::downgrade(broker);
    broker.store.wake_when_flushed(Arc::new(move || {
        // A fenced broker can be read but not written: NameServers shall say so before producers find out one by one.
        if let Some(broker) = weak.upgrade()
            && broker.store.fenced().is_some()
            && !bites(Tooth::FenceUntold)
        {
            broker.announce.registration.changed();
        }
    }));
    broker.pool.service(registering::run(Arc::clone(broker)));
    broker.pool.service(elsewhere::run(Arc::clone(broker)));
    let from = Instant::now();
    broker.pool.service(every(Arc::clone(broker), from, |_| delay::LOOK_PERIOD, delay::anything_waits(), delay::deliver_due));
    preparing::watch(broker);
    broker.pool.service(preparing::run(Arc::clone(broker)));
    broker.pool.service(timer::run(Arc::clone(broker)));
    broker.pool.service(check_back::run(Arc::clone(broker)));
    broker.pool.service(every(Arc::clone(broker), from, |_| JOURNAL_PERIOD, saving::wants_tending, saving::tend_journal));
    let offsets_period = |broker: &Broker| Duration::from_millis(broker.config().flush_consumer_offsets_ms);
    broker.pool.service(every(Arc::clone(broker), from, offsets_period, |_| true, saving::save_offsets));
    broker.pool.service(every(Arc::clone(broker), from, |_| CLIENT_SCAN_PERIOD, |_| true, drop_silent_clients));
    broker.pool.service(every(Arc::clone(broker), from, |_| SAMPLE_PERIOD, |_| true, sample));
}

/// Works now and then, in rounds in which there is something to do: handing work to another thread wakes it up, and an idle broker would
/// do little else.
///
/// Services of one period begin their rounds together, counted from `from`, so that the thread is woken once for all of them.
async fn every(
    broker: Arc<Broker>,
    from: Instant,
    period: fn(&Broker) -> Duration,
    mut is_due: impl FnMut(&Broker) -> bool,
    work: fn(&Broker),
) {
    loop {
        let (now, period) = (Instant::now(), period(&broker));
        let into_round = (now - from).as_nanos() % period.as_nanos().max(1);
        tokio::time::sleep_until(now + period - Duration::from_nanos(into_round as u64)).await;
        if !is_due(&broker) {
            continue;
        }
        let working = Arc::clone(&broker);
        // A panic costs this round; the next one tries again.
        if tokio::task::spawn_blocking(move || work(&working)).await.is_err() {
            error!("a round of a service failed inside the broker; it goes on");
        }
    }
}

fn drop_silent_clients(broker: &Broker) {
    let before = broker.clock.elapsed().as_millis() as i64 - broker.config().channel_expired_ms as i64;
    for peer in broker.tables.clients.silent_since(before) {
        peer.close();
    }
}

fn sample(broker: &Broker) {
    broker.counts.sample(&broker.clock);
}
