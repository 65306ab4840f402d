//! How is a request declared: its code, its fields and those of its answer?

use super::field::FieldError;
use super::subject::{Resource, Subject};
use crate::header::{FieldSink, Fields};

/// The ext fields of one request or answer.
pub trait HeaderFields<'a>: Sized {
    /// Reads the fields.
    ///
    /// # Errors
    /// When a required field is missing, or one is not of its type.
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
    /// Where it names the topics and groups that it is about.
    const SUBJECT: Subject;
    /// Fields of a successful answer.
    type Reply: HeaderFields<'a>;

    /// The topics and groups named in its fields. There may be none even with [`Subject::Fields`]: old clients leave fields out.
    fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        std::iter::empty()
    }
}

/// The value of a field, or its default if it was not sent.
macro_rules! read_field {
    ($raw:expr, $type:ty, $wire:literal) => {
        <$type as $crate::request::field::Field>::read($raw, $wire)?
    };
    ($raw:expr, $type:ty, $wire:literal, $default:expr) => {
        match $raw {
            Some(raw) => <$type as $crate::request::field::Field>::read(Some(raw), $wire)?,
            None => $default,
        }
    };
}

macro_rules! header_body {
    ($($field:ident: $type:ty = $wire:literal $(or $default:expr)?),*) => {
        // One pass for all fields, with names that the compiler knows. Of repeated ones the last counts.
        #[allow(unused_variables)]
        fn read(fields: &$crate::header::Fields<'a>) -> Result<Self, $crate::request::field::FieldError> {
            $(let mut $field: Option<$crate::header::RawText<'a>> = None;)*
            for (key, value) in fields.entries() {
                match &*key.unescape() {
                    $($wire => $field = Some(value),)*
                    _ => {}
                }
            }
            Ok(Self { $($field: $crate::request::declare::read_field!($field, $type, $wire $(, $default)?)),* })
        }

        #[allow(unused_variables)]
        fn write(&self, sink: &mut $crate::header::FieldSink<'_>) {
            $($crate::request::field::Field::write(&self.$field, $wire, sink);)*
        }
    };
}

/// Declares the fields of an answer, or of several requests that share them.
macro_rules! header {
    ($(#[$meta:meta])* $name:ident <'a> { $($field:ident: $type:ty = $wire:literal $(or $default:expr)?),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name<'a> { $(#[doc = concat!("`", $wire, "` on the wire.")] pub $field: $type),* }

        impl<'a> $crate::request::declare::HeaderFields<'a> for $name<'a> {
            $crate::request::declare::header_body!($($field: $type = $wire $(or $default)?),*);
        }
    };
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty = $wire:literal $(or $default:expr)?),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $(#[doc = concat!("`", $wire, "` on the wire.")] pub $field: $type),* }

        impl<'a> $crate::request::declare::HeaderFields<'a> for $name {
            $crate::request::declare::header_body!($($field: $type = $wire $(or $default)?),*);
        }
    };
}

/// Declares requests: doc, type, code, Java's name, fields, the answer's type, and the subject: `Cluster`, `Body`, or the fields that
/// name a `Topic`, a `TopicList` or a consumer `Group`.
macro_rules! requests {
    ($( $(#[doc = $doc:literal])* $name:ident $(<$lt:lifetime>)? = $code:literal $java:literal { $($fields:tt)* } -> $reply:ty,
        about $($kind:ident $(($named:ident))?),+; )*) => {
        $( $crate::request::declare::requests!(@one [$(#[doc = $doc])*] $name [$($lt)?] $code $java [$($fields)*] $reply, $($kind $(($named))?),+); )*

        /// The requests declared in this file: code, Java's name, fields on the wire, what it does.
        pub(super) const TABLE: &[$crate::request::row::Row] = &[$(
            $crate::request::row::Row {
                code: $code,
                name: $java,
                fields: stringify!($($fields)*),
                reply: stringify!($reply),
                doc: concat!($($doc),*),
                about: &[$(stringify!($kind)),+],
                reads: |fields| <$name as $crate::request::declare::HeaderFields<'_>>::read(fields).is_ok(),
            }
        ),*];
    };
    (@one [$($meta:tt)*] $name:ident [$lt:lifetime] $code:literal $java:literal [$($fields:tt)*] $reply:ty, $($about:tt)+) => {
        $crate::request::declare::header! { $($meta)* $name<'a> { $($fields)* } }
        impl<'a> $crate::request::declare::Request<'a> for $name<'a> {
            const CODE: i32 = $code;
            const NAME: &'static str = $java;
            type Reply = $reply;
            $crate::request::subject::about!($($about)+);
        }
    };
    (@one [$($meta:tt)*] $name:ident [] $code:literal $java:literal [$($fields:tt)*] $reply:ty, $($about:tt)+) => {
        $crate::request::declare::header! { $($meta)* $name { $($fields)* } }
        impl<'a> $crate::request::declare::Request<'a> for $name {
            const CODE: i32 = $code;
            const NAME: &'static str = $java;
            type Reply = $reply;
            $crate::request::subject::about!($($about)+);
        }
    };
}

pub(crate) use {header, header_body, read_field, requests};
