//! What does the journal of changes (`config/changes.log`) look like? Bytes to changes and back; `docs/format.md` draws it.
//!
//! Every change says what something *is* from now on, never by how much it differs: to apply a change again, and all that came after it,
//! changes nothing. So a start need not know which of them a table already has.

use roxmq_protocol::body::{DataVersion, SetMessageRequestModeRequestBody, SubscriptionGroupConfig, TopicConfig};
use roxmq_protocol::json::{self, Dialect};
use serde::{Deserialize, Serialize};

/// How long the file is, from its first moment to its last. It is filled with zeros when it is made, so that no change needs room on the
/// disk, and a sync writes nothing but the change.
pub const FILE_BYTES: usize = if cfg!(test) { 64 << 10 } else { 1 << 20 };
/// Where the first change stands.
pub const HEADER_BYTES: usize = 32;
/// Where the mark stands: how far changes were known to be durable.
pub const MARK_AT: usize = 16;
/// The longest JSON text of a change that is written; the tables are saved instead of one that is longer.
pub const TEXT_BYTES_MAX: usize = 256 << 10;

const MAGIC: &[u8; 8] = b"RoxChng1";
/// Neither text nor zeros look like it.
const RECORD: u32 = 0xFEC5_A701;
const RECORD_HEADER_BYTES: usize = 16;
const ALIGNMENT: usize = 8;

/// What a change is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// The topic `key` is `topic`, or gone. Without a key only the version changed.
    #[default]
    Topics,
    /// The group `key` is `group`, or gone with all that was forbidden to it.
    Groups,
    /// What is forbidden to the group `key` on the topic `other` is `bits`.
    Forbidden,
    /// The mode of the group `other` on the topic `key` is `mode`, or unsaid. Without one of the two: of all groups, on all topics.
    Modes,
}

/// One change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Change {
    /// What it is about.
    pub table: Table,
    /// The table's version with the change; request modes have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<DataVersion>,
    /// See [`Table`].
    pub key: String,
    /// See [`Table`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub other: String,
    /// See [`Table`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<TopicConfig>,
    /// See [`Table`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<SubscriptionGroupConfig>,
    /// See [`Table`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<SetMessageRequestModeRequestBody>,
    /// See [`Table`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<i32>,
}

impl Change {
    /// As it stands in its record.
    pub fn text(&self) -> Vec<u8> {
        json::to_vec(self, Dialect::Standard)
    }
}

/// A journal without changes.
pub fn empty() -> Vec<u8> {
    let mut bytes = vec![0; FILE_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&(FILE_BYTES as u32).to_be_bytes());
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..16].copy_from_slice(&crc.to_be_bytes());
    bytes[MARK_AT..MARK_AT + 8].copy_from_slice(&mark(HEADER_BYTES));
    bytes
}

/// What says that the changes before `end` are durable.
pub fn mark(end: usize) -> [u8; 8] {
    let end = (end as u32).to_be_bytes();
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&end);
    bytes[4..].copy_from_slice(&crc32fast::hash(&end).to_be_bytes());
    bytes
}

/// How many bytes a change's record takes.
pub fn record_bytes(text: &[u8]) -> usize {
    (RECORD_HEADER_BYTES + text.len()).next_multiple_of(ALIGNMENT)
}

/// Adds a change's record to `out`; it will stand at `at` in the file.
pub fn push_record(text: &[u8], at: usize, out: &mut Vec<u8>) {
    let start = out.len();
    for field in [RECORD, text.len() as u32, at as u32] {
        out.extend_from_slice(&field.to_be_bytes());
    }
    out.extend_from_slice(&crc_of(&out[start..], text).to_be_bytes());
    out.extend_from_slice(text);
    out.resize(start + record_bytes(text), 0);
}

fn crc_of(fields: &[u8], text: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(fields);
    crc.update(text);
    crc.finalize()
}

/// What a journal holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The changes that are what was written, in order.
    pub changes: Vec<Change>,
    /// What is not what was written, and where. Changes are missing.
    pub damage: Vec<(usize, String)>,
    /// Where something stands that a crash kept from being written to its end. Nobody was told that it was done.
    pub unfinished: Option<usize>,
    /// Where the next change goes.
    pub end: usize,
}

/// Reads a journal. A change that is damaged is passed over; those behind it are found and believed.
pub fn read(bytes: &[u8]) -> Contents {
    let mut contents = Contents { end: HEADER_BYTES, ..Contents::default() };
    let durable = read_header(bytes, &mut contents.damage);
    let mut at = HEADER_BYTES;
    while at < bytes.len() {
        if let Some(text) = record_at(bytes, at) {
            match json::from_slice(text) {
                Ok(change) => contents.changes.push(change),
                Err(error) => contents.damage.push((at, format!("a change that nobody understands: {error}"))),
            }
            at += record_bytes(text);
            contents.end = at;
            continue;
        }
        let next = (at + ALIGNMENT..bytes.len()).step_by(ALIGNMENT).find(|at| record_at(bytes, *at).is_some());
        let gap = &bytes[at..next.unwrap_or(bytes.len())];
        if at < durable {
            contents.damage.push((at, "what was written there is not there any more".to_owned()));
        } else if gap.iter().any(|byte| *byte != 0) {
            contents.unfinished.get_or_insert(at);
        }
        let Some(next) = next else { break };
        at = next;
    }
    contents
}

