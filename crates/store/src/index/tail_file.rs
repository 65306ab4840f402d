//! How do the newest entries get out of memory and into an index file?
//!
//! Only moving the entries out of memory takes the index's write lock, a few queues at a time.

use crate::index::directory::Row;
use crate::index::file::IndexFile;
use crate::index::file_writer::IndexFileWriter;
use crate::index::queue::QueueNo;
use crate::index::table::Index;
use roxmq_env::disk::Disk;
use roxmq_env::lock_order::RwLock;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::time::Timestamp;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Writes what `index` has in memory of a range, all of it durable, to a file, and out of memory.
pub(crate) fn move_tail_to_file(disk: &Disk, folder: &Path, index: &RwLock<Index>, from: LogOffset, to: LogOffset) -> io::Result<()> {
    let Tail { file, rows, numbers } = write_tail(disk, folder, index, from, to)?;
    let file = Arc::new(file);
    index.write().files.insert(from, file.clone());
    for (rows, numbers) in rows.chunks(QUEUES_PER_LOCK).zip(numbers.chunks(QUEUES_PER_LOCK)) {
        let mut index = index.write();
        rows.iter().zip(numbers).for_each(|(row, no)| index.moved_to_file(*no, &file, row));
    }
    index.write().keys.drop_before(to);
    Ok(())
}

/// Writes the file for a range again, of what `from_log` has of it, and has the queues of `index` find their entries there.
pub(crate) fn replace_file(
    disk: &Disk,
    folder: &Path,
    index: &RwLock<Index>,
    from_log: &RwLock<Index>,
    from: LogOffset,
    to: LogOffset,
) -> io::Result<()> {
    let Tail { file, rows, .. } = write_tail(disk, folder, from_log, from, to)?;
    let file = Arc::new(file);
    let mut index = index.write();
    for rows in rows.chunk_by(|a, b| (&a.topic, a.queue_id) == (&b.topic, b.queue_id)) {
        index.replace_runs(&file, &rows[0].topic, rows[0].queue_id, rows);
    }
    index.files.insert(from, file);
    Ok(())
}

/// What [`write_tail`] has written.
pub(crate) struct Tail {
    file: IndexFile,
    rows: Vec<Row>,
    /// The number in the index that the queue of each row has.
    numbers: Vec<QueueNo>,
}

/// The numbers of all queues in the order of their names and ids, at least of those that are there now. Sorting very many names costs
/// more than anything else that a file of few entries each needs, so it is done again only when a queue has come or gone.
fn in_order(index: &RwLock<Index>) -> Arc<[QueueNo]> {
    let (changes, numbers) = {
        let index = index.read();
        if let Some(order) = &index.order {
            return Arc::clone(order);
        }
        (index.changes, index.numbers())
    };
    let mut queues = Vec::new();
    for first in (0..numbers).step_by(QUEUES_PER_LOCK) {
        queues.extend(index.read().named(first..first + QUEUES_PER_LOCK));
    }
    queues.sort_unstable();
    let order: Arc<[QueueNo]> = queues.iter().map(|(_, _, no)| *no).collect();
    let mut index = index.write();
    if index.changes == changes {
        index.order = Some(Arc::clone(&order));
    }
    order
}

/// Writes what `index` has in memory of a range to a file. Only a few queues' entries are held at a time: there may be very many queues.
pub(crate) fn write_tail(disk: &Disk, folder: &Path, index: &RwLock<Index>, from: LogOffset, to: LogOffset) -> io::Result<Tail> {
    let mut writer = IndexFileWriter::create(disk, folder, from, to)?;
    let (mut first_time, mut last_time) = (Timestamp::MAX, Timestamp(i64::MIN));
    let mut entries = Vec::new();
    let mut numbers = Vec::new();
    // A queue that is created meanwhile, perhaps with the number of a deleted one, has nothing before `to`.
    for queues in in_order(index).chunks(QUEUES_PER_LOCK) {
        entries.clear();
        let mut runs = Vec::new();
        let index = index.read();
        for no in queues {
            let Some(queue) = index.at(*no) else { continue };
            for (first, len) in queue.tail_before(to, &mut entries) {
                runs.push((queue.topic.clone(), queue.queue_id, first, len));
                numbers.push(*no);
            }
        }
        drop(index);
        let mut left = entries.as_slice();
        for (topic, queue_id, first, len) in &runs {
            let (run, rest) = left.split_at(*len);
            left = rest;
            writer.row(topic, *queue_id, *first, run[0].entry.log_offset);
            for entry in run {
                writer.entry(&entry.entry)?;
                first_time = first_time.min(entry.store_time);
                last_time = last_time.max(entry.store_time);
            }
        }
    }
    drop(entries);
    let mut keys = index.read().keys.before(to);
    keys.sort_unstable();
    for (hash, log_offset) in keys {
        writer.key(hash, log_offset)?;
    }
    let (file, rows) = writer.finish(disk, folder, first_time, last_time)?;
    Ok(Tail { file, rows, numbers })
}

/// Queues that are read or changed while the index is locked once.
pub(crate) const QUEUES_PER_LOCK: usize = 256;
