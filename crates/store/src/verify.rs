//! Is everything in a data folder what was written? Reads all of it, changes nothing.
//!
//! The log is walked from its first record to its last. What it says of queues and keys is compared, part by part, with the index file
//! about that part; the other side of the comparison is the index that recovery would make, so that both agree on what an index is. Each mismatch
//! is a [`Problem`] that names the file and the place. What a crash may leave behind (an unfinished last record, files
//! that a merge had not deleted yet) is no problem: the next start clears it, and a [`Report::notes`] says so.

mod index;
mod log;

use crate::checkpoint::Checkpoint;
use crate::files::lazy::LazyFile;
use crate::files::name::{name_of, offset_in};
use crate::flush_mark::FlushMark;
use crate::index::format;
use crate::log::segment::Segment;
use crate::recovery::missing;
use log::LogWalk;
use roxmq_env::disk::{Disk, Lock, Open};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use log::Part;

/// Where a data folder is.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The data folder itself (`storePathRootDir`).
    pub root: PathBuf,
    /// Where the log's segments are (`storePathCommitLog`); `commitlog` in the root if not given.
    pub commit_log_dir: Option<PathBuf>,
}

impl Folder {
    pub(crate) fn log(&self) -> PathBuf {
        self.commit_log_dir.clone().unwrap_or_else(|| self.root.join("commitlog"))
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index")
    }
}

/// Why a data folder cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A broker has it open.
    #[error("a process uses the data folder {0}; stop it first")]
    Locked(PathBuf),
    /// There is no log in it.
    #[error("{0} is no data folder: it has no commit log")]
    NoLog(PathBuf),
    /// The log cannot be cut there.
    #[error("the log cannot be cut at {at}: {why}")]
    Cut {
        /// Where it should have been cut.
        at: LogOffset,
        /// Why not.
        why: String,
    },
    /// The disk says no.
    #[error("{what}: {source}")]
    Disk {
        /// What was tried.
        what: String,
        /// What the disk says.
        source: io::Error,
    },
}

/// What a problem is about, in the words of `roxmq verify --json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// A record of the log is not what was written, or is missing.
    Record,
    /// A file of the log is missing or has the wrong length.
    Segment,
    /// An index file does not say what the log says.
    Index,
    /// `store.checkpoint` cannot be believed.
    Checkpoint,
    /// `store.flushed` cannot be believed.
    Flushed,
    /// A table of the broker (`config/*.json`) cannot be read.
    Table,
    /// A group's committed offset is beyond the end of its queue.
    CommittedOffset,
}

impl ProblemKind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            ProblemKind::Record => "record",
            ProblemKind::Segment => "segment",
            ProblemKind::Index => "index",
            ProblemKind::Checkpoint => "checkpoint",
            ProblemKind::Flushed => "flushed",
            ProblemKind::Table => "table",
            ProblemKind::CommittedOffset => "committed-offset",
        }
    }

    /// Whether `repair` can rebuild it from the log.
    pub fn is_derived(self) -> bool {
        matches!(self, ProblemKind::Index | ProblemKind::Checkpoint | ProblemKind::Flushed)
    }
}

/// A difference between what is there and what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is about.
    pub kind: ProblemKind,
    /// The file, as a path below the data folder where it is there.
    pub file: PathBuf,
    /// Where in the log, if it is about a place of the log.
    pub log_offset: Option<LogOffset>,
    /// What is wrong.
    pub what: String,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Where the log begins and ends: a start goes on appending at the end.
    pub log: (LogOffset, LogOffset),
    /// Files of the log.
    pub segments: usize,
    /// Sound records.
    pub records: u64,
    /// Index files that a start would use.
    pub index_files: usize,
    /// Entries in them that were compared with the log.
    pub index_entries: u64,
    /// Keys in them that were compared with the log.
    pub index_keys: u64,
    /// The offset after the newest message of each queue.
    pub queues: BTreeMap<(String, u32), QueueOffset>,
    /// What is damaged, at most [`PROBLEMS_MAX`] of it.
    pub problems: Vec<Problem>,
    /// How many problems more there were.
    pub problems_left_out: u64,
    /// Unusual things that are no damage.
    pub notes: Vec<String>,
}

impl Report {
    /// Adds a problem.
    pub fn add(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX { self.problems.push(problem) } else { self.problems_left_out += 1 }
    }

    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// How far a check has come: bytes of the log done, and of how many.
pub type Progress<'a> = dyn FnMut(u64, u64) + 'a;

/// Inspects a data folder that no process uses.
///
/// # Errors
/// When the folder cannot be read; damage is not an error but in the report.
pub fn verify(disk: &Disk, folder: &Folder, progress: &mut Progress<'_>) -> Result<Report, FolderError> {
    let _lock = lock(disk, folder)?;
    Ok(inspect(disk, folder, progress)?.report)
}

/// A data folder as it was found.
pub(crate) struct Inspection {
    pub report: Report,
    pub segments: Vec<Arc<Segment>>,
    pub checkpoint: Option<Checkpoint>,
    /// What `store.flushed` holds.
    pub flush_mark: Option<LogOffset>,
    /// Ranges of the index files, used or not.
    pub ranges: Vec<(LogOffset, LogOffset)>,
    pub parts: Vec<Part>,
}

pub(crate) fn lock(disk: &Disk, folder: &Folder) -> Result<Lock, FolderError> {
    // Read before the lock file is made: a folder that is not ours stays as it is.
    if disk.list(&folder.log()).is_err() {
        return Err(FolderError::NoLog(folder.root.clone()));
    }
    let path = folder.root.join("lock");
    disk.lock(&path).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => FolderError::Locked(folder.root.clone()),
        _ => FolderError::Disk { what: "locking the data folder".to_owned(), source },
    })
}

