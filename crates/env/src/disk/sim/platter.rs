//! What do programs see of the disk, and what would survive?

use crate::disk::sim::changes::{Change, NameChange, Node};
use crate::disk::sim::crash::{keep_some, tear};
use crate::disk::sim::faults::{EIO, Faults, io_error};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// The state of a simulated disk.
#[derive(Debug)]
pub struct Platter {
    /// Luck.
    pub random: fastrand::Rng,
    /// The files by number, also those without a name.
    pub files: BTreeMap<u64, Contents>,
    /// What programs see.
    pub seen: BTreeMap<PathBuf, Node>,
    /// What survives a crash.
    pub durable: BTreeMap<PathBuf, Node>,
    /// Changes of names since their folder was synced, in order.
    pub unsynced_names: Vec<NameChange>,
    /// Files that are locked.
    pub locks: BTreeSet<PathBuf>,
    /// Bytes that fit, if that is limited.
    pub capacity: Option<u64>,
    /// What fails.
    pub faults: Faults,
    /// Handles of an earlier life do not work any more.
    pub life: u64,
    /// Called at the beginning of each sync.
    pub before_sync: Option<Hook>,
    /// Files that cannot be opened.
    pub forbidden: BTreeSet<PathBuf>,
    next_file: u64,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// What programs see.
    pub seen: Vec<u8>,
    /// What survives a crash.
    pub durable: Vec<u8>,
    /// Changes since the last sync, in order.
    pub unsynced: Vec<Change>,
    /// Nothing of it is in memory until a read waits for it.
    pub is_cold: bool,
}

/// Called where a disk may take its time.
#[derive(Clone)]
pub struct Hook(pub Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

impl Platter {
    /// An empty disk without limits.
    pub fn new(seed: u64) -> Platter {
        Platter {
            random: fastrand::Rng::with_seed(seed),
            files: BTreeMap::new(),
            seen: BTreeMap::new(),
            durable: BTreeMap::new(),
            unsynced_names: Vec::new(),
            locks: BTreeSet::new(),
            capacity: None,
            faults: Faults::default(),
            life: 0,
            before_sync: None,
            forbidden: BTreeSet::new(),
            next_file: 0,
        }
    }

    /// A new, empty file without a name.
    pub fn add_file(&mut self) -> u64 {
        let file = self.next_file;
        self.next_file += 1;
        self.files.insert(file, Contents::default());
        file
    }

    /// Makes a change of names that programs see at once.
    pub fn change_names(&mut self, change: NameChange) {
        change.clone().apply(&mut self.seen);
        self.unsynced_names.push(change);
    }

    /// Makes a change of contents that programs see at once.
    pub fn change(&mut self, file: u64, change: Change) {
        if let Some(contents) = self.files.get_mut(&file) {
            change.apply(&mut contents.seen);
            contents.unsynced.push(change);
        }
    }

    /// Bytes of all files together.
    pub fn used(&self) -> u64 {
        let files = self.seen.values().filter_map(|node| match node {
            Node::File(file) => self.files.get(file),
            Node::Folder => None,
        });
        files.map(|contents| contents.seen.len() as u64).sum()
    }

    /// Whether so many bytes more fit.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.capacity.is_none_or(|capacity| self.used() + bytes as u64 <= capacity)
    }

    /// Bytes of a file as programs see them.
    pub fn slice(&self, file: u64, offset: u64, len: usize) -> io::Result<&[u8]> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let contents = self.files.get(&file).ok_or_else(|| io_error(EIO))?;
        at.checked_add(len).and_then(|end| contents.seen.get(at..end)).ok_or(io::ErrorKind::UnexpectedEof.into())
    }

    /// The power goes and comes back: open files and locks are gone, of what was not synced a random part is left.
    pub fn crash(&mut self) {
        self.faults.recover();
        let names = std::mem::take(&mut self.unsynced_names);
        for change in keep_some(names, &mut self.random) {
            change.apply(&mut self.durable);
        }
        for contents in self.files.values_mut() {
            let changes = std::mem::take(&mut contents.unsynced);
            for change in keep_some(changes, &mut self.random) {
                tear(&change, &mut self.random, &mut contents.durable);
            }
            contents.seen = contents.durable.clone();
        }
        self.seen = self.durable.clone();
        let named: BTreeSet<u64> = self.seen.values().filter_map(Node::file).collect();
        self.files.retain(|file, _| named.contains(file));
        self.locks.clear();
        self.life += 1;
    }
}

/// Runs the hook of [`super::SimDisk::before_each_sync`], without a lock on the disk.
pub fn call_before_sync(platter: &Mutex<Platter>) {
    let hook = platter.lock().before_sync.clone();
    hook.iter().for_each(|Hook(hook)| hook());
}
