//! What are the bytes of a message in the commit log, in a pull answer, in a client's batch, and in a message id?
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

use crate::position::{LogOffset, QueueOffset};
use crate::properties::{PROPERTIES_BYTES_MAX, Properties};
use crate::time::Timestamp;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

/// Magic of a record whose topic length takes one byte.
pub const MAGIC_V1: i32 = 0xDAA3_20A7_u32 as i32;
/// Magic of a record whose topic length takes two bytes.
pub const MAGIC_V2: i32 = 0xDAA3_20AB_u32 as i32;
/// Magic of the blank that ends a commit-log file.
pub const MAGIC_BLANK: i32 = 0xCBD4_3194_u32 as i32;
/// What a blank takes: its length and its magic. Every record leaves this much free behind it in its file.
pub const BLANK_BYTES: usize = 8;
/// The longest topic a V1 record can carry, in bytes; longer ones make the record V2.
pub const TOPIC_V1_BYTES_MAX: usize = i8::MAX as usize;
/// The longest topic any record may carry, in bytes (`Validators.TOPIC_MAX_LENGTH` with room for retry topics).
pub const TOPIC_BYTES_MAX: usize = 255;
/// The shortest possible record: V1, IPv4 hosts, nothing in it.
pub const RECORD_BYTES_MIN: usize = 91;

/// The bits of a record's `sys_flag` (`MessageSysFlag`).
pub mod sys_flag {
    /// The body is compressed.
    pub const COMPRESSED: i32 = 0x1;
    /// The message has several tags.
    pub const MULTI_TAGS: i32 = 0x2;
    /// The two bits that say what part the message plays in a transaction.
    pub const TRANSACTION_MASK: i32 = 0xC;
    /// Not transactional.
    pub const TRANSACTION_NOT: i32 = 0x0;
    /// A half message.
    pub const TRANSACTION_PREPARED: i32 = 0x4;
    /// A committed message.
    pub const TRANSACTION_COMMIT: i32 = 0x8;
    /// A rolled back message.
    pub const TRANSACTION_ROLLBACK: i32 = 0xC;
    /// The born host is an IPv6 address.
    pub const BORN_HOST_V6: i32 = 0x10;
    /// The store host is an IPv6 address.
    pub const STORE_HOST_V6: i32 = 0x20;
    /// The consumer has to unwrap an inner batch.
    pub const NEED_UNWRAP: i32 = 0x40;
    /// The body is an inner batch.
    pub const INNER_BATCH: i32 = 0x80;
    /// The bits that say how the body is compressed, if it is.
    pub const COMPRESSION_MASK: i32 = 0x700;
    /// LZ4 frame.
    pub const COMPRESSION_LZ4: i32 = 0x100;
    /// ZSTD frame.
    pub const COMPRESSION_ZSTD: i32 = 0x200;
    /// Deflate with a zlib header; so is 0, which older clients write.
    pub const COMPRESSION_ZLIB: i32 = 0x300;

    /// The bits that say what the body is.
    pub const OF_BODY: i32 = COMPRESSED | COMPRESSION_MASK | NEED_UNWRAP | INNER_BATCH;

    /// The transaction bits of `flag`.
    pub fn transaction(flag: i32) -> i32 {
        flag & TRANSACTION_MASK
    }

    /// `flag` with its transaction bits replaced.
    pub fn with_transaction(flag: i32, transaction: i32) -> i32 {
        (flag & !TRANSACTION_MASK) | (transaction & TRANSACTION_MASK)
    }
}

/// A message before the store gives it its place: everything but queue offset, log offset and store time.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Where it goes.
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
    /// How often it was redelivered.
    pub reconsume_times: i32,
    /// Log offset of the half message that this one commits or rolls back.
    pub prepared_transaction_offset: i64,
    /// The body as the producer sent it.
    pub body: &'a [u8],
    /// The property string.
    pub properties: &'a str,
}

/// Why a draft cannot become a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// No topic.
    #[error("the topic is empty")]
    TopicEmpty,
    /// More than [`TOPIC_BYTES_MAX`].
    #[error("the topic has {0} bytes, more than {TOPIC_BYTES_MAX}")]
    TopicTooLong(usize),
    /// More than [`PROPERTIES_BYTES_MAX`].
    #[error("the properties have {0} bytes, more than {PROPERTIES_BYTES_MAX}")]
    PropertiesTooLong(usize),
    /// The queue id does not fit Java's int.
    #[error("the queue id {0} is out of range")]
    QueueId(u32),
    /// The record would not fit Java's int.
    #[error("the body has {0} bytes, more than a record can carry")]
    BodyTooLong(usize),
}

