//! Does an index file say what the log says?

use super::log::{Part, Walked};
use super::{Folder, Problem, ProblemKind, Report, folder_file};
use crate::index::directory::Row;
use crate::index::facts::{self, Entry};
use crate::index::file::IndexFile;
use crate::index::queue::TailEntry;
use crate::index::table::Index;
use crate::log::segment::Segment;
use crate::log::walk;
use roxmq_env::disk::Disk;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::Record;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// The parts of a segment as its index files divide it: one after the other, the longest first, as a start takes them.
pub(super) fn parts_of(
    disk: &Disk,
    folder: &Folder,
    segment: &Arc<Segment>,
    ranges: &[(LogOffset, LogOffset)],
    report: &mut Report,
) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut at = segment.base;
    for (from, to) in ranges {
        if *from != at || *to > segment.end() {
            continue;
        }
        match IndexFile::open(disk, &folder.index(), *from, *to) {
            Ok((file, rows)) => {
                parts.push(Part { segment: segment.clone(), from: *from, to: *to, file: Some((file, rows)) });
                at = *to;
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                report.add(problem(*from, *to, None, error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    if at < segment.end() {
        parts.push(Part { segment: segment.clone(), from: at, to: segment.end(), file: None });
    }
    report.index_files += parts.iter().filter(|part| part.file.is_some()).count();
    Ok(parts)
}

/// Compares an index file with the index that the records of its part make.
pub(super) fn compare((file, rows): &(IndexFile, Vec<Row>), part: &Part, walked: &Walked, report: &mut Report) -> io::Result<()> {
    let mut comparing = Comparing { part, derived: &walked.index, unreadable: &walked.damaged, damaged: BTreeSet::new(), report };
    let compared = comparing.entries(file, rows).and_then(|()| comparing.keys(file));
    file.file.close();
    match compared {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            report.add(problem(part.from, part.to, None, error.to_string()));
            Ok(())
        }
        other => other,
    }
}

struct Comparing<'a> {
    part: &'a Part,
    derived: &'a Index,
    /// Where the walk found no sound record, and reported that.
    unreadable: &'a [Range<LogOffset>],
    /// Records that were met here.
    damaged: BTreeSet<LogOffset>,
    report: &'a mut Report,
}

impl Comparing<'_> {
    fn entries(&mut self, file: &IndexFile, rows: &[Row]) -> io::Result<()> {
        let mut in_log: HashMap<(&str, u32), HashMap<QueueOffset, TailEntry>> = HashMap::new();
        for (_, queue) in self.derived.queues() {
            let of_queue = in_log.entry((&queue.topic, queue.queue_id)).or_default();
            let mut entries = Vec::new();
            let mut at = 0;
            for (first, len) in queue.tail_before(self.part.to, &mut entries) {
                of_queue.extend((first.0..).map(QueueOffset).zip(entries[at..at + len].iter().copied()));
                at += len;
            }
        }
        let mut in_rows = 0;
        let mut in_order = file.in_order();
        for row in rows {
            in_rows += u64::from(row.count);
            in_order.each(row, |offset, entry| {
                let found = in_log.get_mut(&(&*row.topic, row.queue_id)).and_then(|of_queue| of_queue.remove(&offset));
                self.entry(row, offset, entry, found)
            })?;
        }
        self.report.index_entries += in_rows;
        if in_rows != file.entry_count() {
            let what = format!("it has {} entries, and its directory knows {in_rows}", file.entry_count());
            self.report.add(problem(self.part.from, self.part.to, None, what));
        }
        let left = in_log.into_iter().flat_map(|((topic, queue_id), of_queue)| {
            of_queue.into_iter().map(move |(offset, found)| (found.entry.log_offset, topic.to_owned(), queue_id, offset))
        });
        let mut left: Vec<_> = left.filter(|(log_offset, ..)| !self.damaged.contains(log_offset)).collect();
        left.sort_unstable();
        for (log_offset, topic, queue_id, offset) in left {
            self.add(log_offset, format!("the record of {topic} queue {queue_id} offset {offset} is not in it"));
        }
        Ok(())
    }

    fn entry(&mut self, row: &Row, offset: QueueOffset, entry: &Entry, found: Option<TailEntry>) -> io::Result<()> {
        if found.is_some_and(|found| found.entry == *entry) || self.derived.is_dead(&row.topic, entry.log_offset) {
            return Ok(());
        }
        let what = format!("{} queue {} offset {offset}", row.topic, row.queue_id);
        // Blocks have CRCs: where a sound block and the log differ, and the log has no checksum, the log was damaged.
        let mut bytes = Vec::new();
        let is_there = self.part.segment.base <= entry.log_offset
            && entry.log_offset < self.part.segment.end()
            && walk::record_at(&self.part.segment, entry.log_offset, &mut bytes)?;
        if !is_there {
            if !self.unreadable.iter().any(|range| range.contains(&entry.log_offset)) {
                self.add(entry.log_offset, format!("its entry for {what} names a place where no sound record is"));
            }
            self.damaged.insert(entry.log_offset);
            return Ok(());
        }
        let Ok((record, _)) = Record::parse(&bytes) else { return Ok(()) };
        let is_damaged = facts::envelope_crc(&bytes, record.sys_flag, record.body.len()) != entry.envelope
            || bytes.len() != entry.size as usize
            || (record.topic, record.queue_id, record.queue_offset) != (&*row.topic, row.queue_id, offset);
        if is_damaged {
            self.report.add(Problem {
                kind: ProblemKind::Record,
                file: PathBuf::from(self.part.segment.file.path().file_name().unwrap_or_default()),
                log_offset: Some(entry.log_offset),
                what: format!("the record of {what} is not the one that its index entry was made for"),
            });
        } else {
            self.add(entry.log_offset, format!("its entry for {what} is not what the record says"));
        }
        self.damaged.insert(entry.log_offset);
        Ok(())
    }

    fn keys(&mut self, file: &IndexFile) -> io::Result<()> {
        let mut in_log = self.derived.keys.before(self.part.to);
        in_log.sort_unstable();
        let mut in_log = in_log.into_iter().peekable();
        for key in file.keys() {
            let key = key?;
            self.report.index_keys += 1;
            while let Some(missing) = in_log.next_if(|found| *found < key) {
                self.key(missing, "a key of the record is not in it")?;
            }
            if in_log.next_if_eq(&key).is_none() {
                self.key(key, "it has a key that the record does not have")?;
            }
        }
        for missing in in_log {
            self.key(missing, "a key of the record is not in it")?;
        }
        Ok(())
    }

    /// A key that only one of the two has: reported unless the record is damaged or dead.
    fn key(&mut self, (_, log_offset): (u32, LogOffset), what: &str) -> io::Result<()> {
        let mut bytes = Vec::new();
        let is_there = (self.part.segment.base..self.part.segment.end()).contains(&log_offset)
            && walk::record_at(&self.part.segment, log_offset, &mut bytes)?;
        let is_dead = is_there && Record::parse(&bytes).is_ok_and(|(record, _)| self.derived.is_dead(record.topic, log_offset));
        if is_there && !is_dead && self.damaged.insert(log_offset) {
            self.add(log_offset, what.to_owned());
        }
        Ok(())
    }

    fn add(&mut self, log_offset: LogOffset, what: String) {
        self.report.add(problem(self.part.from, self.part.to, Some(log_offset), what));
    }
}

fn problem(from: LogOffset, to: LogOffset, log_offset: Option<LogOffset>, what: String) -> Problem {
    Problem { kind: ProblemKind::Index, file: folder_file(from, to), log_offset, what }
}
