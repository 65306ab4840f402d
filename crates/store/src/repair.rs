//! How are files that are derived from the log rebuilt, in a folder that no process uses?
//!
//! A start does the same for index files; this does it without a start. It neither writes nor deletes a byte of the log, unless
//! [`Repair::truncate_at`] asks for a cut. The log is made durable first, as an index file promises that its part of the log is.

use crate::checkpoint::Checkpoint;
use crate::flush_mark::FlushMark;
use crate::index::table::Index;
use crate::index::{facts, format, tail_file};
use crate::locks;
use crate::log::segment::Segment;
use crate::log::walk::{self, Stop};
use crate::recovery::replay::{self, Trust};
use crate::verify::{self, Folder, FolderError, Inspection, ProblemKind, Progress, Report};
use roxmq_env::disk::{Disk, Open};
use roxmq_env::lock_order::RwLock;
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::Record;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// What to do beside rebuilding derived files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Repair {
    /// Cut the log at this log offset, where a record must begin or end: what follows is discarded.
    pub truncate_at: Option<LogOffset>,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Repaired {
    /// Each thing done, in words.
    pub done: Vec<String>,
    /// The folder as it is now.
    pub report: Report,
}

/// Rebuilds each derived file that is damaged or missing.
///
/// # Errors
/// When the folder cannot be read or written, or the log cannot be cut there.
pub fn repair(disk: &Disk, folder: &Folder, how: Repair, progress: &mut Progress<'_>) -> Result<Repaired, FolderError> {
    let _lock = verify::lock(disk, folder)?;
    let mut repairing = Repairing { disk, folder, done: Vec::new() };
    let failed = |source| FolderError::Disk { what: format!("repairing {}", folder.root.display()), source };
    let mut inspection = verify::inspect(disk, folder, progress)?;
    if let Some(at) = how.truncate_at {
        let lost = repairing.check_cut(&inspection, at)?;
        repairing.cut(&inspection, at, &lost).map_err(failed)?;
        inspection = verify::inspect(disk, folder, progress)?;
    }
    repairing.index(&inspection).map_err(failed)?;
    repairing.marks(&inspection).map_err(failed)?;
    let done = repairing.done;
    let report = verify::inspect(disk, folder, progress)?.report;
    Ok(Repaired { done, report })
}

struct Repairing<'a> {
    disk: &'a Disk,
    folder: &'a Folder,
    done: Vec<String>,
}

/// The first offset of each queue that a cut takes away.
type Lost = BTreeMap<(String, u32), QueueOffset>;

