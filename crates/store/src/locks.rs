//! In which order are the store's locks taken?
//!
//! From the first to the last of this list; debug builds check it. Locks that are never held together have ranks as well,
//! so that the list is complete. The owner of the store has its own locks between [`RETENTION_TURN`], which the store holds
//! while it calls the deletion hook, and the others, which are held only while the store itself is at work. Those have no ranks.

use roxmq_env::lock_order::Rank;

/// The turn of deleting segments and merging index files.
pub(crate) const RETENTION_TURN: Rank = Rank::new(1, "retention turn");
/// The next segment while it is made.
pub(crate) const NEXT_SEGMENT: Rank = Rank::new(1010, "next segment");
/// How far index files know the log; also the turn of writing one.
pub(crate) const INDEXED: Rank = Rank::new(1020, "indexed");
/// The turn of syncing the log.
pub(crate) const FLUSH_TURN: Rank = Rank::new(1030, "flush turn");
/// The turn of writing the checkpoint.
pub(crate) const CHECKPOINT_TURN: Rank = Rank::new(1040, "checkpoint turn");
/// The end of the log and the next offset of each queue.
pub(crate) const LOG: Rank = Rank::new(1050, "log");
/// The table of queues.
pub(crate) const INDEX: Rank = Rank::new(1060, "index");
/// The list of segments.
pub(crate) const SEGMENTS: Rank = Rank::new(1070, "segments");
/// The file of an expired segment that becomes the next one.
pub(crate) const SPARE: Rank = Rank::new(1080, "spare segment");
/// A file as memory.
pub(crate) const FILE_VIEW: Rank = Rank::new(1090, "file view");
/// An open file.
pub(crate) const OPEN_FILE: Rank = Rank::new(1100, "open file");
/// How long and how much is retained.
pub(crate) const RETENTION_RULES: Rank = Rank::new(1110, "retention rules");
/// What time it is, for retention.
pub(crate) const STEADY_CLOCK: Rank = Rank::new(1120, "steady clock");
/// Who is woken after a flush.
pub(crate) const WAKERS: Rank = Rank::new(1130, "wakers");
/// The store's own threads.
pub(crate) const THREADS: Rank = Rank::new(1140, "threads");

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;
    use roxmq_env::lock_order::Mutex;

    #[test]
    fn all_of_them_can_be_taken_in_the_order_of_the_list() {
        let first = [RETENTION_TURN, NEXT_SEGMENT, INDEXED, FLUSH_TURN, CHECKPOINT_TURN, LOG, INDEX, SEGMENTS, SPARE];
        let last = [FILE_VIEW, OPEN_FILE, RETENTION_RULES, STEADY_CLOCK, WAKERS, THREADS];
        let locks: Vec<_> = first.into_iter().chain(last).map(|rank| Mutex::new(rank, ())).collect();
        let held: Vec<_> = locks.iter().map(Mutex::lock).collect();
        assert_eq!(held.len(), 15);
    }
}
