//! How are ext fields written?

use super::escapes::write_json_string;
use crate::frame::Encoding;

/// Receives the ext fields while a header is written.
pub struct FieldSink<'o> {
    out: &'o mut Vec<u8>,
    encoding: Encoding,
    first: bool,
}

impl<'o> FieldSink<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, encoding: Encoding) -> FieldSink<'o> {
        FieldSink { out, encoding, first: true }
    }

    /// Writes one field. The name must be an identifier: it is not escaped.
    pub fn text(&mut self, name: &str, value: &str) {
        match self.encoding {
            Encoding::Json => json_field(self.out, &mut self.first, name, value),
            Encoding::Binary => binary_field(self.out, name, value.as_bytes()),
        }
    }

    /// Writes one number as text.
    pub fn number(&mut self, name: &str, value: impl itoa::Integer) {
        self.text(name, itoa::Buffer::new().format(value));
    }
}

fn json_field(out: &mut Vec<u8>, first: &mut bool, name: &str, value: &str) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    // Names are our identifiers and need no escapes.
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write_json_string(out, value);
}

fn binary_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    debug_assert!(name.len() <= i16::MAX as usize, "field names are ours and short");
    out.extend_from_slice(&(name.len() as u16).to_be_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}
