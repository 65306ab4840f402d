//! Writing: which text a typed value becomes in each dialect.
//!
//! As fastjson does by default, members without a value are left out, and members stand in the order of the
//! declaration (body types declare theirs alphabetically, maps are sorted by key). The text is compact.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant,
    Serializer,
};

use super::{Dialect, JsonError};

/// The text of `value`.
///
/// # Panics
/// If a `Serialize` implementation reports an error of its own; the derived ones never do.
pub fn to_vec<T: Serialize + ?Sized>(value: &T, dialect: Dialect) -> Vec<u8> {
    let mut writer = Writer { out: Vec::with_capacity(128), dialect };
    value.serialize(&mut writer).expect("derived serializers do not fail, and writing to memory does not either");
    writer.out
}

struct Writer {
    out: Vec<u8>,
    dialect: Dialect,
}

type Written = Result<(), JsonError>;

impl Writer {
    fn string(&mut self, text: &str) {
        self.out.push(b'"');
        for character in text.chars() {
            match character {
                '"' => self.out.extend_from_slice(b"\\\""),
                '\\' => self.out.extend_from_slice(b"\\\\"),
                '\n' => self.out.extend_from_slice(b"\\n"),
                '\r' => self.out.extend_from_slice(b"\\r"),
                '\t' => self.out.extend_from_slice(b"\\t"),
                '\u{8}' => self.out.extend_from_slice(b"\\b"),
                '\u{c}' => self.out.extend_from_slice(b"\\f"),
                ' '..='~' => self.out.push(character as u8),
                _ if character < ' ' || self.dialect == Dialect::Standard => self.escaped(character),
                _ => self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.out.push(b'"');
    }

    fn escaped(&mut self, character: char) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            self.out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
        }
    }

    fn integer(&mut self, value: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        let from = self.out.len();
        key.serialize(&mut *self)?;
        if self.dialect == Dialect::Standard && self.out[from] != b'"' {
            let bare = self.out.split_off(from);
            self.string(&String::from_utf8_lossy(&bare));
        }
        self.out.push(b':');
        Ok(())
    }
}

/// An object or array that is being written.
struct Open<'w> {
    writer: &'w mut Writer,
    close: &'static [u8],
    empty: bool,
    /// Where the member that is being written begins, its comma included.
    member_at: usize,
}

impl<'w> Open<'w> {
    fn new(writer: &'w mut Writer, open: u8, close: &'static [u8]) -> Open<'w> {
        writer.out.push(open);
        Open { writer, close, empty: true, member_at: 0 }
    }

    fn begin_member(&mut self) {
        self.member_at = self.writer.out.len();
        if !self.empty {
            self.writer.out.push(b',');
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.begin_member();
        self.empty = false;
        value.serialize(&mut *self.writer)
    }

    fn member_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.begin_member();
        self.writer.key(key)
    }

    /// Writes the value behind a key, or takes the key back if there is none.
    fn member_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        let from = self.writer.out.len();
        value.serialize(&mut *self.writer)?;
        if &self.writer.out[from..] == b"null" {
            self.writer.out.truncate(self.member_at);
        } else {
            self.empty = false;
        }
        Ok(())
    }

    fn close(self) -> Written {
        self.writer.out.extend_from_slice(self.close);
        Ok(())
    }
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = JsonError;
    type SerializeSeq = Open<'w>;
    type SerializeTuple = Open<'w>;
    type SerializeTupleStruct = Open<'w>;
    type SerializeTupleVariant = Open<'w>;
    type SerializeMap = Open<'w>;
    type SerializeStruct = Open<'w>;
    type SerializeStructVariant = Open<'w>;

    fn serialize_bool(self, value: bool) -> Written {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }
    fn serialize_i8(self, value: i8) -> Written {
        self.integer(value);
        Ok(())
    }
    fn serialize_i16(self, value: i16) -> Written {
        self.integer(value);
        Ok(())
    }
    fn serialize_i32(self, value: i32) -> Written {
        self.integer(value);
        Ok(())
    }
    fn serialize_i64(self, value: i64) -> Written {
        self.integer(value);
        Ok(())
    }
    fn serialize_u8(self, value: u8) -> Written {
        self.integer(value);
        Ok(())
    }
    fn serialize_u16(self, value: u16) -> Written {
        self.integer(value);
        Ok(())
    }
    fn serialize_u32(self, value: u32) -> Written {
        self.integer(value);
        Ok(())
    }
    fn serialize_u64(self, value: u64) -> Written {
        self.integer(value);
        Ok(())
    }
    fn serialize_f32(self, value: f32) -> Written {
        self.serialize_f64(f64::from(value))
    }
    fn serialize_f64(self, value: f64) -> Written {
        if value.is_finite() {
            self.out.extend_from_slice(format!("{value:?}").as_bytes());
            return Ok(());
        }
        self.serialize_unit()
    }
    fn serialize_char(self, value: char) -> Written {
        self.string(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }
    fn serialize_str(self, value: &str) -> Written {
        self.string(value);
        Ok(())
    }
    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.collect_seq(value)
    }
    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Written {
        self.out.extend_from_slice(b"null");
        Ok(())
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Written {
        self.serialize_unit()
    }
    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Written {
        self.string(variant);
        Ok(())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Written {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        let mut object = Open::new(self, b'{', b"}");
        object.member_key(variant)?;
        object.member_value(value)?;
        object.close()
    }
    fn serialize_seq(self, _len: Option<usize>) -> Result<Open<'w>, JsonError> {
        Ok(Open::new(self, b'[', b"]"))
    }
    fn serialize_tuple(self, _len: usize) -> Result<Open<'w>, JsonError> {
        Ok(Open::new(self, b'[', b"]"))
    }
    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Open<'w>, JsonError> {
        Ok(Open::new(self, b'[', b"]"))
    }
    fn serialize_tuple_variant(self, _name: &'static str, _index: u32, variant: &'static str, _len: usize) -> Result<Open<'w>, JsonError> {
        self.out.push(b'{');
        self.key(variant)?;
        Ok(Open::new(self, b'[', b"]}"))
    }
    fn serialize_map(self, _len: Option<usize>) -> Result<Open<'w>, JsonError> {
        Ok(Open::new(self, b'{', b"}"))
    }
    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Open<'w>, JsonError> {
        Ok(Open::new(self, b'{', b"}"))
    }
    fn serialize_struct_variant(self, _name: &'static str, _index: u32, variant: &'static str, _len: usize) -> Result<Open<'w>, JsonError> {
        self.out.push(b'{');
        self.key(variant)?;
        Ok(Open::new(self, b'{', b"}}"))
    }
}

impl SerializeSeq for Open<'_> {
    type Ok = ();
    type Error = JsonError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.item(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeTuple for Open<'_> {
    type Ok = ();
    type Error = JsonError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.item(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeTupleStruct for Open<'_> {
    type Ok = ();
    type Error = JsonError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.item(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeTupleVariant for Open<'_> {
    type Ok = ();
    type Error = JsonError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.item(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = JsonError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.member_key(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.member_value(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = JsonError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        self.member_key(key)?;
        self.member_value(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeStructVariant for Open<'_> {
    type Ok = ();
    type Error = JsonError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        self.member_key(key)?;
        self.member_value(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}
