//! Which queues does an index file have, and which of their offsets?

use crate::files::damage::{as_damage, damaged};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Consecutive offsets of one queue. They are in order of topic, queue id and log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub topic: Arc<str>,
    pub queue_id: u32,
    /// Where the first record is in the log.
    pub first_log_offset: LogOffset,
    pub first: QueueOffset,
    pub count: u32,
    /// Number of the first entry in the file.
    pub at: u32,
}

/// Rows of one topic follow each other: topic, their number, then each without the topic. A CRC ends it.
pub(crate) fn write(rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * (ROW_BYTES + 16) + 4);
    for rows in rows.chunk_by(|a, b| a.topic == b.topic) {
        out.extend_from_slice(&(rows[0].topic.len() as u16).to_be_bytes());
        out.extend_from_slice(rows[0].topic.as_bytes());
        out.extend_from_slice(&(rows.len() as u32).to_be_bytes());
        for row in rows {
            out.extend_from_slice(&row.queue_id.to_be_bytes());
            out.extend_from_slice(&row.first.0.to_be_bytes());
            out.extend_from_slice(&row.count.to_be_bytes());
            out.extend_from_slice(&row.at.to_be_bytes());
            out.extend_from_slice(&row.first_log_offset.0.to_be_bytes());
        }
    }
    let crc = crc32fast::hash(&out);
    out.extend_from_slice(&crc.to_be_bytes());
    out
}

/// Reads the rows one by one: there may be very many.
///
/// An [`io::ErrorKind::InvalidData`], if it is not what was written, may come only after the last row, and ends it.
pub(crate) struct Directory<R> {
    source: R,
    /// Bytes before the CRC.
    left: u64,
    crc: crc32fast::Hasher,
    /// The part of the log that the file knows, and how many entries it has.
    log: Range<LogOffset>,
    entries: u64,
    /// The topic of the next rows, and how many follow.
    topic: Arc<str>,
    rows: u32,
    ended: bool,
}

impl<R: io::Read> Directory<R> {
    pub fn new(source: R, bytes: u64, log: Range<LogOffset>, entries: u64) -> io::Result<Directory<R>> {
        let left = bytes.checked_sub(CRC_BYTES as u64).ok_or_else(|| damaged("the directory is missing"))?;
        Ok(Directory { source, left, crc: crc32fast::Hasher::new(), log, entries, topic: "".into(), rows: 0, ended: false })
    }

    fn row(&mut self) -> io::Result<Option<Row>> {
        while self.rows == 0 {
            if self.left == 0 {
                return self.end().map(|()| None);
            }
            let mut topic = vec![0; usize::from(u16::from_be_bytes(self.take()?))];
            self.fill(&mut topic)?;
            self.topic = std::str::from_utf8(&topic).map_err(|_| nonsense())?.into();
            self.rows = u32::from_be_bytes(self.take()?);
        }
        self.rows -= 1;
        let row = Row {
            topic: self.topic.clone(),
            queue_id: u32::from_be_bytes(self.take()?),
            first: QueueOffset(i64::from_be_bytes(self.take()?)),
            count: u32::from_be_bytes(self.take()?),
            at: u32::from_be_bytes(self.take()?),
            first_log_offset: LogOffset(i64::from_be_bytes(self.take()?)),
        };
        let is_sound = row.first.0 >= 0
            && row.count > 0
            && u64::from(row.at) + u64::from(row.count) <= self.entries
            && self.log.contains(&row.first_log_offset);
        if is_sound { Ok(Some(row)) } else { Err(nonsense()) }
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(nonsense)?;
        self.source.read_exact(bytes)?;
        self.crc.update(bytes);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let mut crc = [0; CRC_BYTES];
        self.source.read_exact(&mut crc)?;
        match std::mem::take(&mut self.crc).finalize() == u32::from_be_bytes(crc) {
            true => Ok(()),
            false => Err(damaged("the directory's CRC is wrong")),
        }
    }
}

impl<R: io::Read> Iterator for Directory<R> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<io::Result<Row>> {
        if self.ended {
            return None;
        }
        let row = self.row().map_err(as_damage).transpose();
        self.ended = !matches!(row, Some(Ok(_)));
        row
    }
}

fn nonsense() -> io::Error {
    damaged("the directory makes no sense")
}

const ROW_BYTES: usize = 28;
const CRC_BYTES: usize = 4;
