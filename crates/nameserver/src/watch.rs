//! What does a NameServer do by itself? It looks for silent brokers, saves which ones there are, and notifies brokers of new lowest ids.
//!
//! When a broker counts as silent is decided in `table/departure.rs`.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use roxmq_protocol::request::NotifyMinBrokerIdChange;
use roxmq_remoting::client::Client;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{debug, warn};

use crate::nameserver::NameServer;
use crate::table::MinIdChange;

/// How long notifying one broker may take, as in Java.
const NOTICE_TIMEOUT: Duration = Duration::from_millis(300);

/// Starts the thread that does so.
pub(crate) fn start_watch(
    state: Arc<NameServer>,
    scan_interval: Duration,
    mut notices: mpsc::Receiver<MinIdChange>,
    stop: Arc<Notify>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    roxmq_env::vital::spawn("nameserver-watch", move || {
        runtime.block_on(async move {
            let client = Client::new();
            #[expect(clippy::disallowed_methods, reason = "what sleeps in the runtime's time asks for that time")]
            let mut scan = tokio::time::interval_at(Instant::now() + scan_interval, scan_interval);
            scan.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.notified() => break,
                    _ = scan.tick() => state.scan(),
                    () = state.readiness.to_save() => save(&state),
                    Some(notice) = notices.recv() => notify_brokers(&client, notice),
                }
            }
            if state.readiness.is_out_of_date() {
                save(&state);
            }
        });
    })
}

fn save(state: &NameServer) {
    if let Err(error) = state.save_brokers() {
        warn!(%error, "cannot write which brokers there are: a restart will not know all of them");
    }
}

fn notify_brokers(client: &Client, notice: MinIdChange) {
    let MinIdChange { broker_name, min_id, min_addr, offline_addr, ha_addr, notified } = notice;
    let request = NotifyMinBrokerIdChange {
        min_broker_id: min_id,
        broker_name: Some(broker_name.into()),
        min_broker_addr: Some(min_addr.into()),
        offline_broker_addr: offline_addr.map(Into::into),
        ha_broker_addr: ha_addr.map(Into::into),
    };
    for addr in notified {
        let (client, request) = (client.clone(), request.clone());
        tokio::spawn(async move {
            if let Err(error) = client.call(&addr, &request, b"", NOTICE_TIMEOUT).await {
                debug!(addr, %error, "cannot notify a broker of a new lowest id");
            }
        });
    }
}
