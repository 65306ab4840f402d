//! How is a topic deleted?

use crate::keeper::Keeper;
use crate::writer::flush::Flush;
use std::sync::atomic::Ordering;

impl Keeper {
    /// Forgets the queues of topics; a topic of such a name starts at offset 0. The records go when their segments do.
    ///
    /// The deletion is durable when this returns, unless the disk is full. No append waits for that:
    ///
    /// 1. Under the log's lock the queues go, and where the log ends, the topics' records before are dead.
    /// 2. The log up to there is made durable, or a power cut could leave a checkpoint that is ahead of the log.
    /// 3. The checkpoint says so, durably. Until then a crash may bring the topics back. So a queue that is sent to meanwhile goes on where
    ///    it ended: whether the records before are dead then or not, its own follow. (From 0 they would, after a crash, be taken for the
    ///    torn end of the log.) And no index file is written without entries that may come back: `indexed` is held, and nothing merged.
    /// 4. From now on queues of that name begin at 0.
    pub fn delete_topics<'a>(&self, topics: impl IntoIterator<Item = &'a str>) {
        let _indexed = self.indexed.lock();
        let log = self.writer.log.lock();
        let mut index = self.contents.index.write();
        let deleted = topics.into_iter().filter(|topic| index.delete_topic(topic, log.end)).count();
        drop((index, log));
        if deleted == 0 || self.writer.flush() == Flush::Fenced {
            return;
        }
        if let Err(error) = self.save_checkpoint() {
            self.owes_checkpoint.store(true, Ordering::Relaxed);
            self.failed("writing the checkpoint", &error);
        }
    }
}
