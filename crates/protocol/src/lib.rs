//! What do the bytes mean? Frames, headers, requests, bodies and message records. No IO, no async.
//!
//! All of it follows Apache RocketMQ's bytes. Where real clients disagree with the Java sources, the clients win.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests are their own world"))]

pub mod batch_body;
pub mod body;
pub mod code;
pub mod frame;
pub mod header;
pub mod json;
pub mod light;
pub mod message_id;
pub mod permission;
pub mod position;
pub mod properties;
pub mod record;
pub mod request;
mod scan;
pub mod time;
pub mod topic;
pub mod unique_key;