/// How far changes are known to be durable.
fn read_header(bytes: &[u8], damage: &mut Vec<(usize, String)>) -> usize {
    if bytes.len() != FILE_BYTES {
        damage.push((bytes.len(), format!("it has {} bytes, not {FILE_BYTES}", bytes.len())));
    }
    let Some(header) = bytes.get(..HEADER_BYTES) else { return HEADER_BYTES };
    let is_ours = header[..8] == *MAGIC && header[12..16] == crc32fast::hash(&header[..12]).to_be_bytes();
    let end = u32::from_be_bytes([header[16], header[17], header[18], header[19]]) as usize;
    let is_marked = header[MARK_AT..MARK_AT + 8] == mark(end);
    if !is_ours || !is_marked || header[MARK_AT + 8..].iter().any(|byte| *byte != 0) {
        damage.push((0, "its first bytes are not what was written".to_owned()));
    }
    if is_marked { end } else { HEADER_BYTES }
}

/// The text of the record there, if it is what was written there.
fn record_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let (fields, rest) = bytes.get(at..)?.split_first_chunk::<RECORD_HEADER_BYTES>()?;
    let field =
        |number: usize| u32::from_be_bytes([fields[4 * number], fields[4 * number + 1], fields[4 * number + 2], fields[4 * number + 3]]);
    if (field(0), field(2)) != (RECORD, at as u32) || field(1) as usize > TEXT_BYTES_MAX {
        return None;
    }
    let text = rest.get(..field(1) as usize)?;
    let padding = bytes.get(at + RECORD_HEADER_BYTES + text.len()..at + record_bytes(text))?;
    (crc_of(&fields[..12], text) == field(3) && padding.iter().all(|byte| *byte == 0)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, queues: i32) -> Change {
        let topic = TopicConfig { topic_name: name.into(), read_queue_nums: queues, ..TopicConfig::default() };
        Change { key: name.into(), version: Some(DataVersion::new(7)), topic: Some(topic), ..Change::default() }
    }

    fn journal(changes: &[Change]) -> (Vec<u8>, Vec<usize>) {
        let (mut file, mut records, mut starts) = (empty(), Vec::new(), Vec::new());
        for change in changes {
            starts.push(HEADER_BYTES + records.len());
            push_record(&change.text(), HEADER_BYTES + records.len(), &mut records);
        }
        file[HEADER_BYTES..HEADER_BYTES + records.len()].copy_from_slice(&records);
        let end = HEADER_BYTES + records.len();
        file[MARK_AT..MARK_AT + 8].copy_from_slice(&mark(end));
        starts.push(end);
        (file, starts)
    }

    fn some() -> Vec<Change> {
        let mode = SetMessageRequestModeRequestBody { topic: "T".into(), consumer_group: "g".into(), ..Default::default() };
        let group = SubscriptionGroupConfig { group_name: "g".into(), retry_max_times: 3, ..Default::default() };
        vec![
            change("a", 4),
            Change { table: Table::Groups, key: "g".into(), group: Some(group), ..Change::default() },
            Change { table: Table::Forbidden, key: "g".into(), other: "T".into(), bits: Some(4), ..Change::default() },
            Change { table: Table::Modes, key: "T".into(), other: "g".into(), mode: Some(mode), ..Change::default() },
            Change { key: "a".into(), ..Change::default() },
        ]
    }

    #[test]
    fn what_was_written_is_read() {
        let (file, starts) = journal(&some());
        let expected = Contents { changes: some(), end: *starts.last().unwrap(), ..Contents::default() };
        assert_eq!(read(&file), expected);
        assert_eq!(read(&empty()), Contents { end: HEADER_BYTES, ..Contents::default() });
    }

    #[test]
    fn no_flipped_bit_is_believed_and_the_other_changes_are() {
        let (mut file, starts) = journal(&some());
        let end = *starts.last().unwrap();
        for (at, mask) in (0..end).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit))) {
            file[at] ^= mask;
            let hit = starts.iter().rposition(|start| *start <= at);
            let mut expected = some();
            hit.into_iter().for_each(|hit| drop(expected.remove(hit)));
            let found = read(&file);
            assert_eq!(found.changes, expected, "byte {at} mask {mask}");
            assert!(!found.damage.is_empty(), "byte {at} mask {mask}");
            file[at] ^= mask;
        }
        file[end + 100] ^= 1;
        assert_eq!((read(&file).damage.len(), read(&file).unfinished), (0, Some(end)));
        assert!((0..file.len()).step_by(997).all(|len| !read(&file[..len]).damage.is_empty()), "a cut is damage");
    }

    #[test]
    fn what_is_not_known_to_be_durable_may_be_missing() {
        let (mut file, starts) = journal(&some());
        file[MARK_AT..MARK_AT + 8].copy_from_slice(&mark(starts[3]));
        file[starts[3]] ^= 1;
        let found = read(&file);
        assert_eq!((found.damage, found.unfinished, found.changes.len()), (Vec::new(), Some(starts[3]), 4));
    }
}
