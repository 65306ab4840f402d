//! What can be asked, and what is answered: every request code as one typed declaration.
//!
//! A declaration gives the codec, the server's route, the client's call and a row of `docs/requests.md`. Whether a field must be
//! there is decided by what handlers can do without it, not by Java's `@CFNotNull`, which Java itself does not enforce.

mod admin;
mod client;
mod names;
mod relay;

use crate::header::{FieldSink, Fields, RawText};
use crate::permission::Permission;
use crate::time::Timestamp;
use std::borrow::Cow;
use thiserror::Error;

pub use admin::*;
pub use client::*;
pub use names::*;
pub use relay::*;

/// Text of a field, borrowed from the frame where it holds no escapes.
pub type Text<'a> = Cow<'a, str>;

/// A field that is missing or is not of its type. Answered with SYSTEM_ERROR, as Java's handlers end in an exception.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FieldError {
    /// The request cannot be understood without it.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// The text is not of the field's type.
    #[error("the field {name} is no {wanted}: {text:?}")]
    Unreadable {
        /// Name on the wire.
        name: &'static str,
        /// What it should have been.
        wanted: &'static str,
        /// What it was, at most 64 characters.
        text: String,
    },
}

/// The ext fields of one request or answer.
pub trait HeaderFields<'a>: Sized {
    /// Reads the fields.
    ///
    /// # Errors
    /// When one is missing or is not of its type.
    fn read(fields: &Fields<'a>) -> Result<Self, FieldError>;

    /// Writes the fields; absent ones are left out.
    fn write(&self, sink: &mut FieldSink<'_>);
}

impl HeaderFields<'_> for () {
    fn read(_: &Fields<'_>) -> Result<(), FieldError> {
        Ok(())
    }

    fn write(&self, _: &mut FieldSink<'_>) {}
}

/// A request: its code, its fields and its answer's fields.
pub trait Request<'a>: HeaderFields<'a> {
    /// The request code on the wire.
    const CODE: i32;
    /// The name Java's `RequestCode` has for it.
    const NAME: &'static str;
    /// Fields of a successful answer.
    type Reply: HeaderFields<'a>;
}

/// One type of field value.
pub trait Field<'a>: Sized {
    /// Reads the value; `None` when the field was not sent.
    ///
    /// # Errors
    /// When the field is missing and must not be, or is not of this type.
    fn read(raw: Option<RawText<'a>>, name: &'static str) -> Result<Self, FieldError>;

    /// Writes the value, or nothing when it is absent.
    fn write(&self, name: &'static str, sink: &mut FieldSink<'_>);
}

fn parse<'a, T>(
    raw: Option<RawText<'a>>,
    name: &'static str,
    wanted: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, FieldError> {
    let text = raw.ok_or(FieldError::Missing(name))?.unescape();
    // Blanks around a value are rare, so they are looked for last.
    parse(&text).or_else(|| parse(text.trim())).ok_or_else(|| FieldError::Unreadable {
        name,
        wanted,
        text: text.chars().take(64).collect(),
    })
}

macro_rules! number_field {
    ($($type:ty => $wanted:literal),*) => {$(
        impl<'a> Field<'a> for $type {
            fn read(raw: Option<RawText<'a>>, name: &'static str) -> Result<Self, FieldError> {
                parse(raw, name, $wanted, |text| text.parse().ok())
            }
            fn write(&self, name: &'static str, sink: &mut FieldSink<'_>) {
                sink.number(name, *self);
            }
        }
    )*};
}
number_field!(i32 => "32-bit number", i64 => "64-bit number");

/// A number that has a type of its own.
macro_rules! wrapped_number_field {
    ($($type:ident($number:ty)),*) => {$(
        impl<'a> Field<'a> for $type {
            fn read(raw: Option<RawText<'a>>, name: &'static str) -> Result<Self, FieldError> {
                <$number>::read(raw, name).map($type)
            }
            fn write(&self, name: &'static str, sink: &mut FieldSink<'_>) {
                sink.number(name, self.0);
            }
        }
    )*};
}
wrapped_number_field!(Permission(i32), Timestamp(i64));

impl<'a> Field<'a> for bool {
    /// C++ clients write "0" and "1". Java's `Boolean.parseBoolean` takes every other text for false.
    fn read(raw: Option<RawText<'a>>, name: &'static str) -> Result<bool, FieldError> {
        parse(raw, name, "boolean", |text| {
            let text = text.trim();
            Some(text.eq_ignore_ascii_case("true") || text == "1")
        })
    }