impl Draft<'_> {
    /// Appends the record's bytes to `out` and says how many; queue offset, log offset and store time are 0 until [`place`].
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

/// Writes into a record made by [`Draft::encode`] what the store decides.
///
/// # Panics
/// If `record` is shorter than a record.
pub fn place(record: &mut [u8], queue_offset: QueueOffset, log_offset: LogOffset, store_timestamp: Timestamp) {
    record[QUEUE_OFFSET_AT..][..8].copy_from_slice(&queue_offset.0.to_be_bytes());
    record[LOG_OFFSET_AT..][..8].copy_from_slice(&log_offset.0.to_be_bytes());
    let born_is_v6 = int_at(record, SYS_FLAG_AT) & sys_flag::BORN_HOST_V6 != 0;
    let at = STORE_TIME_AT + if born_is_v6 { V6_EXTRA } else { 0 };
    record[at..][..8].copy_from_slice(&store_timestamp.0.to_be_bytes());
}

/// Writes into a record made by [`Draft::encode`] that `count` records, it and those right behind it, are in the log all or none.
///
/// It is said in the prepared transaction offset, as a negative number: no draft can say it, and readers who know nothing of it see
/// an offset that means nothing to them.
///
/// # Panics
/// If `record` is shorter than a record.
pub fn keep_together(record: &mut [u8], count: usize) {
    let flag = sys_flag_of(record);
    let v6 = [sys_flag::BORN_HOST_V6, sys_flag::STORE_HOST_V6].iter().filter(|bit| flag & **bit != 0).count();
    record[PREPARED_OFFSET_AT + v6 * V6_EXTRA..][..8].copy_from_slice(&(-(count as i64)).to_be_bytes());
}

/// The blank that ends a file with `remaining` bytes left in it; what follows these eight bytes means nothing.
pub fn blank(remaining: u32) -> [u8; BLANK_BYTES] {
    let mut bytes = [0; BLANK_BYTES];
    bytes[..4].copy_from_slice(&remaining.to_be_bytes());
    bytes[4..].copy_from_slice(&MAGIC_BLANK.to_be_bytes());
    bytes
}

/// Has each of these records say that it is stored at `host`.
///
/// A record tells its readers where the broker is, and they come back there: that has to be the address at which they reach it, whatever
/// it was when the message was stored. Nothing moves unless an IPv6 address takes the place of an IPv4 one, or the other way round.
/// No checksum covers the address.
pub fn store_at(records: &mut Vec<u8>, host: SocketAddr) {
    let port = u32::from(host.port()).to_be_bytes();
    match host.ip() {
        IpAddr::V4(ip) => {
            let mut field = [0; V4_HOST_BYTES];
            field[..4].copy_from_slice(&ip.octets());
            field[4..].copy_from_slice(&port);
            put_store_host(records, field, host);
        }
        IpAddr::V6(ip) => {
            let mut field = [0; V6_HOST_BYTES];
            field[..16].copy_from_slice(&ip.octets());
            field[16..].copy_from_slice(&port);
            put_store_host(records, field, host);
        }
    }
}

fn put_store_host<const N: usize>(records: &mut Vec<u8>, field: [u8; N], host: SocketAddr) {
    let mut at = 0;
    while let Some((place, total)) = store_host_in(&records[at..]) {
        if place.len() != N {
            return make_room_for_store_host(records, at, host);
        }
        let there = &mut records[at..][place];
        if *there != field {
            there.copy_from_slice(&field);
        }
        at += total;
    }
}

