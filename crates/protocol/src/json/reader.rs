//! How does a JSON body become a typed value?
//!
//! The type that is read decides what a token means, as fastjson's casts do: a number may come as a string, a
//! string as a number, a boolean as `1`, an enum as its ordinal, a bean as text. `null` and an empty text are the
//! empty value of every type. Nothing is allocated ahead of the bytes that fill it, and unknown members are skipped
//! without recursion.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::{DEPTH_MAX, JsonError};
use super::scalar::{Integer, Scalar};
use super::tokens::{Read, Reader};

/// Reads a whole text as one `T`. White space around it is allowed, anything else after it is not.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let mut reader = Reader::new(text, 0);
    let value = T::deserialize(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

impl Reader<'_> {
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

    /// Runs `read` on the text of a string in the place of an object.
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

/// Methods that do what another one does.
macro_rules! forward {
    ($($to:ident: $($from:ident),+;)+) => {$($(
        fn $from<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            self.$to(visitor)
        }
    )+)+};
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

    forward! {
        integer: deserialize_i8, deserialize_i16, deserialize_i32, deserialize_i64;
        integer: deserialize_u8, deserialize_u16, deserialize_u32, deserialize_u64;
        float: deserialize_f32, deserialize_f64;
        text: deserialize_char, deserialize_str, deserialize_string, deserialize_identifier;
        deserialize_seq: deserialize_bytes, deserialize_byte_buf;
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
    /// Skips the items beyond the number that was wanted.
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

/// The members of an object that is a struct. Unknown and repeated ones are skipped: the first one counts.
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

/// The content of `null` in the place of an object or array.
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
