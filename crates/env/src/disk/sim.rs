//! A disk in memory that loses power, fills up and fails when a test says so.
//!
//! Every file has what programs see and what the platter has. A write changes the first and is remembered; a sync carries the
//! remembered ones over. [`SimDisk::crash`] carries over a random part of them, torn at sectors, and throws the rest away. Names
//! in a folder behave the same way, by `sync_dir`. Everything random comes from the seed.
//!
//! Operations that change something are counted: writes (contents, lengths, names) and syncs. A test can let any one of them fail,
//! or cut the power there, and so visit every place where a crash can happen.

use super::{Disk, Open, Space, World as DiskWorld};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A simulated disk; clones are the same one.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<Platter>>);

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device reports an error. A write may have happened in part; what a failed sync should have saved is lost.
    Io,
    /// No room: a write changes nothing. On a sync this is an I/O error with another number.
    NoSpace,
    /// The power goes: a write may have happened in part, and nothing works any more until [`SimDisk::crash`].
    PowerCut,
    /// The file system gives up its journal, as ext4 does after an error, and has not turned read-only yet. Until [`SimDisk::crash`] syncs
    /// say that they worked and save nothing, contents can be overwritten, and whatever would change names or lengths is refused.
    JournalGone,
}

#[derive(Debug)]
struct Platter {
    random: fastrand::Rng,
    files: BTreeMap<u64, Contents>,
    next_file: u64,
    /// What programs see.
    seen: BTreeMap<PathBuf, Node>,
    /// What survives a crash.
    durable: BTreeMap<PathBuf, Node>,
    /// Changes of names since their folder was synced, in order.
    unsynced_names: Vec<NameChange>,
    locks: BTreeSet<PathBuf>,
    capacity: Option<u64>,
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    powered: bool,
    /// See [`Fault::JournalGone`].
    journal_is_gone: bool,
    /// Handles of an earlier life do not work any more.
    life: u64,
    before_sync: Option<Hook>,
    /// Files that nobody may open.
    forbidden: BTreeSet<PathBuf>,
}

/// Called where a disk may take its time.
#[derive(Clone)]
struct Hook(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    File(u64),
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(PathBuf, Node),
    Unset(PathBuf),
    Move(PathBuf, PathBuf, Node),
}

#[derive(Debug, Default)]
struct Contents {
    seen: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    /// Nothing of it is in memory until somebody waits for a read of it.
    is_cold: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Len(usize),
}

/// An open file of a simulated disk.
#[derive(Debug)]
pub(super) struct SimFile {
    disk: SimDisk,
    file: u64,
    life: u64,
    writable: bool,
}

/// A lock on a simulated disk.
#[derive(Debug)]
pub(super) struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    life: u64,
}

