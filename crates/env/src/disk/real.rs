//! The operating system's files, where `std` alone does not do.

#![expect(clippy::disallowed_methods, reason = "the real disk is handed out here")]

use super::{Open, Space};
use rustix::fs::{FallocateFlags, FlockOperation};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

pub(super) fn create_dir_all(path: &Path) -> io::Result<()> {
    let mut missing: Vec<PathBuf> = Vec::new();
    let mut at = path;
    while !at.as_os_str().is_empty() && !at.try_exists()? {
        missing.push(at.to_owned());
        match at.parent() {
            Some(parent) => at = parent,
            None => break,
        }
    }
    std::fs::create_dir_all(path)?;
    for made in missing {
        sync_dir(made.parent().unwrap_or(Path::new("")))?;
    }
    Ok(())
}

pub(super) fn open(path: &Path, how: Open) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(how != Open::Read);
    match how {
        Open::Read | Open::Write => {}
        Open::Create => drop(options.create(true)),
        Open::Truncate => drop(options.create(true).truncate(true)),
    }
    options.open(path)
}

pub(super) fn list(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_file()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}

pub(super) fn space(path: &Path) -> io::Result<Space> {
    let stat = rustix::fs::statvfs(path)?;
    // Blocks reserved for root are neither free nor part of the whole, as `df` counts.
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    Ok(Space { free: stat.f_bavail * stat.f_frsize, total: (used + stat.f_bavail) * stat.f_frsize })
}

pub(super) fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

pub(super) fn allocate(file: &File, len: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len) {
        Ok(()) => Ok(()),
        // Some file systems (network, overlay) cannot; the file then takes room as it is written.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => match file.metadata()?.len() < len {
            true => file.set_len(len),
            false => Ok(()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Waits: a write-back under way would lock its pages against the sync that follows until the device's queue has room.
pub(super) fn write_back(file: &File, bytes: Range<u64>) -> io::Result<()> {
    let (from, len) = (bytes.start as libc::off64_t, bytes.end.saturating_sub(bytes.start) as libc::off64_t);
    if len == 0 {
        // To the system this would mean: to the end.
        return Ok(());
    }
    let how = libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: no memory is passed, and the descriptor is open as long as `file` is.
    match unsafe { libc::sync_file_range(file.as_raw_fd(), from, len, how) } {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(Errno::NOSYS.raw_os_error()) => Ok(()),
            error => Err(error),
        },
    }
}

/// Only ext4 is asked; others fail every sync after they have given up.
pub(super) fn confirm(file: &File) -> io::Result<()> {
    if rustix::fs::fstatfs(file)?.f_type != EXT4_SUPER_MAGIC {
        return Ok(());
    }
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, 1) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS | rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Of ext2, ext3 and ext4, see `statfs(2)`.
const EXT4_SUPER_MAGIC: rustix::fs::FsWord = 0xEF53;

/// Reads into the spare room of `out` without clearing it first.
pub(super) fn append_to(file: &File, offset: u64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
    append_by(|room, at| rustix::io::pread(file, room, at).map(|(read, _)| read.len()), offset, len, out)
}

/// Like [`append_to`], but only if no disk has to be waited for.
pub(super) fn append_cached_to(file: &File, offset: u64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let read = |room: &mut [MaybeUninit<u8>], at: u64| {
        let mut parts = [libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() }];
        // SAFETY: the one part is `room`, exclusively ours and as long as it says.
        let read = unsafe { libc::preadv2(file.as_raw_fd(), parts.as_mut_ptr(), 1, at as libc::off_t, libc::RWF_NOWAIT) };
        usize::try_from(read).map_err(|_| Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
    };
    match append_by(read, offset, len, out) {
        Err(error)
            if [Errno::OPNOTSUPP, Errno::NOSYS, Errno::INVAL].map(|errno| Some(errno.raw_os_error())).contains(&error.raw_os_error()) =>
        {
            append_to(file, offset, len, out)
        }
        result => result,
    }
}

/// `read` fills some of the room from an offset on, from its start, and says how much.
fn append_by(
    read: impl Fn(&mut [MaybeUninit<u8>], u64) -> Result<usize, Errno>,
    offset: u64,
    len: usize,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    out.reserve(len);
    let start = out.len();
    let mut done = 0;
    while done < len {
        match read(&mut out.spare_capacity_mut()[done..len], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // SAFETY: `reserve` made room for `len` bytes after `start`, and the loop above initialised every one of them.
    unsafe { out.set_len(start + len) };
    Ok(())
}
