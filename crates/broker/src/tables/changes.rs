//! What do the bytes of the journal (`config/changes.log`) mean? `docs/format.md` draws them.
//!
//! Every change says what something *is* from now on, never by how much it differs: to apply a change again, and all changes after it,
//! makes no difference. So a start need not know which of them a table already has.

use roxmq_protocol::body::{DataVersion, SetMessageRequestModeRequestBody, SubscriptionGroupConfig, TopicConfig};
use roxmq_protocol::json::{self, Dialect};
use serde::{Deserialize, Serialize};

/// The length of the file, which never changes. It is filled with zeros when it is made, so that no change needs room on the disk, and a
/// sync writes nothing but the change.
pub const FILE_BYTES: usize = if cfg!(test) { 64 << 10 } else { 1 << 20 };
/// Where the first change is.
pub const HEADER_BYTES: usize = 32;
/// Where the header says how far changes are known to be durable.
pub const DURABLE_AT: usize = 16;
/// The longest JSON text of a change. Instead of a longer one the tables are saved.
pub const TEXT_BYTES_MAX: usize = 256 << 10;

const MAGIC: &[u8; 8] = b"RoxChng1";
/// No text and no zeros look like it.
const RECORD: u32 = 0xFEC5_A701;
const RECORD_HEADER_BYTES: usize = 16;
const ALIGNMENT: usize = 8;

/// One change: what something is from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "table")]
pub enum Change {
    /// The topic is this, or gone.
    #[serde(rename = "topics")]
    Topic {
        /// The table's version with the change.
        version: DataVersion,
        /// Its name; empty where only the version changed.
        #[serde(rename = "key")]
        name: String,
        /// `None` if it is gone.
        #[serde(skip_serializing_if = "Option::is_none")]
        topic: Option<TopicConfig>,
    },
    /// The group is this, or gone with all that was forbidden to it.
    #[serde(rename = "groups")]
    Group {
        /// The table's version with the change.
        version: DataVersion,
        /// Its name.
        #[serde(rename = "key")]
        name: String,
        /// `None` if it is gone.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<SubscriptionGroupConfig>,
    },
    /// These bits are forbidden to a group on a topic.
    #[serde(rename = "forbidden")]
    Forbidden {
        /// The version of the table of groups with the change.
        version: DataVersion,
        /// The group.
        #[serde(rename = "key")]
        group: String,
        /// The topic.
        #[serde(rename = "other")]
        topic: String,
        /// 0 for nothing.
        bits: i32,
    },
    /// A group gets the messages of a topic in this mode, or in the default one.
    #[serde(rename = "modes")]
    Mode {
        /// The topic; empty for all topics.
        #[serde(rename = "key")]
        topic: String,
        /// The group; empty for all groups.
        #[serde(rename = "other", default, skip_serializing_if = "String::is_empty")]
        group: String,
        /// `None` for the default one.
        #[serde(skip_serializing_if = "Option::is_none")]
        mode: Option<SetMessageRequestModeRequestBody>,
    },
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
    bytes[DURABLE_AT..DURABLE_AT + 8].copy_from_slice(&durable_before(HEADER_BYTES));
    bytes
}

/// The bytes at [`DURABLE_AT`] that say that the changes before `end` are durable.
pub fn durable_before(end: usize) -> [u8; 8] {
    let end = (end as u32).to_be_bytes();
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&end);
    bytes[4..].copy_from_slice(&crc32fast::hash(&end).to_be_bytes());
    bytes
}

/// The length of a change's record.
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

/// The contents of a journal.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The intact changes, in order.
    pub changes: Vec<Change>,
    /// Damage, and where it is: changes are missing.
    pub damage: Vec<(usize, String)>,
    /// Where a change is that a crash interrupted. It was never answered.
    pub unfinished: Option<usize>,
    /// Where the next change goes.
    pub end: usize,
}

