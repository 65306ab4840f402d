//! How much room does the disk have, and may appends take it?

use crate::sleeper::Sleeper;
use roxmq_env::disk::{Disk, Space as DiskSpace};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The room on the log's disk.
#[derive(Debug)]
pub(crate) struct Space {
    disk: Disk,
    folder: PathBuf,
    /// Appends leave so much free.
    reserve_bytes: AtomicU64,
    is_full: AtomicBool,
    /// Looks for room, more often while there is none.
    pub looker: Sleeper,
}

impl Space {
    pub fn new(disk: Disk, folder: PathBuf, reserve_bytes: u64) -> Space {
        Space { disk, folder, reserve_bytes: AtomicU64::new(reserve_bytes), is_full: AtomicBool::new(false), looker: Sleeper::default() }
    }

    pub fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes.load(Ordering::Relaxed)
    }

    pub fn set_reserve(&self, bytes: u64) {
        self.reserve_bytes.store(bytes, Ordering::Relaxed);
    }

    /// What the disk has free, if it says so.
    pub fn free(&self) -> Option<u64> {
        match self.of_disk() {
            Ok(space) => Some(space.free),
            Err(error) => {
                tracing::warn!(%error, "cannot read how much room the disk has");
                None
            }
        }
    }

    pub fn of_disk(&self) -> io::Result<DiskSpace> {
        self.disk.space(&self.folder)
    }

    /// Whether so much can be taken without touching the reserve.
    pub fn has_room_for(&self, bytes: u64) -> bool {
        self.free().is_some_and(|free| free >= self.reserve_bytes().saturating_add(bytes))
    }

    /// Whether appends are refused for want of room.
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Refuses appends until there is room.
    pub fn close(&self) {
        if !self.is_full.swap(true, Ordering::Relaxed) {
            tracing::error!(reserve = self.reserve_bytes(), "disk is full: appends are refused until there is room");
            self.looker.wake();
        }
    }

    /// Lets appends go on.
    pub fn reopen(&self) {
        self.is_full.store(false, Ordering::Relaxed);
        tracing::warn!("there is room on the disk again: appends go on");
    }
}

/// Whether an error only says that there is no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
