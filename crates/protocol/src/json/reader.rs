//! Reading: what a body that some client wrote means as a typed value.
//!
//! The type that is read decides what a token means, as fastjson's casts do: a number may come as a string, a
//! string as a number, a boolean as `1`, an enum as its ordinal, a bean as text. `null` and an empty text are the
//! empty value of whatever is wanted. Nothing is allocated ahead of the bytes that fill it, and members nobody asked
//! for are stepped over without recursion.

use std::borrow::Cow;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{DEPTH_MAX, JsonError};

/// Reads a whole text as one `T`. White space around it is allowed, anything else after it is not.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let mut reader = Reader::new(text, 0);
    let value = T::deserialize(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    /// True while a map's key is read: there a bare word is a string, and an object may stand for one.
    in_key: bool,
}

/// A string, number or word, before anybody decided what it means.
struct Scalar<'a> {
    text: Cow<'a, str>,
    quoted: bool,
    at: usize,
}

type Read<T> = Result<T, JsonError>;

impl<'a> Reader<'a> {
    fn new(text: &'a [u8], depth: usize) -> Reader<'a> {
        Reader { text, at: 0, depth, in_key: false }
    }

    fn finish(&mut self) -> Read<()> {
        self.skip_blank();
        if self.at == self.text.len() { Ok(()) } else { Err(self.expected("the end of the text")) }
    }

    fn expected(&self, expected: &'static str) -> JsonError {
        let at = self.at;
        if at >= self.text.len() { JsonError::Ends { at, expected } } else { JsonError::Expected { at, expected } }
    }

    fn skip_blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C | 0) = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// Steps over white space and commas: one too many, or none at all, is forgiven.
    fn skip_separators(&mut self) {
        self.skip_blank();
        while self.text.get(self.at) == Some(&b',') {
            self.at += 1;
            self.skip_blank();
        }
    }

