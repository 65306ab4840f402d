//! What are the bytes of a message in the commit log and in a pull answer?
//!
//! A record (`MessageExtEncoder`, `MessageDecoder` in Java), all numbers big-endian:
//!
//! ```text
//! 0 total size 4 | 4 magic 4 | 8 body CRC 4 | 12 queue id 4 | 16 flag 4 | 20 queue offset 8 | 28 log offset 8 | 36 sys flag 4
//! 40 born time 8 | 48 born host 4 or 16 | port 4 | store time 8 | store host 4 or 16 | port 4 | reconsume times 4
//! prepared transaction offset 8 | body length 4, body | topic length 1 (V1) or 2 (V2), topic | properties length 2, properties
//! ```
//!
//! Decoding never panics, never allocates, and accepts a record only if its fields fill its total size exactly.

mod errors;
pub(crate) mod fields;
pub(crate) mod layout;
pub mod placing;
pub mod store_host;
pub mod sys_flag;

use crate::message_id::MessageId;
use crate::position::{LogOffset, QueueOffset};
use crate::properties::{PROPERTIES_BYTES_MAX, Properties};
use crate::time::Timestamp;
use fields::{FieldReader, text};
use layout::*;
use std::net::SocketAddr;

pub use errors::{DraftError, RecordError};
pub use layout::{BLANK_BYTES, MAGIC_BLANK, MAGIC_V1, MAGIC_V2, RECORD_BYTES_MIN, TOPIC_BYTES_MAX, TOPIC_V1_BYTES_MAX};

/// A message before the store places it: everything but queue offset, log offset and store time.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// The topic.
    pub topic: &'a str,
    /// Which queue of the topic.
    pub queue_id: u32,
    /// The user's flag.
    pub flag: i32,
    /// See [`sys_flag`]; the two IPv6 bits are set from the addresses.
    pub sys_flag: i32,
    /// When the client made it.
    pub born_timestamp: Timestamp,
    /// The client's address.
    pub born_host: SocketAddr,
    /// The address of the broker that stores it.
    pub store_host: SocketAddr,
    /// How often it was sent back for a retry.
    pub reconsume_times: i32,
    /// Log offset of the half message that this one commits or rolls back.
    pub prepared_transaction_offset: i64,
    /// The body as the producer sent it.
    pub body: &'a [u8],
    /// The property string.
    pub properties: &'a str,
}

