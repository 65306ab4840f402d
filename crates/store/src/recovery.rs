//! What is in the data folder, and where does the log end?
//!
//! Index files replace a look at their part of the log; only what follows the last of them is replayed. A record is
//! believed only if its log offset is its position, its fields fill it exactly, its body has its CRC, and its offset follows in
//! its queue. The first record that is not ends the log, and what follows is discarded -- unless it is known to have been
//! durable: then it is damaged, the next sound record is looked for, and the loss is reported. An atomic batch after the part that is
//! known to be durable is recovered completely, or the log ends before it. Index files and the durable part end where batches do.

use crate::checkpoint::Checkpoint;
use crate::flush_mark::FlushMark;
use crate::index::table::Index;
use crate::index::tail_file;
use crate::locks;
use crate::log::segment::Segment;
use crate::log::segments::Segments;
use crate::log::walk::last_begun;
use index_files::IndexFiles;
use missing::{Known, Missing};
use replay::{Trust, replay};
use roxmq_env::disk::Disk;
use roxmq_env::lock_order::RwLock;
use roxmq_env::teeth::{Tooth, bites};
use roxmq_protocol::position::LogOffset;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod index_files;
pub(crate) mod missing;
pub(crate) mod replay;

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("another process uses the data folder {0}")]
    Locked(PathBuf),
    /// A part of the log is missing, and the settings do not allow to serve the rest.
    #[error("{0}; with startWithMissingLog=true the rest is served")]
    Missing(Missing),
    /// A setting that makes no sense.
    #[error("{0}")]
    Config(String),
    /// The disk failed.
    #[error("{what}: {source}")]
    Disk {
        /// What was tried.
        what: String,
        /// What the disk says.
        source: io::Error,
    },
}

/// An opened log.
pub(crate) struct Recovered {
    pub index: RwLock<Index>,
    pub segments: Segments,
    pub active: Arc<Segment>,
    /// The end of the log.
    pub end: LogOffset,
    /// What index files know ends here.
    pub indexed: LogOffset,
    pub flush_mark: FlushMark,
    pub missing: Missing,
}

/// Why a log is not recovered.
#[derive(Debug)]
pub(crate) enum Refused {
    Missing(Missing),
    Disk(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::Disk(error)
    }
}

/// Where things are and how large.
pub(crate) struct Places<'a> {
    pub disk: &'a Disk,
    pub root: &'a Path,
    pub log: &'a Path,
    pub index: &'a Path,
    pub segment_bytes: u64,
    pub zero_fill: bool,
    pub opens_with_missing: bool,
}

/// Reads the data folder; afterwards everything before `end` is sound and durable, and nothing follows it.
pub(crate) fn recover(places: &Places<'_>) -> Result<Recovered, Refused> {
    let checkpoint = Checkpoint::load(places.disk, places.root)?;
    let flush_mark = FlushMark::load(places.disk, places.root)?;
    let segments = Segments::load(places.disk, places.log, places.zero_fill)?;
    let gaps = missing::gaps(&segments.all());
    let files_end = segments.last().map_or(LogOffset(0), |last| last.end());
    segments.extend_last(places.segment_bytes)?;
    let index = RwLock::new(locks::INDEX, Index::default());
    if let Some(checkpoint) = &checkpoint {
        let dead = checkpoint.dead_before.iter().map(|(topic, dead)| (Arc::from(topic.as_str()), *dead));
        index.write().dead_before.extend(dead);
    }

    let mut files = IndexFiles::load(places.disk, places.index)?;
    let known = flush_mark.into_iter().chain(checkpoint.as_ref().map(|checkpoint| checkpoint.flushed)).max();
    let durable = Durable::new(known, &segments, &files)?;
    let end = read_log(places, &segments, files_end, &durable, &mut files, &index)?;
    let mut ranges = gaps;
    // If the whole log is gone, only index files say where it began.
    let ended = if end.active.is_some() { end.log } else { files.ranges.first().map_or(LogOffset(0), |(from, _)| *from) };
    ranges.retain(|gap| gap.start < ended);
    ranges.extend((ended < durable.end).then_some(ended..durable.end));
    let begins = segments.first().map_or(ended, |segment| segment.base);
    let known_queues = Known::load(places.disk, places.index, &files.ranges, &ranges, checkpoint.as_ref(), &index.read())?;
    let missing = known_queues.missing(ranges, begins, &index.read());
    if !missing.is_empty() {
        // Nothing was deleted yet, and the next start must find what this one found.
        if !places.opens_with_missing {
            segments.cut_last(files_end)?;
            return Err(Refused::Missing(missing));
        }
        tracing::warn!("{missing}; the rest is served");
    }

    files.remove_unused(places.disk, places.index)?;
    let (active, log_end) = settle(places, &segments, &end, &durable)?;
    let flush_mark = FlushMark::create(places.disk, places.root, log_end)?;
    if !end.skipped_damage && missing.is_empty() {
        let next = std::cell::OnceCell::new();
        index.write().take_back_unexplained(|topic, queue_id| {
            let next = next.get_or_init(|| checkpoint.iter().flat_map(Checkpoint::next).collect::<HashMap<_, _>>());
            next.get(&(&**topic, queue_id)).copied().unwrap_or_default()
        });
    }
    let mut found = index.write();
    for ((topic, queue_id), next) in checkpoint.iter().flat_map(Checkpoint::next).chain(known_queues.next()) {
        found.raise_next(topic, queue_id, next);
    }
    found.forget_deletions(begins);
    if checkpoint.is_some_and(|checkpoint| checkpoint.is_ahead_of(log_end)) || ended < durable.end {
        // It would claim that what is stored from here on was lost, or deleted.
        found.dead_before.values_mut().for_each(|dead| *dead = (*dead).min(log_end));
        Checkpoint::of(&found, log_end).save(places.disk, places.root)?;
    }
    drop(found);
    Ok(Recovered { index, segments, active, end: log_end, indexed: end.indexed, flush_mark, missing })
}

