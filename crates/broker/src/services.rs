//! Which services run by themselves, and how often?
//!
//! | service | every | what |
//! |---|---|---|
//! | registration | 30 s, and on each change of topics | announces the broker and its topics to NameServers |
//! | deleted topics | when a send to one was refused | asks the NameServers whether it is elsewhere |
//! | delayed messages | 50 ms, if any wait | delivers those that are due |
//! | timed messages | when the next is due, at least every second | delivers those that are due |
//! | transactions | `transactionCheckInterval` | checks back on open half messages |
//! | clearing | when the store may not delete yet | appends timed messages in the oldest part of the log again |
//! | journal | 50 ms, if there are any | syncs changes of topics, groups and request modes that no request waits for; now and then saves these tables |
//! | offsets | `flushConsumerOffsetInterval` | saves committed offsets, delivery cursors and the like |
//! | clients | 10 s | closes connections of silent clients |
//! | statistics | 10 s | samples the counters |

#![expect(clippy::disallowed_methods, reason = "services sleep by the runtime's clock, so they read that one")]

use crate::announce::elsewhere;
use crate::announce::registering;
use crate::broker::Broker;
use crate::delivery::check_back;
use crate::delivery::clearing;
use crate::delivery::delay;
use crate::delivery::timer;
use crate::saving;
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
        // A fenced broker can be read but not written: NameServers should know before producers find out one by one.
        if let Some(broker) = weak.upgrade()
            && broker.store.fenced().is_some()
            && !bites(Tooth::FenceUntold)
        {
            broker.announcements.registration.changed();
        }
    }));
    broker.pool.service(registering::run(Arc::clone(broker)));
    broker.pool.service(elsewhere::run(Arc::clone(broker)));
    let from = Instant::now();
    broker.pool.service(every(Arc::clone(broker), from, |_| delay::LOOK_PERIOD, delay::anything_waits(), delay::deliver_due));
    clearing::watch(broker);
    broker.pool.service(clearing::run(Arc::clone(broker)));
    broker.pool.service(timer::run(Arc::clone(broker)));
    broker.pool.service(check_back::run(Arc::clone(broker)));
    broker.pool.service(every(Arc::clone(broker), from, |_| JOURNAL_PERIOD, saving::needs_maintenance, saving::maintain_journal));
    let offsets_period = |broker: &Broker| Duration::from_millis(broker.config().flush_consumer_offsets_ms);
    broker.pool.service(every(Arc::clone(broker), from, offsets_period, |_| true, saving::save_offsets));
    broker.pool.service(every(Arc::clone(broker), from, |_| CLIENT_SCAN_PERIOD, |_| true, drop_silent_clients));
    broker.pool.service(every(Arc::clone(broker), from, |_| SAMPLE_PERIOD, |_| true, sample));
}

/// Works once a period, in the rounds in which there is something to do: handing work to another thread wakes that thread, and an idle
/// broker would do little else.
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
            error!("a round of a service panicked; the service goes on");
        }
    }
}

fn drop_silent_clients(broker: &Broker) {
    let patience = Duration::from_millis(broker.config().channel_expired_ms);
    for peer in broker.tables.clients.silent_for(patience, broker.clock.elapsed()) {
        peer.close();
    }
}

fn sample(broker: &Broker) {
    broker.counts.sample(&broker.clock);
}
