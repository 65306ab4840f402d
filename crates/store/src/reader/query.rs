//! Which messages have a key?

use crate::index::facts;
use crate::reader::Reader;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::record::Record;
use std::collections::BTreeSet;

impl Reader {
    /// Messages of a topic with a key, stored from `begin_ms` to `end_ms`, newest first, at most `max` of them.
    ///
    /// The index finds by hash; the key itself is then compared, so that no two keys are ever mixed up. With `unique` only the
    /// client's message id counts as key, else also each token of `KEYS`.
    pub fn query(&self, topic: &str, key: &str, begin_ms: i64, end_ms: i64, max: usize, unique: bool) -> Vec<Vec<u8>> {
        let hash = facts::key_hash(topic, key);
        let mut found = Vec::new();
        let index = self.contents.index.read();
        let files: Vec<_> = index.files.values().rev().cloned().collect();
        let mut in_tail: Vec<i64> = index.keys.find(hash).take(CANDIDATES_MAX).collect();
        drop(index);
        in_tail.dedup();

        let mut seen = BTreeSet::new();
        let mut take = |candidates: Vec<i64>, found: &mut Vec<Vec<u8>>| {
            for log_offset in candidates {
                if found.len() >= max || !seen.insert(log_offset) {
                    continue;
                }
                found.extend(self.message_at(LogOffset(log_offset)).filter(|bytes| {
                    let Ok((record, _)) = Record::parse(bytes) else { return false };
                    (begin_ms..=end_ms).contains(&record.store_timestamp.0) && has_key(&record, topic, key, unique)
                }));
            }
        };
        take(in_tail, &mut found);
        for file in files {
            if found.len() >= max {
                break;
            }
            if file.last_time < begin_ms || file.first_time > end_ms {
                continue;
            }
            let mut candidates = Vec::new();
            if let Err(error) = file.find_key(hash, &mut candidates) {
                tracing::warn!(file = %file.file.path().display(), %error, "looking for a key failed");
            }
            candidates.reverse();
            candidates.truncate(CANDIDATES_MAX);
            take(candidates, &mut found);
        }
        found
    }
}

fn has_key(record: &Record<'_>, topic: &str, key: &str, unique: bool) -> bool {
    let properties = record.properties();
    record.topic == topic && (properties.unique_key() == Some(key) || (!unique && properties.keys().any(|other| other == key)))
}

/// So many records of one hash are looked at in each index file.
const CANDIDATES_MAX: usize = 10_000;