impl SimDisk {
    /// An empty disk without limits, whose luck comes from `seed`.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(Platter {
            random: fastrand::Rng::with_seed(seed),
            files: BTreeMap::new(),
            next_file: 0,
            seen: BTreeMap::new(),
            durable: BTreeMap::new(),
            unsynced_names: Vec::new(),
            locks: BTreeSet::new(),
            capacity: None,
            operations: 0,
            faults: BTreeMap::new(),
            powered: true,
            journal_is_gone: false,
            life: 0,
            before_sync: None,
            forbidden: BTreeSet::new(),
        })))
    }

    /// The disk as programs use it.
    pub fn disk(&self) -> Disk {
        Disk(DiskWorld::Sim(self.clone()))
    }

    /// How many operations that change something were begun: writes, length changes, creations, renames, removals, syncs.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Lets the operation fail that is the `at`-th from the beginning, counted as [`SimDisk::operations`] counts, the first being 0.
    pub fn fail_at(&self, at: u64, fault: Fault) {
        self.0.lock().faults.insert(at, fault);
    }

    /// Forgets the faults that have not happened.
    pub fn clear_faults(&self) {
        self.0.lock().faults.clear();
    }

    /// Whether a [`Fault::PowerCut`] has happened and the disk waits for [`SimDisk::crash`].
    pub fn is_dead(&self) -> bool {
        !self.0.lock().powered
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

    /// Nobody may open this file any more, as if its mode was 0.
    pub fn forbid(&self, path: &Path) {
        self.0.lock().forbidden.insert(clean(path));
    }

    /// Takes back what [`SimDisk::forbid`] did.
    pub fn allow(&self, path: &Path) {
        self.0.lock().forbidden.remove(&clean(path));
    }

    fn call_before_sync(&self) {
        let hook = self.0.lock().before_sync.clone();
        hook.iter().for_each(|Hook(hook)| hook());
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

    /// Takes every file out of memory: who does not wait for the disk gets nothing of a file until somebody has waited for it.
    pub fn forget_cached(&self) {
        self.0.lock().files.values_mut().for_each(|contents| contents.is_cold = true);
    }

    pub(super) fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut platter = self.0.lock();
        platter.alive()?;
        let path = clean(path);
        for folder in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            match platter.seen.get(folder) {
                Some(Node::Folder) => {}
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None if folder.parent().is_none() || folder.as_os_str().is_empty() => {}
                None => {
                    if let Some(fault) = platter.begin() {
                        return Err(platter.fail(fault));
                    }
                    platter.seen.insert(folder.to_owned(), Node::Folder);
                    platter.durable.insert(folder.to_owned(), Node::Folder);
                }
            }
        }
        Ok(())
    }

    pub(super) fn open(&self, path: &Path, how: Open) -> io::Result<SimFile> {
        let mut platter = self.0.lock();
        platter.alive()?;
        let path = clean(path);
        if platter.forbidden.contains(&path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let file = match (platter.seen.get(&path).copied(), how) {
            (Some(Node::Folder), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Some(Node::File(file)), Open::Truncate) => {
                if let Some(fault) = platter.begin() {
                    return Err(platter.fail(fault));
                }
                platter.change(file, Change::Len(0));
                file
            }
            (Some(Node::File(file)), _) => file,
            (None, Open::Read | Open::Write) => return Err(io::ErrorKind::NotFound.into()),
            (None, Open::Create | Open::Truncate) => {
                platter.parent_exists(&path)?;
                if let Some(fault) = platter.begin() {
                    return Err(platter.fail(fault));
                }
                let file = platter.next_file;
                platter.next_file += 1;
                platter.files.insert(file, Contents::default());
                platter.rename(NameChange::Set(path, Node::File(file)));
                file
            }
        };
        Ok(SimFile { disk: self.clone(), file, life: platter.life, writable: how != Open::Read })
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let platter = self.0.lock();
        platter.alive()?;
        let path = clean(path);
        if platter.seen.get(&path) != Some(&Node::Folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let files = platter.seen.iter().filter(|(at, node)| at.parent() == Some(&path) && matches!(node, Node::File(_)));
        Ok(files.filter_map(|(at, _)| at.file_name()?.to_str().map(str::to_owned)).collect())
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut platter = self.0.lock();
        platter.alive()?;
        let (from, to) = (clean(from), clean(to));
        let Some(node) = platter.seen.get(&from).copied() else { return Err(io::ErrorKind::NotFound.into()) };
        platter.parent_exists(&to)?;
        if let Some(fault) = platter.begin() {
            return Err(platter.fail(fault));
        }
        platter.rename(NameChange::Move(from, to, node));
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut platter = self.0.lock();
        platter.alive()?;
        let path = clean(path);
        let Some(Node::File(_)) = platter.seen.get(&path) else { return Err(io::ErrorKind::NotFound.into()) };
        if let Some(fault) = platter.begin() {
            return Err(platter.fail(fault));
        }
        platter.rename(NameChange::Unset(path));
        Ok(())
    }

    pub(super) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.call_before_sync();
        let mut platter = self.0.lock();
        platter.alive()?;
        let path = clean(path);
        let fault = platter.begin();
        if let Some(fault) = fault.filter(|fault| *fault != Fault::JournalGone) {
            return Err(platter.fail(fault));
        }
        let (synced, left) = std::mem::take(&mut platter.unsynced_names).into_iter().partition(|change| change.folder() == Some(&path));
        platter.unsynced_names = left;
        if fault.is_some() {
            return Ok(());
        }
        let synced: Vec<NameChange> = synced;
        for change in synced {
            change.apply(&mut platter.durable);
        }
        Ok(())
    }

    pub(super) fn space(&self) -> io::Result<Space> {
        let platter = self.0.lock();
        platter.alive()?;
        let total = platter.capacity.unwrap_or(1 << 50);
        Ok(Space { free: total.saturating_sub(platter.used()), total })
    }

    pub(super) fn lock(&self, path: &Path) -> io::Result<SimLock> {
        self.open(path, Open::Create)?;
        let mut platter = self.0.lock();
        let path = clean(path);
        match platter.locks.insert(path.clone()) {
            true => Ok(SimLock { disk: self.clone(), path, life: platter.life }),
            false => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Platter {
    fn alive(&self) -> io::Result<()> {
        match self.powered {
            true => Ok(()),
            false => Err(io_error(EIO)),
        }
    }

    /// Counts an operation and says how it has to fail.
    fn begin(&mut self) -> Option<Fault> {
        let at = self.operations;
        self.operations += 1;
        let fault = self.faults.remove(&at);
        self.journal_is_gone |= fault == Some(Fault::JournalGone);
        fault.or(self.journal_is_gone.then_some(Fault::JournalGone))
    }

    fn fail(&mut self, fault: Fault) -> io::Error {
        match fault {
            Fault::Io => io_error(EIO),
            Fault::NoSpace => io_error(ENOSPC),
            Fault::PowerCut => {
                self.powered = false;
                io_error(EIO)
            }
            Fault::JournalGone => io_error(EROFS),
        }
    }

    fn parent_exists(&self, path: &Path) -> io::Result<()> {
        match path.parent().and_then(|parent| self.seen.get(parent)) {
            Some(Node::Folder) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn rename(&mut self, change: NameChange) {
        change.clone().apply(&mut self.seen);
        self.unsynced_names.push(change);
    }

    fn change(&mut self, file: u64, change: Change) {
        if let Some(contents) = self.files.get_mut(&file) {
            change.apply(&mut contents.seen);
            contents.unsynced.push(change);
        }
    }

    fn used(&self) -> u64 {
        let files = self.seen.values().filter_map(|node| match node {
            Node::File(file) => self.files.get(file),
            Node::Folder => None,
        });
        files.map(|contents| contents.seen.len() as u64).sum()
    }

    fn crash(&mut self) {
        self.journal_is_gone = false;
        let names = std::mem::take(&mut self.unsynced_names);
        for change in keep_some(names, &mut self.random) {
            change.apply(&mut self.durable);
        }
        for contents in self.files.values_mut() {
            let changes = std::mem::take(&mut contents.unsynced);
            for change in keep_some(changes, &mut self.random) {
                change.tear(&mut self.random, &mut contents.durable);
            }
            contents.seen = contents.durable.clone();
        }
        self.seen = self.durable.clone();
        let named: BTreeSet<u64> = self.seen.values().filter_map(Node::file).collect();
        self.files.retain(|file, _| named.contains(file));
        self.locks.clear();
        self.powered = true;
        self.life += 1;
    }
}

/// What a crash leaves of a list of changes: all, none, the first few, or any of them.
fn keep_some<T>(changes: Vec<T>, random: &mut fastrand::Rng) -> Vec<T> {
    let len = changes.len();
    match random.u8(0..4) {
        0 => changes,
        1 => Vec::new(),
        2 => changes.into_iter().take(random.usize(0..=len)).collect(),
        _ => changes.into_iter().filter(|_| random.bool()).collect(),
    }
}

impl Node {
    fn file(&self) -> Option<u64> {
        match self {
            Node::File(file) => Some(*file),
            Node::Folder => None,
        }
    }
}

impl NameChange {
    fn folder(&self) -> Option<&Path> {
        match self {
            NameChange::Set(path, _) | NameChange::Unset(path) | NameChange::Move(_, path, _) => path.parent(),
        }
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            NameChange::Set(path, node) => drop(names.insert(path, node)),
            NameChange::Unset(path) => drop(names.remove(&path)),
            NameChange::Move(from, to, node) => {
                names.remove(&from);
                names.insert(to, node);
            }
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(at, data) => put(bytes, *at, data),
            Change::Len(len) => bytes.resize(*len, 0),
        }
    }

    /// Applies a change that a crash interrupts: a write arrives sector by sector, in any order, if at all.
    fn tear(&self, random: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
        let Change::Write(at, data) = self else { return self.apply(bytes) };
        if random.bool() {
            return self.apply(bytes);
        }
        // The file's length may have arrived although the contents did not.
        if random.bool() && bytes.len() < at + data.len() {
            bytes.resize(at + data.len(), 0);
        }
        let mut from = 0;
        while from < data.len() {
            let to = data.len().min((at + from) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES - at);
            if random.bool() {
                put(bytes, at + from, &data[from..to]);
            }
            from = to;
        }
    }
}

impl SimFile {
    pub(super) fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let mut platter = self.alive()?;
        if !self.writable {
            return Err(io_error(EBADF));
        }
        let grows = (at + bytes.len()).saturating_sub(platter.files.get(&self.file).map_or(0, |contents| contents.seen.len()));
        match platter.begin() {
            Some(Fault::JournalGone) if grows == 0 => {
                platter.change(self.file, Change::Write(at, bytes.to_vec()));
                Ok(())
            }
            Some(Fault::JournalGone) => Err(io_error(EROFS)),
            Some(fault) => {
                if fault != Fault::NoSpace {
                    let part = platter.random.usize(0..=bytes.len());
                    platter.change(self.file, Change::Write(at, bytes[..part].to_vec()));
                }
                Err(platter.fail(fault))
            }
            None if !platter.has_room(grows) => Err(io_error(ENOSPC)),
            None => {
                platter.change(self.file, Change::Write(at, bytes.to_vec()));
                Ok(())
            }
        }
    }

    pub(super) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let platter = self.alive()?;
        bytes.copy_from_slice(platter.slice(self.file, offset, bytes.len())?);
        Ok(())
    }

    pub(super) fn append_to(&self, offset: u64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let mut platter = self.alive()?;
        out.extend_from_slice(platter.slice(self.file, offset, len)?);
        if let Some(contents) = platter.files.get_mut(&self.file) {
            contents.is_cold = false;
        }
        Ok(())
    }

    pub(super) fn append_cached_to(&self, offset: u64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let is_cold = self.alive()?.files.get(&self.file).is_some_and(|contents| contents.is_cold);
        if is_cold { Err(io::ErrorKind::WouldBlock.into()) } else { self.append_to(offset, len, out) }
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        self.disk.call_before_sync();
        let mut platter = self.alive()?;
        let fault = platter.begin();
        let Some(contents) = platter.files.get_mut(&self.file) else { return Err(io_error(EIO)) };
        match fault {
            Some(Fault::PowerCut) => Err(platter.fail(Fault::PowerCut)),
            Some(Fault::JournalGone) => {
                contents.unsynced.clear();
                Ok(())
            }
            Some(fault) => {
                // As Linux does: the pages count as clean, programs still see them, and no later sync will save them.
                contents.unsynced.clear();
                Err(platter.fail(fault))
            }
            None => {
                let Contents { durable, unsynced, .. } = contents;
                unsynced.drain(..).for_each(|change| change.apply(durable));
                Ok(())
            }
        }
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        let platter = self.alive()?;
        Ok(platter.files.get(&self.file).map_or(0, |contents| contents.seen.len() as u64))
    }

    pub(super) fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let mut platter = self.alive()?;
        match platter.begin() {
            Some(fault) => Err(platter.fail(fault)),
            None => {
                platter.change(self.file, Change::Len(len));
                Ok(())
            }
        }
    }

    pub(super) fn allocate(&self, len: u64) -> io::Result<()> {
        let now = self.len()?;
        if now >= len {
            return Ok(());
        }
        if !self.alive()?.has_room((len - now) as usize) {
            return Err(io_error(ENOSPC));
        }
        self.set_len(len)
    }

    pub(super) fn confirm(&self) -> io::Result<()> {
        let mut platter = self.alive()?;
        platter.begin().map_or(Ok(()), |fault| Err(platter.fail(fault)))
    }

    fn alive(&self) -> io::Result<parking_lot::MutexGuard<'_, Platter>> {
        let platter = self.disk.0.lock();
        platter.alive()?;
        match platter.life == self.life {
            true => Ok(platter),
            false => Err(io_error(EBADF)),
        }
    }
}

