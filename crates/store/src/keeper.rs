//! What is done beside appends and reads: index files are written, old segments deleted.

pub(crate) mod retention;
pub(crate) mod seal;
pub(crate) mod steady;
