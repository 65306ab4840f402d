//! Is every record of the log what was written, and does each follow in its queue?

use super::{Folder, Problem, ProblemKind, Progress, Report, below};
use crate::checkpoint::Checkpoint;
use crate::index::directory::Row;
use crate::index::facts;
use crate::index::file::IndexFile;
use crate::index::table::Index;
use crate::log::atomic_batch::UnfinishedBatch;
use crate::log::segment::Segment;
use crate::log::walk::{self, Stop};
use crate::recovery::replay::{self, Trust};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A part of a segment, and the index file about it if there is one.
pub(crate) struct Part {
    pub segment: Arc<Segment>,
    pub from: LogOffset,
    pub to: LogOffset,
    pub file: Option<(IndexFile, Vec<Row>)>,
}

/// What the records of a part say.
pub(crate) struct Walked {
    /// The index that they make.
    pub index: Index,
    /// Where in the log no sound record is; each was reported.
    pub damaged: Vec<Range<LogOffset>>,
}

/// A walk through the log from front to back.
pub(super) struct LogWalk<'a> {
    folder: &'a Folder,
    /// Everything before was durable once.
    durable: LogOffset,
    trusted: Trust,
    begins: LogOffset,
    total: u64,
    /// Where the log ends, once that is known.
    end: Option<LogOffset>,
    at: LogOffset,
    next: HashMap<(String, u32), QueueOffset>,
    unfinished: UnfinishedBatch,
    dead: Index,
}