/// As [`store_at`], from the record at `from` on, of which some have a store host of the other length.
fn make_room_for_store_host(records: &mut Vec<u8>, from: usize, host: SocketAddr) {
    let old = records.split_off(from);
    records.reserve(old.len() + old.len() / RECORD_BYTES_MIN * V6_EXTRA);
    let mut rest = &old[..];
    while let Some((place, total)) = store_host_in(rest) {
        let start = records.len();
        records.extend_from_slice(&rest[..place.start]);
        put_host(records, host);
        records.extend_from_slice(&rest[place.end..total]);
        let bit = if host.is_ipv6() { sys_flag::STORE_HOST_V6 } else { 0 };
        let flag = sys_flag_of(rest) & !sys_flag::STORE_HOST_V6 | bit;
        let new_total = (records.len() - start) as i32;
        records[start..][..4].copy_from_slice(&new_total.to_be_bytes());
        records[start + SYS_FLAG_AT..][..4].copy_from_slice(&flag.to_be_bytes());
        rest = &rest[total..];
    }
    // No record: as it was.
    records.extend_from_slice(rest);
}

/// Where the store host of the record at the start of `bytes` stands, and the record's total size; `None` if there is no record.
fn store_host_in(bytes: &[u8]) -> Option<(Range<usize>, usize)> {
    let total = record_len(bytes).ok().filter(|total| *total <= bytes.len())?;
    let flag = sys_flag_of(bytes);
    let start = STORE_HOST_AT + if flag & sys_flag::BORN_HOST_V6 != 0 { V6_EXTRA } else { 0 };
    let end = start + if flag & sys_flag::STORE_HOST_V6 != 0 { V6_HOST_BYTES } else { V4_HOST_BYTES };
    (end <= total).then_some((start..end, total))
}

/// The sys flag of a record.
///
/// # Panics
/// If `record` is shorter than a record.
pub fn sys_flag_of(record: &[u8]) -> i32 {
    int_at(record, SYS_FLAG_AT)
}

/// The CRC a record carries of its body: CRC-32 without the sign bit (`UtilAll.crc32`).
pub fn body_crc(body: &[u8]) -> i32 {
    (crc32fast::hash(body) & 0x7FFF_FFFF) as i32
}

/// A record, read where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// [`MAGIC_V1`] or [`MAGIC_V2`].
    pub magic: i32,
    /// The CRC the record claims for its body; see [`Record::body_is_intact`].
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
    /// The address of the broker that stores it.
    pub store_host: SocketAddr,
    /// How often it was redelivered.
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

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end before the record does.
    #[error("the record needs {needed} bytes, {there} are there")]
    Truncated {
        /// Bytes the record says it has, or the fewest it can have.
        needed: usize,
        /// Bytes there are.
        there: usize,
    },
    /// The total size cannot be one.
    #[error("a record cannot have {0} bytes")]
    TotalSize(i32),
    /// Neither V1 nor V2; zeros read as magic 0.
    #[error("{0:#010x} is not a record's magic")]
    Magic(u32),
    /// The blank that ends a file; not an error of the file.
    #[error("blank of {0} bytes at the end of the file")]
    Blank(u32),
    /// A length inside is negative or leads beyond the record.
    #[error("the length of the {0} leads out of the record")]
    Length(&'static str),
    /// The fields do not fill the total size.
    #[error("the fields take {used} of {total} bytes")]
    Slack {
        /// Bytes the fields take.
        used: usize,
        /// The total size.
        total: usize,
    },
    /// A queue id or a port out of range.
    #[error("the {0} is out of range")]
    Range(&'static str),
    /// A text that is not UTF-8.
    #[error("the {0} is not UTF-8")]
    Text(&'static str),
}

impl<'a> Record<'a> {
    /// Reads the record at the start of `bytes` and says how many bytes it takes. The body's CRC is not looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<(Record<'a>, usize), RecordError> {
        let total = record_len(bytes)?;
        let Some(bytes) = bytes.get(..total) else {
            return Err(RecordError::Truncated { needed: total, there: bytes.len() });
        };
        let magic = int_at(bytes, MAGIC_AT);
        let sys_flag = int_at(bytes, SYS_FLAG_AT);
        let is_v6 = |bit: i32| sys_flag & bit != 0;
        let queue_id = u32::try_from(int_at(bytes, QUEUE_ID_AT)).ok().filter(|id| *id <= i32::MAX as u32);

        let mut rest = Fields { bytes, at: BORN_HOST_AT };
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

    /// Whether the body is what its CRC says.
    pub fn body_is_intact(&self) -> bool {
        self.body_crc == body_crc(self.body)
    }

    /// How many records, this one and those right behind it, are in the log all or none: see [`keep_together`].
    pub fn together(&self) -> usize {
        usize::try_from(self.prepared_transaction_offset.saturating_neg()).unwrap_or(0).max(1)
    }

    /// The properties, to look into.
    pub fn properties(&self) -> Properties<'a> {
        Properties::new(self.properties)
    }

    /// The message id by which tools find this record: see [`MessageId`].
    pub fn message_id(&self) -> MessageId {
        MessageId { store_host: self.store_host, log_offset: self.log_offset }
    }
}

/// The total size of the record at the start of `bytes`, after a look at its size and magic only; `bytes` may end before it.
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

/// Walks records that follow each other, as in the body of a pull answer.
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

/// One message of a client's batch (`SEND_BATCH_MESSAGE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchItem<'a> {
    /// The user's flag.
    pub flag: i32,
    /// The body.
    pub body: &'a [u8],
    /// The property string.
    pub properties: &'a str,
}

