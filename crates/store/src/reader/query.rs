//! Which messages have a key?

use crate::index::facts;
use crate::reader::Reader;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::record::Record;
use roxmq_protocol::time::Timestamp;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Messages to find by a key.
#[derive(Clone, Debug)]
pub struct KeyQuery<'a> {
    /// Their topic.
    pub topic: &'a str,
    /// The key.
    pub key: &'a str,
    /// What counts as one.
    pub kind: KeyKind,
    /// When they were stored.
    pub stored: RangeInclusive<Timestamp>,
    /// How many at most, the newest first.
    pub max: usize,
}

/// What counts as a key of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The id that its client gave it (`UNIQ_KEY`).
    Unique,
    /// That, and each token of `KEYS`.
    Any,
}

impl Reader {
    /// Messages with a key, newest first.
    pub fn query(&self, query: &KeyQuery<'_>) -> Vec<Vec<u8>> {
        let KeyQuery { topic, key, kind, stored, max } = query;
        let max = *max;
        let hash = facts::key_hash(topic, key);
        let mut found = Vec::new();
        let index = self.contents.index.read();
        let files: Vec<_> = index.files.values().rev().cloned().collect();
        let mut in_tail: Vec<LogOffset> = index.keys.find(hash).take(CANDIDATES_MAX).collect();
        drop(index);
        in_tail.dedup();

        let mut seen = BTreeSet::new();
        let mut take = |candidates: Vec<LogOffset>, found: &mut Vec<Vec<u8>>| {
            for log_offset in candidates {
                if found.len() >= max || !seen.insert(log_offset) {
                    continue;
                }
                found.extend(self.message_at(log_offset).filter(|bytes| {
                    let Ok((record, _)) = Record::parse(bytes) else { return false };
                    stored.contains(&record.store_timestamp) && has_key(&record, topic, key, *kind)
                }));
            }
        };
        take(in_tail, &mut found);
        for file in files {
            if found.len() >= max {
                break;
            }
            if file.last_time < *stored.start() || file.first_time > *stored.end() {
                continue;
            }
            let mut candidates = Vec::new();
            if let Err(error) = file.find_key(hash, &mut candidates) {
                tracing::warn!(file = %file.file.path().display(), %error, "searching an index file failed");
            }
            candidates.reverse();
            candidates.truncate(CANDIDATES_MAX);
            take(candidates, &mut found);
        }
        found
    }
}

fn has_key(record: &Record<'_>, topic: &str, key: &str, kind: KeyKind) -> bool {
    let properties = record.properties();
    let has_key = properties.unique_key() == Some(key)
        || match kind {
            KeyKind::Unique => false,
            KeyKind::Any => properties.keys().any(|other| other == key),
        };
    record.topic == topic && has_key
}

/// Records of one hash that are read for each index file.
const CANDIDATES_MAX: usize = 10_000;
