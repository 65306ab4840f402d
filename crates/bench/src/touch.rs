//! Has this machine's memory been used before?
//!
//! The host of a virtual machine often gives it memory only when it is first touched, which costs microseconds a page. A broker that
//! is measured on such memory is measured with its host. Anonymous memory is used rather than a file in memory: a file system in
//! memory is mostly limited to half of it, and a file may be left behind.

use crate::measure::process;
use std::io;

/// Writes to most of the memory that is free and gives it back. How many bytes that were.
///
/// # Errors
/// When the system does not say how much memory is free.
pub fn touch() -> io::Result<u64> {
    let available = process::available_bytes().ok_or_else(|| io::Error::other("this system does not say how much memory is free"))?;
    let wanted = available / 10 * 8;
    let mut held = Vec::new();
    for _ in 0..wanted / CHUNK_BYTES {
        held.push(std::hint::black_box(vec![1u8; CHUNK_BYTES as usize]));
    }
    Ok(held.len() as u64 * CHUNK_BYTES)
}

const CHUNK_BYTES: u64 = 256 * 1024 * 1024;