/// Why the body of a batch cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A length is negative or leads beyond the body.
    #[error("message {index} of the batch: the length of the {field} leads out of the batch")]
    Length {
        /// Which message, from 0.
        index: usize,
        /// Which field.
        field: &'static str,
    },
    /// The properties are not UTF-8.
    #[error("message {index} of the batch: the properties are not UTF-8")]
    Text {
        /// Which message, from 0.
        index: usize,
    },
}

/// Walks the messages of a batch body: total size 4, magic 4, CRC 4, flag 4, body length 4, body, properties length 2, properties.
///
/// As Java's broker does, it steps by the lengths of body and properties and believes neither the total size nor the CRC. Ends
/// after the first error.
pub fn batch_items(bytes: &[u8]) -> impl Iterator<Item = Result<BatchItem<'_>, BatchError>> {
    let mut rest = Fields { bytes, at: 0 };
    let mut index = 0;
    std::iter::from_fn(move || {
        if rest.at >= rest.bytes.len() {
            return None;
        }
        let item = batch_item(&mut rest).map_err(|error| match error {
            RecordError::Text(_) => BatchError::Text { index },
            RecordError::Length(field) => BatchError::Length { index, field },
            _ => BatchError::Length { index, field: "message" },
        });
        if item.is_err() {
            rest.at = rest.bytes.len();
        }
        index += 1;
        Some(item)
    })
}

/// Appends one message of a batch to `out`, as a client does.
pub fn put_batch_item(out: &mut Vec<u8>, item: BatchItem<'_>) -> Result<(), DraftError> {
    if item.properties.len() > PROPERTIES_BYTES_MAX {
        return Err(DraftError::PropertiesTooLong(item.properties.len()));
    }
    if item.body.len() > BODY_BYTES_MAX {
        return Err(DraftError::BodyTooLong(item.body.len()));
    }
    let total = BATCH_ITEM_BYTES_MIN + item.body.len() + item.properties.len();
    out.reserve(total);
    out.extend_from_slice(&(total as i32).to_be_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&item.flag.to_be_bytes());
    out.extend_from_slice(&(item.body.len() as i32).to_be_bytes());
    out.extend_from_slice(item.body);
    out.extend_from_slice(&(item.properties.len() as u16).to_be_bytes());
    out.extend_from_slice(item.properties.as_bytes());
    Ok(())
}

/// The offset message id (`MessageDecoder.createMessageId`): which broker has the message, and where in its log.
///
/// As text: upper-case hex of the address (4 or 16 bytes), the port (4) and the log offset (8); 32 or 56 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// The broker's advertised address.
    pub store_host: SocketAddr,
    /// Where the record starts in its log.
    pub log_offset: LogOffset,
}

