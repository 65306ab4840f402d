//! What is in the data folder, and where does the log end?
//!
//! Index files say what they know without a look at the log; only what lies behind the last of them is replayed. A record is
//! believed only if its log offset is its position, its fields fill it exactly, its body has its CRC, and its offset follows in
//! its queue. The first record that is not ends the log, and what lies behind it is thrown away -- unless it is known to have been
//! durable: then it was damaged, the next sound record is looked for, and the loss is reported. Of a whole batch behind what is known
//! to be durable either all records are sound, or the log ends before it. Index files and the durable part end where batches do.

use crate::checkpoint::{Checkpoint, FlushedHint};
use crate::facts::{self, Entry};
use crate::index::{Dispatch, Follows, Index, QueueNo};
use crate::index_file::{self, IndexFile};
use crate::missing::{self, Known, Missing};
use crate::seal;
use crate::segment::{Segment, Segments};
use crate::whole::Held;
use parking_lot::RwLock;
use roxmq_env::disk::Disk;
use roxmq_env::teeth::{Tooth, bites};
use roxmq_protocol::light::{LIGHT_QUEUE_ID, light_places};
use roxmq_protocol::record::{BLANK_BYTES, MAGIC_V1, MAGIC_V2, Record, RecordError, record_len};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("another process uses the data folder {0}")]
    Locked(PathBuf),
    /// A part of the log is missing, and by the settings the rest is not served without it.
    #[error("{0}; with startWithMissingLog=true the rest is served")]
    Missing(Missing),
    /// A setting that makes no sense.
    #[error("{0}")]
    Config(String),
    /// The disk says no.
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
    pub end: i64,
    /// What index files know ends here.
    pub indexed: i64,
    pub hint: FlushedHint,
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

/// What is to be thought of a record that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It may be what a crash left: the log ends before it.
    Tail,
    /// It was durable, so it has been damaged: it is passed over.
    Durable,
    /// As durable; but the log is another broker's, whose deleted topics nobody wrote down.
    Foreign,
}

/// Why the scan of a segment stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The segment is complete.
    End,
    /// What is there is not a sound record.
    Bad(&'static str),
}

