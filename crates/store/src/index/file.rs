//! What does an index file say?

use crate::files::damage::{as_damage, damaged};
use crate::files::lazy::LazyFile;
use crate::index::directory::{Directory, Row};
use crate::index::facts::Entry;
use crate::index::format::{
    BLOCK_BYTES, ENTRIES_PER_BLOCK, ENTRY_BYTES, Header, KEY_BYTES, KEYS_PER_BLOCK, block_is_intact, file_name, int,
};
use roxmq_env::disk::{Disk, File, Open};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::time::Timestamp;
use std::io::{self, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An index file, open or not.
#[derive(Debug)]
pub(crate) struct IndexFile {
    /// The first log offset that it covers.
    pub from: LogOffset,
    /// One past the last.
    pub to: LogOffset,
    /// Store times of its oldest and newest record; the first is above the last if there is none.
    pub first_time: Timestamp,
    pub last_time: Timestamp,
    entries: u64,
    keys: u64,
    /// How many runs of queues are in it.
    pub rows: u64,
    pub file: LazyFile,
    damaged: AtomicBool,
}

/// How bytes of the file are read: waiting for the disk, or not.
type Read = fn(&File, u64, usize, &mut Vec<u8>) -> io::Result<()>;

impl IndexFile {
    /// A file of which the header and the number of rows are known.
    pub fn new(header: &Header, rows: u64, file: LazyFile) -> IndexFile {
        IndexFile {
            from: header.from,
            to: header.to,
            first_time: header.first_time,
            last_time: header.last_time,
            entries: header.entries,
            keys: header.keys,
            rows,
            file,
            damaged: AtomicBool::new(false),
        }
    }

    /// Opens a file whose name says `from` and `to`, and reads its directory.
    ///
    /// An [`io::ErrorKind::InvalidData`] means that the file is not what was written.
    pub fn open(disk: &Disk, folder: &Path, from: LogOffset, to: LogOffset) -> io::Result<(IndexFile, Vec<Row>)> {
        let file = LazyFile::new(disk, folder.join(file_name(from, to)), Open::Read);
        let (header, rows) = read_ends(&file, from, to)?;
        let rows: Vec<Row> = rows.collect::<io::Result<_>>()?;
        Ok((IndexFile::new(&header, rows.len() as u64, file), rows))
    }

    /// Reads the directory again, row by row.
    pub fn directory(&self) -> io::Result<impl Iterator<Item = io::Result<Row>>> {
        let noted = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidData => self.is_damaged(&error.to_string()),
            _ => error,
        };
        let (_, rows) = read_ends(&self.file, self.from, self.to).map_err(noted)?;
        Ok(rows.map(move |row| row.map_err(noted)))
    }

    /// For entries that are asked for in order.
    pub fn in_order(&self) -> InOrder<'_> {
        InOrder { file: self, first: 0, held: Vec::new() }
    }

    /// Appends `count` entries from number `at` to `out`.
    pub fn entries(&self, at: u32, count: usize, out: &mut Vec<Entry>) -> io::Result<()> {
        self.entries_by(at, count, out, File::append_to)
    }

    /// As [`IndexFile::entries`], if the disk need not be waited for; else [`io::ErrorKind::WouldBlock`].
    pub fn entries_cached(&self, at: u32, count: usize, out: &mut Vec<Entry>) -> io::Result<()> {
        self.entries_by(at, count, out, File::append_cached_to)
    }

    fn entries_by(&self, at: u32, count: usize, out: &mut Vec<Entry>, read: Read) -> io::Result<()> {
        if at as u64 + count as u64 > self.entries {
            return Err(self.is_damaged("an entry beyond the last"));
        }
        if count == 0 {
            return Ok(());
        }
        let first_block = at as usize / ENTRIES_PER_BLOCK;
        let last_block = (at as usize + count - 1) / ENTRIES_PER_BLOCK;
        let blocks = self.blocks_by(1 + first_block as u64, last_block - first_block + 1, read)?;
        let skip = at as usize % ENTRIES_PER_BLOCK;
        let entries = blocks.chunks_exact(BLOCK_BYTES).flat_map(|block| block[..ENTRIES_PER_BLOCK * ENTRY_BYTES].chunks_exact(ENTRY_BYTES));
        out.extend(entries.skip(skip).take(count).map(|bytes| self.entry(bytes)));
        Ok(())
    }

    /// Appends the log offsets of records with a key of this hash to `out`, oldest first.
    pub fn find_key(&self, hash: u32, out: &mut Vec<LogOffset>) -> io::Result<()> {
        let first_block = 1 + self.entries.div_ceil(ENTRIES_PER_BLOCK as u64);
        let blocks = self.keys.div_ceil(KEYS_PER_BLOCK as u64);
        // The first block that can have it is the one before the first that begins at or after it.
        let (mut low, mut high) = (0, blocks);
        while low < high {
            let middle = low + (high - low) / 2;
            let block = self.blocks(first_block + middle, 1)?;
            if int(&block, 0) < hash { low = middle + 1 } else { high = middle }
        }
        let mut at = low.saturating_sub(1);
        while at < blocks {
            let block = self.blocks(first_block + at, 1)?;
            let left = (self.keys - at * KEYS_PER_BLOCK as u64).min(KEYS_PER_BLOCK as u64) as usize;
            for key in block[..left * KEY_BYTES].chunks_exact(KEY_BYTES) {
                match int(key, 0).cmp(&hash) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => out.push(self.from + i64::from(int(key, 4))),
                    std::cmp::Ordering::Greater => return Ok(()),
                }
            }
            at += 1;
        }
        Ok(())
    }

    /// Every key hash with its log offset, in order of the hashes.
    pub fn keys(&self) -> impl Iterator<Item = io::Result<(u32, LogOffset)>> {
        let first_block = 1 + self.entries.div_ceil(ENTRIES_PER_BLOCK as u64);
        let mut block = Vec::new();
        (0..self.keys).map(move |n| {
            let in_block = (n % KEYS_PER_BLOCK as u64) as usize;
            if in_block == 0 {
                block = self.blocks(first_block + n / KEYS_PER_BLOCK as u64, 1)?;
            }
            let key = &block[in_block * KEY_BYTES..];
            Ok((int(key, 0), self.from + i64::from(int(key, 4))))
        })
    }

    /// How many entries it has.
    pub fn entry_count(&self) -> u64 {
        self.entries
    }

    /// Whether a block was found that is not what was written.
    pub fn has_damage(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    fn entry(&self, bytes: &[u8]) -> Entry {
        Entry {
            log_offset: self.from + i64::from(int(bytes, 0)),
            size: int(bytes, 4),
            tags: int(bytes, 8) as i32,
            envelope: int(bytes, 12),
        }
    }

    fn blocks(&self, first: u64, count: usize) -> io::Result<Vec<u8>> {
        self.blocks_by(first, count, File::append_to)
    }

    fn blocks_by(&self, first: u64, count: usize, read: Read) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(count * BLOCK_BYTES);
        read(&*self.file.file()?, first * BLOCK_BYTES as u64, count * BLOCK_BYTES, &mut bytes)?;
        match bytes.chunks_exact(BLOCK_BYTES).all(block_is_intact) {
            true => Ok(bytes),
            false => Err(self.is_damaged("a block's CRC is wrong")),
        }
    }

    fn is_damaged(&self, what: &str) -> io::Error {
        if !self.damaged.swap(true, Ordering::Relaxed) {
            tracing::error!(file = %self.file.path().display(), what, "index file is damaged; it will be rebuilt from the log");
        }
        damaged(what)
    }
}