/// Reads a journal. A damaged change is skipped; those behind it are found and believed.
pub fn read(bytes: &[u8]) -> Contents {
    let mut contents = Contents { end: HEADER_BYTES, ..Contents::default() };
    let durable = read_header(bytes, &mut contents.damage);
    let mut at = HEADER_BYTES;
    while at < bytes.len() {
        if let Some(text) = record_at(bytes, at) {
            match json::from_slice(text) {
                Ok(change) => contents.changes.push(change),
                Err(error) => contents.damage.push((at, format!("a change that cannot be read: {error}"))),
            }
            at += record_bytes(text);
            contents.end = at;
            continue;
        }
        let next = (at + ALIGNMENT..bytes.len()).step_by(ALIGNMENT).find(|at| record_at(bytes, *at).is_some());
        let gap = &bytes[at..next.unwrap_or(bytes.len())];
        if at < durable {
            contents.damage.push((at, "the change that was written there is gone".to_owned()));
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
    let has_end = header[DURABLE_AT..DURABLE_AT + 8] == durable_before(end);
    if !is_ours || !has_end || header[DURABLE_AT + 8..].iter().any(|byte| *byte != 0) {
        damage.push((0, "its header is damaged".to_owned()));
    }
    if has_end { end } else { HEADER_BYTES }
}

/// The text of the record at this place, if there is an intact one.
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
        Change::Topic { name: name.into(), version: DataVersion::new(7), topic: Some(topic) }
    }

    fn journal(changes: &[Change]) -> (Vec<u8>, Vec<usize>) {
        let (mut file, mut records, mut starts) = (empty(), Vec::new(), Vec::new());
        for change in changes {
            starts.push(HEADER_BYTES + records.len());
            push_record(&change.text(), HEADER_BYTES + records.len(), &mut records);
        }
        file[HEADER_BYTES..HEADER_BYTES + records.len()].copy_from_slice(&records);
        let end = HEADER_BYTES + records.len();
        file[DURABLE_AT..DURABLE_AT + 8].copy_from_slice(&durable_before(end));
        starts.push(end);
        (file, starts)
    }

    fn some() -> Vec<Change> {
        let mode = SetMessageRequestModeRequestBody { topic: "T".into(), consumer_group: "g".into(), ..Default::default() };
        let group = SubscriptionGroupConfig { group_name: "g".into(), retry_max_times: 3, ..Default::default() };
        vec![
            change("a", 4),
            Change::Group { version: DataVersion::new(8), name: "g".into(), group: Some(group) },
            Change::Forbidden { version: DataVersion::new(9), group: "g".into(), topic: "T".into(), bits: 4 },
            Change::Mode { topic: "T".into(), group: "g".into(), mode: Some(mode) },
            Change::Topic { version: DataVersion::new(10), name: "a".into(), topic: None },
        ]
    }

    /// The texts that are in journals on disks.
    #[test]
    fn a_change_keeps_its_text() {
        let version = DataVersion { counter: 3, state_version: 0, timestamp: 7 };
        let versioned = r#""version":{"counter":3,"stateVersion":0,"timestamp":7},"#;
        let topic = r#"{"attributes":{},"order":false,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"a","topicSysFlag":0,"writeQueueNums":16}"#;
        let Change::Topic { topic: Some(config), .. } = change("a", 4) else { unreachable!() };
        let mode = SetMessageRequestModeRequestBody { topic: "T".into(), consumer_group: "g".into(), ..Default::default() };
        let mode_text = r#"{"consumerGroup":"g","mode":"PULL","popShareQueueNum":0,"topic":"T"}"#;
        let expected = [
            (
                Change::Topic { version, name: "a".into(), topic: Some(config) },
                format!(r#"{{"table":"topics",{versioned}"key":"a","topic":{topic}}}"#),
            ),
            (Change::Topic { version, name: String::new(), topic: None }, format!(r#"{{"table":"topics",{versioned}"key":""}}"#)),
            (Change::Group { version, name: "g".into(), group: None }, format!(r#"{{"table":"groups",{versioned}"key":"g"}}"#)),
            (
                Change::Forbidden { version, group: "g".into(), topic: "T".into(), bits: 0 },
                format!(r#"{{"table":"forbidden",{versioned}"key":"g","other":"T","bits":0}}"#),
            ),
            (
                Change::Mode { topic: "T".into(), group: "g".into(), mode: Some(mode) },
                format!(r#"{{"table":"modes","key":"T","other":"g","mode":{mode_text}}}"#),
            ),
            (Change::Mode { topic: "T".into(), group: String::new(), mode: None }, r#"{"table":"modes","key":"T"}"#.to_owned()),
            (Change::Mode { topic: String::new(), group: "g".into(), mode: None }, r#"{"table":"modes","key":"","other":"g"}"#.to_owned()),
        ];
        for (change, text) in expected {
            assert_eq!(String::from_utf8(change.text()).unwrap(), text);
            assert_eq!(json::from_slice(text.as_bytes()), Ok(change));
        }
    }

    #[test]
    fn written_changes_are_read() {
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
    fn changes_not_known_to_be_durable_may_be_missing() {
        let (mut file, starts) = journal(&some());
        file[DURABLE_AT..DURABLE_AT + 8].copy_from_slice(&durable_before(starts[3]));
        file[starts[3]] ^= 1;
        let found = read(&file);
        assert_eq!((found.damage, found.unfinished, found.changes.len()), (Vec::new(), Some(starts[3]), 4));
    }
}
