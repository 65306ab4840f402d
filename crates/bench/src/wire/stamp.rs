//! What does a message of the bench contain, and is a message that comes back the one that was sent?
//!
//! ```text
//! off len  field
//! 0   8    "RoxBench"
//! 8   4    number of the run, to recognize messages of other runs
//! 12  4    connection that sent it
//! 16  8    how many messages that connection had sent before
//! 24  8    when it was to be sent, in ns of the run's clock
//! 32  n    filler: always the same bytes
//! ```

use crate::measure::clock;
use std::sync::LazyLock;

/// The shortest body there is, in bytes.
pub const STAMP_BYTES: usize = 32;

/// The first bytes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the run.
    pub run: u32,
    /// Number of the sending connection.
    pub connection: u32,
    /// Number of the message on its connection.
    pub sequence: u64,
    /// When it was to be sent, in ns of the run's clock.
    pub due: u64,
}

impl Stamp {
    /// Writes the stamp over the start of a body.
    pub fn write(&self, body: &mut [u8]) {
        body[..8].copy_from_slice(MARK);
        body[8..12].copy_from_slice(&self.run.to_be_bytes());
        body[12..16].copy_from_slice(&self.connection.to_be_bytes());
        body[16..24].copy_from_slice(&self.sequence.to_be_bytes());
        body[24..32].copy_from_slice(&self.due.to_be_bytes());
    }

    /// Reads it off a body; `None` when the bench did not make that body, or when one of its bytes has changed.
    pub fn read(body: &[u8]) -> Option<Stamp> {
        let (stamp, rest) = body.split_first_chunk::<STAMP_BYTES>()?;
        if stamp[..8] != *MARK || !is_filler(rest) {
            return None;
        }
        let int = |at: usize| u32::from_be_bytes([stamp[at], stamp[at + 1], stamp[at + 2], stamp[at + 3]]);
        let long = |at: usize| u64::from(int(at)) << 32 | u64::from(int(at + 4));
        Some(Stamp { run: int(8), connection: int(12), sequence: long(16), due: long(24) })
    }
}

/// A number that distinguishes the messages of this run from those of others.
pub fn run_number() -> u32 {
    clock::wall_ms() as u32 ^ std::process::id().rotate_left(16)
}

/// Does the body claim to be the bench's?
pub fn is_marked(body: &[u8]) -> bool {
    body.starts_with(MARK)
}

/// The number whose 32 hexadecimal digits are a message's unique key.
pub fn unique_key(stamp: &Stamp) -> u128 {
    u128::from(stamp.run) << 96 | u128::from(stamp.connection) << 64 | u128::from(stamp.sequence)
}

/// A body of `bytes`, its stamp still blank.
pub fn blank_body(bytes: usize) -> Vec<u8> {
    let mut body = vec![0; STAMP_BYTES];
    while body.len() < bytes {
        let missing = (bytes - body.len()).min(FILLER.len());
        body.extend_from_slice(&FILLER[..missing]);
    }
    body
}

fn is_filler(bytes: &[u8]) -> bool {
    bytes.chunks(FILLER.len()).all(|chunk| *chunk == FILLER[..chunk.len()])
}

const MARK: &[u8; 8] = b"RoxBench";

/// Bytes that do not compress, repeated as often as a body needs them.
static FILLER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(4096).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_is_noticed() {
        let stamp = Stamp { run: 7, connection: 3, sequence: 1 << 40, due: 99 };
        for bytes in [STAMP_BYTES, 33, 1024, 4096 + 32, 100_000] {
            let mut body = blank_body(bytes);
            assert_eq!(body.len(), bytes);
            stamp.write(&mut body);
            assert_eq!(Stamp::read(&body), Some(stamp));
            for at in (STAMP_BYTES..bytes).step_by(997).chain([bytes - 1]).filter(|at| *at >= STAMP_BYTES) {
                body[at] ^= 1;
                assert_eq!(Stamp::read(&body), None, "byte {at} of {bytes}");
                body[at] ^= 1;
            }
        }
        assert_eq!(Stamp::read(b"short"), None);
    }
}
