//! How is an index file written, from front to back?

use crate::files::lazy::LazyFile;
use crate::index::directory::{self, Row};
use crate::index::facts::Entry;
use crate::index::file::IndexFile;
use crate::index::format::{BLOCK_BYTES, ENTRIES_PER_BLOCK, ENTRY_BYTES, Header, KEY_BYTES, KEYS_PER_BLOCK, file_name, temporary_name};
use roxmq_env::disk::{Disk, File, Open};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::time::Timestamp;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Writes an index file from front to back: all entries, row by row, then all keys in order.
pub(crate) struct IndexFileWriter {
    file: File,
    from: LogOffset,
    to: LogOffset,
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
    pub fn create(disk: &Disk, folder: &Path, from: LogOffset, to: LogOffset) -> io::Result<IndexFileWriter> {
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
    pub fn row(&mut self, topic: &Arc<str>, queue_id: u32, first: QueueOffset, first_log_offset: LogOffset) {
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
    pub fn key(&mut self, hash: u32, log_offset: LogOffset) -> io::Result<()> {
        if self.keys == 0 {
            self.end_block()?;
        }
        self.put(&[hash, (log_offset - self.from) as u32], KEYS_PER_BLOCK * KEY_BYTES)?;
        self.keys += 1;
        Ok(())
    }

    /// Makes everything durable, gives the file its name, and opens it.
    pub fn finish(mut self, disk: &Disk, folder: &Path, first_time: Timestamp, last_time: Timestamp) -> io::Result<(IndexFile, Vec<Row>)> {
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
        let file = LazyFile::new(disk, folder.join(name), Open::Read);
        Ok((IndexFile::new(&header, self.rows.len() as u64, file), self.rows))
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

const BUFFER_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::format::range_in;
    use roxmq_env::disk::SimDisk;

    const FOLDER: &str = "/index";

    fn written(sim: &SimDisk, entries_per_queue: u32) -> (IndexFile, Vec<Row>) {
        let (disk, folder) = (sim.disk(), Path::new(FOLDER));
        disk.create_dir_all(folder).expect("creates");
        let mut writer = IndexFileWriter::create(&disk, folder, LogOffset(1000), LogOffset(9000)).expect("creates");
        for queue_id in 0..3 {
            writer.row(&"topic".into(), queue_id, QueueOffset(7), LogOffset(1000 + i64::from(queue_id)));
            for n in 0..entries_per_queue {
                let entry = Entry { log_offset: LogOffset(1000 + i64::from(n * 3 + queue_id)), size: n, tags: -1, envelope: queue_id };
                writer.entry(&entry).expect("writes");
            }
        }
        for hash in 0..entries_per_queue * 3 {
            writer.key(hash / 2 * 2, LogOffset(1000 + i64::from(hash))).expect("writes");
        }
        writer.finish(&disk, folder, Timestamp(5), Timestamp(6)).expect("finishes")
    }

    #[test]
    fn gives_back_what_was_written() {
        for entries_per_queue in [1, 84, 85, 86, 1000, 4080, 5000] {
            let sim = SimDisk::new(1);
            let (_, rows) = written(&sim, entries_per_queue);
            let (file, read) = IndexFile::open(&sim.disk(), Path::new(FOLDER), LogOffset(1000), LogOffset(9000)).expect("opens");
            assert_eq!(read, rows);
            assert_eq!(file.directory().expect("reads").collect::<io::Result<Vec<_>>>().expect("reads"), rows);
            assert_eq!((file.first_time, file.last_time), (Timestamp(5), Timestamp(6)));
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
                assert_eq!(seen, (0..entries_per_queue).map(|n| (QueueOffset(7 + i64::from(n)), n, row.queue_id)).collect::<Vec<_>>());
            }
            assert_eq!(file.keys().filter(Result::is_ok).count(), entries_per_queue as usize * 3);
            for hash in 0..entries_per_queue * 3 + 2 {
                let mut found = Vec::new();
                file.find_key(hash, &mut found).expect("reads");
                let expected = (0..entries_per_queue * 3).filter(|n| n / 2 * 2 == hash).map(|n| LogOffset(1000 + i64::from(n)));
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
            let seen = match IndexFile::open(&sim.disk(), Path::new(FOLDER), LogOffset(1000), LogOffset(9000)) {
                Err(error) => error.kind() == io::ErrorKind::InvalidData,
                Ok((file, _)) => file.entries(0, 900, &mut Vec::new()).is_err() || file.keys().any(|key| key.is_err()),
            };
            assert!(seen, "byte {at} mask {mask}");
            sim.flip(&path, at, mask);
        }
    }

    #[test]
    fn names_say_the_range() {
        assert_eq!(range_in(&file_name(LogOffset(0), LogOffset(1 << 30))), Some((LogOffset(0), LogOffset(1 << 30))));
        for name in
            ["", "x.index", "00000000000000000000-00000000000000000000.index", "00000000000000000000-00000000000000000001.index.tmp"]
        {
            assert_eq!(range_in(name), None);
        }
    }
}