    fn peek(&mut self, expected: &'static str) -> Read<u8> {
        self.skip_blank();
        self.text.get(self.at).copied().ok_or(JsonError::Ends { at: self.at, expected })
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Read<()> {
        if self.peek(expected)? != byte {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Consumes the next token if it is the word `null`.
    fn take_null(&mut self) -> bool {
        self.skip_blank();
        let rest = &self.text[self.at..];
        let is_null = rest.starts_with(b"null") && rest.get(4).is_none_or(|&next| ends_bare(next));
        if is_null {
            self.at += 4;
        }
        is_null
    }

    fn open(&mut self, bracket: u8, expected: &'static str) -> Read<()> {
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
    fn closes(&mut self, bracket: u8) -> Read<bool> {
        self.skip_separators();
        let closes = self.peek("a member or a closing bracket")? == bracket;
        if closes {
            self.at += 1;
            self.depth -= 1;
        }
        Ok(closes)
    }

    fn scalar(&mut self, expected: &'static str) -> Read<Scalar<'a>> {
        let first = self.peek(expected)?;
        let at = self.at;
        let (text, quoted) = match first {
            b'"' | b'\'' => (self.string()?, true),
            _ if ends_bare(first) => return Err(self.expected(expected)),
            _ => (String::from_utf8_lossy(self.bare()), false),
        };
        Ok(Scalar { text, quoted, at })
    }

    fn bare(&mut self) -> &'a [u8] {
        let from = self.at;
        while self.text.get(self.at).is_some_and(|&byte| !ends_bare(byte)) {
            self.at += 1;
        }
        &self.text[from..self.at]
    }

    /// The bytes between the quotes, escapes untouched. Stands behind the closing quote afterwards.
    fn raw_string(&mut self) -> Read<&'a [u8]> {
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

    fn string(&mut self) -> Read<Cow<'a, str>> {
        let at = self.at;
        let raw = self.raw_string()?;
        if raw.contains(&b'\\') { Ok(Cow::Owned(unescape(raw, at + 1)?)) } else { Ok(String::from_utf8_lossy(raw)) }
    }

    /// Steps over one value of any shape, however deep, without recursion.
    fn skip_value(&mut self) -> Read<()> {
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

    fn integer<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        let scalar = self.scalar("a number")?;
        match scalar.integer() {
            Some(Integer::Signed(value)) => visitor.visit_i64(value),
            Some(Integer::Unsigned(value)) => visitor.visit_u64(value),
            None => Err(JsonError::Expected { at: scalar.at, expected: "a whole number" }),
        }
    }

    fn float<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        let scalar = self.scalar("a number")?;
        let value = scalar.float().ok_or(JsonError::Expected { at: scalar.at, expected: "a number" })?;
        visitor.visit_f64(value)
    }

    fn text<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        if self.in_key && matches!(self.peek("a key")?, b'{' | b'[') {
            let from = self.at;
            self.skip_value()?;
            return visitor.visit_str(&String::from_utf8_lossy(&self.text[from..self.at]));
        }
        let scalar = self.scalar("a string")?;
        if scalar.is_null() {
            return visitor.visit_str("");
        }
        if !self.in_key && !scalar.quoted && !scalar.is_literal() {
            return Err(JsonError::Expected { at: scalar.at, expected: "a string" });
        }
        visitor.visit_str(&scalar.text)
    }

    /// Runs `read` on the text of a string that stands where an object or array is wanted.
    fn inside_string<T>(&mut self, read: impl FnOnce(&mut Reader<'_>) -> Read<T>) -> Read<T> {
        let text = self.string()?;
        if self.depth == DEPTH_MAX {
            return Err(JsonError::TooDeep { at: self.at });
        }
        let mut inner = Reader::new(text.as_bytes(), self.depth + 1);
        let value = read(&mut inner)?;
        inner.finish()?;
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'_> {
    type Error = JsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.peek("a value")? {
            b'{' if !self.in_key => self.deserialize_map(visitor),
            b'[' if !self.in_key => self.deserialize_seq(visitor),
            b'{' | b'[' | b'"' | b'\'' => self.text(visitor),
            _ => {
                let scalar = self.scalar("a value")?;
                match &*scalar.text {
                    "null" => visitor.visit_unit(),
                    "true" => visitor.visit_bool(true),
                    "false" => visitor.visit_bool(false),
                    word if self.in_key && !scalar.is_literal() => visitor.visit_str(word),
                    word => match (word.contains(['.', 'e', 'E']), scalar.integer(), scalar.float()) {
                        (false, Some(Integer::Signed(value)), _) => visitor.visit_i64(value),
                        (false, Some(Integer::Unsigned(value)), _) => visitor.visit_u64(value),
                        (_, _, Some(value)) => visitor.visit_f64(value),
                        _ => Err(JsonError::Expected { at: scalar.at, expected: "a value" }),
                    },
                }
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let scalar = self.scalar("a boolean")?;
        let value = match &*scalar.text {
            "true" | "TRUE" | "True" | "1" | "Y" | "T" => true,
            "false" | "FALSE" | "False" | "0" | "N" | "F" | "" | "null" => false,
            _ => return Err(JsonError::Expected { at: scalar.at, expected: "a boolean" }),
        };
        visitor.visit_bool(value)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.integer(visitor)
    }
    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.integer(visitor)
    }
    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.integer(visitor)
    }
    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.integer(visitor)
    }
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.integer(visitor)
    }
    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.integer(visitor)
    }
    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.integer(visitor)
    }
    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.integer(visitor)
    }
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.float(visitor)
    }
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.float(visitor)
    }
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.text(visitor)
    }
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.text(visitor)
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.text(visitor)
    }
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.take_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.skip_value()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Read<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Read<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.take_null() {
            return visitor.visit_seq(Nothing);
        }
        self.open(b'[', "an array")?;
        let mut items = Container { reader: self, ended: false };
        let value = visitor.visit_seq(&mut items)?;
        items.skip_rest_of_array()?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _name: &'static str, _len: usize, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.take_null() {
            return visitor.visit_map(Nothing);
        }
        self.open(b'{', "an object")?;
        visitor.visit_map(Container { reader: self, ended: false })
    }

    fn deserialize_struct<V: Visitor<'de>>(self, name: &'static str, fields: &'static [&'static str], visitor: V) -> Read<V::Value> {
        if self.take_null() {
            return visitor.visit_map(Nothing);
        }
        if matches!(self.peek("an object")?, b'"' | b'\'') {
            return self.inside_string(|inner| inner.deserialize_struct(name, fields, visitor));
        }
        self.open(b'{', "an object")?;
        visitor.visit_map(Members { reader: self, fields, seen: 0 })
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _name: &'static str, _variants: &'static [&'static str], visitor: V) -> Read<V::Value> {
        visitor.visit_enum(Name { scalar: self.scalar("an enum's name or number")? })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.skip_value()?;
        visitor.visit_unit()
    }
}

/// The members of an array, or of an object that is a map.
struct Container<'r, 'a> {
    reader: &'r mut Reader<'a>,
    ended: bool,
}

