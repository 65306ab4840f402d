//! How is a field of a request or an answer read and written as text?

use crate::header::{FieldSink, RawText};
use crate::permission::Permission;
use crate::time::Timestamp;
use std::borrow::Cow;
use thiserror::Error;

/// Text of a field, borrowed from the frame where it holds no escapes.
pub type Text<'a> = Cow<'a, str>;

/// A field is missing or is not of its type. Answered with SYSTEM_ERROR: Java's handlers end in an exception.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FieldError {
    /// A required field was not sent.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// The text is not of the field's type.
    #[error("the field {name} is not {wanted}: {text:?}")]
    Unreadable {
        /// Name on the wire.
        name: &'static str,
        /// The wanted type.
        wanted: &'static str,
        /// The text that was sent, at most 64 characters of it.
        text: String,
    },
}

/// One type of field value.
pub trait Field<'a>: Sized {
    /// Reads the value; `raw` is `None` when the field was not sent.
    ///
    /// # Errors
    /// When a required field is missing, or the field is not of this type.
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
    // Blanks around a value are rare, so they are trimmed only on a second try.
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
number_field!(i32 => "a 32-bit number", i64 => "a 64-bit number");

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
        parse(raw, name, "a boolean", |text| {
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