impl Platter {
    fn has_room(&self, bytes: usize) -> bool {
        self.capacity.is_none_or(|capacity| self.used() + bytes as u64 <= capacity)
    }

    fn slice(&self, file: u64, offset: u64, len: usize) -> io::Result<&[u8]> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let contents = self.files.get(&file).ok_or_else(|| io_error(EIO))?;
        at.checked_add(len).and_then(|end| contents.seen.get(at..end)).ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut platter = self.disk.0.lock();
        if platter.life == self.life {
            platter.locks.remove(&self.path);
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

/// `a/./b//c` and `a/b/c` are one file.
fn clean(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

fn io_error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

const SECTOR_BYTES: usize = 512;
const EIO: i32 = libc::EIO;
const EBADF: i32 = libc::EBADF;
const ENOSPC: i32 = libc::ENOSPC;
/// Linux: the file system is read-only.
const EROFS: i32 = libc::EROFS;

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "/d/file";

    fn disk(seed: u64) -> (SimDisk, Disk) {
        let sim = SimDisk::new(seed);
        let disk = sim.disk();
        disk.create_dir_all(Path::new("/d")).expect("creates");
        (sim, disk)
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_some_of_the_rest() {
        let (mut kept, mut lost, mut torn) = (0, 0, 0);
        for seed in 0..200 {
            let (sim, disk) = disk(seed);
            let file = disk.open(Path::new(FILE), Open::Create).expect("creates");
            file.write_at(0, &[1; 2048]).expect("writes");
            file.sync_data().expect("syncs");
            disk.sync_dir(Path::new("/d")).expect("syncs");
            file.write_at(0, &[2; 2048]).expect("writes");
            sim.crash();
            assert!(file.write_at(0, b"x").is_err(), "handles of the earlier life are dead");
            let bytes = disk.read(Path::new(FILE)).expect("reads").expect("there");
            assert_eq!(bytes.len(), 2048, "seed {seed}");
            assert!(bytes.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])), "seed {seed}");
            match bytes.iter().filter(|byte| **byte == 2).count() {
                0 => lost += 1,
                2048 => kept += 1,
                _ => torn += 1,
            }
        }
        assert!(kept > 20 && lost > 20 && torn > 20, "kept {kept} lost {lost} torn {torn}");
    }

