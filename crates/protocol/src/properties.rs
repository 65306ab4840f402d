//! How is a message's property string read and changed?
//!
//! A property string is `name U+0001 value U+0002`, repeated. Writers since 4.x end it with U+0002, older ones omit
//! the last one; both are read. There is no escaping, so a value can hold neither character. As in Java
//! (`MessageDecoder.string2messageProperties`), entries with an empty name or an empty value are ignored, and of repeated names the
//! last one counts.

mod hash;
pub mod name;

use crate::scan::first_of;

pub use hash::{java_hash, java_hash_onto, java_index_hash, tags_code};

/// Stands between a name and its value.
pub const NAME_END: char = '\u{1}';
/// Stands after a value.
pub const VALUE_END: char = '\u{2}';
/// The longest property string a record can carry, in bytes: its length is a signed 16-bit number.
pub const PROPERTIES_BYTES_MAX: usize = i16::MAX as usize;

/// Iterates over the entries. Hot: it runs three times for every message sent.
struct Entries<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        const ENDS: [u8; 2] = [NAME_END as u8, VALUE_END as u8];
        loop {
            let text = self.rest;
            let name_end = first_of(text.as_bytes(), 0, ENDS, 0);
            let is_named = *text.as_bytes().get(name_end)? == ENDS[0];
            let value_end = if is_named { first_of(text.as_bytes(), name_end + 1, [ENDS[1]; 2], 0) } else { name_end };
            self.rest = text.get(value_end + 1..).unwrap_or_default();
            if is_named && name_end > 0 && value_end > name_end + 1 {
                return Some((&text[..name_end], &text[name_end + 1..value_end]));
            }
        }
    }
}

/// A borrowed property string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a>(&'a str);

impl<'a> Properties<'a> {
    /// Wraps `text`. Any text will do; malformed entries are skipped.
    pub fn new(text: &'a str) -> Properties<'a> {
        Properties(text)
    }

    /// The string itself.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// The value of `name`; the last one if there are several, as in Java's map.
    pub fn find(&self, name: &str) -> Option<&'a str> {
        self.0.rsplit(VALUE_END).filter_map(entry).find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// All entries in the order written, repeated names included.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        Entries { rest: self.0 }
    }

    /// The message's index keys: each blank-separated token of `KEYS`.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        tokens(self.find(name::KEYS).unwrap_or_default())
    }

    /// The client's message id.
    pub fn unique_key(&self) -> Option<&'a str> {
        self.find(name::UNIQ_KEY)
    }

    /// The tag hash of a consume queue entry: Java's hash of `TAGS`, sign-extended; 0 without a tag.
    pub fn tags_code(&self) -> i64 {
        tags_code(self.find(name::TAGS).unwrap_or_default())
    }
}

/// A property string that is being changed: names are set, replaced and removed, the rest stays as it was.
///
/// Always ends with U+0002 unless empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertiesBuf(String);

impl PropertiesBuf {
    /// An empty string.
    pub fn new() -> PropertiesBuf {
        PropertiesBuf::default()
    }

    /// Starts from a client's string, adding the trailing U+0002 if it is missing.
    pub fn from_text(text: &str) -> PropertiesBuf {
        let mut buf = String::with_capacity(text.len() + 128);
        buf.push_str(text);
        if !buf.is_empty() && !buf.ends_with(VALUE_END) {
            buf.push(VALUE_END);
        }
        PropertiesBuf(buf)
    }

    /// Sets `name`, replacing its value. An empty value removes it: it could not be read back.
    ///
    /// U+0001 and U+0002 in a name or a value would forge other properties; they are left out.
    pub fn set(&mut self, name: &str, value: &str) -> &mut PropertiesBuf {
        self.remove(name);
        if !name.is_empty() && !value.is_empty() {
            push_clean(&mut self.0, name);
            self.0.push(NAME_END);
            push_clean(&mut self.0, value);
            self.0.push(VALUE_END);
        }
        self
    }

    /// Sets `name` unless it has a value.
    pub fn set_if_absent(&mut self, name: &str, value: &str) -> &mut PropertiesBuf {
        if self.find(name).is_none() {
            self.set(name, value);
        }
        self
    }

