//! Which messages does a consumer get?
//!
//! Entries are taken from the index in groups, and filtered as the caller asks. Their records are copied from the mapped segment,
//! one by one, as far as they are in memory. The others are read by calls; those of them that lie close to each other in the log are read
//! at once, with what lies between; unless the caller may not wait for the disk. Every record is checked against its entry before it is
//! handed out: log offset, queue, offset, both CRCs. One that fails is left out and reported; those after it are served.

use crate::files::cached::{Cached, CachedView};
use crate::index::facts::{self, Entry};
use crate::index::queue::{Located, TailEntry};
use crate::log::segment::Segment;
use crate::reader::Reader;
use crate::reader::request::{Filter, IndexEntry, Patience, ReadRequest, ReadResult, ReadStatus};
use roxmq_protocol::light::{self, LIGHT_QUEUE_ID, light_places};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::Record;
use roxmq_protocol::time::Timestamp;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Entries that lie close to each other in the log, to be read at once.
#[derive(Default)]
struct Pending {
    entries: Vec<(QueueOffset, Entry)>,
}

/// A read in progress.
struct Reading<'a, 'f> {
    reader: &'a Reader,
    request: &'a ReadRequest<'a>,
    filter: Filter<'f>,
    out: &'a mut Vec<u8>,
    /// The log from here on was written a moment ago.
    recent_from: LogOffset,
    now: Duration,
    source: Option<Source>,
    messages: u32,
    last_store_time: Option<Timestamp>,
    was_removing: bool,
}

/// A segment that is being read.
struct Source {
    segment: Arc<Segment>,
    view: Option<Arc<CachedView>>,
}

impl Reader {
    /// Appends messages of a queue to `out`, those that the filter wants.
    pub fn read(&self, request: &ReadRequest<'_>, filter: Filter<'_>, out: &mut Vec<u8>) -> ReadResult {
        let ReadRequest { topic, queue_id, from, .. } = *request;
        let bounds = self.bounds(topic, queue_id);
        let (min, max) = bounds.unwrap_or_default();
        let answer = |status, next| ReadResult { status, next, min, max, messages: 0, last_store_time: None };
        match bounds {
            None => return answer(ReadStatus::NoMatchedLogicQueue, QueueOffset(0)),
            Some(_) if max.0 == 0 => return answer(ReadStatus::NoMessageInQueue, QueueOffset(0)),
            Some(_) if from < min => return answer(ReadStatus::OffsetTooSmall, min),
            Some(_) if from == max => return answer(ReadStatus::OffsetOverflowOne, from),
            Some(_) if from > max => return answer(ReadStatus::OffsetOverflowBadly, max),
            Some(_) => {}
        }
        let mut reading = Reading {
            reader: self,
            request,
            filter,
            out,
            recent_from: self.opened_at.max(LogOffset(self.contents.watermarks.written().0 - RECENT_BYTES)),
            now: self.contents.clock.elapsed(),
            source: None,
            messages: 0,
            last_store_time: None,
            was_removing: false,
        };
        let (next, stopped) = match reading.run(max) {
            Ok(next) => (next, None),
            Err((next, error)) if error.kind() == io::ErrorKind::WouldBlock => (next, Some(ReadStatus::NotInMemory)),
            Err((next, error)) => {
                tracing::warn!(topic, queue_id, offset = %next, %error, "reading messages failed");
                (next, Some(ReadStatus::OffsetFoundNull))
            }
        };
        let status = match (reading.messages, stopped) {
            (1.., _) => ReadStatus::Found,
            (0, Some(why)) => why,
            (0, None) if reading.was_removing => ReadStatus::MessageWasRemoving,
            (0, None) => ReadStatus::NoMatchedMessage,
        };
        let (messages, last_store_time) = (reading.messages, reading.last_store_time);
        ReadResult { messages, last_store_time, ..answer(status, next) }
    }
}

