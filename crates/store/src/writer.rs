//! How messages get into the log, and become durable there.

pub(crate) mod append;
pub(crate) mod batch;
pub(crate) mod flush;