    /// Removes all entries of `name`.
    pub fn remove(&mut self, name: &str) -> &mut PropertiesBuf {
        let mut at = 0;
        while at < self.0.len() {
            let end = self.0[at..].find(VALUE_END).map_or(self.0.len(), |stop| at + stop + VALUE_END.len_utf8());
            let is_it = self.0[at..end].strip_prefix(name).is_some_and(|rest| rest.starts_with(NAME_END));
            if is_it {
                self.0.replace_range(at..end, "");
            } else {
                at = end;
            }
        }
        self
    }

    /// The value of `name`.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.as_properties().find(name)
    }

    /// The properties as they are now.
    pub fn as_properties(&self) -> Properties<'_> {
        Properties(&self.0)
    }

    /// The string as a record or a frame carries it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The string as a record or a frame carries it.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// The tokens of a `KEYS` value.
pub fn tokens(keys: &str) -> impl Iterator<Item = &str> {
    keys.split(' ').filter(|key| !key.trim().is_empty())
}

fn entry(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(NAME_END)?;
    (!name.is_empty() && !value.is_empty()).then_some((name, value))
}

fn push_clean(out: &mut String, text: &str) {
    if text.contains([NAME_END, VALUE_END]) {
        out.extend(text.chars().filter(|c| ![NAME_END, VALUE_END].contains(c)));
    } else {
        out.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn reads_with_and_without_the_last_separator() {
        for text in ["KEYS\u{1}a b\u{2}TAGS\u{1}t\u{2}", "KEYS\u{1}a b\u{2}TAGS\u{1}t"] {
            let properties = Properties::new(text);
            assert_eq!(properties.find("TAGS"), Some("t"));
            assert_eq!(properties.keys().collect::<Vec<_>>(), ["a", "b"]);
            assert_eq!(properties.find("TAG"), None);
            assert_eq!(properties.iter().count(), 2);
        }
        assert_eq!(Properties::new("").iter().count(), 0);
    }

    #[test]
    fn passes_over_what_is_no_entry() {
        let properties = Properties::new("\u{2}junk\u{2}\u{1}value\u{2}name\u{1}\u{2}a\u{1}b\u{1}c\u{2}a\u{1}last");
        assert_eq!(properties.iter().collect::<Vec<_>>(), [("a", "b\u{1}c"), ("a", "last")]);
        assert_eq!(properties.find("a"), Some("last"));
    }

    #[test]
    fn sets_replaces_and_removes() {
        let mut buf = PropertiesBuf::from_text("WAIT\u{1}true\u{2}A\u{1}1\u{2}WAIT\u{1}false");
        buf.remove("WAIT").set("A", "2").set_if_absent("A", "3").set_if_absent("B", "4").set("C", "");
        assert_eq!(buf.as_str(), "A\u{1}2\u{2}B\u{1}4\u{2}");
        buf.set("D", "x\u{2}TAGS\u{1}forged");
        assert_eq!(buf.find("TAGS"), None);
        assert_eq!(buf.find("D"), Some("xTAGSforged"));
    }

    proptest! {
        #[test]
        fn the_walk_finds_what_splitting_finds(text in "[ab\u{1}\u{2}é]{0,40}") {
            let walked: Vec<_> = Properties::new(&text).iter().collect();
            let split: Vec<_> = text.split(VALUE_END).filter_map(entry).collect();
            prop_assert_eq!(walked, split);
        }

        #[test]
        fn keeps_what_was_set(entries in prop::collection::vec(("[a-zA-Z_]{1,8}", "[^\u{1}\u{2}]{1,20}"), 0..12)) {
            let mut buf = PropertiesBuf::new();
            let mut model = HashMap::new();
            for (name, value) in &entries {
                buf.set(name, value);
                model.insert(name.as_str(), value.as_str());
            }
            prop_assert_eq!(buf.as_properties().iter().collect::<HashMap<_, _>>(), model.clone());
            prop_assert_eq!(buf.as_properties().iter().count(), model.len());
        }

        #[test]
        fn takes_any_text(text in any::<String>(), name in any::<String>()) {
            let _ = Properties::new(&text).find(&name);
            let mut buf = PropertiesBuf::from_text(&text);
            buf.set(&name, "value").remove(&name);
            prop_assert_eq!(buf.find(&name), None);
        }
    }
}
