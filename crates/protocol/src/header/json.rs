//! The JSON header: one pass over the text, any member order, unknown members skipped.

use super::{FieldSink, Fields, Header, HeaderError, Language, RawText, Top};
use crate::frame::Encoding;

/// How deep an unknown member may nest before the header is refused.
const DEPTH_MAX: usize = 32;

pub(super) fn read(bytes: &[u8]) -> Result<Header<'_>, HeaderError> {
    let text = std::str::from_utf8(bytes).map_err(|_| HeaderError::NotUtf8)?;
    let mut scan = Scan { text, bytes, at: 0 };
    let mut header = Header::default();
    scan.object(|scan, key| {
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
        Ok(())
    })?;
    Ok(header)
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn broken(&self) -> HeaderError {
        HeaderError::NotJson(self.at)
    }

    /// The next byte that is no blank, without taking it.
    fn peek(&mut self) -> Result<u8, HeaderError> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(self.broken())
    }

    fn expect(&mut self, byte: u8) -> Result<(), HeaderError> {
        if self.peek()? != byte {
            return Err(self.broken());
        }
        self.at += 1;
        Ok(())
    }

    /// Walks an object; `member` takes each value.
    fn object(&mut self, mut member: impl FnMut(&mut Self, RawText<'a>) -> Result<(), HeaderError>) -> Result<(), HeaderError> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek()? != b'"' {
                return Err(self.broken());
            }
            let key = self.string()?;
            self.expect(b':')?;
            member(self, key)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.broken()),
            }
        }
    }

    fn ext_fields(&mut self, fields: &mut Fields<'a>) -> Result<(), HeaderError> {
        if self.peek()? != b'{' {
            return self.skip_value();
        }
        fields.0.reserve(16);
        self.object(|scan, key| match scan.peek()? {
            b'{' | b'[' => scan.skip_value(),
            _ => match scan.scalar()? {
                Some(value) => fields.push(key, value),
                None => Ok(()),
            },
        })
    }

    /// A string, number or boolean as text; `None` for null and for what nests.
    fn scalar(&mut self) -> Result<Option<RawText<'a>>, HeaderError> {
        match self.peek()? {
            b'"' => self.string().map(Some),
            b'{' | b'[' => self.skip_value().map(|()| None),
            _ => {
                let word = self.word()?;
                Ok((word != "null").then_some(RawText::plain(word)))
            }
        }
    }

    fn number(&mut self, name: &'static str) -> Result<i32, HeaderError> {
        match self.scalar()? {
            Some(value) => value.text.parse().map_err(|_| HeaderError::NotANumber(name)),
            None => Ok(0),
        }
    }

    /// A bare word: a number, true, false or null.
    fn word(&mut self) -> Result<&'a str, HeaderError> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')) {
            self.at += 1;
        }
        if start == self.at { Err(self.broken()) } else { Ok(&self.text[start..self.at]) }
    }

    fn string(&mut self) -> Result<RawText<'a>, HeaderError> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let text = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(RawText { text, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => self.at += 1,
                None => return Err(self.broken()),
            }
        }
    }

    /// Steps over one escape and checks that it is whole, so that [`unescape`] cannot meet a broken one.
    fn escape(&mut self) -> Result<(), HeaderError> {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.broken());
                }
                6
            }
            Some(byte) if byte.is_ascii() => 2,
            _ => return Err(self.broken()),
        };
        self.at += length;
        Ok(())
    }

    /// Steps over any value, without recursion.
    fn skip_value(&mut self) -> Result<(), HeaderError> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'{' | b'[' => {
                    depth += 1;
                    if depth > DEPTH_MAX {
                        return Err(self.broken());
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
                return Ok(());
            }
        }
    }
}

/// Resolves the escapes of a string that the scanner has accepted. A lone surrogate becomes U+FFFD.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let kind = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or("");
        match kind {
            b'u' => {
                let unit = take_unit(&mut rest);
                let mut low = rest;
                let is_high = (0xD800..0xDC00).contains(&unit);
                if is_high && low.starts_with("\\u") {
                    low = &low[2..];
                    let second = take_unit(&mut low);
                    if let Some(Ok(pair)) = char::decode_utf16([unit, second]).next() {
                        out.push(pair);
                        rest = low;
                        continue;
                    }
                }
                out.push(char::from_u32(unit as u32).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            b'n' => out.push('\n'),
            b't' => out.push('\t'),
            b'r' => out.push('\r'),
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            other => out.push(other as char),
        }
    }
    out.push_str(rest);
    out
}

fn take_unit(rest: &mut &str) -> u16 {
    let digits = rest.get(..4).unwrap_or("");
    *rest = rest.get(4..).unwrap_or("");
    u16::from_str_radix(digits, 16).unwrap_or(0xFFFD)
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
    write_json_string(out, name);
    out.push(b':');
    write_json_string(out, value);
}

/// Appends `text` as a JSON string: quotes, backslashes and control characters escaped, everything else raw.
pub fn write_json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[start..at]);
        start = at + 1;
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
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}