/// How much of the log was durable before this start.
struct Durable {
    /// The end of it by our own marks, if there are any.
    marked: Option<LogOffset>,
    /// The end of it, as far as is known.
    end: LogOffset,
    /// What follows may never have reached the disk, though it can be read. Another broker's log has been synced by that broker.
    unsynced_from: LogOffset,
    /// What a record before the end means that does not fit.
    trust: Trust,
}

impl Durable {
    fn new(marked: Option<LogOffset>, segments: &Segments, files: &IndexFiles) -> io::Result<Durable> {
        let end = match marked {
            Some(marked) => marked,
            None => last_begun(&segments.all())?,
        };
        let end = end.max(files.known_to());
        let (unsynced_from, trust) = match marked {
            Some(_) => (end, Trust::Durable),
            None => (LogOffset::MAX, Trust::Foreign),
        };
        Ok(Durable { marked, end, unsynced_from, trust })
    }
}

/// Takes in the index files, and replays what they do not know, up to the end of the log. A segment that others follow gets its index file.
fn read_log(
    places: &Places<'_>,
    segments: &Segments,
    files_end: LogOffset,
    durable: &Durable,
    files: &mut IndexFiles,
    index: &RwLock<Index>,
) -> io::Result<Ending> {
    let mut end = Ending::default();
    for segment in segments.all() {
        let mut at = files.use_for(places.disk, places.index, &segment, files_end, &mut index.write())?;
        end.indexed = end.indexed.max(at);
        if at < segment.end() {
            let from = at;
            let replayed = replay(&segment, at, durable.end, durable.trust, &mut index.write())?;
            at = replayed.end;
            end.skipped_damage |= replayed.skipped_damage;
            if at == segment.end() && segments.last().is_some_and(|last| last.base > segment.base) {
                segment.sync_as_read(durable.unsynced_from, at)?;
                tail_file::move_tail_to_file(places.disk, places.index, index, from, at)?;
                files.used.push((from, at));
                end.indexed = at;
            }
        }
        end.log = at;
        end.active = Some(segment.clone());
        if at < segment.end() {
            break;
        }
    }
    Ok(end)
}

/// How far recovery came.
#[derive(Default)]
struct Ending {
    active: Option<Arc<Segment>>,
    log: LogOffset,
    indexed: LogOffset,
    skipped_damage: bool,
}

/// Makes the end of the log final: deletes what follows it, and makes what precedes it durable.
fn settle(places: &Places<'_>, segments: &Segments, ending: &Ending, durable: &Durable) -> io::Result<(Arc<Segment>, LogOffset)> {
    let end = ending.log;
    let begin = |base: LogOffset| -> io::Result<(Arc<Segment>, LogOffset)> {
        let segment = segments.create(base, places.segment_bytes)?;
        segments.push(segment.clone());
        Ok((segment, base))
    };
    let Some(active) = &ending.active else {
        // The log is gone, or never existed; its offsets are not given out twice.
        let bytes = places.segment_bytes as i64;
        return begin(LogOffset((durable.marked.unwrap_or_default().0 + bytes - 1) / bytes * bytes));
    };
    for later in segments.all().into_iter().filter(|segment| segment.base > active.base) {
        segments.remove(&later)?;
    }
    if end == active.end() && active.bytes > 0 {
        active.sync_as_read(durable.unsynced_from, end)?;
        return begin(end);
    }
    let whole = Arc::new(Segment { base: active.base, bytes: active.bytes.max(places.segment_bytes), file: active.file.another() });
    if !bites(Tooth::StaleRecord) {
        whole.clear_from(end)?;
    }
    whole.sync_as_read(durable.unsynced_from, end)?;
    segments.replace_last(whole.clone());
    Ok((whole, end))
}
