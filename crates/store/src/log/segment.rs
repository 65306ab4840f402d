//! One file of the log.

use crate::files::cached::CachedView;
use crate::files::lazy::LazyFile;
use roxmq_protocol::position::LogOffset;
use std::io;
use std::sync::Arc;

/// One file of the log. Its name is the offset of its first byte, as in Java (`MappedFile`).
#[derive(Debug)]
pub(crate) struct Segment {
    pub base: LogOffset,
    pub bytes: u64,
    pub file: LazyFile,
}

impl Segment {
    pub fn end(&self) -> LogOffset {
        self.base + self.bytes as i64
    }

    /// Appends `len` bytes from `log_offset`, which must be in the segment, to `out`.
    pub fn read(&self, log_offset: LogOffset, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        self.file.file()?.append_to((log_offset - self.base) as u64, len, out)
    }

    /// As [`Segment::read`], if the disk need not be waited for; else [`io::ErrorKind::WouldBlock`].
    pub fn read_cached(&self, log_offset: LogOffset, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        self.file.file()?.append_cached_to((log_offset - self.base) as u64, len, out)
    }

    /// The segment as memory to copy from, if that is to be had.
    pub fn view(&self) -> Option<Arc<CachedView>> {
        self.file.view(self.bytes)
    }

    /// Makes durable what is read, even if a sync in an earlier life failed: programs still read then what the disk does not have, and
    /// the next sync reports nothing. So what follows `from`, the end of what is known to be durable, is written again first.
    pub fn sync_as_read(&self, from: LogOffset, to: LogOffset) -> io::Result<()> {
        let file = self.file.file()?;
        let mut bytes = Vec::new();
        let mut at = from.max(self.base);
        while at < to {
            let len = (to - at).min(REWRITE_BYTES);
            bytes.clear();
            self.read(at, len as usize, &mut bytes)?;
            file.write_at((at - self.base) as u64, &bytes)?;
            at += len;
        }
        file.sync_data()
    }

    /// Throws away everything from `log_offset` on, so that it reads as zeros. Takes no room, even on a full disk.
    pub fn clear_from(&self, log_offset: LogOffset) -> io::Result<()> {
        let file = self.file.file()?;
        file.set_len((log_offset - self.base) as u64)?;
        file.set_len(self.bytes)
    }
}

const REWRITE_BYTES: i64 = 4 << 20;
