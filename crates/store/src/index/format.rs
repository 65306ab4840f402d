//! How is an index file laid out? `docs/format.md` draws it byte by byte.
//!
//! Everything the index knows about a range of the log, written once: the entries of each queue next to each other, the key hashes
//! in order, and a directory of the queues. A file for a whole segment *is* the segment's sealed index; files for parts of the active
//! segment are its checkpoints, and are merged when it is sealed. Every 4 KiB block carries its own CRC.

use crate::files::damage::damaged;
use crate::files::name::{name_of, offset_in};
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::time::Timestamp;
use std::io;

/// The first block of an index file.
pub(crate) struct Header {
    pub from: LogOffset,
    pub to: LogOffset,
    pub entries: u64,
    pub keys: u64,
    pub directory_bytes: u64,
    pub first_time: Timestamp,
    pub last_time: Timestamp,
}

impl Header {
    pub fn parse(block: &[u8; BLOCK_BYTES]) -> io::Result<Header> {
        if !block_is_intact(block) || !block.starts_with(MAGIC) || int(block, 8) != VERSION {
            return Err(damaged("the header is not an index file's"));
        }
        let long = |at| i64::from_be_bytes(chunk(block, at));
        let header = Header {
            from: LogOffset(long(16)),
            to: LogOffset(long(24)),
            entries: long(32) as u64,
            keys: long(40) as u64,
            directory_bytes: long(48) as u64,
            first_time: Timestamp(long(56)),
            last_time: Timestamp(long(64)),
        };
        match header.entries <= u32::MAX.into() && header.keys <= KEYS_MAX && header.directory_bytes <= DIRECTORY_BYTES_MAX {
            true => Ok(header),
            false => Err(damaged("the header's numbers cannot be")),
        }
    }

    pub fn write(&self) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        block[..8].copy_from_slice(MAGIC);
        block[8..12].copy_from_slice(&VERSION.to_be_bytes());
        let numbers = [
            self.from.0,
            self.to.0,
            self.entries as i64,
            self.keys as i64,
            self.directory_bytes as i64,
            self.first_time.0,
            self.last_time.0,
        ];
        for (n, number) in numbers.iter().enumerate() {
            block[16 + n * 8..][..8].copy_from_slice(&number.to_be_bytes());
        }
        let crc = crc32fast::hash(&block[..BLOCK_BYTES - 4]);
        block[BLOCK_BYTES - 4..].copy_from_slice(&crc.to_be_bytes());
        block
    }

    pub fn entry_blocks(&self) -> u64 {
        self.entries.div_ceil(ENTRIES_PER_BLOCK as u64)
    }

    pub fn key_blocks(&self) -> u64 {
        self.keys.div_ceil(KEYS_PER_BLOCK as u64)
    }
}

/// The name of the file that knows the log from `from` to `to`.
pub(crate) fn file_name(from: LogOffset, to: LogOffset) -> String {
    format!("{}-{}{SUFFIX}", name_of(from), name_of(to))
}

/// The range in a file's name, if it is an index file's.
pub(crate) fn range_in(name: &str) -> Option<(LogOffset, LogOffset)> {
    let (from, to) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    Some((offset_in(from)?, offset_in(to)?)).filter(|(from, to)| from < to)
}

pub(crate) fn temporary_name(from: LogOffset, to: LogOffset) -> String {
    format!("{}.tmp", file_name(from, to))
}

pub(crate) fn block_is_intact(block: impl AsRef<[u8]>) -> bool {
    let Some((payload, crc)) = block.as_ref().split_last_chunk() else { return false };
    crc32fast::hash(payload) == u32::from_be_bytes(*crc)
}

pub(crate) fn int(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(chunk(bytes, at))
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&bytes[at..at + N]);
    value
}

const SUFFIX: &str = ".index";
const MAGIC: &[u8; 8] = b"RoxIndex";
const VERSION: u32 = 1;
pub(crate) const BLOCK_BYTES: usize = 4096;
pub(crate) const ENTRY_BYTES: usize = 16;
pub(crate) const ENTRIES_PER_BLOCK: usize = 255;
pub(crate) const KEY_BYTES: usize = 8;
pub(crate) const KEYS_PER_BLOCK: usize = 511;
const KEYS_MAX: u64 = 1 << 40;
const DIRECTORY_BYTES_MAX: u64 = 1 << 36;
const _: () = assert!(ENTRIES_PER_BLOCK * ENTRY_BYTES + 4 <= BLOCK_BYTES && KEYS_PER_BLOCK * KEY_BYTES + 4 <= BLOCK_BYTES);