impl<'a> Draft<'a> {
    /// A record that the broker at `host` writes for itself; no client sent it.
    pub fn own(topic: &'a str, queue_id: u32, host: SocketAddr, now: Timestamp, body: &'a [u8], properties: &'a str) -> Draft<'a> {
        Draft {
            topic,
            queue_id,
            flag: 0,
            sys_flag: 0,
            born_timestamp: now,
            born_host: host,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body,
            properties,
        }
    }

    /// Appends the record's bytes to `out` and returns how many. Queue offset, log offset and store time are 0 until the store places
    /// the record ([`placing::place`]).
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<usize, DraftError> {
        self.check()?;
        let is_v2 = self.topic.len() > TOPIC_V1_BYTES_MAX;
        let sys_flag = self.encoded_sys_flag();
        let total = self.encoded_len();

        let start = out.len();
        out.reserve(total);
        let mut int = |value: i32| out.extend_from_slice(&value.to_be_bytes());
        int(total as i32);
        int(if is_v2 { MAGIC_V2 } else { MAGIC_V1 });
        int(body_crc(self.body));
        int(self.queue_id as i32);
        int(self.flag);
        out.extend_from_slice(&[0; 16]);
        out.extend_from_slice(&sys_flag.to_be_bytes());
        out.extend_from_slice(&self.born_timestamp.0.to_be_bytes());
        put_host(out, self.born_host);
        out.extend_from_slice(&[0; 8]);
        put_host(out, self.store_host);
        out.extend_from_slice(&self.reconsume_times.to_be_bytes());
        out.extend_from_slice(&self.prepared_transaction_offset.to_be_bytes());
        out.extend_from_slice(&(self.body.len() as i32).to_be_bytes());
        out.extend_from_slice(self.body);
        if is_v2 {
            out.extend_from_slice(&(self.topic.len() as u16).to_be_bytes());
        } else {
            out.push(self.topic.len() as u8);
        }
        out.extend_from_slice(self.topic.as_bytes());
        out.extend_from_slice(&(self.properties.len() as u16).to_be_bytes());
        out.extend_from_slice(self.properties.as_bytes());
        debug_assert_eq!(out.len() - start, total);
        Ok(total)
    }

    /// The sys flag with the bits that the addresses decide.
    pub fn encoded_sys_flag(&self) -> i32 {
        let bit = |host: SocketAddr, bit: i32| if host.is_ipv6() { bit } else { 0 };
        self.sys_flag & !(sys_flag::BORN_HOST_V6 | sys_flag::STORE_HOST_V6)
            | bit(self.born_host, sys_flag::BORN_HOST_V6)
            | bit(self.store_host, sys_flag::STORE_HOST_V6)
    }

    /// How many bytes the record takes.
    pub fn encoded_len(&self) -> usize {
        let is_v2 = self.topic.len() > TOPIC_V1_BYTES_MAX;
        let hosts = |host: SocketAddr| if host.is_ipv6() { V6_EXTRA } else { 0 };
        RECORD_BYTES_MIN
            + usize::from(is_v2)
            + hosts(self.born_host)
            + hosts(self.store_host)
            + self.body.len()
            + self.topic.len()
            + self.properties.len()
    }

    fn check(&self) -> Result<(), DraftError> {
        if self.topic.is_empty() {
            return Err(DraftError::TopicEmpty);
        }
        if self.topic.len() > TOPIC_BYTES_MAX {
            return Err(DraftError::TopicTooLong(self.topic.len()));
        }
        if self.properties.len() > PROPERTIES_BYTES_MAX {
            return Err(DraftError::PropertiesTooLong(self.properties.len()));
        }
        if self.queue_id > i32::MAX as u32 {
            return Err(DraftError::QueueId(self.queue_id));
        }
        if self.body.len() > BODY_BYTES_MAX {
            return Err(DraftError::BodyTooLong(self.body.len()));
        }
        Ok(())
    }
}

/// The checksum of a record's body: CRC-32 without the sign bit (`UtilAll.crc32`).
pub fn body_crc(body: &[u8]) -> i32 {
    (crc32fast::hash(body) & 0x7FFF_FFFF) as i32
}

/// A record, borrowed from the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// [`MAGIC_V1`] or [`MAGIC_V2`].
    pub magic: i32,
    /// The body's checksum in the record; see [`Record::body_is_intact`].
    pub body_crc: i32,
    /// Which queue of the topic.
    pub queue_id: u32,
    /// The user's flag.
    pub flag: i32,
    /// Position in the queue.
    pub queue_offset: QueueOffset,
    /// Position of this record in the log.
    pub log_offset: LogOffset,
    /// See [`sys_flag`].
    pub sys_flag: i32,
    /// When the client made it.
    pub born_timestamp: Timestamp,
    /// The client's address.
    pub born_host: SocketAddr,
    /// When the broker stored it.
    pub store_timestamp: Timestamp,
    /// The address of the broker that stored it.
    pub store_host: SocketAddr,
    /// How often it was sent back for a retry.
    pub reconsume_times: i32,
    /// Log offset of the half message that this one commits or rolls back.
    pub prepared_transaction_offset: i64,
    /// The body, possibly compressed.
    pub body: &'a [u8],
    /// The topic.
    pub topic: &'a str,
    /// The property string.
    pub properties: &'a str,
}

