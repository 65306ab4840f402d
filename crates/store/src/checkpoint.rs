//! What does the store know that its log does not say?
//!
//! `store.checkpoint` keeps the next offset of every queue, for those whose messages are all gone, and which topics were deleted. It is
//! replaced as a whole, before anything is deleted, and never ahead of what is durable.

use crate::index::table::Index;
use roxmq_env::disk::Disk;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use std::io;
use std::path::Path;

/// The contents of `store.checkpoint`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The end of what was durable when it was written.
    pub flushed: LogOffset,
    /// Topic, queue id, next offset.
    pub queues: Vec<(String, u32, QueueOffset)>,
    /// Deleted topics, and the log offset before which their records are dead.
    pub dead_before: Vec<(String, LogOffset)>,
}

impl Checkpoint {
    /// Reads it; `None` if there is none, or if it is damaged, which is reported.
    pub fn load(disk: &Disk, root: &Path) -> io::Result<Option<Checkpoint>> {
        let Some(bytes) = disk.read(&root.join(CHECKPOINT))? else { return Ok(None) };
        let checkpoint = Checkpoint::parse(&bytes);
        if checkpoint.is_none() {
            tracing::error!(file = CHECKPOINT, "checkpoint is damaged; queues without messages may start at 0 again");
        }
        Ok(checkpoint)
    }

    /// The next offsets and deleted topics that `index` knows, nothing of it ahead of `durable`.
    pub fn of(index: &Index, durable: LogOffset) -> Checkpoint {
        let queues = index.queues().map(|(_, queue)| (queue.topic.to_string(), queue.queue_id, queue.visible_next(durable)));
        Checkpoint {
            flushed: durable,
            queues: queues.filter(|(_, _, next)| next.0 > 0).collect(),
            dead_before: index.deletions(durable).into_iter().map(|(topic, dead)| (topic.to_string(), dead)).collect(),
        }
    }

    /// The next offset of each queue.
    pub fn next(&self) -> impl Iterator<Item = ((&str, u32), QueueOffset)> {
        self.queues.iter().map(|(topic, queue_id, next)| ((topic.as_str(), *queue_id), *next))
    }

    /// Whether it names offsets past the end of the log.
    pub fn is_ahead_of(&self, end: LogOffset) -> bool {
        self.flushed > end || self.dead_before.iter().any(|(_, dead)| *dead > end)
    }

    pub fn save(&self, disk: &Disk, root: &Path) -> io::Result<()> {
        disk.replace_atomically(&root.join(CHECKPOINT), &self.write())
    }

    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.queues.len() * 48);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.flushed.0.to_be_bytes());
        let text = |out: &mut Vec<u8>, text: &str| {
            out.extend_from_slice(&(text.len() as u16).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        };
        out.extend_from_slice(&(self.queues.len() as u32).to_be_bytes());
        for (topic, queue_id, next) in &self.queues {
            text(&mut out, topic);
            out.extend_from_slice(&queue_id.to_be_bytes());
            out.extend_from_slice(&next.0.to_be_bytes());
        }
        out.extend_from_slice(&(self.dead_before.len() as u32).to_be_bytes());
        for (topic, log_offset) in &self.dead_before {
            text(&mut out, topic);
            out.extend_from_slice(&log_offset.0.to_be_bytes());
        }
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    pub fn parse(bytes: &[u8]) -> Option<Checkpoint> {
        let (payload, crc) = bytes.split_last_chunk()?;
        let mut rest = payload.strip_prefix(MAGIC)?;
        if crc32fast::hash(payload) != u32::from_be_bytes(*crc) {
            return None;
        }
        let flushed = LogOffset(i64::from_be_bytes(take(&mut rest)?));
        let mut queues = Vec::new();
        for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
            let topic = take_text(&mut rest)?;
            queues.push((topic, u32::from_be_bytes(take(&mut rest)?), QueueOffset(i64::from_be_bytes(take(&mut rest)?))));
        }
        let mut dead_before = Vec::new();
        for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
            dead_before.push((take_text(&mut rest)?, LogOffset(i64::from_be_bytes(take(&mut rest)?))));
        }
        rest.is_empty().then_some(Checkpoint { flushed, queues, dead_before })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let len = usize::from(u16::from_be_bytes(take(rest)?));
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    String::from_utf8(taken.to_vec()).ok()
}

const CHECKPOINT: &str = "store.checkpoint";
const MAGIC: &[u8; 8] = b"RoxCkpt1";

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_env::disk::SimDisk;

    #[test]
    fn comes_back_and_no_flipped_bit_goes_unseen() {
        let sim = SimDisk::new(1);
        let (disk, root) = (sim.disk(), Path::new("/d"));
        disk.create_dir_all(root).expect("creates");
        assert_eq!(Checkpoint::load(&disk, root).expect("reads"), None);
        let checkpoint = Checkpoint {
            flushed: LogOffset(77),
            queues: vec![("a".to_owned(), 0, QueueOffset(5)), ("中".to_owned(), 9, QueueOffset(i64::MAX))],
            dead_before: vec![("gone".to_owned(), LogOffset(6))],
        };
        checkpoint.save(&disk, root).expect("saves");
        assert_eq!(Checkpoint::load(&disk, root).expect("reads"), Some(checkpoint.clone()));
        for at in 0..checkpoint.write().len() {
            sim.flip(&root.join(CHECKPOINT), at, 4);
            assert_eq!(Checkpoint::load(&disk, root).expect("reads"), None);
            sim.flip(&root.join(CHECKPOINT), at, 4);
        }
    }
}
