//! What does a crash leave of changes that were not synced?

use crate::disk::sim::changes::{Change, put};

/// What is left of a list of changes: all, none, the first few, or any of them.
pub fn keep_some<T>(changes: Vec<T>, random: &mut fastrand::Rng) -> Vec<T> {
    let len = changes.len();
    match random.u8(0..4) {
        0 => changes,
        1 => Vec::new(),
        2 => changes.into_iter().take(random.usize(0..=len)).collect(),
        _ => changes.into_iter().filter(|_| random.bool()).collect(),
    }
}

/// Applies a change that a crash interrupts: a write arrives sector by sector, in any order, if at all.
pub fn tear(change: &Change, random: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
    let Change::Write(at, data) = change else { return change.apply(bytes) };
    if random.bool() {
        return change.apply(bytes);
    }
    // The file's length may have arrived although the contents did not.
    if random.bool() && bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    let mut from = 0;
    while from < data.len() {
        let to = data.len().min((at + from) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES - at);
        if random.bool() {
            put(bytes, at + from, &data[from..to]);
        }
        from = to;
    }
}

/// How many of the first `part` bytes that are written at `at` fill sectors to their end. A write that is interrupted stops there: the
/// rest of a sector is as programs saw it before, and the disk never gets one of which a part is from an earlier time than another.
pub fn whole_sectors(at: usize, part: usize) -> usize {
    ((at + part) / SECTOR_BYTES * SECTOR_BYTES).saturating_sub(at)
}

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;
