//! How are consecutive fields read?

use super::errors::RecordError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Reads consecutive fields; an error names the field that does not fit.
pub(crate) struct FieldReader<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> FieldReader<'a> {
    pub(crate) fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], RecordError> {
        let end = self.at.checked_add(len).ok_or(RecordError::Length(field))?;
        let taken = self.bytes.get(self.at..end).ok_or(RecordError::Length(field))?;
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], RecordError> {
        let taken = self.take(N, field)?;
        taken.first_chunk().copied().ok_or(RecordError::Length(field))
    }

    pub(crate) fn int(&mut self, field: &'static str) -> Result<i32, RecordError> {
        self.array(field).map(i32::from_be_bytes)
    }

    pub(crate) fn long(&mut self, field: &'static str) -> Result<i64, RecordError> {
        self.array(field).map(i64::from_be_bytes)
    }

    /// A length, as a signed 16-bit number.
    pub(crate) fn short(&mut self, field: &'static str) -> Result<usize, RecordError> {
        let value = self.array(field).map(i16::from_be_bytes)?;
        usize::try_from(value).map_err(|_| RecordError::Length(field))
    }

    pub(crate) fn host(&mut self, is_v6: bool, field: &'static str) -> Result<SocketAddr, RecordError> {
        let ip = match is_v6 {
            true => IpAddr::V6(Ipv6Addr::from(self.array::<16>(field)?)),
            false => IpAddr::V4(Ipv4Addr::from(self.array::<4>(field)?)),
        };
        let port = u16::try_from(self.int(field)?).map_err(|_| RecordError::Range(field))?;
        Ok(SocketAddr::new(ip, port))
    }
}

pub(crate) fn text<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, RecordError> {
    std::str::from_utf8(bytes).map_err(|_| RecordError::Text(field))
}
