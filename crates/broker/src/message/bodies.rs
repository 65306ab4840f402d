//! Is a body what its sys flag says: compressed, or an inner batch?
//!
//! Consumers decompress bodies as soon as they have pulled them. When one fails, Java's clients lose the messages behind it in the same
//! pull, and the C++ client crashes: a message that no consumer can read must not come in. The broker does not decompress. It checks the
//! first bytes of a body; damage behind them is the producer's.

use crate::error::Refusal;
use roxmq_protocol::record::sys_flag;

/// Accepts a body that is not flagged as compressed, and one that begins as its flag says.
///
/// # Errors
/// When it begins otherwise, when consumers do not know the compression, and for inner batches: as in Java, only queues of a kind that
/// RoxMQ does not have take them.
pub fn check(flag: i32, body: &[u8]) -> Result<(), Refusal> {
    if flag & sys_flag::INNER_BATCH != 0 {
        return Err(no_inner_batch());
    }
    if flag & sys_flag::COMPRESSED == 0 {
        return Ok(());
    }
    let (kind, is_sound) = match flag & sys_flag::COMPRESSION_MASK {
        0 | sys_flag::COMPRESSION_ZLIB => ("zlib", is_zlib(body)),
        sys_flag::COMPRESSION_LZ4 => ("LZ4", body.starts_with(&LZ4_FRAME)),
        sys_flag::COMPRESSION_ZSTD => ("ZSTD", body.starts_with(&ZSTD_FRAME)),
        other => return Err(Refusal::Message(format!("the sys flag names a compression that consumers do not know: {}", other >> 8))),
    };
    let refused = || Refusal::Message(format!("the sys flag says that the body is compressed with {kind}, and it is not"));
    is_sound.then_some(()).ok_or_else(refused)
}

/// The refusal of a message that is an inner batch, or has the property of one.
pub fn no_inner_batch() -> Refusal {
    Refusal::Message("an inner batch can be stored in a topic with queue.type=BatchCQ only, of which there are none.".into())
}

/// RFC 1950 and 1951: the header, with its check and without a dictionary, and the start of a block.
fn is_zlib(body: &[u8]) -> bool {
    let &[method, flags, block, a, b, c, d, _, ..] = body else { return false };
    let is_header = method == DEFLATE_WINDOW_32K && u16::from_be_bytes([method, flags]).is_multiple_of(31) && flags & WITH_DICTIONARY == 0;
    let is_block = match block >> 1 & 3 {
        // Not compressed: the length, and its complement.
        0 => [a, b] == [!c, !d],
        1 | 2 => true,
        _ => false,
    };
    is_header && is_block
}

/// First byte of a zlib stream: deflate with the default window of 32 KB.
const DEFLATE_WINDOW_32K: u8 = 0x78;
/// In the second byte: the stream needs a dictionary.
const WITH_DICTIONARY: u8 = 0x20;
/// First bytes of an LZ4 frame, the format of Java's client.
const LZ4_FRAME: [u8; 4] = [0x04, 0x22, 0x4D, 0x18];
/// First bytes of a Zstandard frame.
const ZSTD_FRAME: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_what_its_sys_flag_says() {
        // "hello hello hello"; of the other two only the first bytes count.
        let zlib: &[u8] = b"\x78\x9c\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\x00\x3a\x2e\x06\x7d";
        let empty_zlib: &[u8] = b"\x78\x9c\x03\x00\x00\x00\x00\x01";
        let lz4: &[u8] = b"\x04\x22\x4d\x18\x60\x40\x82";
        let zstd: &[u8] = b"\x28\xb5\x2f\xfd\x20\x11";
        let (zlib_old, zlib_flag, lz4_flag, zstd_flag) = (0x1, 0x301, 0x101, 0x201);
        for (flag, body, is_taken) in [
            (0, &b"plain"[..], true),
            // Not compressed: the kind means nothing.
            (0x300, b"plain", true),
            (0x700, b"plain", true),
            (zlib_old, zlib, true),
            (zlib_old, empty_zlib, true),
            (zlib_old, b"\x78\x01\x01\x02\x00\xfd\xffhi\x01\x3b\x00\xd2", true),
            (zlib_flag, zlib, true),
            (lz4_flag, lz4, true),
            (zstd_flag, zstd, true),
            // Other bits change nothing.
            (zlib_old | 0x8 | 0x2, zlib, true),
            (zlib_old, b"plain", false),
            (zlib_old, b"", false),
            (zlib_old, b"\x78\x9c", false),
            (zlib_old, b"\x78\x9d and so on", false),
            // With a dictionary, which no consumer has; and with a block of no kind.
            (zlib_old, b"\x78\xbb and so on", false),
            (zlib_old, b"\x78\x9c\x07 and so on", false),
            (zlib_old, b"\x78\x9cplain text", false),
            (zlib_old, b"x^f1]: a text", false),
            (zlib_old, lz4, false),
            (zlib_flag, zstd, false),
            (lz4_flag, zlib, false),
            (lz4_flag, b"plain", false),
            (lz4_flag, b"\x04\x22", false),
            (zstd_flag, lz4, false),
            (zstd_flag, b"plain", false),
            (0x401, zlib, false),
            (0x80, b"plain", false),
            (0x81, zlib, false),
            (0x40, b"plain", true),
            (0x701, zlib, false),
        ] {
            assert_eq!(check(flag, body).is_ok(), is_taken, "{flag:#x} {body:x?}");
        }
    }
}