impl MessageId {
    /// Reads one, in digits of either case; `None` if `text` is none (a client's own id may look alike).
    pub fn parse(text: &str) -> Option<MessageId> {
        let digits = text.as_bytes();
        let address_len = match digits.len() {
            32 => 4,
            56 => 16,
            _ => return None,
        };
        let mut bytes = [0; 28];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (hex_digit(pair[0])? << 4) | hex_digit(pair[1])?;
        }
        let ip = match address_len {
            4 => IpAddr::V4(Ipv4Addr::from(first::<4>(&bytes)?)),
            _ => IpAddr::V6(Ipv6Addr::from(first::<16>(&bytes)?)),
        };
        let port = u16::try_from(u32::from_be_bytes(first(&bytes[address_len..])?)).ok()?;
        let log_offset = LogOffset(i64::from_be_bytes(first(&bytes[address_len + 4..])?));
        (log_offset.0 >= 0).then_some(MessageId { store_host: SocketAddr::new(ip, port), log_offset })
    }

    /// Appends the text to `out`.
    pub fn write(&self, out: &mut String) {
        let mut hex = |bytes: &[u8]| {
            let mut digits = [0; 32];
            for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
                pair.copy_from_slice(&[HEX_DIGITS[usize::from(byte >> 4)], HEX_DIGITS[usize::from(byte & 15)]]);
            }
            out.push_str(std::str::from_utf8(&digits[..2 * bytes.len()]).unwrap_or_default());
        };
        match self.store_host.ip() {
            IpAddr::V4(ip) => hex(&ip.octets()),
            IpAddr::V6(ip) => hex(&ip.octets()),
        }
        hex(&u32::from(self.store_host.port()).to_be_bytes());
        hex(&self.log_offset.0.to_be_bytes());
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(56);
        self.write(&mut text);
        f.write_str(&text)
    }
}

fn batch_item<'a>(rest: &mut Fields<'a>) -> Result<BatchItem<'a>, RecordError> {
    rest.take(12, "message")?;
    let flag = rest.int("flag")?;
    let body_len = usize::try_from(rest.int("body")?).map_err(|_| RecordError::Length("body"))?;
    let body = rest.take(body_len, "body")?;
    let properties_len = rest.short("properties")?;
    let properties = text(rest.take(properties_len, "properties")?, "properties")?;
    Ok(BatchItem { flag, body, properties })
}

/// Fields read one after the other.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], RecordError> {
        let end = self.at.checked_add(len).ok_or(RecordError::Length(field))?;
        let taken = self.bytes.get(self.at..end).ok_or(RecordError::Length(field))?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], RecordError> {
        let taken = self.take(N, field)?;
        first(taken).ok_or(RecordError::Length(field))
    }

    fn int(&mut self, field: &'static str) -> Result<i32, RecordError> {
        self.array(field).map(i32::from_be_bytes)
    }

    fn long(&mut self, field: &'static str) -> Result<i64, RecordError> {
        self.array(field).map(i64::from_be_bytes)
    }

    /// A length in two signed bytes.
    fn short(&mut self, field: &'static str) -> Result<usize, RecordError> {
        let value = self.array(field).map(i16::from_be_bytes)?;
        usize::try_from(value).map_err(|_| RecordError::Length(field))
    }

    fn host(&mut self, is_v6: bool, field: &'static str) -> Result<SocketAddr, RecordError> {
        let ip = match is_v6 {
            true => IpAddr::V6(Ipv6Addr::from(self.array::<16>(field)?)),
            false => IpAddr::V4(Ipv4Addr::from(self.array::<4>(field)?)),
        };
        let port = u16::try_from(self.int(field)?).map_err(|_| RecordError::Range(field))?;
        Ok(SocketAddr::new(ip, port))
    }
}

fn put_host(out: &mut Vec<u8>, host: SocketAddr) {
    match host.ip() {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&u32::from(host.port()).to_be_bytes());
}

fn text<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, RecordError> {
    std::str::from_utf8(bytes).map_err(|_| RecordError::Text(field))
}

fn first<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.first_chunk().copied()
}

fn int_at(bytes: &[u8], at: usize) -> i32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    i32::from_be_bytes(value)
}

fn long_at(bytes: &[u8], at: usize) -> i64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    i64::from_be_bytes(value)
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