impl<'a> LogWalk<'a> {
    pub fn new(
        folder: &'a Folder,
        checkpoint: Option<&Checkpoint>,
        flush_mark: Option<LogOffset>,
        has_flush_mark: bool,
        segments: &[Arc<Segment>],
        ranges: &[(LogOffset, LogOffset)],
    ) -> io::Result<LogWalk<'a>> {
        let mut dead = Index::default();
        if let Some(checkpoint) = checkpoint {
            dead.dead_before.extend(checkpoint.dead_before.iter().map(|(topic, before)| (Arc::from(topic.as_str()), *before)));
        }
        let known = flush_mark.into_iter().chain(checkpoint.map(|checkpoint| checkpoint.flushed)).max();
        let is_ours = has_flush_mark || known.is_some();
        let durable = match known {
            Some(known) => known,
            None if is_ours => LogOffset(0),
            None => walk::last_begun(segments)?,
        };
        let begins = segments.first().map_or(LogOffset(0), |segment| segment.base);
        Ok(LogWalk {
            folder,
            durable: ranges.iter().map(|(_, to)| *to).fold(durable, LogOffset::max),
            trusted: if is_ours { Trust::Durable } else { Trust::Foreign },
            begins,
            total: segments.iter().map(|segment| segment.bytes).sum(),
            end: None,
            at: begins,
            next: HashMap::new(),
            unfinished: UnfinishedBatch::default(),
            dead,
        })
    }

    /// Whether the log ends with what was walked.
    pub fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Walks one part.
    pub fn part(&mut self, part: &Part, report: &mut Report, progress: &mut Progress<'_>) -> io::Result<Walked> {
        let segment = Segment { base: part.segment.base, bytes: (part.to - part.segment.base) as u64, file: part.segment.file.another() };
        let mut walked = Walked { index: self.dead.with_same_dead(), damaged: Vec::new() };
        let mut at = part.from;
        loop {
            let (stopped, why) = self.run(&segment, at, &mut walked.index, report, progress)?;
            let Stop::Bad(why) = why else {
                let end = self.unfinished.ends(part.to);
                self.at = end;
                self.end = (end < part.to).then_some(end);
                return Ok(walked);
            };
            if stopped >= self.durable {
                let end = self.unfinished.ends(stopped);
                self.end = Some(end);
                self.at = end;
                return Ok(walked);
            }
            let found = walk::next_sound(&segment, stopped + 1)?;
            let what = match found {
                Some(next) => format!("{why}; the next sound record is at {next}"),
                None => format!("{why}; no sound record follows up to {}", segment.end()),
            };
            report.add(self.problem(&part.segment, stopped, what));
            walked.damaged.push(stopped..found.unwrap_or(segment.end()));
            match found {
                Some(next) => at = next,
                None if self.durable >= segment.end() => {
                    self.at = part.to;
                    return Ok(walked);
                }
                None => {
                    self.end = Some(stopped);
                    self.at = stopped;
                    return Ok(walked);
                }
            }
        }
    }

    /// Walks until something stops it.
    fn run(
        &mut self,
        segment: &Segment,
        from: LogOffset,
        index: &mut Index,
        report: &mut Report,
        progress: &mut Progress<'_>,
    ) -> io::Result<(LogOffset, Stop)> {
        let LogWalk { folder, durable, trusted, begins, total, next, unfinished, .. } = self;
        let mut reported = from;
        walk::scan(segment, from, &mut |record, bytes| {
            let at = record.log_offset;
            let is_tail = at >= *durable;
            if is_tail && walk::is_torn(bytes, record, at - segment.base) {
                return Err("a part of it is missing");
            }
            if facts::is_queued(record.sys_flag) && !index.is_dead(record.topic, at) {
                let offset = record.queue_offset;
                let queue = (record.topic.to_owned(), record.queue_id);
                let expected = next.get(&queue).copied().or((*begins == LogOffset(0)).then_some(QueueOffset(0)));
                let follows =
                    expected.is_none_or(|expected| offset == expected) || (offset == QueueOffset(0) && *trusted == Trust::Foreign);
                if !follows && is_tail {
                    return Err("its offset does not follow in its queue");
                }
                if !follows {
                    let what = format!(
                        "queue {} of {} goes on with offset {offset} instead of {}",
                        record.queue_id,
                        record.topic,
                        expected.unwrap_or_default()
                    );
                    report.add(Problem {
                        kind: ProblemKind::Record,
                        file: file_of(folder, segment),
                        log_offset: Some(record.log_offset),
                        what,
                    });
                }
            }
            for (topic, queue_id, offset) in facts::places(record).filter(|(topic, ..)| !index.is_dead(topic, at)) {
                next.entry((topic.to_owned(), queue_id)).and_modify(|next| *next = (offset + 1).max(*next)).or_insert(offset + 1);
            }
            report.records += 1;
            if at - reported >= PROGRESS_BYTES {
                reported = at;
                progress((at - *begins) as u64, *total);
            }
            match is_tail {
                true => unfinished.next(record, bytes, |record, bytes| replay::dispatch(record, bytes, Trust::Tail, index)),
                false => replay::dispatch(record, bytes, *trusted, index),
            }
        })
    }

    /// Reports what is known only at the end.
    pub fn finish(
        self,
        segments: &[Arc<Segment>],
        checkpoint: Option<&Checkpoint>,
        flush_mark: Option<LogOffset>,
        report: &mut Report,
    ) -> io::Result<()> {
        let end = self.end.unwrap_or(self.at);
        report.log = (self.begins, end);
        let left: u64 = segments.iter().map(|segment| unclean_bytes(segment, end)).sum::<io::Result<u64>>()?;
        if left > 0 {
            report.notes.push(format!("past the end of the log, {end}, {left} bytes are not zero; the next start clears them"));
        }
        if let Some(checkpoint) = checkpoint
            && checkpoint.flushed > end
        {
            let what = format!("it knows that the log was durable up to {}, and the log ends at {end}", checkpoint.flushed);
            report.add(Problem { kind: ProblemKind::Record, file: "store.checkpoint".into(), log_offset: Some(end), what });
        }
        if let Some(flush_mark) = flush_mark.filter(|flush_mark| *flush_mark > end) {
            let what = format!("it knows that the log was durable up to {flush_mark}, and the log ends at {end}");
            report.add(Problem { kind: ProblemKind::Record, file: "store.flushed".into(), log_offset: Some(end), what });
        }
        let mut next = self.next;
        for (topic, queue_id, known) in checkpoint.iter().flat_map(|checkpoint| &checkpoint.queues) {
            match next.get(&(topic.clone(), *queue_id)).copied() {
                Some(found) if found < *known => {
                    let what = format!("queue {queue_id} of {topic} ends at {found}, and the checkpoint knows of {known}");
                    report.add(Problem { kind: ProblemKind::Record, file: "store.checkpoint".into(), log_offset: None, what });
                }
                Some(_) => {}
                // Its messages are all gone.
                None => drop(next.insert((topic.clone(), *queue_id), *known)),
            }
        }
        report.queues = next.into_iter().collect();
        Ok(())
    }

    fn problem(&self, segment: &Segment, at: LogOffset, what: String) -> Problem {
        Problem { kind: ProblemKind::Record, file: file_of(self.folder, segment), log_offset: Some(at), what }
    }
}

fn file_of(folder: &Folder, segment: &Segment) -> PathBuf {
    below(folder, segment.file.path())
}

/// How many bytes of a segment from `end` on are not zero.
fn unclean_bytes(segment: &Segment, end: LogOffset) -> io::Result<u64> {
    let mut at = end.max(segment.base);
    let mut window = Vec::new();
    let mut unclean = 0;
    while at < segment.end() {
        window.clear();
        let len = ((segment.end() - at) as usize).min(WINDOW_BYTES);
        segment.read(at, len, &mut window)?;
        if !walk::is_zero(&window) {
            unclean += window.iter().filter(|byte| **byte != 0).count() as u64;
        }
        at += len as i64;
    }
    Ok(unclean)
}

const PROGRESS_BYTES: i64 = 1 << 20;
const WINDOW_BYTES: usize = 1 << 20;
