//! What became of one message that waits for a decision or for its time?

/// What became of a half message, as far as its producer knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Not decided, or it is unknown whether the decision arrived.
    #[default]
    Undecided,
    /// It is to be delivered.
    Committed,
    /// It is not.
    RolledBack,
}