impl<'a> Record<'a> {
    /// Reads the record at the start of `bytes` and returns how many bytes it takes. The body's checksum is not verified.
    pub fn parse(bytes: &'a [u8]) -> Result<(Record<'a>, usize), RecordError> {
        let total = record_len(bytes)?;
        let Some(bytes) = bytes.get(..total) else {
            return Err(RecordError::Truncated { needed: total, there: bytes.len() });
        };
        let magic = int_at(bytes, MAGIC_AT);
        let sys_flag = int_at(bytes, SYS_FLAG_AT);
        let is_v6 = |bit: i32| sys_flag & bit != 0;
        let queue_id = u32::try_from(int_at(bytes, QUEUE_ID_AT)).ok().filter(|id| *id <= i32::MAX as u32);

        let mut rest = FieldReader { bytes, at: BORN_HOST_AT };
        let born_host = rest.host(is_v6(sys_flag::BORN_HOST_V6), "born host")?;
        let store_timestamp = Timestamp(rest.long("store time")?);
        let store_host = rest.host(is_v6(sys_flag::STORE_HOST_V6), "store host")?;
        let reconsume_times = rest.int("reconsume times")?;
        let prepared_transaction_offset = rest.long("prepared transaction offset")?;
        let body_len = usize::try_from(rest.int("body")?).map_err(|_| RecordError::Length("body"))?;
        let body = rest.take(body_len, "body")?;
        let topic_len = match magic {
            MAGIC_V1 => usize::from(rest.take(1, "topic")?[0]),
            _ => rest.short("topic")?,
        };
        let topic = text(rest.take(topic_len, "topic")?, "topic")?;
        let properties_len = rest.short("properties")?;
        let properties = text(rest.take(properties_len, "properties")?, "properties")?;
        if rest.at != total {
            return Err(RecordError::Slack { used: rest.at, total });
        }

        let record = Record {
            magic,
            body_crc: int_at(bytes, BODY_CRC_AT),
            queue_id: queue_id.ok_or(RecordError::Range("queue id"))?,
            flag: int_at(bytes, FLAG_AT),
            queue_offset: QueueOffset(long_at(bytes, QUEUE_OFFSET_AT)),
            log_offset: LogOffset(long_at(bytes, LOG_OFFSET_AT)),
            sys_flag,
            born_timestamp: Timestamp(long_at(bytes, BORN_TIME_AT)),
            born_host,
            store_timestamp,
            store_host,
            reconsume_times,
            prepared_transaction_offset,
            body,
            topic,
            properties,
        };
        Ok((record, total))
    }

    /// Does the body match its checksum?
    pub fn body_is_intact(&self) -> bool {
        self.body_crc == body_crc(self.body)
    }

    /// The number of records in the atomic batch that starts here; 1 for a record on its own. See [`placing::start_atomic_batch`].
    pub fn atomic_batch_len(&self) -> usize {
        usize::try_from(self.prepared_transaction_offset.saturating_neg()).unwrap_or(0).max(1)
    }

    /// The properties, parsed on access.
    pub fn properties(&self) -> Properties<'a> {
        Properties::new(self.properties)
    }

    /// The message id by which tools find this record.
    pub fn message_id(&self) -> MessageId {
        MessageId { store_host: self.store_host, log_offset: self.log_offset }
    }
}

/// The total size of the record at the start of `bytes`. Only its size and magic are read; `bytes` may end before the record does.
pub fn record_len(bytes: &[u8]) -> Result<usize, RecordError> {
    if bytes.len() < BLANK_BYTES {
        return Err(RecordError::Truncated { needed: BLANK_BYTES, there: bytes.len() });
    }
    let total = int_at(bytes, 0);
    match int_at(bytes, MAGIC_AT) {
        MAGIC_V1 | MAGIC_V2 => {}
        MAGIC_BLANK => return Err(RecordError::Blank(total as u32)),
        other => return Err(RecordError::Magic(other as u32)),
    }
    usize::try_from(total).ok().filter(|total| *total >= RECORD_BYTES_MIN).ok_or(RecordError::TotalSize(total))
}

/// Iterates over consecutive records, as in the body of a pull answer. Ends after the first error.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = Result<Record<'_>, RecordError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match Record::parse(rest) {
            Ok((record, len)) => {
                rest = &rest[len..];
                Some(Ok(record))
            }
            Err(error) => {
                rest = &[];
                Some(Err(error))
            }
        }
    })
}

#[cfg(test)]
mod tests;
