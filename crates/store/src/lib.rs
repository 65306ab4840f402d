//! One broker's data directory: append, read, query, recovery, retention. No sockets.
//!
//! The commit log is the only truth. Records, byte for byte RocketMQ's, follow each other in segments of one size; which records
//! belong to which queue, and which carry which key, is *derived* from them by one function (`index::facts`) and one sink (`Index`),
//! on append and after a restart alike.
//!
//! ```text
//!            append                                       read, query
//!              | log lock: offsets, one pwrite               ^
//!              v                                             |
//!   commitlog/00000000000000000000  sealed  <---- index/<from>-<to>.index   one file for the segment
//!   commitlog/00000000001073741824  active  <---- index/<from>-<to>.index   one file for each 64 MiB of it
//!                                    ^   ^------- tail: the newest entries, in memory
//!                                 flushed written
//! ```
//!
//! | room | question |
//! |---|---|
//! | `writer` | How does a batch get into the log, and when is it durable? |
//! | `reader` | Which messages does a consumer get, which have a key, which offset belongs to a time? |
//! | `keeper` | When are index files written, when are segments deleted? |
//! | `recovery` | What is in the data folder at a start, where does the log end, and what of it is missing? |
//! | `index` | Which records are in a queue, which have a key? In memory and in files |
//! | `log` | Where are the log's bytes, and which records in them are sound? |
//! | `files` | Open or not, mapped or read by calls |
//! | `verify`, `repair` | Is a folder that no process uses what was written, and can it be made so? |
//!
//! `checkpoint` and `flush_mark` hold the little that the log cannot say. Every byte is drawn in `docs/format.md`.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests are their own world"))]

mod checkpoint;
mod config;
mod contents;
#[cfg(feature = "fuzzing")]
pub mod decoders;
mod files;
mod flush_mark;
mod index;
mod keeper;
mod locks;
mod log;
mod reader;
mod recovery;
pub mod repair;
mod sleeper;
mod space;
mod store;
pub mod verify;
mod watermarks;
mod writer;

pub use config::{FlushMode, Retention, StoreConfig};
pub use index::hint::{QueueHint, QueueHints};
pub use keeper::expiry::Reason;
pub use reader::query::{KeyKind, KeyQuery};
pub use reader::request::{EntryFilter, Filter, IndexEntry, Patience, ReadLimits, ReadRequest, ReadResult, ReadStatus, RecordFilter};
pub use reader::time::Boundary;
pub use recovery::OpenError;
pub use recovery::missing::Missing;
pub use roxmq_protocol::position::{LogOffset, QueueOffset};
pub use roxmq_protocol::record::{Draft, DraftError, Record};
pub use store::{Stats, Store};
pub use watermarks::Watermarks;
pub use writer::append::AppendError;
pub use writer::batch::{Batch, Placed};
pub use writer::flush::Flush;
pub use writer::queues::LightQueuesFull;
