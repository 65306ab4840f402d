//! Which records of a segment are sound?
//!
//! A record is sound only if its log offset is its position, its fields fill it exactly, and its body has its CRC. Recovery, `verify`,
//! `repair` and reads all walk the log with these functions.

use crate::log::segment::Segment;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::record::{BLANK_BYTES, MAGIC_V1, MAGIC_V2, Record, RecordError, record_len};
use std::io;
use std::sync::Arc;

/// Why the scan of a segment stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The segment is complete.
    End,
    /// What is there is not a sound record.
    Bad(&'static str),
}

pub(crate) type Sink<'a> = dyn FnMut(&Record<'_>, &[u8]) -> Result<(), &'static str> + 'a;

/// Walks the records of a segment from `from` on; says where and why it stopped.
pub(crate) fn scan(segment: &Segment, from: LogOffset, sink: &mut Sink<'_>) -> io::Result<(LogOffset, Stop)> {
    let mut at = from;
    let mut window = Vec::new();
    loop {
        let left = (segment.end() - at) as usize;
        if left < BLANK_BYTES {
            return Ok((at, Stop::End));
        }
        window.clear();
        segment.read(at, left.min(WINDOW_BYTES), &mut window)?;
        // A record longer than the window is read alone.
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

/// A record at a place of the log, if a sound one is there.
pub(crate) fn record_at(segment: &Segment, at: LogOffset, out: &mut Vec<u8>) -> io::Result<bool> {
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

/// The next place from `from` on where a sound record is.
pub(crate) fn next_sound(segment: &Segment, from: LogOffset) -> io::Result<Option<LogOffset>> {
    let mut at = from;
    let mut window = Vec::new();
    let mut record = Vec::new();
    while segment.end() - at >= BLANK_BYTES as i64 {
        window.clear();
        segment.read(at, ((segment.end() - at) as usize).min(WINDOW_BYTES), &mut window)?;
        // Most of it was never written, and is skipped quickly.
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

/// Where the last segment starts that has a record at its start. In another broker's log everything before it counts as durable.
pub(crate) fn last_begun(segments: &[Arc<Segment>]) -> io::Result<LogOffset> {
    let mut record = Vec::new();
    for segment in segments.iter().rev() {
        if record_at(segment, segment.base, &mut record)? {
            return Ok(segment.base);
        }
    }
    Ok(LogOffset(0))
}

/// Whether a part of the record never reached the disk: one of its sectors, or its end. The body has its CRC, and lengths that are
/// missing do not add up, but topic and properties would read as zeros, and no checksum would tell.
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

/// Whether these bytes are all zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

/// Whether a record is the one that was written at this place.
fn is_sound(record: &Record<'_>, at: LogOffset) -> bool {
    record.log_offset == at && record.queue_offset.0 >= 0 && !record.topic.is_empty() && record.body_is_intact()
}

const WINDOW_BYTES: usize = 4 << 20;
const SECTOR_BYTES: usize = 512;
