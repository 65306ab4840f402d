//! What is in an index file?
//!
//! Everything the index knows about a range of the log, written once: the entries of each queue next to each other, the key hashes
//! in order, and a directory of the queues. A file for a whole segment *is* the segment's sealed index; files for parts of the active
//! segment are its checkpoints, and are merged when it is sealed. Every 4 KiB block carries its own CRC. Drawn in `docs/format.md`.

use crate::directory::{self, Directory, Row};
use crate::facts::Entry;
use crate::files::{LazyFile, name_of, offset_in};
use roxmq_env::disk::{Disk, File, Open};
use std::io::{self, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An index file, open or not.
#[derive(Debug)]
pub(crate) struct IndexFile {
    /// It knows the log from here,
    pub from: i64,
    /// to here.
    pub to: i64,
    /// Store times of its oldest and newest record; the first is above the last if there is none.
    pub first_time: i64,
    pub last_time: i64,
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
    /// Opens a file whose name says `from` and `to`, and reads its directory.
    ///
    /// An [`io::ErrorKind::InvalidData`] means that the file is not what was written.
    pub fn open(disk: &Disk, folder: &Path, from: i64, to: i64) -> io::Result<(IndexFile, Vec<Row>)> {
        let file = LazyFile::new(disk, folder.join(file_name(from, to)), Open::Read);
        let (header, rows) = read_ends(&file, from, to)?;
        let rows: Vec<Row> = rows.collect::<io::Result<_>>()?;
        let index = IndexFile {
            from,
            to,
            first_time: header.first_time,
            last_time: header.last_time,
            entries: header.entries,
            keys: header.keys,
            rows: rows.len() as u64,
            file,
            damaged: AtomicBool::new(false),
        };
        Ok((index, rows))
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
    pub fn find_key(&self, hash: u32, out: &mut Vec<i64>) -> io::Result<()> {
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
    pub fn keys(&self) -> impl Iterator<Item = io::Result<(u32, i64)>> {
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
            tracing::error!(file = %self.file.path().display(), what, "index file is damaged; it will be made anew from the log");
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
    pub fn each(&mut self, row: &Row, mut show: impl FnMut(i64, &Entry) -> io::Result<()>) -> io::Result<()> {
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
fn read_ends(file: &LazyFile, from: i64, to: i64) -> io::Result<(Header, Directory<impl io::Read + use<>>)> {
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

/// The name of the file that knows the log from `from` to `to`.
pub(crate) fn file_name(from: i64, to: i64) -> String {
    format!("{}-{}{SUFFIX}", name_of(from), name_of(to))
}

/// The range in a file's name, if it is an index file's.
pub(crate) fn range_in(name: &str) -> Option<(i64, i64)> {
    let (from, to) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    Some((offset_in(from)?, offset_in(to)?)).filter(|(from, to)| from < to)
}

/// Writes an index file from front to back: all entries, row by row, then all keys in order.
pub(crate) struct IndexFileWriter {
    file: File,
    from: i64,
    to: i64,
    entries: u64,
    keys: u64,
    rows: Vec<Row>,
    /// What is not written yet; whole blocks are.
    buffer: Vec<u8>,
    written: u64,
    /// Bytes of payload in the block being filled.
    in_block: usize,
}

impl IndexFileWriter {
    /// Writes under a temporary name in `folder` until [`IndexFileWriter::finish`].
    pub fn create(disk: &Disk, folder: &Path, from: i64, to: i64) -> io::Result<IndexFileWriter> {
        let file = disk.open(&folder.join(temporary_name(from, to)), Open::Truncate)?;
        Ok(IndexFileWriter {
            file,
            from,
            to,
            entries: 0,
            keys: 0,
            rows: Vec::new(),
            buffer: Vec::with_capacity(BUFFER_BYTES + BLOCK_BYTES),
            written: BLOCK_BYTES as u64,
            in_block: 0,
        })
    }

    /// Begins a queue's run; rows come in order of topic, queue id and log.
    pub fn row(&mut self, topic: &Arc<str>, queue_id: u32, first: i64, first_log_offset: i64) {
        let at = self.entries as u32;
        self.rows.push(Row { topic: topic.clone(), queue_id, first_log_offset, first, count: 0, at });
    }

    /// Adds an entry to the run.
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let position = (entry.log_offset - self.from) as u32;
        self.put(&[position, entry.size, entry.tags as u32, entry.envelope], ENTRIES_PER_BLOCK * ENTRY_BYTES)?;
        self.entries += 1;
        if let Some(row) = self.rows.last_mut() {
            row.count += 1;
        }
        Ok(())
    }

    /// Adds a key; keys come in order of hash and log, after all entries.
    pub fn key(&mut self, hash: u32, log_offset: i64) -> io::Result<()> {
        if self.keys == 0 {
            self.end_block()?;
        }
        self.put(&[hash, (log_offset - self.from) as u32], KEYS_PER_BLOCK * KEY_BYTES)?;
        self.keys += 1;
        Ok(())
    }

    /// Makes everything durable, gives the file its name, and opens it.
    pub fn finish(mut self, disk: &Disk, folder: &Path, first_time: i64, last_time: i64) -> io::Result<(IndexFile, Vec<Row>)> {
        self.end_block()?;
        let directory = directory::write(&self.rows);
        let header = Header {
            from: self.from,
            to: self.to,
            entries: self.entries,
            keys: self.keys,
            directory_bytes: directory.len() as u64,
            first_time,
            last_time,
        };
        self.buffer.extend_from_slice(&directory);
        self.file.write_at(self.written, &self.buffer)?;
        self.file.write_at(0, &header.write())?;
        self.file.sync_data()?;
        let (temporary, name) = (temporary_name(self.from, self.to), file_name(self.from, self.to));
        disk.rename(&folder.join(temporary), &folder.join(&name))?;
        disk.sync_dir(folder)?;
        let index = IndexFile {
            from: self.from,
            to: self.to,
            first_time,
            last_time,
            entries: self.entries,
            keys: self.keys,
            rows: self.rows.len() as u64,
            file: LazyFile::new(disk, folder.join(name), Open::Read),
            damaged: AtomicBool::new(false),
        };
        Ok((index, self.rows))
    }

    fn put(&mut self, numbers: &[u32], payload: usize) -> io::Result<()> {
        for number in numbers {
            self.buffer.extend_from_slice(&number.to_be_bytes());
        }
        self.in_block += numbers.len() * 4;
        if self.in_block == payload { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> io::Result<()> {
        if self.in_block == 0 {
            return Ok(());
        }
        let start = self.buffer.len() - self.in_block;
        self.buffer.resize(start + BLOCK_BYTES - 4, 0);
        let crc = crc32fast::hash(&self.buffer[start..]);
        self.buffer.extend_from_slice(&crc.to_be_bytes());
        self.in_block = 0;
        if self.buffer.len() >= BUFFER_BYTES {
            self.file.write_at(self.written, &self.buffer)?;
            self.written += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }
}

struct Header {
    from: i64,
    to: i64,
    entries: u64,
    keys: u64,
    directory_bytes: u64,
    first_time: i64,
    last_time: i64,
}

impl Header {
    fn parse(block: &[u8; BLOCK_BYTES]) -> io::Result<Header> {
        if !block_is_intact(block) || !block.starts_with(MAGIC) || int(block, 8) != VERSION {
            return Err(damaged("the header is not an index file's"));
        }
        let long = |at| i64::from_be_bytes(chunk(block, at));
        let header = Header {
            from: long(16),
            to: long(24),
            entries: long(32) as u64,
            keys: long(40) as u64,
            directory_bytes: long(48) as u64,
            first_time: long(56),
            last_time: long(64),
        };
        match header.entries <= u32::MAX.into() && header.keys <= KEYS_MAX && header.directory_bytes <= DIRECTORY_BYTES_MAX {
            true => Ok(header),
            false => Err(damaged("the header's numbers cannot be")),
        }
    }

    fn write(&self) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        block[..8].copy_from_slice(MAGIC);
        block[8..12].copy_from_slice(&VERSION.to_be_bytes());
        let numbers =
            [self.from, self.to, self.entries as i64, self.keys as i64, self.directory_bytes as i64, self.first_time, self.last_time];
        for (n, number) in numbers.iter().enumerate() {
            block[16 + n * 8..][..8].copy_from_slice(&number.to_be_bytes());
        }
        let crc = crc32fast::hash(&block[..BLOCK_BYTES - 4]);
        block[BLOCK_BYTES - 4..].copy_from_slice(&crc.to_be_bytes());
        block
    }

    fn entry_blocks(&self) -> u64 {
        self.entries.div_ceil(ENTRIES_PER_BLOCK as u64)
    }

    fn key_blocks(&self) -> u64 {
        self.keys.div_ceil(KEYS_PER_BLOCK as u64)
    }
}

/// The bytes as an index file whose checksums are right, wherever its header says that its parts are.
pub(crate) fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut file = bytes.to_vec();
    let seal = |block: &mut [u8]| {
        if let Some((payload, crc)) = block.split_last_chunk_mut() {
            *crc = crc32fast::hash(payload).to_be_bytes();
        }
    };
    if let Some(header) = file.first_chunk_mut::<BLOCK_BYTES>() {
        seal(header);
        let blocks = Header::parse(header).map_or(0, |header| header.entry_blocks() + header.key_blocks());
        let (_, rest) = file.split_at_mut(BLOCK_BYTES);
        let blocks =
            (blocks.min(usize::MAX as u64 / BLOCK_BYTES as u64) as usize * BLOCK_BYTES).min(rest.len() / BLOCK_BYTES * BLOCK_BYTES);
        let (blocks, directory) = rest.split_at_mut(blocks);
        blocks.chunks_exact_mut(BLOCK_BYTES).for_each(seal);
        seal(directory);
    }
    file
}

/// A directory without its checksum, and a whole small file.
pub(crate) fn sample(from: i64, to: i64) -> Vec<Vec<u8>> {
    let row = |topic: &str, queue_id, first, at| Row { topic: topic.into(), queue_id, first_log_offset: from, first, count: 2, at };
    let rows = [row("Topic", 0, 5, 0), row("Topic", 1, 0, 2), row("Other", 0, 9, 4)];
    let directory = directory::write(&rows);
    let (entries, keys) = (6, 3);
    let header = Header { from, to, entries, keys, directory_bytes: directory.len() as u64, first_time: 1, last_time: 2 };
    let mut file = header.write().to_vec();
    file.resize(BLOCK_BYTES * 3, 0);
    file.extend_from_slice(&directory);
    vec![directory[..directory.len() - 4].to_vec(), sealed(&file)]
}

fn block_is_intact(block: impl AsRef<[u8]>) -> bool {
    let Some((payload, crc)) = block.as_ref().split_last_chunk() else { return false };
    crc32fast::hash(payload) == u32::from_be_bytes(*crc)
}

fn temporary_name(from: i64, to: i64) -> String {
    format!("{}.tmp", file_name(from, to))
}

fn int(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(chunk(bytes, at))
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&bytes[at..at + N]);
    value
}

pub(crate) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

pub(crate) fn as_damage(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("the file is too short"),
        _ => error,
    }
}

const SUFFIX: &str = ".index";
const MAGIC: &[u8; 8] = b"RoxIndex";
const VERSION: u32 = 1;
const BLOCK_BYTES: usize = 4096;
const ENTRY_BYTES: usize = 16;
const ENTRIES_PER_BLOCK: usize = 255;
const ENTRIES_PER_READ: usize = 16 * ENTRIES_PER_BLOCK;
const DIRECTORY_BYTES_PER_READ: usize = 32 << 10;
const KEY_BYTES: usize = 8;
const KEYS_PER_BLOCK: usize = 511;
const BUFFER_BYTES: usize = 1 << 20;
const KEYS_MAX: u64 = 1 << 40;
const DIRECTORY_BYTES_MAX: u64 = 1 << 36;
const _: () = assert!(ENTRIES_PER_BLOCK * ENTRY_BYTES + 4 <= BLOCK_BYTES && KEYS_PER_BLOCK * KEY_BYTES + 4 <= BLOCK_BYTES);

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_env::disk::SimDisk;

    const FOLDER: &str = "/index";

    fn written(sim: &SimDisk, entries_per_queue: u32) -> (IndexFile, Vec<Row>) {
        let (disk, folder) = (sim.disk(), Path::new(FOLDER));
        disk.create_dir_all(folder).expect("creates");
        let mut writer = IndexFileWriter::create(&disk, folder, 1000, 9000).expect("creates");
        for queue_id in 0..3 {
            writer.row(&"topic".into(), queue_id, 7, 1000 + i64::from(queue_id));
            for n in 0..entries_per_queue {
                let entry = Entry { log_offset: 1000 + i64::from(n * 3 + queue_id), size: n, tags: -1, envelope: queue_id };
                writer.entry(&entry).expect("writes");
            }
        }
        for hash in 0..entries_per_queue * 3 {
            writer.key(hash / 2 * 2, 1000 + i64::from(hash)).expect("writes");
        }
        writer.finish(&disk, folder, 5, 6).expect("finishes")
    }

    #[test]
    fn gives_back_what_was_written() {
        for entries_per_queue in [1, 84, 85, 86, 1000, 4080, 5000] {
            let sim = SimDisk::new(1);
            let (_, rows) = written(&sim, entries_per_queue);
            let (file, read) = IndexFile::open(&sim.disk(), Path::new(FOLDER), 1000, 9000).expect("opens");
            assert_eq!(read, rows);
            assert_eq!(file.directory().expect("reads").collect::<io::Result<Vec<_>>>().expect("reads"), rows);
            assert_eq!((file.first_time, file.last_time), (5, 6));
            for row in &rows {
                let mut entries = Vec::new();
                file.entries(row.at, row.count as usize, &mut entries).expect("reads");
                assert_eq!(entries.len(), row.count as usize);
                assert!(entries.iter().enumerate().all(|(n, entry)| entry.size == n as u32 && entry.envelope == row.queue_id));
            }
            let mut in_order = file.in_order();
            // Also when some are left out, and when one is asked for again.
            for row in [&rows[0], &rows[2], &rows[1], &rows[1], &rows[2]] {
                let mut seen = Vec::new();
                let each = in_order.each(row, |offset, entry| {
                    seen.push((offset, entry.size, entry.envelope));
                    Ok(())
                });
                each.expect("reads");
                assert_eq!(seen, (0..entries_per_queue).map(|n| (7 + i64::from(n), n, row.queue_id)).collect::<Vec<_>>());
            }
            assert_eq!(file.keys().filter(Result::is_ok).count(), entries_per_queue as usize * 3);
            for hash in 0..entries_per_queue * 3 + 2 {
                let mut found = Vec::new();
                file.find_key(hash, &mut found).expect("reads");
                let expected = (0..entries_per_queue * 3).filter(|n| n / 2 * 2 == hash).map(|n| 1000 + i64::from(n));
                assert_eq!(found, expected.collect::<Vec<_>>(), "hash {hash}");
            }
        }
    }

    #[test]
    fn no_flipped_bit_goes_unseen() {
        let sim = SimDisk::new(1);
        let (file, _) = written(&sim, 300);
        let len = file.file.file().expect("opens").len().expect("len");
        let path = file.file.path().to_owned();
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..300 {
            let (at, mask) = (random.usize(0..len as usize), 1 << random.u8(0..8));
            sim.flip(&path, at, mask);
            let seen = match IndexFile::open(&sim.disk(), Path::new(FOLDER), 1000, 9000) {
                Err(error) => error.kind() == io::ErrorKind::InvalidData,
                Ok((file, _)) => file.entries(0, 900, &mut Vec::new()).is_err() || file.keys().any(|key| key.is_err()),
            };
            assert!(seen, "byte {at} mask {mask}");
            sim.flip(&path, at, mask);
        }
    }

    #[test]
    fn names_say_the_range() {
        assert_eq!(range_in(&file_name(0, 1 << 30)), Some((0, 1 << 30)));
        for name in
            ["", "x.index", "00000000000000000000-00000000000000000000.index", "00000000000000000000-00000000000000000001.index.tmp"]
        {
            assert_eq!(range_in(name), None);
        }
    }
}
