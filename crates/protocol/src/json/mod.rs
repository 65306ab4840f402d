//! How JSON bodies are read and written: which dialect clients speak, and what is forgiven on the way in.
//!
//! RocketMQ's bodies come from fastjson, which writes text that is not JSON: integer map keys stand without quotes
//! (`{0:"10.0.0.1:10911"}`) and a map keyed by a message queue has the whole object as its key (`{{"queueId":0}:7}`).
//! Clients in other languages send their own variants. [`from_slice`] reads all of them into any serde type;
//! [`to_vec`] writes what the receiver asked for.

mod reader;
mod writer;

pub use reader::from_slice;
pub use writer::to_vec;

/// Which JSON the receiver understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Strict JSON in ASCII: every key quoted, other characters as `\uXXXX`. Java writes it for routes of clients
    /// from V4_9_4 on (`ClientRequestProcessor`, `BrowserCompatible`).
    Standard,
    /// What fastjson writes by default: integer and object keys bare, text as UTF-8.
    Fastjson,
}

/// Why a text could not be read as the wanted type. Positions are byte offsets in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text ends where something was still expected.
    #[error("JSON ends at byte {at}, expected {expected}")]
    Ends {
        /// The length of the text.
        at: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// Something else stands where this was expected.
    #[error("JSON: expected {expected} at byte {at}")]
    Expected {
        /// Where.
        at: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// Objects and arrays are nested deeper than [`DEPTH_MAX`].
    #[error("JSON nested deeper than {DEPTH_MAX} at byte {at}")]
    TooDeep {
        /// Where the level too many opens.
        at: usize,
    },
    /// The text is well formed but not what the type holds.
    #[error("JSON: {0}")]
    Mismatch(String),
}

/// Objects and arrays may be nested this deep; real bodies stay below ten.
pub const DEPTH_MAX: usize = 64;

impl serde::de::Error for JsonError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        JsonError::Mismatch(message.to_string())
    }
}

impl serde::ser::Error for JsonError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        JsonError::Mismatch(message.to_string())
    }
}

#[cfg(test)]
mod tests;
