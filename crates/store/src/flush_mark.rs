//! How far is the log known to be durable?
//!
//! `store.flushed` says so. It is written after each flush and not synced itself, so it may be behind, never ahead. Below it a bad
//! record is damage; above it, the torn end of the log.

use roxmq_env::disk::{Disk, File, Open};
use roxmq_protocol::position::LogOffset;
use std::io;
use std::path::Path;

/// The open `store.flushed`.
#[derive(Debug)]
pub(crate) struct FlushMark(File);

impl FlushMark {
    /// What it holds. `None` if there is none: then this store has never opened the log, which may be another broker's. One that
    /// cannot be read holds 0.
    pub fn load(disk: &Disk, root: &Path) -> io::Result<Option<LogOffset>> {
        let bytes = disk.read(&root.join(FLUSHED))?;
        Ok(bytes.map(|bytes| FlushMark::parse(&bytes).unwrap_or_default()))
    }

    /// Writes it durably, and leaves it open.
    pub fn create(disk: &Disk, root: &Path, flushed: LogOffset) -> io::Result<FlushMark> {
        let path = root.join(FLUSHED);
        disk.replace_atomically(&path, &FlushMark::bytes(flushed))?;
        disk.open(&path, Open::Write).map(FlushMark)
    }

    /// Writes it, and says whether the syncs before can be believed. It is not synced.
    pub fn write(&self, flushed: LogOffset) -> io::Result<()> {
        self.0.write_at(0, &FlushMark::bytes(flushed))?;
        self.0.confirm()
    }

    pub fn parse(bytes: &[u8]) -> Option<LogOffset> {
        let (offset, crc) = bytes.split_first_chunk()?;
        (crc32fast::hash(offset).to_be_bytes() == crc).then(|| LogOffset(i64::from_be_bytes(*offset)))
    }

    pub fn bytes(flushed: LogOffset) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&flushed.0.to_be_bytes());
        let crc = crc32fast::hash(&bytes[..8]);
        bytes[8..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }
}

const FLUSHED: &str = "store.flushed";

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_env::disk::SimDisk;

    #[test]
    fn the_mark_is_believed_only_whole() {
        let sim = SimDisk::new(1);
        let (disk, root) = (sim.disk(), Path::new("/d"));
        disk.create_dir_all(root).expect("creates");
        assert_eq!(FlushMark::load(&disk, root).expect("reads"), None);
        let mark = FlushMark::create(&disk, root, LogOffset(5)).expect("creates");
        assert_eq!(FlushMark::load(&disk, root).expect("reads"), Some(LogOffset(5)));
        mark.write(LogOffset(123)).expect("writes");
        assert_eq!(FlushMark::load(&disk, root).expect("reads"), Some(LogOffset(123)));
        sim.flip(&root.join(FLUSHED), 3, 1);
        assert_eq!(FlushMark::load(&disk, root).expect("reads"), Some(LogOffset(0)));
    }
}
