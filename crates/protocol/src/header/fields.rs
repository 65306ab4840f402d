//! Which ext fields does a header carry?

use super::escapes::{unescape, unescape_into};
use std::borrow::Cow;

/// Text of a header as it stands in the frame: in JSON its escapes are not resolved yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawText<'a> {
    text: &'a str,
    escaped: bool,
}

impl<'a> RawText<'a> {
    /// Text without escapes.
    pub fn plain(text: &'a str) -> RawText<'a> {
        RawText { text, escaped: false }
    }

    /// The unescaped text; copied only if it holds escapes.
    pub fn unescape(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.text)) } else { Cow::Borrowed(self.text) }
    }

    /// The unescaped text, in `buffer` if it holds escapes.
    pub fn unescape_into<'b>(self, buffer: &'b mut String) -> &'b str
    where
        'a: 'b,
    {
        if !self.escaped {
            return self.text;
        }
        buffer.clear();
        unescape_into(self.text, buffer);
        buffer
    }

    #[inline]
    pub(super) fn new(text: &'a str, escaped: bool) -> RawText<'a> {
        RawText { text, escaped }
    }

    /// The text as sent, with its escapes.
    #[inline]
    pub(super) fn as_sent(self) -> &'a str {
        self.text
    }

    #[inline]
    pub(crate) fn is(self, name: &str) -> bool {
        // Most names differ in their first letter, which is cheaper to compare than a call.
        match self.escaped {
            true => unescape(self.text) == name,
            false => self.text.as_bytes().first() == name.as_bytes().first() && self.text == name,
        }
    }

    /// The text, if it is one ASCII letter.
    #[inline]
    pub(crate) fn letter(self) -> Option<u8> {
        match self.text.as_bytes() {
            [letter] => Some(*letter),
            _ => None,
        }
    }
}

/// The ext fields of a header (Java's "custom header"), in the order they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    first: [(RawText<'a>, RawText<'a>); FIELDS_WITHOUT_MEMORY],
    count: usize,
    more: Vec<(RawText<'a>, RawText<'a>)>,
}

/// As many as requests usually have; these need no allocation.
const FIELDS_WITHOUT_MEMORY: usize = 16;

/// The most ext fields a header may carry. Java's largest header has 15.
pub const FIELDS_MAX: usize = 256;

impl<'a> Fields<'a> {
    /// The value of the last field called `name`, as Java's map would keep it.
    pub fn find(&self, name: &str) -> Option<RawText<'a>> {
        // Two plain loops: walked as one chain, each field costs a call.
        let among = |fields: &[(RawText<'a>, RawText<'a>)]| fields.iter().rev().find(|(key, _)| key.is(name)).map(|(_, value)| *value);
        among(&self.more).or_else(|| among(&self.first[..self.count]))
    }

    /// The unescaped value of `name`.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.find(name).map(RawText::unescape)
    }

    /// All fields as they stand in the frame, with escapes.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (RawText<'a>, RawText<'a>)> + '_ {
        self.all()
    }

    /// All fields, unescaped.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + '_ {
        self.all().map(|(key, value)| (key.unescape(), value.unescape()))
    }

    #[inline]
    fn all(&self) -> impl Iterator<Item = (RawText<'a>, RawText<'a>)> + '_ {
        self.first[..self.count].iter().chain(&self.more).copied()
    }

    #[inline]
    pub(super) fn push(&mut self, key: RawText<'a>, value: RawText<'a>) -> Result<(), TooManyFields> {
        if let Some(place) = self.first.get_mut(self.count) {
            *place = (key, value);
            self.count += 1;
        } else if self.count + self.more.len() < FIELDS_MAX {
            self.more.push((key, value));
        } else {
            return Err(TooManyFields);
        }
        Ok(())
    }
}

/// A header has more than [`FIELDS_MAX`] ext fields.
pub(super) struct TooManyFields;