    fn write(&self, name: &'static str, sink: &mut FieldSink<'_>) {
        sink.text(name, if *self { "true" } else { "false" });
    }
}

impl<'a> Field<'a> for Text<'a> {
    fn read(raw: Option<RawText<'a>>, name: &'static str) -> Result<Self, FieldError> {
        raw.map(RawText::unescape).ok_or(FieldError::Missing(name))
    }

    fn write(&self, name: &'static str, sink: &mut FieldSink<'_>) {
        sink.text(name, self);
    }
}

impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    fn read(raw: Option<RawText<'a>>, name: &'static str) -> Result<Self, FieldError> {
        raw.map(|raw| T::read(Some(raw), name)).transpose()
    }

    fn write(&self, name: &'static str, sink: &mut FieldSink<'_>) {
        if let Some(value) = self {
            value.write(name, sink);
        }
    }
}

/// The value of a field, or what it is when it was not sent.
macro_rules! read_field {
    ($raw:expr, $type:ty, $wire:literal) => {
        <$type as $crate::request::Field>::read($raw, $wire)?
    };
    ($raw:expr, $type:ty, $wire:literal, $default:expr) => {
        match $raw {
            Some(raw) => <$type as $crate::request::Field>::read(Some(raw), $wire)?,
            None => $default,
        }
    };
}

macro_rules! header_body {
    ($($field:ident: $type:ty = $wire:literal $(or $default:expr)?),*) => {
        // One walk for all of them, with names that the compiler knows; of those sent twice the last one counts.
        #[allow(unused_variables)]
        fn read(fields: &$crate::header::Fields<'a>) -> Result<Self, $crate::request::FieldError> {
            $(let mut $field: Option<$crate::header::RawText<'a>> = None;)*
            for (key, value) in fields.entries() {
                match &*key.unescape() {
                    $($wire => $field = Some(value),)*
                    _ => {}
                }
            }
            Ok(Self { $($field: $crate::request::read_field!($field, $type, $wire $(, $default)?)),* })
        }

        #[allow(unused_variables)]
        fn write(&self, sink: &mut $crate::header::FieldSink<'_>) {
            $($crate::request::Field::write(&self.$field, $wire, sink);)*
        }
    };
}

/// Declares the fields of an answer, or of several requests that share them.
macro_rules! header {
    ($(#[$meta:meta])* $name:ident <'a> { $($field:ident: $type:ty = $wire:literal $(or $default:expr)?),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name<'a> { $(#[doc = concat!("`", $wire, "` on the wire.")] pub $field: $type),* }

        impl<'a> $crate::request::HeaderFields<'a> for $name<'a> {
            $crate::request::header_body!($($field: $type = $wire $(or $default)?),*);
        }
    };
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty = $wire:literal $(or $default:expr)?),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $(#[doc = concat!("`", $wire, "` on the wire.")] pub $field: $type),* }

        impl<'a> $crate::request::HeaderFields<'a> for $name {
            $crate::request::header_body!($($field: $type = $wire $(or $default)?),*);
        }
    };
}

