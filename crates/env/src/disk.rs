//! How are files read, written and made durable?
//!
//! One value, handed down from `main`: [`Disk::real`] is the operating system's, [`SimDisk`] lives in memory, loses power when a test says
//! so, and then loses as much of the unsynced data as a bad disk would. All access is by explicit reads and writes at an offset: through
//! a writable mapping a full disk would be a signal instead of an error. Files that are read often may be copied from a read-only mapping,
//! whose signals are caught.

mod mapped;
mod real;
mod sim;

pub use mapped::{MAPPINGS_MAX, Mapping, page_bytes};
pub use sim::{Fault, SimDisk};

use crate::teeth::{Tooth, bites};
use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A file system; clones are the same one. Its errors name the file or folder that they are about.
#[derive(Clone, Debug)]
pub struct Disk(World);

#[derive(Clone, Debug)]
enum World {
    Real,
    Sim(SimDisk),
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To read; it must exist.
    Read,
    /// To read and write; it must exist.
    Write,
    /// To read and write; made if it does not exist.
    Create,
    /// To read and write; emptied if it exists, made if not.
    Truncate,
}

/// Room on the device that holds a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes an unprivileged process can still write.
    pub free: u64,
    /// Bytes of the device.
    pub total: u64,
}

/// An open file. Reads and writes name their position, so one handle serves any number of threads.
#[derive(Debug)]
pub struct File {
    handle: Handle,
    path: PathBuf,
}

#[derive(Debug)]
enum Handle {
    Real(std::fs::File),
    Sim(sim::SimFile),
}

/// Holds a folder's lock file; dropping it lets go.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held for its drop")] LockHandle);

#[derive(Debug)]
#[allow(dead_code, reason = "held for their drop")]
enum LockHandle {
    Real(std::fs::File),
    Sim(sim::SimLock),
}

impl Disk {
    /// The operating system's files.
    pub fn real() -> Disk {
        Disk(World::Real)
    }

    /// Makes a folder and its parents, and makes their entries durable.
    pub fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let done = match &self.0 {
            World::Real => real::create_dir_all(path),
            World::Sim(sim) => sim.create_dir_all(path),
        };
        done.map_err(named(path))
    }

    /// Opens a file. A file that this made is durable only after [`Disk::sync_dir`] of its folder.
    pub fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        let opened = match &self.0 {
            World::Real => real::open(path, how).map(Handle::Real),
            World::Sim(sim) => sim.open(path, how).map(Handle::Sim),
        };
        opened.map(|handle| File { handle, path: path.to_owned() }).map_err(named(path))
    }

    /// The names of the files (not folders) in a folder, sorted. Names that are not UTF-8 are left out.
    pub fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let done = match &self.0 {
            World::Real => real::list(path),
            World::Sim(sim) => sim.list(path),
        };
        done.map_err(named(path))
    }

    /// Gives a file another name in the same folder, replacing what has it. Durable after [`Disk::sync_dir`].
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let done = match &self.0 {
            World::Real => real::rename(from, to),
            World::Sim(sim) => sim.rename(from, to),
        };
        done.map_err(named(from))
    }

    /// Takes a file's name away; open handles go on. Durable after [`Disk::sync_dir`].
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        let done = match &self.0 {
            World::Real => real::remove(path),
            World::Sim(sim) => sim.remove(path),
        };
        done.map_err(named(path))
    }

    /// Makes the names in a folder durable.
    pub fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if bites(Tooth::NoFolderSync) {
            return Ok(());
        }
        let done = match &self.0 {
            World::Real => real::sync_dir(path),
            World::Sim(sim) => sim.sync_dir(path),
        };
        done.map_err(named(path))
    }

    /// Room on the device that holds `path`, which must exist.
    pub fn space(&self, path: &Path) -> io::Result<Space> {
        let done = match &self.0 {
            World::Real => real::space(path),
            World::Sim(sim) => sim.space(),
        };
        done.map_err(named(path))
    }

    /// Takes the exclusive lock of `path`, a file that is made if needed; [`io::ErrorKind::WouldBlock`] if it is taken.
    pub fn lock(&self, path: &Path) -> io::Result<Lock> {
        let done = match &self.0 {
            World::Real => real::lock(path).map(LockHandle::Real).map(Lock),
            World::Sim(sim) => sim.lock(path).map(LockHandle::Sim).map(Lock),
        };
        done.map_err(named(path))
    }

    /// Makes `bytes` the contents of `path` so that a crash leaves the old or the new, whole: writes beside it, syncs,
    /// renames, syncs the folder. When it returns, the new is durable. One writer per path.
    pub fn replace_atomically(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = temporary_of(path);
        let file = self.open(&temporary, Open::Truncate)?;
        file.write_at(0, bytes)?;
        file.sync_data()?;
        self.rename(&temporary, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new("")))?;
        file.confirm()
    }

    /// Like [`Disk::replace_atomically`], with the former contents of `path` as `backup`. A crash in between may leave only the backup.
    pub fn replace_keeping(&self, path: &Path, bytes: &[u8], backup: &Path) -> io::Result<()> {
        let temporary = temporary_of(path);
        let file = self.open(&temporary, Open::Truncate)?;
        file.write_at(0, bytes)?;
        file.sync_data()?;
        match self.rename(path, backup) {
            // The first of its name is its own backup.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.replace_atomically(backup, bytes)?,
            renamed => renamed?,
        }
        self.rename(&temporary, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new("")))?;
        file.confirm()
    }

    /// The contents of `path`, `None` if it does not exist. Unfinished work of [`Disk::replace_atomically`] is ignored.
    pub fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open(path, Open::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let len = file.len()?;
        let mut bytes = Vec::new();
        file.append_to(0, usize::try_from(len).map_err(io::Error::other)?, &mut bytes)?;
        Ok(Some(bytes))
    }
}