impl Reading<'_, '_> {
    /// Reads up to `max`; says where to go on, also if it fails.
    fn run(&mut self, max: QueueOffset) -> Result<QueueOffset, (QueueOffset, io::Error)> {
        let ReadRequest { from, limits, .. } = *self.request;
        let mut next = from;
        let mut left = limits.scan_max;
        let mut planned = (0, 0);
        let mut pending = Pending::default();
        let mut entries = Vec::new();
        // With enough messages, it stops without a look at further entries.
        while next < max && left > 0 && planned.0 < limits.messages_max {
            // Usually all of them are wanted, and no more.
            let some = left.min(ENTRIES_PER_STEP).min((max - next) as u32).min(limits.messages_max.max(ENTRIES_PER_STEP / 4));
            if !self.take_entries(&mut next, some, &mut entries).map_err(|error| (pending.start().unwrap_or(next), error))? {
                // Damage took what was there; no reader should wait for it.
                next = max;
                break;
            }
            for (n, entry) in entries.iter().enumerate() {
                if let Some(following) = entries.get(n + 1) {
                    self.fetch_ahead(following);
                }
                left -= 1;
                if !self.filter.by_entry.as_mut().is_none_or(|wants| wants(&IndexEntry::of(entry))) {
                    next += 1;
                    continue;
                }
                let (messages, bytes) = planned;
                let is_full = messages >= limits.messages_max || (messages > 0 && bytes + entry.size as usize > limits.bytes_max);
                if is_full {
                    left = 0;
                    break;
                }
                if !pending.continues_with(entry) {
                    self.fetch(&mut pending)?;
                }
                pending.push(next, *entry);
                if self.filter.by_record.is_some() {
                    // What is filtered out does not count, so it has to be known at once.
                    let before = (self.messages, self.out.len());
                    self.fetch(&mut pending)?;
                    planned.0 += self.messages - before.0;
                    planned.1 += self.out.len() - before.1;
                } else {
                    planned = (messages + 1, bytes + entry.size as usize);
                }
                next += 1;
            }
        }
        self.fetch(&mut pending)?;
        Ok(next)
    }

