//! How are several index files merged?

use crate::index::directory::Row;
use crate::index::file::IndexFile;
use crate::index::file_writer::IndexFileWriter;
use crate::index::table::Index;
use crate::index::tail_file::QUEUES_PER_LOCK;
use roxmq_env::disk::Disk;
use roxmq_env::lock_order::RwLock;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Makes one index file of several that follow each other, has the queues find their entries there, and deletes the parts. `living` knows
/// which topics are deleted.
pub(crate) fn merge_files(disk: &Disk, folder: &Path, index: &RwLock<Index>, parts: &[Arc<IndexFile>], living: &Index) -> io::Result<()> {
    let (whole, rows) = merged(disk, folder, parts, living)?;
    let whole = Arc::new(whole);
    let queues: Vec<&[Row]> = rows.chunk_by(|a, b| (&a.topic, a.queue_id) == (&b.topic, b.queue_id)).collect();
    for queues in queues.chunks(QUEUES_PER_LOCK) {
        let mut index = index.write();
        queues.iter().for_each(|rows| index.replace_runs(&whole, &rows[0].topic, rows[0].queue_id, rows));
    }
    let mut index = index.write();
    parts.iter().for_each(|part| drop(index.files.remove(&part.from)));
    index.files.insert(whole.from, whole);
    drop(index);
    for part in parts {
        disk.remove(part.file.path())?;
    }
    disk.sync_dir(folder)
}

/// Writes what is in `parts` to one file. All are read from front to back, next to each other.
fn merged(disk: &Disk, folder: &Path, parts: &[Arc<IndexFile>], living: &Index) -> io::Result<(IndexFile, Vec<Row>)> {
    let mut writer = IndexFileWriter::create(disk, folder, parts[0].from, parts[parts.len() - 1].to)?;
    let mut entries: Vec<_> = parts.iter().map(|part| part.in_order()).collect();
    let mut rows = parts.iter().map(|part| part.directory()).collect::<io::Result<Vec<_>>>()?;
    let mut end: Option<(Arc<str>, u32, QueueOffset)> = None;
    merge_sorted(&mut rows, |n, row: &Row| {
        if living.is_dead(&row.topic, row.first_log_offset) {
            return Ok(());
        }
        let follows = end.take().is_some_and(|(topic, queue_id, next)| (&topic, queue_id, next) == (&row.topic, row.queue_id, row.first));
        if !follows {
            writer.row(&row.topic, row.queue_id, row.first, row.first_log_offset);
        }
        end = Some((row.topic.clone(), row.queue_id, row.first + i64::from(row.count)));
        entries[n].each(row, |_, entry| writer.entry(entry))
    })?;
    drop((rows, entries));
    let mut keys: Vec<_> = parts.iter().map(|part| part.keys()).collect();
    merge_sorted(&mut keys, |_, (hash, log_offset)| writer.key(*hash, *log_offset))?;
    drop(keys);
    let first_time = parts.iter().map(|part| part.first_time).min().unwrap_or(Timestamp::MAX);
    let last_time = parts.iter().map(|part| part.last_time).max().unwrap_or(Timestamp(i64::MIN));
    writer.finish(disk, folder, first_time, last_time)
}

/// Shows the items of sorted sources in order, each with the number of its source.
fn merge_sorted<T: Ord>(
    sources: &mut [impl Iterator<Item = io::Result<T>>],
    mut show: impl FnMut(usize, &T) -> io::Result<()>,
) -> io::Result<()> {
    let mut heads = BinaryHeap::new();
    for (n, source) in sources.iter_mut().enumerate() {
        heads.extend(source.next().transpose()?.map(|item| Reverse((item, n))));
    }
    while let Some(mut head) = heads.peek_mut() {
        let Reverse((item, n)) = &*head;
        show(*n, item)?;
        match sources[*n].next().transpose()? {
            // Replaced in place, which costs half as much as a pop and a push.
            Some(next) => head.0.0 = next,
            None => drop(PeekMut::pop(head)),
        }
    }
    Ok(())
}
