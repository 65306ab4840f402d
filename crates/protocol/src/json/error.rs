//! Why can a JSON body not be read?

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
