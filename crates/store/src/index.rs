//! Which records are in a queue, and which have a key? All of it is derived from the log.
//!
//! [`facts`] says what the index keeps of a record, [`table`] takes it in and holds the newest of it in memory, [`tail_file`] and
//! [`merge`] write it to index files ([`mod@file`]).

pub(crate) mod directory;
pub(crate) mod facts;
pub(crate) mod file;
pub(crate) mod file_writer;
pub(crate) mod format;
pub(crate) mod hint;
pub(crate) mod key_tail;
pub(crate) mod merge;
pub(crate) mod queue;
pub(crate) mod table;
pub(crate) mod tail_file;
