//! How does a typed value become JSON text in each dialect?
//!
//! As fastjson does by default, members without a value are left out, and members are in the order of their
//! declaration (body types declare theirs alphabetically, maps are sorted by key). The text is compact.

use serde::Serialize;
use serde::ser::{Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, SerializeTupleStruct, Serializer};

use super::error::JsonError;

/// The JSON that the receiver understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Strict JSON in ASCII: every key quoted, other characters as `\uXXXX`. Java writes it for routes of clients
    /// from V4_9_4 on (`ClientRequestProcessor`, `BrowserCompatible`).
    Standard,
    /// What fastjson writes by default: integer and object keys bare, text as UTF-8.
    Fastjson,
}

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

    fn word(&mut self, word: &str) {
        self.out.extend_from_slice(word.as_bytes());
    }

    fn float(&mut self, value: f64) {
        match value.is_finite() {
            true => self.word(&format!("{value:?}")),
            false => self.word("null"),
        }
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
    close: u8,
    empty: bool,
    /// Start of the member that is being written, its comma included.
    member_at: usize,
}

impl<'w> Open<'w> {
    fn new(writer: &'w mut Writer, open: u8, close: u8) -> Open<'w> {
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

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.begin_member();
        self.writer.key(key)
    }

    /// Writes the value of a key; a null removes the key again.
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
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
        self.writer.out.push(self.close);
        Ok(())
    }
}

/// Rows of methods that write a value without parts.
macro_rules! scalars {
    ($($method:ident($type:ty) => |$writer:ident, $value:ident| $write:expr;)+) => {$(
        fn $method(self, $value: $type) -> Written {
            let $writer = self;
            $write;
            Ok(())
        }
    )+};
}

/// The items of an array, by the name that serde has for them.
macro_rules! items {
    ($($of:ident $method:ident;)+) => {$(
        impl $of for Open<'_> {
            type Ok = ();
            type Error = JsonError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
                self.item(value)
            }
            fn end(self) -> Written {
                self.close()
            }
        }
    )+};
}

items! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
}

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = JsonError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.key(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.value(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = JsonError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        self.key(key)?;
        self.value(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = JsonError;
    type SerializeSeq = Open<'w>;
    type SerializeTuple = Open<'w>;
    type SerializeTupleStruct = Open<'w>;
    type SerializeTupleVariant = Impossible<(), JsonError>;
    type SerializeMap = Open<'w>;
    type SerializeStruct = Open<'w>;
    type SerializeStructVariant = Impossible<(), JsonError>;

    scalars! {
        serialize_bool(bool) => |writer, value| writer.word(if value { "true" } else { "false" });
        serialize_i8(i8) => |writer, value| writer.integer(value);
        serialize_i16(i16) => |writer, value| writer.integer(value);
        serialize_i32(i32) => |writer, value| writer.integer(value);
        serialize_i64(i64) => |writer, value| writer.integer(value);
        serialize_u8(u8) => |writer, value| writer.integer(value);
        serialize_u16(u16) => |writer, value| writer.integer(value);
        serialize_u32(u32) => |writer, value| writer.integer(value);
        serialize_u64(u64) => |writer, value| writer.integer(value);
        serialize_f32(f32) => |writer, value| writer.float(f64::from(value));
        serialize_f64(f64) => |writer, value| writer.float(value);
        serialize_char(char) => |writer, value| writer.string(value.encode_utf8(&mut [0; 4]));
        serialize_str(&str) => |writer, value| writer.string(value);
        serialize_unit_struct(&'static str) => |writer, _name| writer.word("null");
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.collect_seq(value)
    }
    fn serialize_unit(self) -> Written {
        self.word("null");
        Ok(())
    }
    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'w>, JsonError> {
        Ok(Open::new(self, b'[', b']'))
    }
    fn serialize_tuple(self, len: usize) -> Result<Open<'w>, JsonError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Open<'w>, JsonError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Open<'w>, JsonError> {
        Ok(Open::new(self, b'{', b'}'))
    }
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Open<'w>, JsonError> {
        self.serialize_map(Some(len))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.string(variant);
        Ok(())
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &'static str, _: u32, _: &'static str, _: &T) -> Written {
        Err(holds_nothing())
    }
    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Impossible<(), JsonError>, JsonError> {
        Err(holds_nothing())
    }
    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Impossible<(), JsonError>, JsonError> {
        Err(holds_nothing())
    }
}

/// As in Java, enums in bodies carry no values.
fn holds_nothing() -> JsonError {
    JsonError::Mismatch("an enum's name holds no value".into())
}