    /// Takes the entries of the next offsets, skipping a gap; `false` if there are none.
    fn take_entries(&self, next: &mut QueueOffset, some: u32, entries: &mut Vec<Entry>) -> io::Result<bool> {
        let mut tail: Vec<TailEntry> = Vec::new();
        entries.clear();
        for _ in 0..LOCATE_TRIES {
            let bound = self.reader.contents.confirmed();
            let located = match self.reader.contents.index.read().queue(self.request.topic, self.request.queue_id) {
                Some(queue) => queue.locate(*next, bound, some as usize, &mut tail),
                None => Located::End,
            };
            match located {
                Located::Tail => {
                    entries.extend(tail.iter().map(|found| found.entry));
                    return Ok(true);
                }
                Located::File { file, at, count } => {
                    let count = count.min(some) as usize;
                    let taken = match self.request.limits.patience {
                        Patience::MemoryOnly => file.entries_cached(at, count, entries),
                        Patience::WaitForDisk => file.entries(at, count, entries),
                    };
                    match taken {
                        Ok(()) => return Ok(true),
                        // A merge or retention took the file away meanwhile; the index knows better by now.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
                Located::Gap(later) => *next = later,
                Located::End => return Ok(false),
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// Reads the pending records and retains the good ones.
    fn fetch(&mut self, pending: &mut Pending) -> Result<(), (QueueOffset, io::Error)> {
        let Some((_, first)) = pending.entries.first().copied() else { return Ok(()) };
        if !self.find_source(first.log_offset) {
            self.was_removing = true;
            pending.clear();
            return Ok(());
        }
        self.copy(pending);
        let (Some((first_offset, first)), Some((_, last))) = (pending.entries.first().copied(), pending.entries.last().copied()) else {
            return Ok(());
        };
        let Some(Source { segment, .. }) = &self.source else { return Ok(()) };
        if last.end() > segment.end() {
            return self.fetch_one_by_one(pending);
        }
        let start = self.out.len();
        let len = (last.end() - first.log_offset) as usize;
        let read = match self.request.limits.patience {
            Patience::MemoryOnly => segment.read_cached(first.log_offset, len, self.out),
            Patience::WaitForDisk => segment.read(first.log_offset, len, self.out),
        };
        match read {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.was_removing = true;
                pending.clear();
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err((first_offset, error)),
            Err(error) if pending.entries.len() > 1 => {
                // Perhaps only one of them cannot be read; then the others can, one by one.
                tracing::warn!(%error, "reading several records at once failed");
                return self.fetch_one_by_one(pending);
            }
            Err(error) => return Err((first_offset, error)),
        }
        // Records that are not wanted lie between; those that are move together.
        let mut end = start;
        for (offset, entry) in &pending.entries {
            let from = start + (entry.log_offset - first.log_offset) as usize;
            let size = entry.size as usize;
            if self.check(from..from + size, *offset, entry) {
                if from != end {
                    self.out.copy_within(from..from + size, end);
                }
                end += size;
                self.messages += 1;
            }
        }
        self.out.truncate(end);
        pending.clear();
        Ok(())
    }

    /// Takes the segment that holds `log_offset` to read from; false if it is gone.
    fn find_source(&mut self, log_offset: LogOffset) -> bool {
        let is_it = |source: &Source| (source.segment.base..source.segment.end()).contains(&log_offset);
        if !self.source.as_ref().is_some_and(is_it) {
            let found = self.reader.contents.segments.at(log_offset);
            self.source = found.map(|segment| Source { view: segment.view(), segment });
        }
        self.source.is_some()
    }

    /// Memory is slower than everything else that is done with a record, so the next one is fetched meanwhile.
    fn fetch_ahead(&self, entry: &Entry) {
        if let Some(Source { segment, view: Some(view) }) = &self.source
            && (segment.base..segment.end()).contains(&entry.log_offset)
        {
            view.fetch_ahead((entry.log_offset - segment.base) as usize, entry.size as usize);
        }
    }

    /// Copies the first of the pending records from memory, as many as are there, and retains the good ones.
    fn copy(&mut self, pending: &mut Pending) {
        let Some(Source { segment, view: Some(view) }) = &self.source else { return };
        let (base, view) = (segment.base, view.clone());
        let mut copied = 0;
        for (offset, entry) in &pending.entries {
            let at = (entry.log_offset - base) as usize;
            let start = self.out.len();
            let known = if entry.log_offset >= self.recent_from { Cached::JustWritten } else { Cached::AsOf(self.now) };
            if !view.append_to(at..at + entry.size as usize, known, self.out) {
                break;
            }
            copied += 1;
            if self.check(start..self.out.len(), *offset, entry) {
                self.messages += 1;
            } else {
                self.out.truncate(start);
            }
        }
        pending.entries.drain(..copied);
    }

    fn fetch_one_by_one(&mut self, pending: &mut Pending) -> Result<(), (QueueOffset, io::Error)> {
        for (offset, entry) in std::mem::take(&mut pending.entries) {
            let mut one = Pending::default();
            one.push(offset, entry);
            self.fetch(&mut one)?;
        }
        pending.clear();
        Ok(())
    }

    fn check(&mut self, bytes: std::ops::Range<usize>, offset: QueueOffset, entry: &Entry) -> bool {
        let bytes = &self.out[bytes];
        match verified(bytes, entry, self.request.topic, self.request.queue_id, offset) {
            Some(record) => {
                let is_wanted = self.filter.by_record.as_mut().is_none_or(|wants| wants(&record));
                if is_wanted {
                    self.last_store_time = Some(record.store_timestamp);
                }
                is_wanted
            }
            None => {
                self.reader.report_damage(self.request.topic, self.request.queue_id, offset, entry.log_offset);
                false
            }
        }
    }
}

impl Pending {
    fn start(&self) -> Option<QueueOffset> {
        self.entries.first().map(|(offset, _)| *offset)
    }

    /// Whether one read, of the bytes in between as well, costs less than two.
    fn continues_with(&self, entry: &Entry) -> bool {
        let (Some((_, first)), Some((_, last))) = (self.entries.first(), self.entries.last()) else { return true };
        let gap = entry.log_offset - last.end();
        (0..=GAP_BYTES_MAX).contains(&gap) && entry.end() - first.log_offset <= BYTES_PER_READ
    }

    fn push(&mut self, offset: QueueOffset, entry: Entry) {
        self.entries.push((offset, entry));
    }

    fn clear(&mut self) {
        self.entries.clear();
    }
}

/// The record, if the bytes are what was appended at this place.
fn verified<'a>(bytes: &'a [u8], entry: &Entry, topic: &str, queue_id: u32, offset: QueueOffset) -> Option<Record<'a>> {
    let (record, len) = Record::parse(bytes).ok()?;
    let is_it = len == bytes.len()
        && record.log_offset == entry.log_offset
        && is_at(&record, topic, queue_id, offset)
        && record.body_is_intact()
        && facts::envelope_crc(bytes, record.sys_flag, record.body.len()) == entry.envelope;
    is_it.then_some(record)
}

/// Whether the record says that it is in the queue at the offset.
fn is_at(record: &Record<'_>, topic: &str, queue_id: u32, offset: QueueOffset) -> bool {
    let is_own = record.queue_offset == offset && record.queue_id == queue_id && record.topic == topic;
    let is_light = || light_places(record.topic, record.properties()).any(|place| place == (topic, offset.0));
    is_own || (queue_id == LIGHT_QUEUE_ID && light::is_light(topic) && is_light())
}

const ENTRIES_PER_STEP: u32 = 64;
const BYTES_PER_READ: i64 = 1 << 20;
/// Reading this many bytes too many takes about as long as another call.
const GAP_BYTES_MAX: i64 = 4096;
const LOCATE_TRIES: usize = 8;
/// The newest bytes of the log, which are surely still in memory.
const RECENT_BYTES: i64 = 64 << 20;
