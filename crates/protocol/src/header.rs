//! How is a frame's header read and written, in JSON and in binary?
//!
//! Reading borrows from the frame: no field is copied, and none is unescaped before it is used. The leniency is what real clients need:
//! C++ and Node send numbers and booleans as field values, Elixir an integer language, Python no `serializeTypeCurrentRPC`.
//! Follows Java's `RemotingCommand`, `RemotingSerializable` and `RocketMQSerializable`.

mod binary;
mod escapes;
mod fields;
mod json;
mod language;
mod parts;
mod sink;

use crate::frame::{self, Encoding, Frame};

pub use escapes::write_json_string;
pub use fields::{FIELDS_MAX, Fields, RawText};
pub use language::Language;
pub use parts::{FLAG_ONEWAY, FLAG_RESPONSE, Header, HeaderError, OUR_VERSION, Top};
pub use sink::FieldSink;

/// Reads the header of `frame`.
///
/// # Errors
/// When the bytes are not a header. Unknown members and fields are allowed.
pub fn read<'a>(frame: &Frame<'a>) -> Result<Header<'a>, HeaderError> {
    match frame.encoding {
        Encoding::Json => json::read(frame.header),
        Encoding::Binary => binary::read(frame.header),
    }
}

/// Appends a whole frame to `out`: header from `top` and what `fields` writes, then `body`.
pub fn write_frame(out: &mut Vec<u8>, encoding: Encoding, top: Top<'_>, fields: impl FnOnce(&mut FieldSink<'_>), body: &[u8]) {
    write_head(out, encoding, top, fields, body.len());
    out.extend_from_slice(body);
}

/// Appends everything before the body of a frame to `out`. A body of `body_len` bytes must follow.
pub fn write_head(out: &mut Vec<u8>, encoding: Encoding, top: Top<'_>, fields: impl FnOnce(&mut FieldSink<'_>), body_len: usize) {
    let header = |out: &mut Vec<u8>| match encoding {
        Encoding::Json => json::write(out, top, fields),
        Encoding::Binary => binary::write(out, top, fields),
    };
    frame::write_head(out, encoding, header, body_len);
}

#[cfg(test)]
mod tests;
