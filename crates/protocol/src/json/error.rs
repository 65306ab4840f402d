//! Why can a JSON body not be read?

/// Why a text cannot be read as the wanted type. Positions are byte offsets in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text ends too early.
    #[error("JSON ends at byte {at}, expected {expected}")]
    Ends {
        /// The length of the text.
        at: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// Something else is at this position.
    #[error("JSON: expected {expected} at byte {at}")]
    Expected {
        /// Where.
        at: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// Objects and arrays are nested deeper than [`DEPTH_MAX`].
    #[error("JSON is nested deeper than {DEPTH_MAX} levels at byte {at}")]
    TooDeep {
        /// Where the first level beyond the limit opens.
        at: usize,
    },
    /// The text is well formed but does not fit the type.
    #[error("JSON: {0}")]
    Mismatch(String),
}

/// The deepest nesting of objects and arrays; real bodies stay below ten.
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
