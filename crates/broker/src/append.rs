//! How does the broker append messages of its own making?

use crate::broker::Broker;
use crate::confirm::Kept;
use crate::error::Refusal;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::record::Draft;
use roxmq_protocol::time::Timestamp;
use roxmq_store::Batch;
use std::time::Duration;

impl Broker {
    /// A record of the broker's own for a queue of a system topic.
    pub fn own<'a>(&self, topic: &'a str, queue_id: u32, body: &'a [u8], properties: &'a str) -> Draft<'a> {
        Draft::own(topic, queue_id, self.identity.advertised, Timestamp(self.clock.now_ms()), body, properties)
    }

    /// Appends messages of the broker's own making, waits until they are as durable as the settings ask for, and tells who waits for
    /// them. Not for a shard's thread, and not under a lock that others wait for.
    pub fn append_own(&self, batch: &mut Batch) -> Result<(), Refusal> {
        self.put_own(batch)?;
        self.settle(batch).in_time()
    }

    /// As [`Broker::append_own`], and after a crash all of them are there or none. An error means that nothing was appended; what was
    /// must not be appended again, even if it was not durable in time.
    pub fn append_whole(&self, batch: &mut Batch) -> Result<Kept, Refusal> {
        self.put_whole(batch)?;
        Ok(self.settle(batch))
    }

    /// The first half of [`Broker::append_own`], which does not wait.
    pub fn put_own(&self, batch: &mut Batch) -> Result<(), Refusal> {
        self.store.append(batch).map_err(Refusal::from)
    }

    /// The first half of [`Broker::append_whole`], which does not wait.
    pub fn put_whole(&self, batch: &mut Batch) -> Result<(), Refusal> {
        // Only in segments that hold hardly more than the longest message can it be too long.
        if batch.bytes() <= self.store.record_bytes_max() {
            batch.make_atomic();
        }
        self.put_own(batch)
    }

    /// The second half: waits until what was appended is as durable as the settings ask for, and tells who waits for it.
    pub fn settle(&self, batch: &Batch) -> Kept {
        let Some(last) = batch.len().checked_sub(1) else { return Kept::Durable };
        let kept = self.wait_durable(batch.placed(last).end);
        batch.queues().for_each(|(topic, queue_id)| self.doors.notify(topic, queue_id));
        kept
    }

    /// Waits until everything before `end` is as durable as the settings ask for.
    pub fn wait_durable(&self, end: LogOffset) -> Kept {
        let timeout = Duration::from_millis(self.config().sync_flush_timeout_ms);
        match self.flushed.wait(&self.store, end, timeout) {
            true => Kept::Durable,
            false => self.store.fenced().map_or(Kept::NotInTime, Kept::Fenced),
        }
    }
}
