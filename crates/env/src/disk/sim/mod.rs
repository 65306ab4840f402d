//! A disk in memory that loses power, fills up and fails when a test says so.
//!
//! Every file has what programs see and what the platter has. A write changes the first and is remembered; a sync carries the
//! remembered ones over. [`SimDisk::crash`] carries over a random part of them, torn at sectors, and throws the rest away. Names
//! in a folder behave the same way, by `sync_dir`. Everything random comes from the seed.
//!
//! Operations that change something are counted: writes (contents, lengths, names) and syncs. A test can let any one of them fail,
//! or cut the power there, and so visit every place where a crash can happen.
//!
//! This file is what a test says to the disk. `names.rs` and `handles.rs` are what programs ask of it, `platter.rs` is its state,
//! `crash.rs` and `faults.rs` are how it goes wrong.

mod changes;
mod crash;
mod faults;
mod handles;
mod names;
mod platter;
#[cfg(test)]
mod tests;

pub use faults::Fault;
pub(super) use handles::{SimFile, SimLock};

use crate::disk::sim::changes::{Node, clean};
use crate::disk::sim::platter::{Hook, Platter};
use crate::disk::{Disk, World};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;

/// A simulated disk; clones are the same one.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<Platter>>);

impl SimDisk {
    /// An empty disk without limits, whose luck comes from `seed`.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(Platter::new(seed))))
    }

    /// The disk as programs use it.
    pub fn disk(&self) -> Disk {
        Disk(World::Sim(self.clone()))
    }

    /// How many operations that change something were begun: writes, length changes, creations, renames, removals, syncs.
    pub fn operations(&self) -> u64 {
        self.0.lock().faults.operations()
    }

    /// Lets the operation fail that is the `at`-th from the beginning, counted as [`SimDisk::operations`] counts, the first being 0.
    pub fn fail_at(&self, at: u64, fault: Fault) {
        self.0.lock().faults.plan(at, fault);
    }

    /// Forgets the faults that have not happened.
    pub fn clear_faults(&self) {
        self.0.lock().faults.clear();
    }

    /// Whether a [`Fault::PowerCut`] has happened and the disk waits for [`SimDisk::crash`].
    pub fn is_dead(&self) -> bool {
        self.0.lock().faults.has_no_power()
    }

    /// The power goes and comes back: open files and locks are gone, of what was not synced a random part is left.
    pub fn crash(&self) {
        self.0.lock().crash();
    }

    /// The programs are killed while the machine stays up: open files and locks are gone, the contents stay as they are.
    pub fn kill(&self) {
        let mut platter = self.0.lock();
        platter.life += 1;
        platter.locks.clear();
    }

    /// Has `hook` called at the beginning of each sync of a file or folder, on the thread that asked for it: it may wait, or use the disk.
    pub fn before_each_sync(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.0.lock().before_sync = Some(Hook(Arc::new(hook)));
    }

    /// Opening this file is refused from now on, as if its mode was 0.
    pub fn forbid(&self, path: &Path) {
        self.0.lock().forbidden.insert(clean(path));
    }

    /// Takes back what [`SimDisk::forbid`] did.
    pub fn allow(&self, path: &Path) {
        self.0.lock().forbidden.remove(&clean(path));
    }

    /// Limits the bytes of all files together; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.lock().capacity = bytes;
    }

    /// Bytes of all files together.
    pub fn used(&self) -> u64 {
        self.0.lock().used()
    }

    /// Damages a byte for good, as a failing medium does: `path` at `offset` is combined with `mask` by exclusive or.
    ///
    /// # Panics
    /// If there is no such byte.
    pub fn flip(&self, path: &Path, offset: usize, mask: u8) {
        let mut platter = self.0.lock();
        let Some(Node::File(file)) = platter.seen.get(&clean(path)).copied() else { panic!("no file {}", path.display()) };
        let Some(contents) = platter.files.get_mut(&file) else { panic!("no contents of {}", path.display()) };
        contents.seen[offset] ^= mask;
        if let Some(byte) = contents.durable.get_mut(offset) {
            *byte ^= mask;
        }
    }

    /// Takes every file out of memory: a read that does not wait for the disk gets nothing until another has waited.
    pub fn forget_cached(&self) {
        self.0.lock().files.values_mut().for_each(|contents| contents.is_cold = true);
    }
}
