//! What does one connection of a run do? Each file is one kind of load.

pub(crate) mod answer;
pub(crate) mod arrivals;
pub(crate) mod idle;
pub(crate) mod outcome;
pub(crate) mod pace;
pub(crate) mod pull;
pub(crate) mod send;
pub(crate) mod transact;