/// Entries of a file from front to back, many at a time.
pub(crate) struct InOrder<'a> {
    file: &'a IndexFile,
    /// Number of the first one held.
    first: u32,
    held: Vec<Entry>,
}

impl InOrder<'_> {
    /// Shows the entries of a row, each with its queue offset.
    pub fn each(&mut self, row: &Row, mut show: impl FnMut(QueueOffset, &Entry) -> io::Result<()>) -> io::Result<()> {
        let mut done = 0;
        while done < row.count {
            let at = row.at + done;
            let held = match at.checked_sub(self.first).and_then(|skip| self.held.get(skip as usize..)) {
                Some(held) if !held.is_empty() => held,
                _ => self.read(at)?,
            };
            for entry in held.iter().take((row.count - done) as usize) {
                show(row.first + i64::from(done), entry)?;
                done += 1;
            }
        }
        Ok(())
    }

    fn read(&mut self, at: u32) -> io::Result<&[Entry]> {
        self.held.clear();
        self.first = at;
        let to_end_of_block = ENTRIES_PER_READ - at as usize % ENTRIES_PER_BLOCK;
        let count = self.file.entries.saturating_sub(at.into()).clamp(1, to_end_of_block as u64);
        self.file.entries(at, count as usize, &mut self.held)?;
        Ok(&self.held)
    }
}

/// Reads the header and finds the directory.
fn read_ends(file: &LazyFile, from: LogOffset, to: LogOffset) -> io::Result<(Header, Directory<impl io::Read + use<>>)> {
    let file = file.file()?;
    let mut header = [0; BLOCK_BYTES];
    file.read_at(0, &mut header).map_err(as_damage)?;
    let header = Header::parse(&header)?;
    if (header.from, header.to) != (from, to) {
        return Err(damaged("the header is another file's"));
    }
    let at = BLOCK_BYTES as u64 * (1 + header.entry_blocks() + header.key_blocks());
    if file.len()?.checked_sub(at) != Some(header.directory_bytes) {
        return Err(damaged("the length is not the header's"));
    }
    let bytes = BufReader::with_capacity(DIRECTORY_BYTES_PER_READ, Rest { file, at });
    let rows = Directory::new(bytes, header.directory_bytes, from..to, header.entries)?;
    Ok((header, rows))
}

/// A file from `at` on.
struct Rest {
    file: Arc<File>,
    at: u64,
}

impl io::Read for Rest {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.file.len()?.saturating_sub(self.at).min(out.len() as u64) as usize;
        self.file.read_at(self.at, &mut out[..len])?;
        self.at += len as u64;
        Ok(len)
    }
}

const ENTRIES_PER_READ: usize = 16 * ENTRIES_PER_BLOCK;
const DIRECTORY_BYTES_PER_READ: usize = 32 << 10;