impl Container<'_, '_> {
    /// A fixed number of items was wanted and more may stand there.
    fn skip_rest_of_array(&mut self) -> Read<()> {
        while !self.ended {
            if self.reader.closes(b']')? {
                self.ended = true;
            } else {
                self.reader.skip_value()?;
            }
        }
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for &mut Container<'_, '_> {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        if self.ended || self.reader.closes(b']')? {
            self.ended = true;
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for Container<'_, '_> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        self.reader.in_key = false;
        if self.ended || self.reader.closes(b'}')? {
            self.ended = true;
            return Ok(None);
        }
        self.reader.in_key = true;
        let key = seed.deserialize(&mut *self.reader)?;
        self.reader.in_key = false;
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        self.reader.take(b':', "a colon")?;
        seed.deserialize(&mut *self.reader)
    }
}

/// The members of an object that is a struct: unknown ones and repetitions are stepped over, so the first one counts.
struct Members<'r, 'a> {
    reader: &'r mut Reader<'a>,
    fields: &'static [&'static str],
    /// One bit for each of the first 64 fields.
    seen: u64,
}

impl<'de> MapAccess<'de> for Members<'_, '_> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        while !self.reader.closes(b'}')? {
            let field = match self.reader.peek("a member")? {
                b'{' | b'[' => {
                    self.reader.skip_value()?;
                    None
                }
                _ => {
                    let key = self.reader.scalar("a member's name")?;
                    self.fields.iter().position(|field| *field == key.text)
                }
            };
            if let Some(index) = field {
                let bit = 1u64.checked_shl(index as u32).unwrap_or(0);
                if self.seen & bit == 0 {
                    self.seen |= bit;
                    let name: StrDeserializer<'_, JsonError> = self.fields[index].into_deserializer();
                    return seed.deserialize(name).map(Some);
                }
            }
            self.reader.take(b':', "a colon")?;
            self.reader.skip_value()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        self.reader.take(b':', "a colon")?;
        seed.deserialize(&mut *self.reader)
    }
}

/// What `null` holds when a container is wanted.
struct Nothing;

impl<'de> SeqAccess<'de> for Nothing {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, _seed: T) -> Read<Option<T::Value>> {
        Ok(None)
    }
}

impl<'de> MapAccess<'de> for Nothing {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _seed: K) -> Read<Option<K::Value>> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, _seed: V) -> Read<V::Value> {
        Err(JsonError::Mismatch("a value without a key".into()))
    }
}

/// An enum written as its name, or as its place in the declaration.
struct Name<'a> {
    scalar: Scalar<'a>,
}

impl<'de> EnumAccess<'de> for Name<'_> {
    type Error = JsonError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Read<(V::Value, Self)> {
        let value = seed.deserialize(&self)?;
        Ok((value, self))
    }
}

impl<'de> Deserializer<'de> for &Name<'_> {
    type Error = JsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.scalar.text.parse::<u64>() {
            Ok(ordinal) => visitor.visit_u64(ordinal),
            Err(_) => visitor.visit_str(&self.scalar.text),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> VariantAccess<'de> for Name<'_> {
    type Error = JsonError;

    fn unit_variant(self) -> Read<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _seed: T) -> Read<T::Value> {
        Err(holds_nothing())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Read<V::Value> {
        Err(holds_nothing())
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], _visitor: V) -> Read<V::Value> {
        Err(holds_nothing())
    }
}

fn holds_nothing() -> JsonError {
    JsonError::Mismatch("an enum's name holds no value".into())
}

enum Integer {
    Signed(i64),
    Unsigned(u64),
}

impl Scalar<'_> {
    fn is_null(&self) -> bool {
        !self.quoted && self.text == "null"
    }

    /// A word that is a value without quotes: a number or a boolean.
    fn is_literal(&self) -> bool {
        matches!(&*self.text, "true" | "false") || self.text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
    }

    /// The digits without the type letter fastjson may put behind them (`7L`, `1.5D`).
    fn digits(&self) -> &str {
        let text = self.text.trim();
        text.strip_suffix(['L', 'l', 'D', 'd', 'F', 'f', 'S', 's', 'B', 'b']).unwrap_or(text)
    }

    fn integer(&self) -> Option<Integer> {
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

    fn float(&self) -> Option<f64> {
        match self.text.trim() {
            "" | "null" => Some(0.0),
            _ => self.digits().parse().ok().filter(|value: &f64| value.is_finite()),
        }
    }
}

fn ends_bare(byte: u8) -> bool {
    matches!(byte, b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"' | b'\'' | 0 | b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C)
}

/// Resolves the escapes of JSON and the few more that fastjson knows. `at` is where `raw` stands in the text.
fn unescape(raw: &[u8], at: usize) -> Read<String> {
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
