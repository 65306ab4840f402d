//! Bytes <-> types: frames, headers, requests, bodies and the message record. No IO, no async.

pub mod body;
pub mod frame;
pub mod header;
pub mod json;
pub mod properties;
pub mod record;
pub mod request;
