//! One broker's data directory: append, read, query, recovery, retention. No sockets.
//!
//! The commit log is the only truth. Records, byte for byte RocketMQ's, follow each other in segments of one size; which records
//! belong to which queue, and which carry which key, is *derived* from them by one function ([`facts`]) and one sink (`Index`),
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
//! Where things are: `log` appends; `flush` makes durable and fences; `index` is the tail in memory and the directory of every
//! queue, `hints` what saves a look at it; `index_file` the files behind it; `seal` moves the tail into files; `read`, `query` and `time` answer; `recovery`
//! opens, `missing` says what it did not find, `whole` takes batches all or none; `retention` deletes; `checkpoint` holds the little that the log cannot say. Every byte is drawn in `docs/format.md`.

mod batch;
mod cached;
mod checkpoint;
mod config;
pub mod decoders;
mod directory;
mod facts;
mod files;
mod flush;
mod hints;
mod index;
mod index_file;
mod log;
mod missing;
mod query;
mod read;
mod recovery;
pub mod repair;
mod retention;
mod seal;
mod segment;
mod steady;
mod store;
mod time;
pub mod verify;
mod watermarks;
mod whole;

pub use batch::{Batch, Placed};
pub use config::{FlushMode, Retention, StoreConfig};
pub use hints::{QueueHint, QueueHints};
pub use log::AppendError;
pub use missing::Missing;
pub use read::{IndexEntry, Patience, ReadLimits, ReadResult, ReadStatus};
pub use recovery::OpenError;
pub use retention::Reason;
pub use roxmq_protocol::record::{Draft, DraftError, LogOffset, QueueOffset, Record};
pub use store::{LightQueuesFull, Stats, Store};
pub use time::Boundary;
pub use watermarks::Watermarks;