    #[test]
    fn names_need_their_folder_synced() {
        let there = |seed: u64, synced: bool| {
            let (sim, disk) = disk(seed);
            disk.open(Path::new(FILE), Open::Create).expect("creates").sync_data().expect("syncs");
            if synced {
                disk.sync_dir(Path::new("/d")).expect("syncs");
            }
            sim.crash();
            disk.read(Path::new(FILE)).expect("reads").is_some()
        };
        assert!((0..50).all(|seed| there(seed, true)));
        assert!((0..50).any(|seed| there(seed, false)) && !(0..50).all(|seed| there(seed, false)));
    }

    #[test]
    fn a_failed_sync_loses_what_it_should_have_saved() {
        for seed in 0..50 {
            let (sim, disk) = disk(seed);
            let file = disk.open(Path::new(FILE), Open::Create).expect("creates");
            disk.sync_dir(Path::new("/d")).expect("syncs");
            file.write_at(0, b"lost").expect("writes");
            sim.fail_at(sim.operations(), Fault::Io);
            file.sync_data().expect_err("fails");
            file.sync_data().expect("the next one says nothing, as on Linux");
            assert_eq!(disk.read(Path::new(FILE)).expect("reads"), Some(b"lost".to_vec()));
            sim.crash();
            assert_eq!(disk.read(Path::new(FILE)).expect("reads"), Some(Vec::new()));
        }
    }

