//! What is read from the store's files: each kind as a function of bytes, which may be anything. For runs of hostile input.
//!
//! Checksums are corrected first: otherwise changed bytes would hardly get past them.

use crate::checkpoint::Checkpoint;
use crate::files::name::{name_of, offset_in};
use crate::flush_mark::FlushMark;
use crate::index::directory::{self, Directory, Row};
use crate::index::facts;
use crate::index::file::IndexFile;
use crate::index::format::{self, BLOCK_BYTES, Header, range_in};
use crate::log::atomic_batch::UnfinishedBatch;
use roxmq_env::disk::{Open, SimDisk};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::Record;
use roxmq_protocol::time::Timestamp;
use std::io;
use std::path::Path;

/// `store.checkpoint`.
pub fn checkpoint(bytes: &[u8]) {
    let mut sealed = bytes.to_vec();
    sealed.extend_from_slice(&crc32fast::hash(bytes).to_be_bytes());
    let _ = (Checkpoint::parse(&sealed), Checkpoint::parse(bytes));
}

/// `store.flushed`.
pub fn flush_mark(bytes: &[u8]) {
    let _ = FlushMark::parse(bytes);
}

/// Names of files in a data folder.
pub fn file_names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = (offset_in(&text), range_in(&text));
}

/// The log, as recovery and repair read it: records, what the index keeps of each, and batches of which all are there or none.
pub fn log(bytes: &[u8]) {
    let mut unfinished = UnfinishedBatch::default();
    let (mut rest, mut hashes) = (bytes, Vec::new());
    while let Ok((record, len)) = Record::parse(rest) {
        let taken: Result<(), ()> = unfinished.next(&record, &rest[..len], |record, bytes| {
            hashes.clear();
            facts::of_properties(record.topic, record.properties(), record.sys_flag, &mut hashes);
            facts::places(record).for_each(drop);
            facts::envelope_crc(bytes, record.sys_flag, record.body.len());
            Ok(())
        });
        if taken.is_err() {
            break;
        }
        rest = &rest[len..];
    }
    let _ = unfinished.ends(LogOffset(bytes.len() as i64));
}

/// The directory of an index file.
pub fn index_directory(bytes: &[u8]) {
    let _ = rows_of(bytes);
}

/// How many rows a directory has.
fn rows_of(bytes: &[u8]) -> io::Result<usize> {
    let mut sealed = bytes.to_vec();
    sealed.extend_from_slice(&crc32fast::hash(bytes).to_be_bytes());
    let rows = Directory::new(&*sealed, sealed.len() as u64, LogOffset(0)..LogOffset::MAX, u64::from(u32::MAX))?;
    rows.map(|row| row.map(|_| 1)).sum()
}

/// A whole index file: its header, then rows, entries and keys as a reader asks for them.
pub fn index_file(bytes: &[u8]) {
    let _ = read_index_file(bytes);
}

/// How many entries and keys were read.
fn read_index_file(bytes: &[u8]) -> io::Result<(usize, usize)> {
    let (sim, folder) = (SimDisk::new(0), Path::new("/i"));
    let disk = sim.disk();
    let name = format::file_name(FROM, TO);
    let sealed = sealed_index_file(bytes);
    disk.create_dir_all(folder)?;
    disk.open(&folder.join(name), Open::Truncate)?.write_at(0, &sealed)?;
    let (index, rows) = IndexFile::open(&disk, folder, FROM, TO)?;
    let (mut entries, mut found) = (Vec::new(), Vec::new());
    // Also those after one that cannot be read.
    let of_rows: Vec<io::Result<usize>> = rows
        .iter()
        .take(ROWS_READ_MAX)
        .map(|row| {
            entries.clear();
            let count = row.count.min(ENTRIES_READ_MAX) as usize;
            index.entries(row.at, count, &mut entries).map(|()| entries.len())
        })
        .collect();
    let by_hash = index.find_key(7, &mut found);
    let keys: io::Result<usize> = index.keys().take(ENTRIES_READ_MAX as usize).map(|key| key.map(|_| 1)).sum();
    by_hash?;
    Ok((of_rows.into_iter().sum::<io::Result<usize>>()?, keys?))
}

/// Sound samples of each, to be changed.
pub fn samples() -> Vec<Vec<u8>> {
    let queues = vec![("Topic".to_owned(), 1, QueueOffset(7)), ("%LMQ%a".to_owned(), 0, QueueOffset(2))];
    let mut checkpoint = Checkpoint { flushed: LogOffset(4096), queues, dead_before: vec![("Gone".to_owned(), LogOffset(17))] }.write();
    checkpoint.truncate(checkpoint.len() - 4);
    let mut all = vec![checkpoint, FlushMark::bytes(LogOffset(4096)).to_vec(), name_of(LogOffset(4096)).into_bytes()];
    all.push(format::file_name(FROM, TO).into_bytes());
    all.extend(index_samples(FROM, TO));
    all
}

/// The bytes as an index file whose checksums are right, wherever its header says that its parts are.
fn sealed_index_file(bytes: &[u8]) -> Vec<u8> {
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
fn index_samples(from: LogOffset, to: LogOffset) -> Vec<Vec<u8>> {
    let row = |topic: &str, queue_id, first, at| Row {
        topic: topic.into(),
        queue_id,
        first_log_offset: from,
        first: QueueOffset(first),
        count: 2,
        at,
    };
    let rows = [row("Topic", 0, 5, 0), row("Topic", 1, 0, 2), row("Other", 0, 9, 4)];
    let directory = directory::write(&rows);
    let (entries, keys) = (6, 3);
    let header =
        Header { from, to, entries, keys, directory_bytes: directory.len() as u64, first_time: Timestamp(1), last_time: Timestamp(2) };
    let mut file = header.write().to_vec();
    file.resize(BLOCK_BYTES * 3, 0);
    file.extend_from_slice(&directory);
    vec![directory[..directory.len() - 4].to_vec(), sealed_index_file(&file)]
}

const FROM: LogOffset = LogOffset(0);
const TO: LogOffset = LogOffset(1 << 20);
const ROWS_READ_MAX: usize = 8;
const ENTRIES_READ_MAX: u32 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_samples_are_read_to_their_end_and_cut_ones_refused() {
        let [directory, file]: [Vec<u8>; 2] = index_samples(FROM, TO).try_into().expect("a directory and a file");
        assert_eq!(sealed_index_file(&file), file, "its checksums are right already");
        assert_eq!(read_index_file(&file).expect("reads"), (6, 3));
        assert_eq!(rows_of(&directory).expect("reads"), 3);
        for len in [0, 100, BLOCK_BYTES, file.len() - 1] {
            assert!(read_index_file(&file[..len]).is_err(), "{len} bytes of a file");
        }
        for len in [1, directory.len() / 2, directory.len() - 1] {
            assert!(rows_of(&directory[..len]).is_err(), "{len} bytes of a directory");
        }
    }

    #[test]
    fn every_decoder_takes_every_sample() {
        let decoders = [checkpoint, flush_mark, file_names, log, index_directory, index_file];
        samples().iter().for_each(|sample| decoders.iter().for_each(|read| read(sample)));
    }
}