/// Declares requests: doc, type, code, Java's name, fields, the answer's type.
macro_rules! requests {
    ($( $(#[doc = $doc:literal])* $name:ident $(<$lt:lifetime>)? = $code:literal $java:literal { $($fields:tt)* } -> $reply:ty; )*) => {
        $( $crate::request::requests!(@one [$(#[doc = $doc])*] $name [$($lt)?] $code $java [$($fields)*] $reply); )*

        /// The requests declared in this file: code, Java's name, fields on the wire, what it does.
        pub(super) const TABLE: &[$crate::request::Row] = &[$(
            $crate::request::Row {
                code: $code,
                name: $java,
                fields: stringify!($($fields)*),
                reply: stringify!($reply),
                doc: concat!($($doc),*),
                reads: |fields| <$name as $crate::request::HeaderFields<'_>>::read(fields).is_ok(),
            }
        ),*];
    };
    (@one [$($meta:tt)*] $name:ident [$lt:lifetime] $code:literal $java:literal [$($fields:tt)*] $reply:ty) => {
        $crate::request::header! { $($meta)* $name<'a> { $($fields)* } }
        impl<'a> $crate::request::Request<'a> for $name<'a> {
            const CODE: i32 = $code;
            const NAME: &'static str = $java;
            type Reply = $reply;
        }
    };
    (@one [$($meta:tt)*] $name:ident [] $code:literal $java:literal [$($fields:tt)*] $reply:ty) => {
        $crate::request::header! { $($meta)* $name { $($fields)* } }
        impl<'a> $crate::request::Request<'a> for $name {
            const CODE: i32 = $code;
            const NAME: &'static str = $java;
            type Reply = $reply;
        }
    };
}

pub(crate) use {header, header_body, read_field, requests};

impl Row {
    /// The names of the fields on the wire; optional ones end in `?`, those with a default say it.
    pub fn wire_fields(&self) -> Vec<String> {
        // The declaration as the compiler prints it: its line breaks mean nothing.
        let declared = self.fields.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut names = Vec::new();
        for field in declared.split(',').filter(|field| field.contains(':')) {
            let Some((_, rest)) = field.split_once('=') else { continue };
            let (quoted, default) = rest.split_once(" or ").map_or((rest, None), |(name, default)| (name, Some(default.trim())));
            let name = quoted.trim().trim_matches('"');
            names.push(match default {
                Some(default) => format!("{name}={default}"),
                None if field.contains("Option<") => format!("{name}?"),
                None => name.to_owned(),
            });
        }
        if names.is_empty() && !self.fields.trim().is_empty() { vec![self.fields.to_owned()] } else { names }
    }
}

/// One row of the table that `docs/requests.md` is made from.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Request code.
    pub code: i32,
    /// Java's name for it.
    pub name: &'static str,
    /// The declaration's fields.
    pub fields: &'static str,
    /// The answer's type.
    pub reply: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Are these the fields of such a request?
    pub reads: fn(&Fields<'_>) -> bool,
}

/// The codes of what a broker asks a client.
pub fn asked_of_clients() -> Vec<i32> {
    relay::TABLE.iter().map(|row| row.code).collect()
}

/// Every declared request, by code.
pub fn table() -> Vec<Row> {
    let mut rows = [client::SENDS, client::PULLS, client::TABLE, admin::TABLE, names::TABLE, relay::TABLE].concat();
    rows.sort_by_key(|row| row.code);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Encoding, split};
    use crate::header::{Top, read, write_frame};

    fn frame(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        let all = |sink: &mut FieldSink<'_>| fields.iter().for_each(|(k, v)| sink.text(k, v));
        write_frame(&mut out, Encoding::Json, Top::request(1, 1, false), all, b"");
        out
    }

    fn decode(fields: &[(&str, &str)]) -> Result<QueryConsumerOffset<'static>, FieldError> {
        let bytes = frame(fields);
        let frame = split(&bytes).unwrap().unwrap();
        let header = read(&frame).unwrap();
        let request = QueryConsumerOffset::read(&header.fields)?;
        Ok(QueryConsumerOffset {
            consumer_group: request.consumer_group.into_owned().into(),
            topic: request.topic.into_owned().into(),
            queue_id: request.queue_id,
            set_zero_if_not_found: request.set_zero_if_not_found,
        })
    }

    #[test]
    fn fields_have_types() {
        let whole = decode(&[("consumerGroup", "g\u{1}"), ("topic", "t"), ("queueId", "3"), ("setZeroIfNotFound", "1"), ("extra", "")]);
        let expected =
            QueryConsumerOffset { consumer_group: "g\u{1}".into(), topic: "t".into(), queue_id: 3, set_zero_if_not_found: Some(true) };
        assert_eq!(whole, Ok(expected));
        assert_eq!(decode(&[("consumerGroup", "g"), ("topic", "t")]), Err(FieldError::Missing("queueId")));
        let bad = decode(&[("consumerGroup", "g"), ("topic", "t"), ("queueId", "x")]);
        assert_eq!(bad.unwrap_err().to_string(), "the field queueId is no 32-bit number: \"x\"");
    }

    #[test]
    fn no_code_is_declared_twice() {
        let rows = table();
        for pair in rows.windows(2) {
            assert_ne!(pair[0].code, pair[1].code, "{} and {}", pair[0].name, pair[1].name);
        }
    }
}
