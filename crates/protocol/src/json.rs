//! How are JSON bodies read and written? Which dialects clients speak, and what is tolerated.
//!
//! RocketMQ's bodies come from fastjson, which writes text that is not JSON: integer map keys stand without quotes
//! (`{0:"10.0.0.1:10911"}`) and a map keyed by a message queue has the whole object as its key (`{{"queueId":0}:7}`).
//! Clients in other languages send their own variants. [`from_slice`] reads all of them into any serde type;
//! [`to_vec`] writes what the receiver asked for.

mod error;
mod reader;
mod scalar;
mod tokens;
mod writer;

pub use error::{DEPTH_MAX, JsonError};
pub use reader::from_slice;
pub use writer::{Dialect, to_vec};

#[cfg(test)]
mod tests;
