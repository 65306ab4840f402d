//! What does a run see? Time, latencies, counts, and what processes cost. Nothing here knows the protocol.

pub(crate) mod clock;
pub(crate) mod histogram;
pub(crate) mod process;
pub(crate) mod tally;