pub(crate) fn inspect(disk: &Disk, folder: &Folder, progress: &mut Progress<'_>) -> Result<Inspection, FolderError> {
    let failed = |source| FolderError::Disk { what: format!("reading {}", folder.root.display()), source };
    let mut report = Report::default();
    let segments = find_segments(disk, folder, &mut report).map_err(failed)?;
    let ranges = find_index_files(disk, folder, &segments, &mut report).map_err(failed)?;
    let checkpoint_bytes = disk.read(&folder.root.join("store.checkpoint")).map_err(failed)?;
    let checkpoint = checkpoint_bytes.as_deref().and_then(Checkpoint::parse);
    if checkpoint_bytes.is_some() && checkpoint.is_none() {
        report.add(problem(ProblemKind::Checkpoint, "store.checkpoint", "it is not what was written: the CRC is wrong"));
    }
    let flush_mark_bytes = disk.read(&folder.root.join("store.flushed")).map_err(failed)?;
    let flush_mark = flush_mark_bytes.as_deref().and_then(FlushMark::parse);
    match (&flush_mark_bytes, flush_mark) {
        (Some(_), None) => report.add(problem(ProblemKind::Flushed, "store.flushed", "it is not what was written: the CRC is wrong")),
        (None, _) if !segments.is_empty() => report.notes.push("there is no store.flushed: no RoxMQ has opened this log yet".to_owned()),
        _ => {}
    }

    let mut walk = LogWalk::new(folder, checkpoint.as_ref(), flush_mark, flush_mark_bytes.is_some(), &segments, &ranges).map_err(failed)?;
    let mut parts = Vec::new();
    for segment in &segments {
        if walk.has_ended() {
            break;
        }
        for part in index::parts_of(disk, folder, segment, &ranges, &mut report).map_err(failed)? {
            let walked = walk.part(&part, &mut report, progress).map_err(failed)?;
            if let Some(file) = &part.file {
                index::compare(file, &part, &walked, &mut report).map_err(failed)?;
            }
            parts.push(part);
            if walk.has_ended() {
                break;
            }
        }
        segment.file.close();
    }
    walk.finish(&segments, checkpoint.as_ref(), flush_mark, &mut report).map_err(failed)?;
    for (from, to) in &ranges {
        if !parts.iter().any(|part| (part.from, part.to) == (*from, *to)) {
            report.notes.push(format!("{} is not needed; the next start deletes it", format::file_name(*from, *to)));
        }
    }
    Ok(Inspection { report, segments, checkpoint, flush_mark, ranges, parts })
}

/// The files of the log, oldest first; opened to read only.
fn find_segments(disk: &Disk, folder: &Folder, report: &mut Report) -> io::Result<Vec<Arc<Segment>>> {
    let mut segments: Vec<Arc<Segment>> = Vec::new();
    for base in disk.list(&folder.log())?.iter().filter_map(|name| offset_in(name)) {
        let path = folder.log().join(name_of(base));
        let file = LazyFile::new(disk, path.clone(), Open::Read);
        let bytes = file.file()?.len()?;
        file.close();
        let segment = Arc::new(Segment { base, bytes, file });
        if let Some(before) = segments.last()
            && before.end() > base
        {
            let what = format!("it begins before the end of the file before it, {}", before.end());
            report.add(Problem { kind: ProblemKind::Segment, file: below(folder, &path), log_offset: Some(base), what });
        }
        segments.push(segment);
    }
    for gap in missing::gaps(&segments) {
        let file = below(folder, &folder.log().join(name_of(gap.end)));
        let what = format!("the log from {} to {} is missing", gap.start, gap.end);
        report.add(Problem { kind: ProblemKind::Segment, file, log_offset: Some(gap.end), what });
    }
    report.segments = segments.len();
    Ok(segments)
}

fn find_index_files(
    disk: &Disk,
    folder: &Folder,
    segments: &[Arc<Segment>],
    report: &mut Report,
) -> io::Result<Vec<(LogOffset, LogOffset)>> {
    let names = match disk.list(&folder.index()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names?,
    };
    let mut ranges: Vec<_> = names.iter().filter_map(|name| format::range_in(name)).collect();
    ranges.sort_by_key(|(from, to)| (*from, Reverse(*to)));
    let end = segments.last().map_or(LogOffset(0), |segment| segment.end());
    for (from, to) in ranges.iter().filter(|(_, to)| *to > end) {
        let what = format!("it knows the log up to {to}, and the log's files end at {end}");
        report.add(Problem { kind: ProblemKind::Segment, file: folder_file(*from, *to), log_offset: Some(end), what });
    }
    Ok(ranges)
}

fn problem(kind: ProblemKind, file: &str, what: &str) -> Problem {
    Problem { kind, file: file.into(), log_offset: None, what: what.to_owned() }
}

/// An index file as problems name it.
fn folder_file(from: LogOffset, to: LogOffset) -> PathBuf {
    Path::new("index").join(format::file_name(from, to))
}

fn below(folder: &Folder, path: &Path) -> PathBuf {
    path.strip_prefix(&folder.root).unwrap_or(path).to_owned()
}

/// A report lists no more problems than this; the rest is counted.
pub const PROBLEMS_MAX: usize = 1000;
