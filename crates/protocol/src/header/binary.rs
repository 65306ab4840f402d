//! The binary ("ROCKETMQ") header.
//!
//! ```text
//! 2 code | 1 language | 2 version | 4 opaque | 4 flag | 4 remark length + remark | 4 ext length + repeated (2 + key, 4 + value)
//! ```

use super::fields::{Fields, RawText, TooManyFields};
use super::language::Language;
use super::parts::{Header, HeaderError, Top};
use super::sink::FieldSink;
use crate::frame::Encoding;

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], HeaderError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(HeaderError::CutShort)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn i32(&mut self) -> Result<i32, HeaderError> {
        self.array().map(i32::from_be_bytes)
    }

    fn bytes(&mut self, len: i32) -> Result<&'a [u8], HeaderError> {
        let len = usize::try_from(len).map_err(|_| HeaderError::CutShort)?;
        let (taken, rest) = self.0.split_at_checked(len).ok_or(HeaderError::CutShort)?;
        self.0 = rest;
        Ok(taken)
    }

    fn text(&mut self, len: i32) -> Result<RawText<'a>, HeaderError> {
        let text = std::str::from_utf8(self.bytes(len)?).map_err(|_| HeaderError::NotUtf8)?;
        Ok(RawText::plain(text))
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Header<'_>, HeaderError> {
    let mut cursor = Cursor(bytes);
    let code = i16::from_be_bytes(cursor.array()?) as i32;
    let language = Language::from_code(cursor.array::<1>()?[0]);
    let version = i16::from_be_bytes(cursor.array()?) as i32;
    let opaque = cursor.i32()?;
    let flag = cursor.i32()?;
    let remark_len = cursor.i32()?;
    let remark = cursor.text(remark_len)?;
    let ext_len = cursor.i32()?;
    let mut ext = Cursor(cursor.bytes(ext_len)?);
    let mut fields = Fields::default();
    while !ext.0.is_empty() {
        let key_len = i16::from_be_bytes(ext.array()?) as i32;
        let key = ext.text(key_len)?;
        let value_len = ext.i32()?;
        fields.push(key, ext.text(value_len)?).map_err(|TooManyFields| HeaderError::TooManyFields)?;
    }
    Ok(Header { code, language, version, opaque, flag, remark: (remark_len > 0).then_some(remark), fields })
}

pub(super) fn write(out: &mut Vec<u8>, top: Top<'_>, fields: impl FnOnce(&mut FieldSink<'_>)) {
    out.extend_from_slice(&(top.code as i16).to_be_bytes());
    out.push(top.language as u8);
    out.extend_from_slice(&(top.version as i16).to_be_bytes());
    out.extend_from_slice(&top.opaque.to_be_bytes());
    out.extend_from_slice(&top.flag.to_be_bytes());
    let remark = top.remark.unwrap_or("");
    out.extend_from_slice(&(remark.len() as u32).to_be_bytes());
    out.extend_from_slice(remark.as_bytes());
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    fields(&mut FieldSink::new(out, Encoding::Binary));
    let ext_len = (out.len() - length_at - 4) as u32;
    out[length_at..length_at + 4].copy_from_slice(&ext_len.to_be_bytes());
}
