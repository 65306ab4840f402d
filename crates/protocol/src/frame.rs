//! Where does one frame end, and what are its parts?
//!
//! ```text
//! off len  field
//! 0   4    total length: the bytes that follow this field (4 + header + body)
//! 4   1    header encoding: 0 = JSON, 1 = binary ("ROCKETMQ")
//! 5   3    header length, unsigned
//! 8   n    header
//! 8+n m    body
//! ```
//! Follows Java's `NettyDecoder` and `RemotingCommand`. Nothing is allocated here: a claimed length
//! costs nothing until its bytes have arrived.

use thiserror::Error;

/// The longest frame accepted and written, its length field included (`com.rocketmq.remoting.frameMaxLength`), in bytes.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes before the header: total length, encoding and header length.
pub const PREFIX_BYTES: usize = 8;

/// How a header is written. A frame names its own encoding; an answer mirrors its request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encoding {
    /// JSON text, the default of every client.
    #[default]
    Json,
    /// The compact binary form (`RocketMQSerializable`).
    Binary,
}

/// One whole frame, borrowed from a receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// How `header` is written.
    pub encoding: Encoding,
    /// The header's bytes.
    pub header: &'a [u8],
    /// The body's bytes; may be empty.
    pub body: &'a [u8],
    /// How many bytes of the input the frame takes.
    pub len: usize,
}

/// Why bytes cannot be a frame. The connection cannot be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The total length is negative, shorter than the header's length word, or over [`FRAME_BYTES_MAX`].
    #[error("frame length {0} is not between 4 and {max}", max = FRAME_BYTES_MAX - 4)]
    Length(i32),
    /// The header is longer than the frame.
    #[error("header of {header} bytes does not fit a frame of {frame} bytes")]
    HeaderLength {
        /// Claimed header length.
        header: usize,
        /// Bytes left for header and body.
        frame: usize,
    },
    /// Neither JSON nor binary.
    #[error("unknown header encoding {0}")]
    Encoding(u8),
}

/// Takes the first frame off `input`; `None` when more bytes are needed.
///
/// # Errors
/// As soon as the bytes seen cannot become a frame, without waiting for the rest.
pub fn split(input: &[u8]) -> Result<Option<Frame<'_>>, FrameError> {
    let Some((total, rest)) = input.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let total = i32::from_be_bytes(*total);
    let length = match usize::try_from(total) {
        Ok(length) if (4..=FRAME_BYTES_MAX - 4).contains(&length) => length,
        _ => return Err(FrameError::Length(total)),
    };
    let Some((word, rest)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let encoding = match word[0] {
        0 => Encoding::Json,
        1 => Encoding::Binary,
        other => return Err(FrameError::Encoding(other)),
    };
    let header = u32::from_be_bytes([0, word[1], word[2], word[3]]) as usize;
    let content = length - 4;
    if header > content {
        return Err(FrameError::HeaderLength { header, frame: content });
    }
    if rest.len() < content {
        return Ok(None);
    }
    Ok(Some(Frame { encoding, header: &rest[..header], body: &rest[header..content], len: 4 + length }))
}

/// How many bytes the frame at the start of `input` takes in all, once its length field has arrived; 0 before.
pub fn claimed_len(input: &[u8]) -> usize {
    match input.first_chunk::<4>() {
        Some(total) => 4 + usize::try_from(i32::from_be_bytes(*total)).unwrap_or(0),
        None => 0,
    }
}

/// Appends a frame to `out`: `header` writes the header's bytes, `body` follows them.
///
/// # Panics
/// When header and body do not fit a frame; callers check that first.
pub fn write(out: &mut Vec<u8>, encoding: Encoding, header: impl FnOnce(&mut Vec<u8>), body: &[u8]) {
    write_head(out, encoding, header, body.len());
    out.extend_from_slice(body);
}

/// Appends everything before the body of a frame to `out`: `header` writes the header's bytes. A body of `body_len` bytes must follow.
///
/// # Panics
/// When header and body do not fit a frame; callers check that first.
pub fn write_head(out: &mut Vec<u8>, encoding: Encoding, header: impl FnOnce(&mut Vec<u8>), body_len: usize) {
    let start = begin(out);
    header(out);
    finish(out, start, encoding, body_len);
}

/// Starts a frame whose body is appended in place later; pair with [`finish`].
fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX_BYTES]);
    start
}

fn finish(out: &mut [u8], start: usize, encoding: Encoding, body_len: usize) {
    let header_len = out.len() - start - PREFIX_BYTES;
    let total = 4 + header_len + body_len;
    assert!(header_len < 1 << 24 && total + 4 <= FRAME_BYTES_MAX, "a frame of {total} bytes was built");
    out[start..start + 4].copy_from_slice(&(total as u32).to_be_bytes());
    let word = (header_len as u32) | ((encoding == Encoding::Binary) as u32) << 24;
    out[start + 4..start + 8].copy_from_slice(&word.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(total: i32, word: u32, rest: &[u8]) -> Vec<u8> {
        [&total.to_be_bytes()[..], &word.to_be_bytes(), rest].concat()
    }

    #[test]
    fn a_frame_has_a_header_and_a_body() {
        let input = bytes(4 + 2 + 3, 2, b"{}abc");
        let frame = split(&input).unwrap().unwrap();
        assert_eq!((frame.header, frame.body, frame.len), (&b"{}"[..], &b"abc"[..], 13));
    }

    #[test]
    fn what_cannot_be_a_frame_is_refused_at_once() {
        for (input, error) in [
            (bytes(17 << 20, 0, b""), FrameError::Length(17 << 20)),
            (bytes(-1, 0, b""), FrameError::Length(-1)),
            (bytes(i32::MIN, 0, b""), FrameError::Length(i32::MIN)),
            (bytes(3, 0, b""), FrameError::Length(3)),
            (bytes(10, 7, b""), FrameError::HeaderLength { header: 7, frame: 6 }),
            (bytes(10, 0xff00_0000, b""), FrameError::Encoding(0xff)),
            (bytes(10, 2 << 24, b""), FrameError::Encoding(2)),
        ] {
            assert_eq!(split(&input), Err(error));
        }
    }

    proptest! {
        #[test]
        fn any_cut_of_a_frame_asks_for_more(header in prop::collection::vec(any::<u8>(), 0..200), body in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            write(&mut out, Encoding::Binary, |out| out.extend_from_slice(&header), &body);
            for cut in 0..out.len() {
                prop_assert_eq!(split(&out[..cut]).unwrap(), None);
            }
            let frame = split(&out).unwrap().unwrap();
            prop_assert_eq!((frame.header, frame.body, frame.len), (&header[..], &body[..], out.len()));
        }

        #[test]
        fn garbage_never_panics(input in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some(frame)) = split(&input) {
                prop_assert!(frame.len <= input.len());
            }
        }
    }
}
