use crate::broker::Broker;
use crate::error::Refusal;
use crate::names;
use crate::saving;
use crate::settings::{BrokerConfig, FlushDiskType};
use crate::testing::{self, NOW_MS, QUEUE, TOPIC, delivered, try_open, try_put};
use crate::waiting::delay::levels::DelayLevel;
use crate::waiting::redraft;
use roxmq_env::clock::Clock;
use roxmq_env::disk::{Fault, SimDisk};
use std::time::Duration;

/// Sends and delivers until the power goes; `sent` has the acknowledged messages.
fn run(broker: &Broker, clock: &Clock, sent: &mut Vec<String>) -> Result<(), Refusal> {
    for n in 0..4 {
        for (level, body) in [(1, format!("{n} first")), (2, format!("{n} second")), (1, format!("{n} third"))] {
            let properties = redraft::waiting_properties(&format!("DELAY\u{1}{level}\u{2}"), TOPIC, QUEUE);
            try_put(broker, names::DELAY_TOPIC, DelayLevel(level).queue_id(), &properties, &body)?;
            sent.push(body);
            clock.advance(Duration::from_millis(400));
            crate::delivery::delay::deliver_due(broker);
        }
        if n % 2 == 0 {
            saving::save_tables(broker);
        }
        broker.store.tick();
    }
    Ok(())
}

/// Cuts the power at operation `at`, or nowhere. Every acknowledged message is delivered once, with or without the file.
fn cut_at(at: Option<u64>, file: &str) -> u64 {
    let (sim, clock) = (SimDisk::new(at.unwrap_or(0)), Clock::manual(NOW_MS));
    let config = BrokerConfig { flush_disk_type: FlushDiskType::SyncFlush, ..testing::config() };
    if let Some(at) = at {
        sim.fail_at(at, Fault::PowerCut);
    }
    let mut sent = Vec::new();
    if let Ok(broker) = try_open(&sim.disk(), &clock, config.clone()) {
        let done = run(&broker, &clock, &mut sent);
        assert!(done.is_ok() || at.is_some());
    }
    let operations = sim.operations();
    sim.crash();
    if file == "lost" {
        let _ = sim.disk().remove(&config.store_root.join("config/delayOffset.json"));
    }
    let broker = try_open(&sim.disk(), &clock, config).unwrap();
    clock.advance(Duration::from_secs(10));
    crate::delivery::delay::deliver_due(&broker);
    let mut there = delivered(&broker);
    there.sort();
    let unacknowledged = there.len().saturating_sub(sent.len());
    there.dedup();
    assert!(sent.iter().all(|body| there.contains(body)), "cut at {at:?}, file {file}: {sent:?} became {there:?}");
    assert!(unacknowledged <= 1 && there.len() == sent.len() + unacknowledged, "cut at {at:?}, file {file}: {sent:?} became {there:?}");
    operations
}

#[test]
fn delivered_once_wherever_the_power_goes() {
    for file in ["as it is", "lost"] {
        for at in 0..cut_at(None, file) {
            cut_at(Some(at), file);
        }
    }
}