    #[test]
    fn a_replaced_file_is_old_or_new_wherever_the_power_goes() {
        let (mut old, mut new) = (0, 0);
        for seed in 0..400 {
            let (sim, disk) = disk(seed);
            disk.replace_atomically(Path::new(FILE), b"old").expect("replaces");
            sim.fail_at(sim.operations() + seed % 5, Fault::PowerCut);
            let done = disk.replace_atomically(Path::new(FILE), b"newer").is_ok();
            sim.crash();
            match disk.read(Path::new(FILE)).expect("reads").as_deref() {
                Some(b"old") => old += 1,
                Some(b"newer") => new += 1,
                other => panic!("seed {seed}: {other:?}"),
            }
            assert!(!done || disk.read(Path::new(FILE)).expect("reads").as_deref() == Some(b"newer"), "seed {seed}");
        }
        assert!(old > 0 && new > 0);
    }

    #[test]
    fn a_full_disk_is_an_error_and_then_it_is_not() {
        let (sim, disk) = disk(1);
        let file = disk.open(Path::new(FILE), Open::Create).expect("creates");
        sim.set_capacity(Some(10));
        file.write_at(0, b"12345678").expect("fits");
        assert_eq!(file.write_at(8, b"123").expect_err("full").kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.len().expect("len"), 8);
        assert_eq!(disk.space(Path::new("/d")).expect("space"), Space { free: 2, total: 10 });
        sim.set_capacity(None);
        file.write_at(8, b"123").expect("fits");
    }

    #[test]
    fn nothing_works_without_power() {
        let (sim, disk) = disk(1);
        let file = disk.open(Path::new(FILE), Open::Create).expect("creates");
        sim.fail_at(sim.operations(), Fault::PowerCut);
        file.write_at(0, b"x").expect_err("no power");
        file.len().expect_err("no power");
        disk.list(Path::new("/d")).expect_err("no power");
        assert!(sim.is_dead());
        sim.crash();
        disk.list(Path::new("/d")).expect("power");
    }
}
