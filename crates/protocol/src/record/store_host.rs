//! Which address of the broker do records give their readers?

use super::layout::{RECORD_BYTES_MIN, STORE_HOST_AT, SYS_FLAG_AT, V4_HOST_BYTES, V6_EXTRA, V6_HOST_BYTES, put_host};
use super::{record_len, sys_flag};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

/// Sets the store host of all these records to `host`.
///
/// Readers come back to the broker at the store host, so it must be the address at which they reach it now, not the one it had when the
/// message was stored. Records move only if an IPv6 address replaces an IPv4 one, or the other way round. No checksum covers the address.
pub fn set_store_host(records: &mut Vec<u8>, host: SocketAddr) {
    let port = u32::from(host.port()).to_be_bytes();
    match host.ip() {
        IpAddr::V4(ip) => {
            let mut field = [0; V4_HOST_BYTES];
            field[..4].copy_from_slice(&ip.octets());
            field[4..].copy_from_slice(&port);
            put_store_host(records, field, host);
        }
        IpAddr::V6(ip) => {
            let mut field = [0; V6_HOST_BYTES];
            field[..16].copy_from_slice(&ip.octets());
            field[16..].copy_from_slice(&port);
            put_store_host(records, field, host);
        }
    }
}

fn put_store_host<const N: usize>(records: &mut Vec<u8>, field: [u8; N], host: SocketAddr) {
    let mut at = 0;
    while let Some((place, total)) = store_host_in(&records[at..]) {
        if place.len() != N {
            return make_room_for_store_host(records, at, host);
        }
        let there = &mut records[at..][place];
        if *there != field {
            there.copy_from_slice(&field);
        }
        at += total;
    }
}

/// As [`set_store_host`], for the records from `from` on, some of which have a store host of the other length.
fn make_room_for_store_host(records: &mut Vec<u8>, from: usize, host: SocketAddr) {
    let old = records.split_off(from);
    records.reserve(old.len() + old.len() / RECORD_BYTES_MIN * V6_EXTRA);
    let mut rest = &old[..];
    while let Some((place, total)) = store_host_in(rest) {
        let start = records.len();
        records.extend_from_slice(&rest[..place.start]);
        put_host(records, host);
        records.extend_from_slice(&rest[place.end..total]);
        let bit = if host.is_ipv6() { sys_flag::STORE_HOST_V6 } else { 0 };
        let flag = sys_flag::of(rest) & !sys_flag::STORE_HOST_V6 | bit;
        let new_total = (records.len() - start) as i32;
        records[start..][..4].copy_from_slice(&new_total.to_be_bytes());
        records[start + SYS_FLAG_AT..][..4].copy_from_slice(&flag.to_be_bytes());
        rest = &rest[total..];
    }
    // The rest is not a record and stays as it was.
    records.extend_from_slice(rest);
}

/// Position of the store host in the record at the start of `bytes`, and the record's total size; `None` if there is no record.
fn store_host_in(bytes: &[u8]) -> Option<(Range<usize>, usize)> {
    let total = record_len(bytes).ok().filter(|total| *total <= bytes.len())?;
    let flag = sys_flag::of(bytes);
    let start = STORE_HOST_AT + if flag & sys_flag::BORN_HOST_V6 != 0 { V6_EXTRA } else { 0 };
    let end = start + if flag & sys_flag::STORE_HOST_V6 != 0 { V6_HOST_BYTES } else { V4_HOST_BYTES };
    (end <= total).then_some((start..end, total))
}
