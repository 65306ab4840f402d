//! How is a record laid out? Magics, positions of fields, limits.

use std::net::{IpAddr, SocketAddr};

/// Magic of a record whose topic length takes one byte.
pub const MAGIC_V1: i32 = 0xDAA3_20A7_u32 as i32;
/// Magic of a record whose topic length takes two bytes.
pub const MAGIC_V2: i32 = 0xDAA3_20AB_u32 as i32;
/// Magic of the blank that ends a commit-log file.
pub const MAGIC_BLANK: i32 = 0xCBD4_3194_u32 as i32;
/// Size of a blank: its length and its magic. Every record leaves this much room behind it in its file.
pub const BLANK_BYTES: usize = 8;
/// The longest topic a V1 record can carry, in bytes; longer ones make the record V2.
pub const TOPIC_V1_BYTES_MAX: usize = i8::MAX as usize;
/// The longest topic any record may carry, in bytes (`Validators.TOPIC_MAX_LENGTH` with room for retry topics).
pub const TOPIC_BYTES_MAX: usize = 255;
/// The shortest possible record: V1, IPv4 hosts, empty topic, body and properties.
pub const RECORD_BYTES_MIN: usize = 91;
/// The longest body: it leaves room for everything else in a record, whose size is a Java int.
pub(crate) const BODY_BYTES_MAX: usize = i32::MAX as usize - 64 * 1024;

pub(crate) const MAGIC_AT: usize = 4;
pub(crate) const BODY_CRC_AT: usize = 8;
pub(crate) const QUEUE_ID_AT: usize = 12;
pub(crate) const FLAG_AT: usize = 16;
pub(crate) const QUEUE_OFFSET_AT: usize = 20;
pub(crate) const LOG_OFFSET_AT: usize = 28;
pub(crate) const SYS_FLAG_AT: usize = 36;
pub(crate) const BORN_TIME_AT: usize = 40;
pub(crate) const BORN_HOST_AT: usize = 48;
/// If the born host is IPv4.
pub(crate) const STORE_TIME_AT: usize = 56;
/// If the born host is IPv4.
pub(crate) const STORE_HOST_AT: usize = 64;
/// If both addresses are IPv4.
pub(crate) const PREPARED_OFFSET_AT: usize = 76;
/// An IPv4 address and its port.
pub(crate) const V4_HOST_BYTES: usize = 8;
/// An IPv6 address and its port.
pub(crate) const V6_HOST_BYTES: usize = 20;
/// How much longer an IPv6 address is than an IPv4 one.
pub(crate) const V6_EXTRA: usize = V6_HOST_BYTES - V4_HOST_BYTES;

pub(crate) fn put_host(out: &mut Vec<u8>, host: SocketAddr) {
    match host.ip() {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&u32::from(host.port()).to_be_bytes());
}

pub(crate) fn int_at(bytes: &[u8], at: usize) -> i32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    i32::from_be_bytes(value)
}

pub(crate) fn long_at(bytes: &[u8], at: usize) -> i64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    i64::from_be_bytes(value)
}