/// Reads the data folder; afterwards everything before `end` is sound and durable, and nothing is behind it.
pub(crate) fn recover(places: &Places<'_>) -> Result<Recovered, Refused> {
    let checkpoint = Checkpoint::load(places.disk, places.root)?;
    let flushed_hint = FlushedHint::load(places.disk, places.root)?;
    let segments = Segments::load(places.disk, places.log, places.zero_fill)?;
    let gaps = missing::gaps(&segments.all());
    let files_end = segments.last().map_or(0, |last| last.end());
    segments.extend_last(places.segment_bytes)?;
    let index = RwLock::new(Index::default());
    if let Some(checkpoint) = &checkpoint {
        let dead = checkpoint.dead_before.iter().map(|(topic, dead)| (Arc::from(topic.as_str()), *dead));
        index.write().dead_before.extend(dead);
    }

    let mut files = FilesFound::load(places.disk, places.index)?;
    let known = flushed_hint.into_iter().chain(checkpoint.as_ref().map(|checkpoint| checkpoint.flushed)).max();
    let durable = match known {
        Some(known) => known,
        None => last_begun(&segments.all())?,
    };
    let durable = durable.max(files.known_to());
    let trusted = if known.is_some() { Trust::Durable } else { Trust::Foreign };
    // What lies before is on the disk; or is another broker's, whose syncs are not ours to doubt.
    let known_durable = if known.is_some() { durable } else { i64::MAX };
    let mut end = Ending { durable: known_durable, ..Ending::default() };
    for segment in segments.all() {
        let mut at = files.use_for(places, &segment, files_end, &mut index.write())?;
        end.indexed = end.indexed.max(at);
        if at < segment.end() {
            let from = at;
            let replayed = replay(&segment, at, durable, trusted, &mut index.write())?;
            at = replayed.end;
            end.passed_over_damage |= replayed.passed_over_damage;
            if at == segment.end() && segments.last().is_some_and(|last| last.base > segment.base) {
                segment.sync_as_read(known_durable, at)?;
                seal::move_tail_to_file(places.disk, places.index, &index, from, at)?;
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
    let mut ranges = gaps;
    // Of a log that is gone altogether only index files say where it began.
    let ended = if end.active.is_some() { end.log } else { files.ranges.first().map_or(0, |(from, _)| *from) };
    ranges.retain(|gap| gap.start < ended);
    ranges.extend((ended < durable).then_some(ended..durable));
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

    files.remove_unused(places)?;
    let (active, log_end) = settle(places, &segments, &end, known)?;
    let hint = FlushedHint::create(places.disk, places.root, log_end)?;
    if !end.passed_over_damage && missing.is_empty() {
        let next = std::cell::OnceCell::new();
        index.write().take_back_unexplained(|topic, queue_id| {
            let next = next.get_or_init(|| checkpoint.iter().flat_map(Checkpoint::next).collect::<HashMap<_, _>>());
            next.get(&(&**topic, queue_id)).copied().unwrap_or(0)
        });
    }
    let mut found = index.write();
    for ((topic, queue_id), next) in checkpoint.iter().flat_map(Checkpoint::next).chain(known_queues.next()) {
        found.raise_next(topic, queue_id, next);
    }
    found.forget_deletions(begins);
    if checkpoint.is_some_and(|checkpoint| checkpoint.is_ahead_of(log_end)) || ended < durable {
        // It would say of what is stored from here on that it was lost, or deleted.
        found.dead_before.values_mut().for_each(|dead| *dead = (*dead).min(log_end));
        Checkpoint::of(&found, log_end).save(places.disk, places.root)?;
    }
    drop(found);
    Ok(Recovered { index, segments, active, end: log_end, indexed: end.indexed, hint, missing })
}

/// Puts the records of a range into `index`, passing over what is damaged.
pub(crate) fn replay_range(segments: &Segments, from: i64, to: i64, index: &mut Index) -> io::Result<()> {
    for segment in segments.overlapping(from, to) {
        let part = Segment { base: segment.base, bytes: (to.min(segment.end()) - segment.base) as u64, file: segment.file.another() };
        replay(&part, from.max(segment.base), i64::MAX, Trust::Durable, index).map(drop)?;
    }
    Ok(())
}

/// A record at a place of the log, if a sound one is there.
pub(crate) fn record_at(segment: &Segment, at: i64, out: &mut Vec<u8>) -> io::Result<bool> {
    out.clear();
    let left = segment.end() - at;
    if left < BLANK_BYTES as i64 {
        return Ok(false);
    }
    segment.read(at, BLANK_BYTES, out)?;
    let Some(len) = record_len(out).ok().filter(|len| *len as i64 <= left) else { return Ok(false) };
    out.clear();
    segment.read(at, len, out)?;
    Ok(matches!(Record::parse(out), Ok((record, _)) if is_sound(&record, at)))
}

/// How far recovery came.
#[derive(Default)]
struct Ending {
    active: Option<Arc<Segment>>,
    /// What lies behind may never have reached the disk, though it can be read.
    durable: i64,
    log: i64,
    indexed: i64,
    passed_over_damage: bool,
}

/// The index files that are there, and which of them are of use.
struct FilesFound {
    ranges: Vec<(i64, i64)>,
    used: Vec<(i64, i64)>,
}

impl FilesFound {
    fn load(disk: &Disk, folder: &Path) -> io::Result<FilesFound> {
        let names = disk.list(folder)?;
        for unfinished in names.iter().filter(|name| name.ends_with(".tmp")) {
            disk.remove(&folder.join(unfinished))?;
        }
        let mut ranges: Vec<_> = names.iter().filter_map(|name| index_file::range_in(name)).collect();
        ranges.sort_by_key(|(from, to)| (*from, -*to));
        Ok(FilesFound { ranges, used: Vec::new() })
    }

    /// An index file is written only about what is durable.
    fn known_to(&self) -> i64 {
        self.ranges.iter().map(|(_, to)| *to).max().unwrap_or(0)
    }

    /// Takes in the files about a segment, one behind the other, the longest first; says how far they reach. None is about more than there
    /// is: the log's files end at `files_end`.
    fn use_for(&mut self, places: &Places<'_>, segment: &Segment, files_end: i64, index: &mut Index) -> io::Result<i64> {
        let mut at = segment.base;
        for (from, to) in &self.ranges {
            if *from != at || *to > segment.end().min(files_end) {
                continue;
            }
            match IndexFile::open(places.disk, places.index, *from, *to) {
                Ok((file, rows)) => {
                    let file = Arc::new(file);
                    rows.iter().for_each(|row| index.add_row(&file, row));
                    file.file.close();
                    index.files.insert(*from, file);
                    self.used.push((*from, *to));
                    at = *to;
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::error!(from, to, %error, "index file is damaged; it will be made anew from the log");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(at)
    }

    /// Deletes files about segments that are gone, those that a merge left behind, and damaged ones.
    fn remove_unused(&self, places: &Places<'_>) -> io::Result<()> {
        let unused: Vec<_> = self.ranges.iter().filter(|range| !self.used.contains(range)).collect();
        for (from, to) in &unused {
            places.disk.remove(&places.index.join(index_file::file_name(*from, *to)))?;
        }
        if unused.is_empty() { Ok(()) } else { places.disk.sync_dir(places.index) }
    }
}

/// How far the replay of a segment came.
pub(crate) struct Replayed {
    end: i64,
    passed_over_damage: bool,
}

/// Replays a segment from `from`; says where its sound part ends. Before `durable` damage is passed over.
pub(crate) fn replay(segment: &Segment, from: i64, durable: i64, trusted: Trust, index: &mut Index) -> io::Result<Replayed> {
    let mut at = from;
    let mut passed_over_damage = false;
    let mut held = Held::default();
    loop {
        let is_tail = |at: i64| at >= durable;
        let (stopped, why) = scan(segment, at, &mut |record, bytes| {
            let at = record.log_offset.0;
            if !is_tail(at) {
                return dispatch(record, bytes, trusted, index);
            }
            if is_torn(bytes, record, at - segment.base) {
                return Err("a part of it is missing");
            }
            held.next(record, bytes, |record, bytes| dispatch(record, bytes, Trust::Tail, index))
        })?;
        let why = match why {
            Stop::End => return Ok(Replayed { end: held.ends(segment.end()), passed_over_damage }),
            Stop::Bad(why) => why,
        };
        if is_tail(stopped) {
            return Ok(Replayed { end: held.ends(stopped), passed_over_damage });
        }
        passed_over_damage = true;
        let found = next_sound(segment, stopped + 1)?;
        tracing::error!(
            segment = segment.base,
            at = stopped,
            next = found,
            why,
            "commit log is damaged; the records up to the next sound one are lost"
        );
        match found {
            Some(next) => at = next,
            // Nothing sound follows. The rest of a segment that others follow is given up; in the last one the log ends here.
            None if durable >= segment.end() => return Ok(Replayed { end: segment.end(), passed_over_damage }),
            None => return Ok(Replayed { end: stopped, passed_over_damage }),
        }
    }
}

/// Tells the index about a record of the log; an error says why the record cannot be believed.
pub(crate) fn dispatch(record: &Record<'_>, bytes: &[u8], trust: Trust, index: &mut Index) -> Result<(), &'static str> {
    let log_offset = record.log_offset.0;
    let mut hashes = Vec::new();
    let found = facts::of_properties(record.topic, record.properties(), record.sys_flag, &mut hashes);
    let is_queued = facts::is_queued(record.sys_flag);
    let is_light = found.has_light_offsets && is_queued;
    let is_dead = index.is_dead(record.topic, log_offset);
    if is_dead && !is_light {
        return Ok(());
    }
    let envelope = facts::envelope_crc(bytes, record.sys_flag, record.body.len());
    let entry = Entry { log_offset, size: bytes.len() as u32, tags: found.tags, envelope };
    if !is_dead {
        let own = is_queued.then_some((record.topic, record.queue_id, record.queue_offset.0));
        match own.map(|(topic, queue_id, offset)| admit(index, topic, queue_id, offset, log_offset, trust)) {
            Some(Fit::Queued(no)) => {
                let queued = Some((no, record.queue_offset.0));
                index.dispatch(Dispatch { queued, entry, store_time: record.store_timestamp, hashes: &hashes });
            }
            Some(Fit::Taken) if trust == Trust::Tail => return Err("its queue has the offset already"),
            Some(Fit::Taken) => return Ok(()),
            None => index.dispatch(Dispatch { queued: None, entry, store_time: record.store_timestamp, hashes: &hashes }),
        }
    }
    if is_light {
        for (name, offset) in light_places(record.topic, record.properties()) {
            if index.is_dead(name, log_offset) {
                continue;
            }
            // One that does not fit is missing in that light queue only: the record has shown in its own queue that it is sound.
            if let Fit::Queued(no) = admit(index, name, LIGHT_QUEUE_ID, offset, log_offset, trust) {
                index.add(no, offset, entry, record.store_timestamp);
            }
        }
    }
    Ok(())
}

/// Whether a record can be at an offset of a queue.
enum Fit {
    /// It follows there.
    Queued(QueueNo),
    /// Another one is there.
    Taken,
}

fn admit(index: &mut Index, topic: &str, queue_id: u32, offset: i64, log_offset: i64, trust: Trust) -> Fit {
    let no = index.find_or_create(topic, queue_id);
    match index.at(no).map(|queue| queue.follows(offset)) {
        Some(Follows::AsNew) if trust == Trust::Foreign => index.restart_queue(no),
        Some(Follows::AsNew | Follows::NotAtAll) if index.take_back_outlier(no, offset) => {
            tracing::error!(topic, queue_id, offset, log_offset, "the record before has a wrong offset");
        }
        Some(Follows::AsNew | Follows::NotAtAll) if trust == Trust::Tail => return Fit::Taken,
        Some(Follows::AsNew | Follows::NotAtAll) => {
            tracing::error!(topic, queue_id, offset, log_offset, "a second record has this offset");
            return Fit::Taken;
        }
        Some(Follows::WithGap) => {
            tracing::error!(topic, queue_id, offset, log_offset, "offsets are missing before this one");
        }
        Some(Follows::Directly) | None => {}
    }
    Fit::Queued(no)
}

pub(crate) type Sink<'a> = dyn FnMut(&Record<'_>, &[u8]) -> Result<(), &'static str> + 'a;

/// Walks the records of a segment from `from` on; says where and why it stopped.
pub(crate) fn scan(segment: &Segment, from: i64, sink: &mut Sink<'_>) -> io::Result<(i64, Stop)> {
    let mut at = from;
    let mut window = Vec::new();
    loop {
        let left = (segment.end() - at) as usize;
        if left < BLANK_BYTES {
            return Ok((at, Stop::End));
        }
        window.clear();
        segment.read(at, left.min(WINDOW_BYTES), &mut window)?;
        // A record longer than the window is read by itself.
        if let Ok(len) = record_len(&window)
            && len > window.len()
            && len <= left
        {
            window.clear();
            segment.read(at, len, &mut window)?;
        }
        let start = at;
        while let Some(rest) = window.get((at - start) as usize..)
            && rest.len() >= BLANK_BYTES
        {
            match Record::parse(rest) {
                Ok((record, len)) => {
                    if !is_sound(&record, at) {
                        return Ok((at, Stop::Bad("its log offset, body or topic is wrong")));
                    }
                    if let Err(why) = sink(&record, &rest[..len]) {
                        return Ok((at, Stop::Bad(why)));
                    }
                    at += len as i64;
                }
                Err(RecordError::Truncated { needed, .. }) if needed <= (segment.end() - at) as usize => break,
                Err(RecordError::Blank(bytes)) if i64::from(bytes) == segment.end() - at => return Ok((at, Stop::End)),
                Err(RecordError::Magic(0)) => return Ok((at, Stop::Bad("nothing was written"))),
                Err(_) => return Ok((at, Stop::Bad("it is not a record"))),
            }
        }
        if at == start {
            return Ok((at, Stop::Bad("it is not a record")));
        }
    }
}

/// Whether a record is the one that was written at this place.
fn is_sound(record: &Record<'_>, at: i64) -> bool {
    record.log_offset.0 == at && record.queue_offset.0 >= 0 && !record.topic.is_empty() && record.body_is_intact()
}

/// Whether a part of the record never reached the disk: one of its sectors, or its end. The body has its CRC, and lengths that are
/// missing do not add up, but topic and properties would read as zeros and nobody would notice.
pub(crate) fn is_torn(bytes: &[u8], record: &Record<'_>, position: i64) -> bool {
    let range = |text: &str| {
        let start = text.as_ptr() as usize - bytes.as_ptr() as usize;
        start..start + text.len()
    };
    let texts = [range(record.topic), range(record.properties)];
    if record.properties.ends_with('\0') || record.topic.ends_with('\0') {
        return true;
    }
    let first = position as usize / SECTOR_BYTES;
    let mut from = texts[0].start;
    let sectors = (first + 1..).map(|sector| (sector * SECTOR_BYTES).saturating_sub(position as usize).min(bytes.len()));
    for to in sectors.skip_while(|to| *to <= texts[0].start) {
        let has_text = texts.iter().any(|text| text.start < to && text.end > from);
        if has_text && bytes[from..to].iter().all(|byte| *byte == 0) {
            return true;
        }
        if to == bytes.len() {
            return false;
        }
        from = to;
    }
    false
}

/// The next place from `from` on where a sound record is.
pub(crate) fn next_sound(segment: &Segment, from: i64) -> io::Result<Option<i64>> {
    let mut at = from;
    let mut window = Vec::new();
    let mut record = Vec::new();
    while segment.end() - at >= BLANK_BYTES as i64 {
        window.clear();
        segment.read(at, ((segment.end() - at) as usize).min(WINDOW_BYTES), &mut window)?;
        // What was never written is most of it, and quickly passed over.
        let written = if is_zero(&window) { &[][..] } else { &window[..] };
        for (n, bytes) in written.windows(BLANK_BYTES).enumerate() {
            let is_magic = [MAGIC_V1, MAGIC_V2].iter().any(|magic| bytes[4..] == magic.to_be_bytes());
            if is_magic && record_at(segment, at + n as i64, &mut record)? {
                return Ok(Some(at + n as i64));
            }
        }
        at += (window.len() - (BLANK_BYTES - 1)) as i64;
    }
    Ok(None)
}

/// Are these bytes all zero?
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

/// Where the last segment starts that has a record at its start. In a log that is not ours everything before it counts as durable.
pub(crate) fn last_begun(segments: &[Arc<Segment>]) -> io::Result<i64> {
    let mut record = Vec::new();
    for segment in segments.iter().rev() {
        if record_at(segment, segment.base, &mut record)? {
            return Ok(segment.base);
        }
    }
    Ok(0)
}

/// Makes the end of the log the end of everything: what lies behind it is deleted, what lies before it is made durable.
fn settle(places: &Places<'_>, segments: &Segments, ending: &Ending, known: Option<i64>) -> io::Result<(Arc<Segment>, i64)> {
    let end = ending.log;
    let begin = |base: i64| -> io::Result<(Arc<Segment>, i64)> {
        let segment = segments.create(base, places.segment_bytes)?;
        segments.push(segment.clone());
        Ok((segment, base))
    };
    let Some(active) = &ending.active else {
        // The log is gone, or never was; its offsets are not given out twice.
        let bytes = places.segment_bytes as i64;
        return begin((known.unwrap_or(0) + bytes - 1) / bytes * bytes);
    };
    for later in segments.all().into_iter().filter(|segment| segment.base > active.base) {
        segments.remove(&later)?;
    }
    if end == active.end() && active.bytes > 0 {
        active.sync_as_read(ending.durable, end)?;
        return begin(end);
    }
    let whole = Arc::new(Segment { base: active.base, bytes: active.bytes.max(places.segment_bytes), file: active.file.another() });
    if !bites(Tooth::StaleRecord) {
        whole.clear_from(end)?;
    }
    whole.sync_as_read(ending.durable, end)?;
    segments.replace_last(whole.clone());
    Ok((whole, end))
}

const WINDOW_BYTES: usize = 4 << 20;
const SECTOR_BYTES: usize = 512;