impl File {
    /// Writes all of `bytes` at `offset`, growing the file if needed. Not durable before [`File::sync_data`].
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let done = match &self.handle {
            Handle::Real(file) => std::os::unix::fs::FileExt::write_all_at(file, bytes, offset),
            Handle::Sim(file) => file.write_at(offset, bytes),
        };
        done.map_err(named(&self.path))
    }

    /// Fills `bytes` from `offset`; [`io::ErrorKind::UnexpectedEof`] if the file ends before.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let done = match &self.handle {
            Handle::Real(file) => std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset),
            Handle::Sim(file) => file.read_at(offset, bytes),
        };
        done.map_err(named(&self.path))
    }

    /// Appends `len` bytes from `offset` to `out`, which keeps its length on an error.
    pub fn append_to(&self, offset: u64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let done = match &self.handle {
            Handle::Real(file) => real::append_to(file, offset, len, out),
            Handle::Sim(file) => file.append_to(offset, len, out),
        };
        done.map_err(named(&self.path))
    }

    /// Like [`File::append_to`], but without waiting for the disk: [`io::ErrorKind::WouldBlock`] if not all of it is in memory.
    ///
    /// Some file systems cannot say whether it is; those are waited for.
    pub fn append_cached_to(&self, offset: u64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let done = match &self.handle {
            Handle::Real(file) => real::append_cached_to(file, offset, len, out),
            Handle::Sim(file) => file.append_cached_to(offset, len, out),
        };
        done.map_err(named(&self.path))
    }

    /// The first `len` bytes as memory to copy from. `None` where the file cannot be mapped: read it by calls.
    pub fn map(&self, len: u64) -> Option<Mapping> {
        match &self.handle {
            Handle::Real(file) => Mapping::new(file, usize::try_from(len).ok()?).ok()?,
            Handle::Sim(_) => None,
        }
    }

    /// Has the system write these bytes to the device, and waits for that. It makes nothing durable: it only leaves less work for a
    /// [`File::sync_data`], during which writes to the same pages wait. After an error, bytes that were not durable are lost.
    pub fn write_back(&self, bytes: Range<u64>) -> io::Result<()> {
        let done = match &self.handle {
            Handle::Real(file) => real::write_back(file, bytes),
            // Whether the system has done it by itself is chance there.
            Handle::Sim(_) => Ok(()),
        };
        done.map_err(named(&self.path))
    }

    /// Makes contents and length of the file durable. After an error, bytes that were not durable are lost: do not retry.
    pub fn sync_data(&self) -> io::Result<()> {
        if bites(Tooth::FsyncSkipped) {
            return Ok(());
        }
        let done = match &self.handle {
            Handle::Real(file) => file.sync_data(),
            Handle::Sim(file) => file.sync_data(),
        };
        done.map_err(named(&self.path))
    }

    /// An error unless earlier syncs, of any file of this file system, can be believed.
    ///
    /// When ext4 meets an error it gives up its journal. The next sync may still return success: it finds its transaction gone and takes
    /// it for committed. Until the file system turns read-only, some milliseconds later, contents can even be written. Only operations that
    /// need the journal fail from the first moment; this is one that changes nothing (it allocates a byte that is allocated already).
    ///
    /// It makes the next sync of this file wait for the journal, so use a file that is rarely synced, and call it before a promise is made.
    pub fn confirm(&self) -> io::Result<()> {
        if bites(Tooth::SyncBelieved) {
            return Ok(());
        }
        let done = match &self.handle {
            Handle::Real(file) => real::confirm(file),
            Handle::Sim(file) => file.confirm(),
        };
        done.map_err(named(&self.path))
    }

    /// The file's length in bytes.
    #[allow(clippy::len_without_is_empty, reason = "a file is not a collection")]
    pub fn len(&self) -> io::Result<u64> {
        let done = match &self.handle {
            Handle::Real(file) => file.metadata().map(|data| data.len()),
            Handle::Sim(file) => file.len(),
        };
        done.map_err(named(&self.path))
    }

    /// Cuts the file, or extends it with zeros that take no room yet.
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        let done = match &self.handle {
            Handle::Real(file) => file.set_len(len),
            Handle::Sim(file) => file.set_len(len),
        };
        done.map_err(named(&self.path))
    }

    /// Allocates the first `len` bytes, which read as zeros where nothing was written; the file becomes at least that long.
    pub fn allocate(&self, len: u64) -> io::Result<()> {
        let done = match &self.handle {
            Handle::Real(file) => real::allocate(file, len),
            Handle::Sim(file) => file.allocate(len),
        };
        done.map_err(named(&self.path))
    }
}

