//! How does the broker append messages of its own?

use crate::broker::Broker;
use crate::confirm::Confirmation;
use crate::error::Refusal;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::record::Draft;
use roxmq_protocol::time::Timestamp;
use roxmq_store::Batch;
use std::time::Duration;

impl Broker {
    /// A record of the broker's own for a queue of a system topic.
    pub fn system_draft<'a>(&self, topic: &'a str, queue_id: u32, body: &'a [u8], properties: &'a str) -> Draft<'a> {
        Draft::own(topic, queue_id, self.identity.advertised, Timestamp(self.clock.now_ms()), body, properties)
    }

    /// Appends the messages, waits until they are confirmed, and notifies the pulls that are held for them. It blocks: never call it on a
    /// shard's thread, or under a lock that others wait for.
    pub fn append_and_confirm(&self, batch: &mut Batch) -> Result<(), Refusal> {
        self.append(batch)?;
        self.confirm(batch).into_result()
    }

    /// Appends the messages without waiting. An error means that nothing was appended.
    pub fn append(&self, batch: &mut Batch) -> Result<(), Refusal> {
        self.store.append(batch).map_err(Refusal::from)
    }

    /// As [`Broker::append`], as an atomic batch. Once it succeeds, the messages must not be appended again, even if they are not
    /// confirmed in time.
    pub fn append_atomic(&self, batch: &mut Batch) -> Result<(), Refusal> {
        // A batch is too large for this only where a segment holds little more than the longest message.
        if batch.bytes() <= self.store.record_bytes_max() {
            batch.make_atomic();
        }
        self.append(batch)
    }

    /// Waits until the appended batch is confirmed, and notifies the pulls that are held for it.
    pub fn confirm(&self, batch: &Batch) -> Confirmation {
        let Some(last) = batch.len().checked_sub(1) else { return Confirmation::Confirmed };
        let confirmation = self.wait_confirmed(batch.placed(last).end);
        batch.queues().for_each(|(topic, queue_id)| self.shards.notify(topic, queue_id));
        confirmation
    }

    /// Waits until everything before `end` is confirmed.
    pub fn wait_confirmed(&self, end: LogOffset) -> Confirmation {
        let timeout = Duration::from_millis(self.config().sync_flush_timeout_ms);
        self.flush_watch.wait(&self.store, end, timeout)
    }
}
