//! The files that a NameServer reads, as functions of bytes, which may be anything. For runs of hostile input.

use crate::kv::Values;
use crate::readiness::Saved;
use roxmq_protocol::json;

/// The key-value configuration.
pub fn key_values(bytes: &[u8]) {
    let _ = json::from_slice::<Values>(bytes);
}

/// The brokers that were there before.
pub fn brokers(bytes: &[u8]) {
    let _ = json::from_slice::<Saved>(bytes);
}
