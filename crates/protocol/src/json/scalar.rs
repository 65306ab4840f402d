//! What can a string, a number or a bare word mean?

use super::error::JsonError;
use std::borrow::Cow;

/// A string, number or bare word; the wanted type decides what it means.
pub(super) struct Scalar<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) quoted: bool,
    pub(super) at: usize,
}

pub(super) enum Integer {
    Signed(i64),
    Unsigned(u64),
}

impl Scalar<'_> {
    pub(super) fn is_null(&self) -> bool {
        !self.quoted && self.text == "null"
    }

    /// A word that is a value without quotes: a number or a boolean.
    pub(super) fn is_literal(&self) -> bool {
        matches!(&*self.text, "true" | "false") || self.text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
    }

    /// The digits without the type suffix of fastjson (`7L`, `1.5D`).
    pub(super) fn digits(&self) -> &str {
        let text = self.text.trim();
        text.strip_suffix(['L', 'l', 'D', 'd', 'F', 'f', 'S', 's', 'B', 'b']).unwrap_or(text)
    }

    pub(super) fn integer(&self) -> Option<Integer> {
        match self.text.trim() {
            "" | "null" | "false" => return Some(Integer::Signed(0)),
            "true" => return Some(Integer::Signed(1)),
            _ => {}
        }
        let digits = self.digits();
        if let Ok(value) = digits.parse::<i64>() {
            return Some(Integer::Signed(value));
        }
        if let Ok(value) = digits.parse::<u64>() {
            return Some(Integer::Unsigned(value));
        }
        // A fraction is cut off, as a Java cast does.
        let value = self.float()?.trunc();
        (value.abs() < i64::MAX as f64).then_some(Integer::Signed(value as i64))
    }

    pub(super) fn float(&self) -> Option<f64> {
        match self.text.trim() {
            "" | "null" => Some(0.0),
            _ => self.digits().parse().ok().filter(|value: &f64| value.is_finite()),
        }
    }
}

/// Resolves the escapes of JSON and those that fastjson adds. `at` is the position of `raw` in the text.
pub(super) fn unescape(raw: &[u8], at: usize) -> Result<String, JsonError> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(place) = rest.iter().position(|&byte| byte == b'\\') {
        out.extend_from_slice(&rest[..place]);
        let bad = || JsonError::Expected { at: at + raw.len() - rest.len() + place, expected: "an escape" };
        let letter = *rest.get(place + 1).ok_or_else(bad)?;
        let mut used = place + 2;
        let character = match letter {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' | b'F' => '\u{c}',
            b'v' => '\u{b}',
            digit @ b'0'..=b'7' => char::from(digit - b'0'),
            b'x' => {
                let code = hex(rest.get(used..used + 2)).ok_or_else(bad)?;
                used += 2;
                char::from(code as u8)
            }
            b'u' => {
                let unit = hex(rest.get(used..used + 4)).ok_or_else(bad)?;
                used += 4;
                let low = if rest.get(used..used + 2) == Some(b"\\u") { hex(rest.get(used + 2..used + 6)) } else { None };
                match (unit, low) {
                    (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) => {
                        used += 6;
                        let code = 0x10000 + ((u32::from(unit) - 0xD800) << 10) + (u32::from(low) - 0xDC00);
                        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    _ => char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            other if other.is_ascii() => char::from(other),
            _ => return Err(bad()),
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[used..];
    }
    out.extend_from_slice(rest);
    Ok(String::from_utf8(out).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned()))
}

fn hex(digits: Option<&[u8]>) -> Option<u16> {
    digits?.iter().try_fold(0u16, |value, &digit| Some((value << 4) | char::from(digit).to_digit(16)? as u16))
}
