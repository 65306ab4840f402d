//! The JSON header: one pass over the text, any member order, unknown members skipped.

use super::{FieldSink, Fields, Header, HeaderError, Language, RawText, Top};
use crate::frame::Encoding;
use crate::scan::first_of;

/// How deep an unknown member may nest before the header is refused.
const DEPTH_MAX: usize = 32;

pub(super) fn read(bytes: &[u8]) -> Result<Header<'_>, HeaderError> {
    let text = std::str::from_utf8(bytes).map_err(|_| HeaderError::NotUtf8)?;
    let mut scan = Scan { text, bytes, at: 0, refused: None };
    let mut header = Header::default();
    match scan.header(&mut header) {
        Some(()) => Ok(header),
        None => Err(scan.refused.unwrap_or(HeaderError::NotJson(scan.at))),
    }
}

/// A walk through the text. `None` ends it: at `at` stands what cannot be, unless `refused` says more. An error that is carried up
/// by value would go through memory with each string, and cost more than the string.
struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    refused: Option<HeaderError>,
}

impl<'a> Scan<'a> {
    fn header(&mut self, header: &mut Header<'a>) -> Option<()> {
        self.object(|scan, key| {
            match key.text {
                "code" => header.code = scan.number("code")?,
                "version" => header.version = scan.number("version")?,
                "opaque" => header.opaque = scan.number("opaque")?,
                "flag" => header.flag = scan.number("flag")?,
                "language" => {
                    if let Some(value) = scan.scalar()? {
                        header.language = Language::from_text(value.text);
                    }
                }
                "remark" => header.remark = scan.scalar()?,
                "extFields" => scan.ext_fields(&mut header.fields)?,
                _ => scan.skip_value()?,
            }
            Some(())
        })
    }

    /// The next byte that is no blank, without taking it.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.bytes.get(self.at)? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Walks an object; `member` takes each value.
    #[inline]
    fn object(&mut self, mut member: impl FnMut(&mut Self, RawText<'a>) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let key = self.string()?;
            self.expect(b':')?;
            member(self, key)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn ext_fields(&mut self, fields: &mut Fields<'a>) -> Option<()> {
        if self.peek()? != b'{' {
            return self.skip_value();
        }
        self.object(|scan, key| match scan.peek()? {
            b'{' | b'[' => scan.skip_value(),
            _ => match scan.scalar()? {
                Some(value) => match fields.push(key, value) {
                    Ok(()) => Some(()),
                    Err(error) => scan.refuse(error),
                },
                None => Some(()),
            },
        })
    }

    #[cold]
    fn refuse<T>(&mut self, error: HeaderError) -> Option<T> {
        self.refused = Some(error);
        None
    }

    /// A string, number or boolean as text; `None` inside for null and for what nests.
    #[inline(always)]
    fn scalar(&mut self) -> Option<Option<RawText<'a>>> {
        match self.peek()? {
            b'"' => self.string().map(Some),
            b'{' | b'[' => self.skip_value().map(|()| None),
            _ => {
                let word = self.word()?;
                Some((word != "null").then_some(RawText::plain(word)))
            }
        }
    }

    fn number(&mut self, name: &'static str) -> Option<i32> {
        match self.scalar()? {
            Some(value) => match value.text.parse() {
                Ok(number) => Some(number),
                Err(_) => self.refuse(HeaderError::NotANumber(name)),
            },
            None => Some(0),
        }
    }

    /// A bare word: a number, true, false or null.
    fn word(&mut self) -> Option<&'a str> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')) {
            self.at += 1;
        }
        (start != self.at).then(|| &self.text[start..self.at])
    }

    #[inline(always)]
    fn string(&mut self) -> Option<RawText<'a>> {
        self.at += 1;
        let start = self.at;
        self.at = end_of_plain(self.bytes, start, 0);
        let escaped = *self.bytes.get(self.at)? == b'\\';
        if escaped {
            self.skip_escaped()?;
        }
        let text = &self.text[start..self.at];
        self.at += 1;
        Some(RawText { text, escaped })
    }

    /// Steps over the rest of a string, from a backslash to the closing quote.
    fn skip_escaped(&mut self) -> Option<()> {
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => self.at = end_of_plain(self.bytes, self.at, 0),
            }
        }
    }

    /// Steps over one escape and checks that it is whole, so that [`unescape`] cannot meet a broken one.
    fn escape(&mut self) -> Option<()> {
        let length = match self.bytes.get(self.at + 1)? {
            b'u' => {
                let digits = self.bytes.get(self.at + 2..self.at + 6)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                6
            }
            byte if byte.is_ascii() => 2,
            _ => return None,
        };
        self.at += length;
        Some(())
    }

    /// Steps over any value, without recursion.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'{' | b'[' => {
                    depth += 1;
                    if depth > DEPTH_MAX {
                        return None;
                    }
                    self.at += 1;
                    continue;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                b'"' => {
                    self.string()?;
                }
                _ => {
                    self.word()?;
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

/// The first byte from `at` on that is a quote, a backslash or below `least`.
#[inline]
fn end_of_plain(bytes: &[u8], at: usize, least: u8) -> usize {
    first_of(bytes, at, [b'"', b'\\'], least)
}

/// Resolves the escapes of a string that the scanner has accepted. A lone surrogate becomes U+FFFD.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    unescape_into(text, &mut out);
    out
}

/// As [`unescape`], behind what `out` holds.
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

/// The four digits at `at`, which the scanner has seen; U+FFFD if they are none.
fn take_unit(bytes: &[u8], at: &mut usize) -> u16 {
    let Some(digits) = bytes.get(*at..*at + 4) else {
        *at = bytes.len();
        return 0xFFFD;
    };
    *at += 4;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16)).unwrap_or(0xFFFD)
}

/// The character that a surrogate makes with the escape behind it, if that is its other half.
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

pub(super) fn write(out: &mut Vec<u8>, top: Top<'_>, fields: impl FnOnce(&mut FieldSink<'_>)) {
    let mut number = itoa::Buffer::new();
    out.extend_from_slice(b"{\"code\":");
    out.extend_from_slice(number.format(top.code).as_bytes());
    out.extend_from_slice(b",\"extFields\":{");
    fields(&mut FieldSink { out, encoding: Encoding::Json, first: true });
    out.extend_from_slice(b"},\"flag\":");
    out.extend_from_slice(number.format(top.flag).as_bytes());
    out.extend_from_slice(b",\"language\":\"");
    out.extend_from_slice(top.language.name().as_bytes());
    out.extend_from_slice(b"\",\"opaque\":");
    out.extend_from_slice(number.format(top.opaque).as_bytes());
    if let Some(remark) = top.remark {
        out.extend_from_slice(b",\"remark\":");
        write_json_string(out, remark);
    }
    out.extend_from_slice(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    out.extend_from_slice(number.format(top.version).as_bytes());
    out.push(b'}');
}

pub(super) fn field(out: &mut Vec<u8>, first: &mut bool, name: &str, value: &str) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    // Names are ours, and identifiers.
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write_json_string(out, value);
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