/// Adds the path to an error. [`io::ErrorKind::WouldBlock`] stays as it is: the caller tries again, and no person reads it.
fn named(path: &Path) -> impl FnOnce(io::Error) -> io::Error + '_ {
    move |error| match error.kind() {
        io::ErrorKind::WouldBlock => error,
        kind => io::Error::new(kind, format!("{}: {error}", path.display())),
    }
}

/// Where [`Disk::replace_atomically`] writes before the rename.
fn temporary_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".tmp");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What holds on either disk.
    fn check(disk: &Disk, root: &Path) {
        let folder = root.join("a/b");
        disk.create_dir_all(&folder).expect("creates");
        let path = folder.join("file");
        assert_eq!(disk.open(&path, Open::Read).expect_err("absent").kind(), io::ErrorKind::NotFound);
        assert_eq!(disk.read(&path).expect("reads"), None);
        let about = |error: io::Error, path: &Path| assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
        about(disk.open(&path, Open::Write).expect_err("absent"), &path);
        about(disk.open(&folder, Open::Write).expect_err("a folder"), &folder);
        about(disk.read(&folder).expect_err("a folder"), &folder);
        about(disk.list(&path).expect_err("absent"), &path);
        about(disk.remove(&path).expect_err("absent"), &path);
        about(disk.rename(&path, &folder.join("other")).expect_err("absent"), &path);
        about(disk.lock(&folder).expect_err("a folder"), &folder);
        about(disk.replace_atomically(&path.join("below"), b"").expect_err("no folder"), &path);

        let file = disk.open(&path, Open::Create).expect("creates");
        file.write_at(3, b"abc").expect("writes");
        assert_eq!(file.len().expect("len"), 6);
        let mut out = vec![b'>'];
        file.append_to(2, 3, &mut out).expect("reads");
        assert_eq!(out, b">\0ab");
        let ends = file.append_to(2, 30, &mut out).expect_err("ends");
        assert_eq!(ends.kind(), io::ErrorKind::UnexpectedEof);
        about(ends, &path);
        assert_eq!(out, b">\0ab");
        file.append_cached_to(2, 2, &mut out).expect("just written");
        assert_eq!(out, b">\0ab\0a");
        let mut two = [0; 2];
        file.read_at(4, &mut two).expect("reads");
        assert_eq!(&two, b"bc");
        file.allocate(10).expect("allocates");
        assert_eq!(file.len().expect("len"), 10);
        file.set_len(4).expect("cuts");
        [0..0, 0..3, 2..1 << 20, 1 << 20..2 << 20].into_iter().for_each(|bytes| file.write_back(bytes).expect("writes back"));
        file.sync_data().expect("syncs");
        assert_eq!(disk.read(&path).expect("reads"), Some(b"\0\0\0a".to_vec()));

        disk.replace_atomically(&path, b"new").expect("replaces");
        disk.open(&folder.join("file.tmp"), Open::Create).expect("left over");
        disk.replace_atomically(&path, b"newer").expect("replaces");
        assert_eq!(disk.read(&path).expect("reads"), Some(b"newer".to_vec()));
        disk.replace_keeping(&path, b"newest", &folder.join("before")).expect("replaces");
        assert_eq!(disk.read(&folder.join("before")).expect("reads"), Some(b"newer".to_vec()));
        assert_eq!(disk.read(&path).expect("reads"), Some(b"newest".to_vec()));
        disk.remove(&folder.join("before")).expect("removes");
        disk.replace_keeping(&folder.join("first"), b"first", &folder.join("before")).expect("makes");
        assert_eq!(disk.read(&folder.join("before")).expect("reads"), Some(b"first".to_vec()));
        disk.remove(&folder.join("first")).expect("removes");
        disk.remove(&folder.join("before")).expect("removes");
        disk.rename(&path, &folder.join("other")).expect("renames");
        assert_eq!(disk.list(&folder).expect("lists"), ["other"]);
        assert!(disk.list(root).expect("lists").is_empty(), "folders are not files");
        disk.remove(&folder.join("other")).expect("removes");
        assert!(disk.list(&folder).expect("lists").is_empty());

        let lock = disk.lock(&root.join("lock")).expect("locks");
        assert_eq!(disk.lock(&root.join("lock")).expect_err("taken").kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        disk.lock(&root.join("lock")).expect("free again");
        let space = disk.space(root).expect("space");
        assert!(space.free <= space.total);
    }

    #[test]
    fn the_real_disk_does_it() {
        let root = tempfile::tempdir().expect("folder");
        check(&Disk::real(), root.path());
    }

    #[test]
    fn the_simulated_disk_does_it() {
        check(&SimDisk::new(1).disk(), Path::new("/data"));
    }
}
