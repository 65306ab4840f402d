//! Where do the tokens of a JSON text begin and end?
//!
//! Nothing here knows which type is wanted.

use super::error::{DEPTH_MAX, JsonError};
use super::scalar::{Scalar, unescape};
use std::borrow::Cow;

pub(super) type Read<T> = Result<T, JsonError>;

/// Reads a text token by token.
pub(super) struct Reader<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) depth: usize,
    /// True while a map's key is read: a bare word or an object is a string then.
    pub(super) in_key: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8], depth: usize) -> Reader<'a> {
        Reader { text, at: 0, depth, in_key: false }
    }

    pub(super) fn finish(&mut self) -> Read<()> {
        self.skip_blank();
        if self.at == self.text.len() { Ok(()) } else { Err(self.expected("the end of the text")) }
    }

    pub(super) fn expected(&self, expected: &'static str) -> JsonError {
        let at = self.at;
        if at >= self.text.len() { JsonError::Ends { at, expected } } else { JsonError::Expected { at, expected } }
    }

    pub(super) fn skip_blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C | 0) = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// Skips white space and commas: a missing or extra comma is tolerated.
    pub(super) fn skip_separators(&mut self) {
        self.skip_blank();
        while self.text.get(self.at) == Some(&b',') {
            self.at += 1;
            self.skip_blank();
        }
    }

    pub(super) fn peek(&mut self, expected: &'static str) -> Read<u8> {
        self.skip_blank();
        self.text.get(self.at).copied().ok_or(JsonError::Ends { at: self.at, expected })
    }

    pub(super) fn take(&mut self, byte: u8, expected: &'static str) -> Read<()> {
        if self.peek(expected)? != byte {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Consumes the next token if it is the word `null`.
    pub(super) fn take_null(&mut self) -> bool {
        self.skip_blank();
        let rest = &self.text[self.at..];
        let is_null = rest.starts_with(b"null") && rest.get(4).is_none_or(|&next| ends_bare(next));
        if is_null {
            self.at += 4;
        }
        is_null
    }

    pub(super) fn open(&mut self, bracket: u8, expected: &'static str) -> Read<()> {
        let found = self.peek(expected)?;
        if found != bracket {
            return Err(self.expected(expected));
        }
        if self.depth == DEPTH_MAX {
            return Err(JsonError::TooDeep { at: self.at });
        }
        self.at += 1;
        self.depth += 1;
        self.in_key = false;
        Ok(())
    }

    /// True when the container that is read ends here; its bracket is then consumed.
    pub(super) fn closes(&mut self, bracket: u8) -> Read<bool> {
        self.skip_separators();
        let closes = self.peek("a member or a closing bracket")? == bracket;
        if closes {
            self.at += 1;
            self.depth -= 1;
        }
        Ok(closes)
    }

    pub(super) fn scalar(&mut self, expected: &'static str) -> Read<Scalar<'a>> {
        let first = self.peek(expected)?;
        let at = self.at;
        let (text, quoted) = match first {
            b'"' | b'\'' => (self.string()?, true),
            _ if ends_bare(first) => return Err(self.expected(expected)),
            _ => (String::from_utf8_lossy(self.bare()), false),
        };
        Ok(Scalar { text, quoted, at })
    }

    pub(super) fn bare(&mut self) -> &'a [u8] {
        let from = self.at;
        while self.text.get(self.at).is_some_and(|&byte| !ends_bare(byte)) {
            self.at += 1;
        }
        &self.text[from..self.at]
    }

    /// The bytes between the quotes, escapes untouched; consumes the closing quote.
    pub(super) fn raw_string(&mut self) -> Read<&'a [u8]> {
        let quote = self.text[self.at];
        let from = self.at + 1;
        let mut at = from;
        while let Some(&byte) = self.text.get(at) {
            if byte == quote {
                self.at = at + 1;
                return Ok(&self.text[from..at]);
            }
            at += if byte == b'\\' { 2 } else { 1 };
        }
        self.at = self.text.len();
        Err(self.expected("a closing quote"))
    }

    pub(super) fn string(&mut self) -> Read<Cow<'a, str>> {
        let at = self.at;
        let raw = self.raw_string()?;
        if raw.contains(&b'\\') { Ok(Cow::Owned(unescape(raw, at + 1)?)) } else { Ok(String::from_utf8_lossy(raw)) }
    }

    /// Skips one value of any shape and depth, without recursion.
    pub(super) fn skip_value(&mut self) -> Read<()> {
        let mut open = 0usize;
        loop {
            match self.peek("a value")? {
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' if open > 0 => {
                    open -= 1;
                    self.at += 1;
                }
                b',' | b':' if open > 0 => self.at += 1,
                b'}' | b']' | b',' | b':' => return Err(self.expected("a value")),
                b'"' | b'\'' => {
                    self.raw_string()?;
                }
                _ => {
                    self.bare();
                }
            }
            if open == 0 {
                return Ok(());
            }
        }
    }
}

fn ends_bare(byte: u8) -> bool {
    matches!(byte, b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"' | b'\'' | 0 | b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C)
}
