//! The JSON header: one pass over the text, any member order, unknown members skipped.

use super::escapes::{end_of_plain, write_json_string};
use super::fields::{Fields, RawText, TooManyFields};
use super::language::Language;
use super::parts::{Header, HeaderError, Top};
use super::sink::FieldSink;
use crate::frame::Encoding;

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

/// Reads the text from front to back. A method that returns `None` ends it: the byte at `at` is wrong, unless `refused` says more. Errors
/// returned by value would pass through memory with each string, and cost more than the string.
struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    refused: Option<HeaderError>,
}

impl<'a> Scan<'a> {
    fn header(&mut self, header: &mut Header<'a>) -> Option<()> {
        self.object(|scan, key| {
            match key.as_sent() {
                "code" => header.code = scan.number("code")?,
                "version" => header.version = scan.number("version")?,
                "opaque" => header.opaque = scan.number("opaque")?,
                "flag" => header.flag = scan.number("flag")?,
                "language" => {
                    if let Some(value) = scan.scalar()? {
                        header.language = Language::from_text(value.as_sent());
                    }
                }
                "remark" => header.remark = scan.scalar()?,
                "extFields" => scan.ext_fields(&mut header.fields)?,
                _ => scan.skip_value()?,
            }
            Some(())
        })
    }

    /// The next byte that is not white space, not consumed.
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

    /// Reads an object; `member` reads each value.
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
                    Err(TooManyFields) => scan.refuse(HeaderError::TooManyFields),
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

    /// A string, number or boolean as text; `Some(None)` for null, objects and arrays.
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
            Some(value) => match value.as_sent().parse() {
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
        Some(RawText::new(text, escaped))
    }

    /// Skips the rest of a string, from a backslash to the closing quote.
    fn skip_escaped(&mut self) -> Option<()> {
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => self.at = end_of_plain(self.bytes, self.at, 0),
            }
        }
    }

    /// Skips one escape and checks that it is whole, so that [`unescape`](super::escapes::unescape) cannot meet a broken one.
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

    /// Skips any value, without recursion.
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

pub(super) fn write(out: &mut Vec<u8>, top: Top<'_>, fields: impl FnOnce(&mut FieldSink<'_>)) {
    let mut number = itoa::Buffer::new();
    out.extend_from_slice(b"{\"code\":");
    out.extend_from_slice(number.format(top.code).as_bytes());
    out.extend_from_slice(b",\"extFields\":{");
    fields(&mut FieldSink::new(out, Encoding::Json));
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
