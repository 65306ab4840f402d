//! What can be chosen about a store?

use std::path::PathBuf;
use std::time::Duration;

/// When an append is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushMode {
    /// `ASYNC_FLUSH`: acknowledged when written; made durable at least this often.
    Async {
        /// How long written data may wait for the disk.
        interval: Duration,
    },
    /// `SYNC_FLUSH`: acknowledged, and shown to readers, when durable.
    Sync,
}

/// The settings of a store. The defaults are RocketMQ's where it has them.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The data folder (`storePathRootDir`).
    pub root: PathBuf,
    /// Where the log's segments are (`storePathCommitLog`); `commitlog` in the root if not given.
    pub commit_log_dir: Option<PathBuf>,
    /// Bytes of a segment (`mappedFileSizeCommitLog`), at most 2 GiB less one.
    pub segment_bytes: u64,
    /// When an append is confirmed (`flushDiskType`, `flushIntervalCommitLog`).
    pub flush: FlushMode,
    /// With [`FlushMode::Async`], flush early when this much is not durable.
    pub flush_bytes: u64,
    /// How long and how much of the log is retained. May change while the store is open: [`crate::Store::set_retention`].
    pub retention: Retention,
    /// Whether messages go into the light queues that their producers name (`enableLmq` and `enableMultiDispatch`). What is in light
    /// queues already is found there in any case.
    pub light_queues: bool,
    /// The tail of the index goes to a file each time the log has grown by this many bytes, so that a restart replays no more.
    pub tail_checkpoint_bytes: u64,
    /// The most bytes of memory for the tail of the index. At half of it the tail goes to a file, whatever
    /// [`StoreConfig::tail_checkpoint_bytes`] says; while all of it is taken, because the disk does not keep up, nothing is appended.
    pub tail_memory_bytes: u64,
    /// Whether it opens when a part of the log is missing, and serves the rest (`startWithMissingLog`).
    pub opens_with_missing: bool,
    /// Whether nothing is deleted before a hook is set: [`crate::Store::ask_before_deletion`].
    pub asks_before_deletion: bool,
    /// Called after much memory in small blocks became free, so that the process can give it back to the system.
    pub release_memory: fn(),
    /// Whether the store runs threads of its own. Without, the owner calls [`crate::Store::tick`]: that is for simulations.
    pub background: bool,
}

/// How long and how much of the log is retained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Hours after which a segment expires (`fileReservedTime`).
    pub file_reserved_hours: u64,
    /// The most bytes of sealed segments to retain, if limited (`retentionBytes`).
    pub retention_bytes: Option<u64>,
    /// Appends are refused while the device has less free than this (`diskReserveBytes`).
    pub disk_reserve_bytes: u64,
    /// Whether room may be made by deleting segments that have not expired, once the reserve is touched (`cleanFileForciblyEnable`).
    pub delete_unexpired_when_full: bool,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { file_reserved_hours: 72, retention_bytes: None, disk_reserve_bytes: 512 << 20, delete_unexpired_when_full: false }
    }
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        StoreConfig {
            root: PathBuf::from("store"),
            commit_log_dir: None,
            segment_bytes: 1 << 30,
            flush: FlushMode::Async { interval: Duration::from_millis(500) },
            flush_bytes: 16 << 20,
            retention: Retention::default(),
            light_queues: false,
            tail_checkpoint_bytes: 64 << 20,
            tail_memory_bytes: 256 << 20,
            opens_with_missing: true,
            asks_before_deletion: false,
            release_memory: || {},
            background: true,
        }
    }
}
