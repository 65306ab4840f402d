//! How is text escaped in a JSON header?

use crate::scan::first_of;

/// The first byte from `at` on that is a quote, a backslash or below `least`.
#[inline]
pub(super) fn end_of_plain(bytes: &[u8], at: usize, least: u8) -> usize {
    first_of(bytes, at, [b'"', b'\\'], least)
}

/// Resolves the escapes of a string that the reader has checked. A lone surrogate becomes U+FFFD.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    unescape_into(text, &mut out);
    out
}

/// As [`unescape`], appended to `out`.
pub(super) fn unescape_into(text: &str, out: &mut String) {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        let end = end_of_plain(bytes, at, 0);
        out.push_str(&text[at..end]);
        if bytes.get(end).is_none() {
            return;
        }
        let kind = bytes.get(end + 1).copied().unwrap_or(b'\\');
        at = (end + 2).min(bytes.len());
        let resolved = match kind {
            b'u' => {
                let unit = take_unit(bytes, &mut at);
                match char::from_u32(u32::from(unit)) {
                    Some(char) => char,
                    None => take_low_half(unit, bytes, &mut at).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            other => char::from(other),
        };
        out.push(resolved);
    }
}

/// The UTF-16 unit of the four hex digits at `at`; U+FFFD if they are not hex digits.
fn take_unit(bytes: &[u8], at: &mut usize) -> u16 {
    let Some(digits) = bytes.get(*at..*at + 4) else {
        *at = bytes.len();
        return 0xFFFD;
    };
    *at += 4;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16)).unwrap_or(0xFFFD)
}

/// The character of a surrogate pair, if the next escape is the other half.
#[cold]
fn take_low_half(high: u16, bytes: &[u8], at: &mut usize) -> Option<char> {
    if !bytes.get(*at..)?.starts_with(b"\\u") {
        return None;
    }
    let mut behind = *at + 2;
    let low = take_unit(bytes, &mut behind);
    let pair = char::decode_utf16([high, low]).next()?.ok()?;
    *at = behind;
    Some(pair)
}

/// Appends `text` as a JSON string: quotes, backslashes and control characters escaped, everything else raw.
pub fn write_json_string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut start = 0;
    loop {
        let end = end_of_plain(bytes, start, b' ');
        out.extend_from_slice(&bytes[start..end]);
        let Some(&byte) = bytes.get(end) else { break };
        start = end + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]);
            }
        }
    }
    out.push(b'"');
}
