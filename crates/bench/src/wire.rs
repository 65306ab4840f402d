//! How does the bench talk to a broker? Prepared requests, many in each write; and one question at a time, before and after a run.

pub(crate) mod ask;
pub(crate) mod connection;
pub(crate) mod pulls;
pub(crate) mod queues;
pub(crate) mod sends;
pub(crate) mod slots;
pub(crate) mod stamp;
