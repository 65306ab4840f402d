//! The broker's state: each part owns one table and its file, and knows neither the broker nor another part.

pub mod arrivals;
pub mod clients;
pub mod groups;
pub mod locks;
pub mod offsets;
pub mod statistics;
pub mod topics;

use roxmq_env::disk::Disk;
use roxmq_protocol::json::{self, Dialect};
use roxmq_store::Store;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where a table is kept: one JSON file of Java's shape, replaced as a whole.
pub struct TableFile {
    disk: Disk,
    path: PathBuf,
    dirty: AtomicBool,
}

impl TableFile {
    /// The file `name` in `folder`.
    pub fn new(disk: &Disk, folder: &Path, name: &str) -> TableFile {
        TableFile { disk: disk.clone(), path: folder.join(name), dirty: AtomicBool::new(false) }
    }

    /// What is on the disk, `None` before the first save.
    ///
    /// # Errors
    /// When the file cannot be read, or is not what a broker writes: a table is never started empty over an unreadable file.
    pub fn load<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        let Some(bytes) = self.disk.read(&self.path)? else {
            return Ok(None);
        };
        json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", self.path.display())))
    }

    /// The table differs from the file now.
    pub fn touch(&self) {
        self.dirty.store(true, Ordering::Release);
    }

    /// Writes the table if it differs from the file.
    ///
    /// # Errors
    /// When the disk refuses; the table stays marked and the next save tries again.
    pub fn save<T: Serialize>(&self, table: impl FnOnce() -> T) -> io::Result<()> {
        self.save_if(table, || true)
    }

    /// As [`TableFile::save`], of a table that says how far something in the log has come: the log is made durable first. A file that is
    /// ahead of it after a power cut would pass over the messages that get the lost ones' offsets.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save_behind<T: Serialize>(&self, store: &Store, table: impl FnOnce() -> T) -> io::Result<()> {
        self.save_if(table, || store.flush())
    }

    fn save_if<T: Serialize>(&self, table: impl FnOnce() -> T, may_be_written: impl FnOnce() -> bool) -> io::Result<()> {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let bytes = json::to_vec(&table(), Dialect::Standard);
        let written = match may_be_written() {
            true => self.disk.replace_atomically(&self.path, &bytes),
            false => Err(io::Error::other("the log that it speaks of cannot be made durable")),
        };
        if written.is_err() {
            self.touch();
        }
        written
    }
}
