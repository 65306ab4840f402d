//! How is the data folder kept in order, beside appends and reads?
//!
//! One thread makes the next segment ([`next_segment`]), moves the tail of the index into files ([`seal`]) and deletes what has expired
//! ([`retention`]); another looks for room ([`room`]). Topics are deleted here, too ([`topics`]), as that is written down beside the log
//! ([`checkpoints`]).

mod checkpoints;
pub(crate) mod expiry;
mod memory;
mod next_segment;
mod retention;
mod room;
mod seal;
mod steady;
mod topics;

use crate::contents::Contents;
use crate::locks;
use crate::log::next_segment::NextSegment;
use crate::sleeper::{Sleeper, StopFlag};
use crate::space::is_full;
use crate::writer::Writer;
use expiry::Expiry;
use memory::FreedMemory;
use roxmq_env::lock_order::Mutex;
use roxmq_protocol::position::LogOffset;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Keeps the data folder in order: index files, room, expiry.
pub(crate) struct Keeper {
    contents: Arc<Contents>,
    writer: Arc<Writer>,
    /// Index files cover the log up to here.
    indexed: Mutex<LogOffset>,
    checkpoint_turn: Mutex<()>,
    /// A deletion could not be written to the checkpoint. Until it is, nothing is appended.
    owes_checkpoint: AtomicBool,
    /// Held while segments are deleted or index files are merged.
    retention_turn: Mutex<()>,
    pub expiry: Expiry,
    next_segment: Mutex<Option<NextSegment>>,
    memory: FreedMemory,
    stop: Arc<StopFlag>,
    pub thread: Sleeper,
}

impl Keeper {
    /// Index files know the log up to `indexed`.
    pub fn new(contents: Arc<Contents>, writer: Arc<Writer>, indexed: LogOffset, stop: Arc<StopFlag>) -> Keeper {
        Keeper {
            writer,
            indexed: Mutex::new(locks::INDEXED, indexed),
            checkpoint_turn: Mutex::new(locks::CHECKPOINT_TURN, ()),
            owes_checkpoint: AtomicBool::new(false),
            retention_turn: Mutex::new(locks::RETENTION_TURN, ()),
            expiry: Expiry::new(contents.config.retention, contents.clock.elapsed()),
            next_segment: Mutex::new(locks::NEXT_SEGMENT, None),
            memory: FreedMemory::new(contents.config.release_memory),
            stop,
            thread: Sleeper::default(),
            contents,
        }
    }

    /// One round of housekeeping.
    pub fn do_round(&self) {
        if self.writer.fence.is_closed() {
            return;
        }
        match self.prepare_segment() {
            // Appends make their own segment then, and take room only as they need it.
            Err(error) if is_full(&error) => drop(self.contents.segments.discard_unused()),
            Err(error) => self.failed("preparing the next segment", &error),
            Ok(()) => {}
        }
        if let Err(error) = self.seal() {
            self.failed("writing the index", &error);
        }
        let now = self.contents.clock.elapsed();
        self.memory.release_if_due(now);
        if self.expiry.take_turn(now) {
            self.delete_surely_expired();
        }
        self.close_idle_files();
    }

    fn failed(&self, what: &str, error: &io::Error) {
        match error.kind() {
            _ if is_full(error) => self.contents.space.close(),
            io::ErrorKind::InvalidData => tracing::error!(what, %error, "damage was found"),
            _ => drop(self.writer.fence.close(&format!("{what} failed: {error}"))),
        }
    }

    fn close_idle_files(&self) {
        let (segments, files) = (self.contents.segments.all(), self.contents.index.read().files.values().cloned().collect::<Vec<_>>());
        let all = segments.iter().map(|segment| &segment.file).chain(files.iter().map(|file| &file.file));
        if all.clone().filter(|file| file.is_open()).count() > OPEN_FILES_MAX {
            all.for_each(|file| file.close_if_idle());
        }
        if segments.iter().filter(|segment| segment.file.is_viewed()).count() > VIEWS_MAX {
            segments.iter().for_each(|segment| segment.file.end_view_if_idle());
        }
    }
}

const OPEN_FILES_MAX: usize = 128;
/// With more mapped segments than this, idle ones are unmapped.
const VIEWS_MAX: usize = 8;
