//! What does the index take in of a record of the log?
//!
//! Only what follows the last index file is replayed. The first record that is not sound, or whose offset does not follow in its
//! queue, ends the log -- unless it is known to have been durable: then it is damaged, the next sound record is looked for, and the loss
//! is reported. An atomic batch after the part that is known to be durable is taken completely, or the log ends before it.

use crate::index::facts::{self, Entry};
use crate::index::queue::{Follows, QueueNo};
use crate::index::table::{Dispatch, Index};
use crate::log::atomic_batch::UnfinishedBatch;
use crate::log::segment::Segment;
use crate::log::segments::Segments;
use crate::log::walk::{Stop, is_torn, next_sound, scan};
use roxmq_protocol::light::{LIGHT_QUEUE_ID, light_places};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::record::Record;
use std::io;

/// What a record that does not fit means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It may be what a crash left: the log ends before it.
    Tail,
    /// It was durable, so it has been damaged: it is skipped.
    Durable,
    /// As durable; but the log is another broker's, and which topics it deleted is not known.
    Foreign,
}

/// How far the replay of a segment came.
pub(crate) struct Replayed {
    pub end: LogOffset,
    pub skipped_damage: bool,
}

/// Replays a segment from `from`; says where its sound part ends. Before `durable` damage is skipped.
pub(crate) fn replay(segment: &Segment, from: LogOffset, durable: LogOffset, trusted: Trust, index: &mut Index) -> io::Result<Replayed> {
    let mut at = from;
    let mut skipped_damage = false;
    let mut unfinished = UnfinishedBatch::default();
    loop {
        let is_tail = |at: LogOffset| at >= durable;
        let (stopped, why) = scan(segment, at, &mut |record, bytes| {
            let at = record.log_offset;
            if !is_tail(at) {
                return dispatch(record, bytes, trusted, index);
            }
            if is_torn(bytes, record, at - segment.base) {
                return Err("a part of it is missing");
            }
            unfinished.next(record, bytes, |record, bytes| dispatch(record, bytes, Trust::Tail, index))
        })?;
        let why = match why {
            Stop::End => return Ok(Replayed { end: unfinished.ends(segment.end()), skipped_damage }),
            Stop::Bad(why) => why,
        };
        if is_tail(stopped) {
            return Ok(Replayed { end: unfinished.ends(stopped), skipped_damage });
        }
        skipped_damage = true;
        let found = next_sound(segment, stopped + 1)?;
        tracing::error!(
            segment = %segment.base,
            at = %stopped,
            next = found.map(tracing::field::display),
            why,
            "commit log is damaged; the records up to the next sound one are lost"
        );
        match found {
            Some(next) => at = next,
            // Nothing sound follows. If other segments follow, the rest of this one is given up; in the last one the log ends here.
            None if durable >= segment.end() => return Ok(Replayed { end: segment.end(), skipped_damage }),
            None => return Ok(Replayed { end: stopped, skipped_damage }),
        }
    }
}

/// Puts the records of a range into `index`, skipping what is damaged.
pub(crate) fn replay_range(segments: &Segments, from: LogOffset, to: LogOffset, index: &mut Index) -> io::Result<()> {
    for segment in segments.overlapping(from, to) {
        let part = Segment { base: segment.base, bytes: (to.min(segment.end()) - segment.base) as u64, file: segment.file.another() };
        replay(&part, from.max(segment.base), LogOffset::MAX, Trust::Durable, index).map(drop)?;
    }
    Ok(())
}

/// Lets the index take in a record of the log; an error says why the record cannot be believed.
pub(crate) fn dispatch(record: &Record<'_>, bytes: &[u8], trust: Trust, index: &mut Index) -> Result<(), &'static str> {
    let log_offset = record.log_offset;
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
        let own = is_queued.then_some((record.topic, record.queue_id, record.queue_offset));
        match own.map(|(topic, queue_id, offset)| admit(index, topic, queue_id, offset, log_offset, trust)) {
            Some(Fit::Queued(no)) => {
                let queued = Some((no, record.queue_offset));
                index.dispatch(Dispatch { queued, entry, store_time: record.store_timestamp, hashes: &hashes });
            }
            Some(Fit::Taken) if trust == Trust::Tail => return Err("its queue has the offset already"),
            Some(Fit::Taken) => return Ok(()),
            None => index.dispatch(Dispatch { queued: None, entry, store_time: record.store_timestamp, hashes: &hashes }),
        }
    }
    if is_light {
        for (name, offset) in light_places(record.topic, record.properties()) {
            let offset = QueueOffset(offset);
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

fn admit(index: &mut Index, topic: &str, queue_id: u32, offset: QueueOffset, log_offset: LogOffset, trust: Trust) -> Fit {
    let no = index.find_or_create(topic, queue_id);
    match index.at(no).map(|queue| queue.follows(offset)) {
        Some(Follows::AsNew) if trust == Trust::Foreign => index.restart_queue(no),
        Some(Follows::AsNew | Follows::NotAtAll) if index.take_back_outlier(no, offset) => {
            tracing::error!(topic, queue_id, %offset, %log_offset, "the record before has a wrong offset");
        }
        Some(Follows::AsNew | Follows::NotAtAll) if trust == Trust::Tail => return Fit::Taken,
        Some(Follows::AsNew | Follows::NotAtAll) => {
            tracing::error!(topic, queue_id, %offset, %log_offset, "a second record has this offset");
            return Fit::Taken;
        }
        Some(Follows::WithGap) => {
            tracing::error!(topic, queue_id, %offset, %log_offset, "offsets are missing before this one");
        }
        Some(Follows::Directly) | None => {}
    }
    Fit::Queued(no)
}
