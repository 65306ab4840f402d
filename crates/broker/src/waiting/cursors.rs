//! How far was it delivered, whatever happened? A mark, appended with what it speaks of as one whole batch.
//!
//! ```text
//! one append:  [mark: "from here on nothing is delivered"] [message] [message] ...
//! ```
//!
//! A mark is a record of `rmq_sys_delivery_marks`. For a delay level its body is the next position in decimal digits, and the newest one
//! counts; for timers it names each message (`timer/waiting.rs`); a third kind counts the checks of half messages (`transaction/checks.rs`).
//! Marks and messages are in the log together or not at all, so after a crash nothing is delivered twice or left out. Files that repeat
//! the positions matter only when retention has taken the marks away. Java has nothing like it and delivers again.

use crate::broker::Broker;
use crate::names::MARKS_TOPIC;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::{Draft, DraftError, records};
use roxmq_protocol::time::Timestamp;
use roxmq_store::{Batch, Patience, ReadLimits, Store};

/// Marks of delay levels are in the queues below, each in the queue of its level; those of others from here on.
pub const OTHERS_FROM_QUEUE: u32 = 100;

/// Begins a batch with the mark of what is delivered by it. For a delay level that is the next offset, in digits.
///
/// # Errors
/// None that a mark can have.
pub fn begin(broker: &Broker, queue_id: u32, said: &str, batch: &mut Batch) -> Result<(), DraftError> {
    batch.clear();
    batch.push(draft(broker, queue_id, said.as_bytes()))?;
    Ok(())
}

/// A mark that says this.
pub fn draft<'a>(broker: &Broker, queue_id: u32, said: &'a [u8]) -> Draft<'a> {
    Draft {
        topic: MARKS_TOPIC,
        queue_id,
        flag: 0,
        sys_flag: 0,
        born_timestamp: Timestamp(broker.clock.now_ms()),
        born_host: broker.identity.advertised,
        store_host: broker.identity.advertised,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: said,
        properties: "",
    }
}

/// What the newest mark of a queue says, if there is one.
pub fn newest(store: &Store, queue_id: u32) -> Option<i64> {
    let (min, max) = store.bounds(MARKS_TOPIC, queue_id)?;
    // A damaged one is passed over: the one before it is behind, which costs a repetition, not a message.
    (min.0..max.0).rev().take(DAMAGED_MAX).find_map(|offset| {
        let mut bytes = Vec::new();
        store.read(MARKS_TOPIC, queue_id, QueueOffset(offset), ONE, &mut |_| true, &mut bytes);
        let record = records(&bytes).next()?.ok().filter(|record| record.queue_offset.0 == offset)?;
        std::str::from_utf8(record.body).ok()?.parse().ok()
    })
}

const ONE: ReadLimits = ReadLimits { messages_max: 1, bytes_max: 1024, scan_max: 1, patience: Patience::WaitForDisk };
/// Looked through for a sound mark.
const DAMAGED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use crate::broker::Broker;
    use crate::error::Refusal;
    use crate::names;
    use crate::saving;
    use crate::settings::{BrokerConfig, FlushDiskType};
    use crate::testing::{self, NOW_MS, QUEUE, TOPIC, delivered, try_open, try_put};
    use crate::waiting::delay;
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::{Fault, SimDisk};
    use std::time::Duration;

    /// Sends and delivers until the power goes; what was acknowledged is in `sent`.
    fn run(broker: &Broker, clock: &Clock, sent: &mut Vec<String>) -> Result<(), Refusal> {
        for n in 0..4 {
            for (level, body) in [(1, format!("{n} first")), (2, format!("{n} second")), (1, format!("{n} third"))] {
                let properties = delay::waiting_properties(&format!("DELAY\u{1}{level}\u{2}"), TOPIC, QUEUE);
                try_put(broker, names::DELAY_TOPIC, delay::queue_of(level), &properties, &body)?;
                sent.push(body);
                clock.advance(Duration::from_millis(400));
                delay::deliver_due(broker);
            }
            if n % 2 == 0 {
                saving::save_tables(broker);
            }
            broker.store.tick();
        }
        Ok(())
    }

    /// Cuts the power at operation `at`, or nowhere; everything acknowledged is delivered once, whatever became of the file.
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
        delay::deliver_due(&broker);
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
}
