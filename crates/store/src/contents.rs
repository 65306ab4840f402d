//! What do writer, reader and keeper share?

use crate::config::{FlushMode, StoreConfig};
use crate::index::table::Index;
use crate::log::segments::Segments;
use crate::space::Space;
use crate::watermarks::Watermarks;
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_env::lock_order::RwLock;
use roxmq_protocol::position::LogOffset;
use std::path::PathBuf;

/// The log, what is derived from it, and how far both have come.
#[derive(Debug)]
pub(crate) struct Contents {
    pub config: StoreConfig,
    pub clock: Clock,
    pub disk: Disk,
    pub index_dir: PathBuf,
    pub segments: Segments,
    pub index: RwLock<Index>,
    pub watermarks: Watermarks,
    pub space: Space,
}

impl Contents {
    /// The end of what is as durable as the settings promise: readers stop here, so that none sees what a crash could take away.
    pub fn confirmed(&self) -> LogOffset {
        match self.config.flush {
            FlushMode::Sync => self.watermarks.flushed(),
            FlushMode::Async { .. } => self.watermarks.written(),
        }
    }

    /// Where the oldest record starts.
    pub fn begins(&self) -> LogOffset {
        self.segments.first().map_or(LogOffset(0), |segment| segment.base)
    }
}