impl Repairing<'_> {
    /// Whether the log can be cut there, and what that takes away.
    fn check_cut(&self, inspection: &Inspection, at: LogOffset) -> Result<Lost, FolderError> {
        let refuse = |why: String| Err(FolderError::Cut { at, why });
        let (begin, end) = inspection.report.log;
        if !(begin..=end).contains(&at) {
            return refuse(format!("the log has the offsets from {begin} to {end}"));
        }
        let mut lost = Lost::new();
        let mut boundary = begin;
        for segment in &inspection.segments {
            let mut from = segment.base;
            while from < segment.end().min(end) {
                let sink: &mut walk::Sink<'_> = &mut |record: &Record<'_>, bytes: &[u8]| {
                    let (starts, ends) = (record.log_offset, record.log_offset.plus(bytes.len()));
                    if starts <= at {
                        boundary = starts;
                    }
                    if ends <= at {
                        boundary = ends;
                    }
                    if starts >= at {
                        for (topic, queue_id, offset) in facts::places(record) {
                            lost.entry((topic.to_owned(), queue_id)).or_insert(offset);
                        }
                    }
                    Ok(())
                };
                let scanned = walk::scan(segment, from, sink).and_then(|(stopped, why)| match why {
                    Stop::End => Ok(None),
                    // The log may be cut after damage, too, or where it begins.
                    Stop::Bad(_) => {
                        if stopped <= at {
                            boundary = stopped;
                        }
                        walk::next_sound(segment, stopped + 1)
                    }
                });
                match scanned {
                    Ok(Some(next)) => from = next,
                    Ok(None) => break,
                    Err(source) => return Err(FolderError::Disk { what: "reading the log".to_owned(), source }),
                }
            }
        }
        match boundary == at {
            true => Ok(lost),
            false => refuse(format!("no record begins or ends there; one does at {boundary}")),
        }
    }

    /// Cuts the log. The marks go first and the index second: a crash in between leaves a longer log, never a mark past its end.
    fn cut(&mut self, inspection: &Inspection, at: LogOffset, lost: &Lost) -> io::Result<()> {
        let root = &self.folder.root;
        if let Some(mut checkpoint) = inspection.checkpoint.clone() {
            checkpoint.flushed = checkpoint.flushed.min(at);
            for (topic, queue_id, next) in &mut checkpoint.queues {
                if let Some(first) = lost.get(&(topic.clone(), *queue_id)) {
                    *next = (*next).min(*first);
                }
            }
            checkpoint.queues.retain(|(_, _, next)| next.0 > 0);
            checkpoint.dead_before.retain(|(_, dead)| *dead <= at);
            checkpoint.save(self.disk, root)?;
        }
        if inspection.flush_mark.is_some_and(|flush_mark| flush_mark > at) {
            FlushMark::create(self.disk, root, at)?;
        }
        for (from, to) in inspection.ranges.iter().filter(|(_, to)| *to > at) {
            self.disk.remove(&self.folder.index().join(format::file_name(*from, *to)))?;
        }
        self.sync_index_folder()?;
        for segment in inspection.segments.iter().rev() {
            let path = segment.file.path();
            if segment.base >= at && segment.base > inspection.report.log.0 {
                self.disk.remove(path)?;
                self.disk.sync_dir(&self.folder.log())?;
            } else if segment.end() > at {
                let file = self.disk.open(path, Open::Write)?;
                file.set_len((at - segment.base).max(0) as u64)?;
                file.set_len(segment.bytes)?;
                file.sync_data()?;
            }
        }
        self.done.push(format!("cut the log at {at}; it had ended at {}", inspection.report.log.1.0));
        Ok(())
    }

    /// Rebuilds the index of each segment whose index is damaged or incomplete.
    fn index(&mut self, inspection: &Inspection) -> io::Result<()> {
        self.disk.create_dir_all(&self.folder.index())?;
        let end = inspection.report.log.1;
        let begun = inspection.segments.iter().filter(|segment| segment.base < end);
        for segment in begun {
            let to = segment.end().min(end);
            let parts: Vec<_> = inspection.parts.iter().filter(|part| part.segment.base == segment.base && part.file.is_some()).collect();
            let known_to = parts.last().map_or(segment.base, |part| part.to);
            let names: Vec<_> = inspection
                .ranges
                .iter()
                .filter(|(from, to)| *from < segment.end() && *to > segment.base)
                .map(|(from, to)| (*from, *to, format::file_name(*from, *to)))
                .collect();
            let is_damaged = inspection.report.problems.iter().any(|problem| {
                problem.kind == ProblemKind::Index && names.iter().any(|(_, _, name)| problem.file.ends_with(name.as_str()))
            });
            if !is_damaged && known_to == to {
                continue;
            }
            self.rebuild(inspection, segment, segment.base..to)?;
            let made = format::file_name(segment.base, to);
            for (_, _, name) in names.iter().filter(|(_, _, name)| *name != made) {
                self.disk.remove(&self.folder.index().join(name))?;
            }
            self.sync_index_folder()?;
            self.done.push(format!("rebuilt index/{made} from the log"));
        }
        Ok(())
    }

    fn rebuild(&self, inspection: &Inspection, segment: &Arc<Segment>, range: Range<LogOffset>) -> io::Result<()> {
        self.disk.open(segment.file.path(), Open::Write)?.sync_data()?;
        let mut index = Index::default();
        if let Some(checkpoint) = &inspection.checkpoint {
            index.dead_before.extend(checkpoint.dead_before.iter().map(|(topic, before)| (Arc::from(topic.as_str()), *before)));
        }
        let part = Segment { base: segment.base, bytes: (range.end - segment.base) as u64, file: segment.file.another() };
        // A log without any mark of ours may be another broker's, and which topics it deleted is not known.
        let is_foreign = inspection.checkpoint.is_none() && inspection.flush_mark.is_none();
        let trusted = if is_foreign { Trust::Foreign } else { Trust::Durable };
        replay::replay(&part, range.start, LogOffset::MAX, trusted, &mut index)?;
        tail_file::write_tail(self.disk, &self.folder.index(), &RwLock::new(locks::INDEX, index), range.start, range.end).map(drop)
    }

    /// Rebuilds the checkpoint and the flush mark where they are damaged or missing.
    fn marks(&mut self, inspection: &Inspection) -> io::Result<()> {
        let end = inspection.report.log.1;
        if inspection.checkpoint.is_none() || inspection.flush_mark.is_none() {
            for segment in &inspection.segments {
                self.disk.open(segment.file.path(), Open::Write)?.sync_data()?;
            }
        }
        if inspection.checkpoint.is_none() {
            let queues = inspection.report.queues.iter().map(|((topic, queue_id), next)| (topic.clone(), *queue_id, *next));
            let checkpoint = Checkpoint { flushed: end, queues: queues.collect(), dead_before: Vec::new() };
            checkpoint.save(self.disk, &self.folder.root)?;
            self.done.push("rebuilt store.checkpoint from the log; queues without messages begin at 0".to_owned());
        }
        if inspection.flush_mark.is_none() {
            FlushMark::create(self.disk, &self.folder.root, end)?;
            self.done.push("rebuilt store.flushed from the log".to_owned());
        }
        Ok(())
    }

    fn sync_index_folder(&self) -> io::Result<()> {
        match self.disk.sync_dir(&self.folder.index()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}