const MAGIC_AT: usize = 4;
const BODY_CRC_AT: usize = 8;
const QUEUE_ID_AT: usize = 12;
const FLAG_AT: usize = 16;
const QUEUE_OFFSET_AT: usize = 20;
const LOG_OFFSET_AT: usize = 28;
const SYS_FLAG_AT: usize = 36;
const BORN_TIME_AT: usize = 40;
const BORN_HOST_AT: usize = 48;
/// With an IPv4 born host.
const STORE_TIME_AT: usize = 56;
/// With an IPv4 born host.
const STORE_HOST_AT: usize = 64;
/// With IPv4 addresses.
const PREPARED_OFFSET_AT: usize = 76;
/// An IPv4 address and its port.
const V4_HOST_BYTES: usize = 8;
/// An IPv6 address and its port.
const V6_HOST_BYTES: usize = 20;
/// What an IPv6 address takes more than an IPv4 one.
const V6_EXTRA: usize = V6_HOST_BYTES - V4_HOST_BYTES;
const BATCH_ITEM_BYTES_MIN: usize = 22;
/// Leaves room for everything else in a record, whose size is a Java int.
const BODY_BYTES_MAX: usize = i32::MAX as usize - 64 * 1024;
const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn draft<'a>(topic: &'a str, body: &'a [u8], properties: &'a str) -> Draft<'a> {
        Draft {
            topic,
            queue_id: 3,
            flag: 7,
            sys_flag: 0,
            born_timestamp: Timestamp(1_700_000_000_001),
            born_host: SocketAddr::from(([10, 0, 0, 1], 54321)),
            store_host: SocketAddr::from(([127, 0, 0, 1], 10911)),
            reconsume_times: 2,
            prepared_transaction_offset: 9,
            body,
            properties,
        }
    }

    #[test]
    fn says_how_many_stay_together_with_addresses_of_either_kind() {
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 1));
        let plain = draft("T", b"hi", "");
        for draft in
            [plain, Draft { born_host: v6, ..plain }, Draft { store_host: v6, ..plain }, Draft { born_host: v6, store_host: v6, ..plain }]
        {
            let mut bytes = Vec::new();
            draft.encode(&mut bytes).expect("fits");
            assert_eq!(Record::parse(&bytes).expect("reads").0.together(), 1);
            keep_together(&mut bytes, 129);
            let (record, _) = Record::parse(&bytes).expect("reads");
            assert_eq!((record.together(), record.body, record.reconsume_times), (129, &b"hi"[..], 2));
        }
    }

    #[test]
    fn a_record_says_that_it_is_stored_where_its_reader_reaches_the_broker() {
        let [v4, other_v4, v6, other_v6] = ["10.0.0.1:10911", "127.0.0.1:10911", "[2001:db8::1]:10911", "[::1]:10911"]
            .map(|text| text.parse::<SocketAddr>().expect("address"));
        // Of an older start, of another address, of clients of either kind: all in one answer.
        let hosts = [(v4, v4), (v6, v4), (v4, v6), (v6, v6), (v4, other_v4)];
        let encoded = |store_host: Option<SocketAddr>| {
            let mut bytes = Vec::new();
            for (n, (born_host, stored_at)) in hosts.into_iter().enumerate() {
                let start = bytes.len();
                let store_host = store_host.unwrap_or(stored_at);
                Draft { born_host, store_host, ..draft("Topic", b"body", "a\u{1}b\u{2}") }.encode(&mut bytes).expect("fits");
                place(&mut bytes[start..], QueueOffset(n as i64), LogOffset(100 + n as i64), Timestamp(77));
            }
            bytes
        };
        for host in [v4, other_v4, v6, other_v6] {
            let mut bytes = encoded(None);
            store_at(&mut bytes, host);
            assert_eq!(bytes, encoded(Some(host)), "{host}");
            store_at(&mut bytes, host);
            assert_eq!(bytes, encoded(Some(host)), "{host}, twice");
        }
        // What is no record is left alone.
        for junk in [&b""[..], b"short", &[0; 200]] {
            let mut bytes = encoded(None);
            bytes.extend_from_slice(junk);
            store_at(&mut bytes, v6);
            assert_eq!(bytes, [&encoded(Some(v6)), junk].concat());
        }
    }

    #[test]
    fn has_javas_bytes() {
        let mut bytes = Vec::new();
        let len = draft("T", b"hi", "a\u{1}b\u{2}").encode(&mut bytes).expect("fits");
        place(&mut bytes, QueueOffset(5), LogOffset(0x1122), Timestamp(1_700_000_000_002));
        #[rustfmt::skip]
        let expected: &[u8] = &[
            0, 0, 0, 98,  0xDA, 0xA3, 0x20, 0xA7,  0x58, 0x93, 0x2A, 0xAC,  0, 0, 0, 3,  0, 0, 0, 7,
            0, 0, 0, 0, 0, 0, 0, 5,  0, 0, 0, 0, 0, 0, 0x11, 0x22,  0, 0, 0, 0,
            0, 0, 0x01, 0x8B, 0xCF, 0xE5, 0x68, 0x01,  10, 0, 0, 1, 0, 0, 0xD4, 0x31,
            0, 0, 0x01, 0x8B, 0xCF, 0xE5, 0x68, 0x02,  127, 0, 0, 1, 0, 0, 0x2A, 0x9F,
            0, 0, 0, 2,  0, 0, 0, 0, 0, 0, 0, 9,  0, 0, 0, 2, b'h', b'i',  1, b'T',  0, 4, b'a', 1, b'b', 2,
        ];
        assert_eq!(len, expected.len());
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_long_topic_makes_it_v2_and_ipv6_sets_the_bits() {
        let topic = "t".repeat(128);
        let mut one = draft(&topic, b"", "");
        one.born_host = "[2001:db8::1]:1".parse().expect("address");
        one.store_host = "[2001:db8::2]:2".parse().expect("address");
        let mut bytes = Vec::new();
        assert_eq!(one.encode(&mut bytes), Ok(bytes.len()));
        place(&mut bytes, QueueOffset(1), LogOffset(2), Timestamp(3));
        let (record, len) = Record::parse(&bytes).expect("reads");
        assert_eq!((len, record.magic, record.sys_flag), (bytes.len(), MAGIC_V2, 0x30));
        assert_eq!((record.born_host, record.store_host), (one.born_host, one.store_host));
        assert_eq!((record.queue_offset, record.log_offset, record.store_timestamp), (QueueOffset(1), LogOffset(2), Timestamp(3)));
        assert_eq!(record.topic, topic);
    }

    #[test]
    fn refuses_what_a_record_cannot_carry() {
        let refused = |topic: &str, properties: &str| draft(topic, b"", properties).encode(&mut Vec::new()).expect_err("refused");
        assert_eq!(refused("", ""), DraftError::TopicEmpty);
        assert_eq!(refused(&"t".repeat(256), ""), DraftError::TopicTooLong(256));
        assert_eq!(refused("t", &"p".repeat(32768)), DraftError::PropertiesTooLong(32768));
    }

    #[test]
    fn tells_blank_zeros_and_nonsense_apart() {
        assert_eq!(Record::parse(&blank(77)), Err(RecordError::Blank(77)));
        assert_eq!(Record::parse(&[0; 200]), Err(RecordError::Magic(0)));
        assert_eq!(Record::parse(&[]), Err(RecordError::Truncated { needed: 8, there: 0 }));
        let mut bytes = Vec::new();
        draft("T", b"hi", "").encode(&mut bytes).expect("fits");
        bytes[..4].copy_from_slice(&(-1_i32).to_be_bytes());
        assert_eq!(Record::parse(&bytes), Err(RecordError::TotalSize(-1)));
    }

    #[test]
    fn message_ids_are_javas() {
        let id = MessageId { store_host: SocketAddr::from(([127, 0, 0, 1], 10911)), log_offset: LogOffset(0x1F) };
        assert_eq!(id.to_string(), "7F00000100002A9F000000000000001F");
        assert_eq!(MessageId::parse("7f00000100002A9F000000000000001F"), Some(id));
        let v6 = MessageId { store_host: "[::1]:10911".parse().expect("address"), log_offset: LogOffset(1) };
        assert_eq!(v6.to_string().len(), 56);
        assert_eq!(MessageId::parse(&v6.to_string()), Some(v6));
        assert_eq!(MessageId::parse("7F00000100012A9F000000000000001F"), None, "port beyond 65535");
        assert_eq!(MessageId::parse("7F00000100002A9FF00000000000001F"), None, "negative offset");
        assert_eq!(MessageId::parse("+F00000100002A9F000000000000001F"), None);
        assert_eq!(MessageId::parse("中文"), None);
    }

    #[test]
    fn a_batch_tells_where_it_breaks() {
        let mut bytes = Vec::new();
        put_batch_item(&mut bytes, BatchItem { flag: 1, body: b"one", properties: "a\u{1}b" }).expect("fits");
        put_batch_item(&mut bytes, BatchItem { flag: 2, body: b"", properties: "" }).expect("fits");
        assert_eq!(batch_items(&bytes).filter_map(Result::ok).map(|item| item.flag).collect::<Vec<_>>(), [1, 2]);
        let cut = batch_items(&bytes[..bytes.len() - 1]).last();
        assert_eq!(cut, Some(Err(BatchError::Length { index: 1, field: "properties" })));
        bytes[16..20].copy_from_slice(&(-5_i32).to_be_bytes());
        let errors = batch_items(&bytes).collect::<Vec<_>>();
        assert_eq!(errors, [Err(BatchError::Length { index: 0, field: "body" })]);
    }

    fn any_host() -> impl Strategy<Value = SocketAddr> {
        (any::<bool>(), any::<[u8; 16]>(), any::<u16>()).prop_map(|(v6, octets, port)| match v6 {
            true => SocketAddr::from((octets, port)),
            false => SocketAddr::from(([octets[0], octets[1], octets[2], octets[3]], port)),
        })
    }

    fn any_record() -> impl Strategy<Value = Vec<u8>> {
        let text = ("[a-z]{1,200}", "[^\u{0}]{0,40}", prop::collection::vec(any::<u8>(), 0..300));
        (text, any_host(), any_host(), any::<(i32, i32, i64, i64, i64)>()).prop_map(|((topic, properties, body), born, store, n)| {
            let draft = Draft {
                topic: &topic,
                queue_id: n.0 as u32 >> 1,
                flag: n.1,
                sys_flag: n.0,
                born_timestamp: Timestamp(n.2),
                born_host: born,
                store_host: store,
                reconsume_times: n.1,
                prepared_transaction_offset: n.3,
                body: &body,
                properties: &properties,
            };
            let mut bytes = Vec::new();
            draft.encode(&mut bytes).expect("fits");
            place(&mut bytes, QueueOffset(n.4), LogOffset(n.3), Timestamp(n.2));
            let (record, _) = Record::parse(&bytes).expect("reads back");
            assert_eq!((record.topic, record.properties, record.body), (topic.as_str(), properties.as_str(), &body[..]));
            assert_eq!((record.born_host, record.store_host), (born, store));
            assert_eq!((record.queue_offset.0, record.log_offset.0, record.store_timestamp.0), (n.4, n.3, n.2));
            assert!(record.body_is_intact());
            bytes
        })
    }

    proptest! {
        #[test]
        fn records_come_back(stream in prop::collection::vec(any_record(), 0..5)) {
            let bytes = stream.concat();
            prop_assert_eq!(records(&bytes).filter(Result::is_ok).count(), stream.len());
        }

        #[test]
        fn a_cut_record_is_truncated(bytes in any_record(), cut in any::<prop::sample::Index>()) {
            let cut = cut.index(bytes.len());
            let is_truncated = matches!(Record::parse(&bytes[..cut]), Err(RecordError::Truncated { .. }));
            prop_assert!(is_truncated);
        }

        #[test]
        fn hostile_records_do_no_harm(mut bytes in any_record(), hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            for (at, value) in hits {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if let Ok((record, len)) = Record::parse(&bytes) {
                prop_assert!(len <= bytes.len() && record.body.len() < len);
            }
            store_at(&mut bytes, SocketAddr::from(([0; 16], 1)));
            store_at(&mut bytes, SocketAddr::from(([0; 4], 1)));
        }

        #[test]
        fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), magic in any::<bool>()) {
            let mut bytes = bytes;
            if magic && bytes.len() > 8 {
                bytes[4..8].copy_from_slice(&MAGIC_V1.to_be_bytes());
                bytes[..3].fill(0);
            }
            let _ = Record::parse(&bytes);
            prop_assert!(batch_items(&bytes).count() <= bytes.len() / BATCH_ITEM_BYTES_MIN + 1);
            prop_assert!(records(&bytes).count() <= 3);
        }

        #[test]
        fn batches_come_back(items in prop::collection::vec((any::<i32>(), prop::collection::vec(any::<u8>(), 0..50), ".{0,20}"), 0..6)) {
            let mut bytes = Vec::new();
            for (flag, body, properties) in &items {
                put_batch_item(&mut bytes, BatchItem { flag: *flag, body, properties }).expect("fits");
            }
            let back = batch_items(&bytes).map(|item| item.expect("reads")).map(|i| (i.flag, i.body.to_vec(), i.properties.to_owned()));
            prop_assert_eq!(back.collect::<Vec<_>>(), items);
        }

        #[test]
        fn ids_come_back(host in any_host(), offset in 0..i64::MAX, noise in ".{0,60}") {
            let id = MessageId { store_host: host, log_offset: LogOffset(offset) };
            prop_assert_eq!(MessageId::parse(&id.to_string()), Some(id));
            let _ = MessageId::parse(&noise);
        }
    }
}
