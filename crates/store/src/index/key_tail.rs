//! Which of the newest records have a key?

use roxmq_protocol::position::LogOffset;
use std::collections::VecDeque;

/// The keys of the newest records, in log order.
#[derive(Debug, Default)]
pub(crate) struct KeyTail {
    chunks: VecDeque<Vec<(u32, LogOffset)>>,
}

impl KeyTail {
    pub fn push(&mut self, hashes: &[u32], log_offset: LogOffset) {
        for hash in hashes {
            match self.chunks.back_mut() {
                Some(chunk) if chunk.len() < KEY_CHUNK => chunk.push((*hash, log_offset)),
                _ => {
                    let mut chunk = Vec::with_capacity(KEY_CHUNK);
                    chunk.push((*hash, log_offset));
                    self.chunks.push_back(chunk);
                }
            }
        }
    }

    pub fn bytes(&self) -> u64 {
        (self.chunks.len() * KEY_CHUNK * size_of::<(u32, LogOffset)>()) as u64
    }

    /// Log offsets of the records with a key of this hash, newest first.
    pub fn find(&self, hash: u32) -> impl Iterator<Item = LogOffset> {
        let keys = self.chunks.iter().rev().flat_map(|chunk| chunk.iter().rev());
        keys.filter(move |(found, _)| *found == hash).map(|(_, log_offset)| *log_offset)
    }

    pub fn before(&self, end: LogOffset) -> Vec<(u32, LogOffset)> {
        self.chunks.iter().flatten().take_while(|(_, log_offset)| *log_offset < end).copied().collect()
    }

    pub fn drop_before(&mut self, end: LogOffset) {
        while self.chunks.front().is_some_and(|chunk| chunk.last().is_none_or(|(_, log_offset)| *log_offset < end)) {
            self.chunks.pop_front();
        }
        if let Some(chunk) = self.chunks.front_mut() {
            let gone = chunk.partition_point(|(_, log_offset)| *log_offset < end);
            chunk.drain(..gone);
        }
    }
}

const KEY_CHUNK: usize = 4096;
