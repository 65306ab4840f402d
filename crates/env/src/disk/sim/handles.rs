//! What do open files and locks of the simulated disk do?

use crate::disk::sim::changes::Change;
use crate::disk::sim::crash::whole_sectors;
use crate::disk::sim::faults::{EBADF, EIO, ENOSPC, EROFS, Fault, io_error};
use crate::disk::sim::platter::{Contents, Platter, call_before_sync};
use parking_lot::{Mutex, MutexGuard};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// An open file of a simulated disk.
#[derive(Debug)]
pub struct SimFile {
    /// The disk.
    pub platter: Arc<Mutex<Platter>>,
    /// Its number.
    pub file: u64,
    /// The life in which it was opened.
    pub life: u64,
    /// Whether it was opened to write.
    pub writable: bool,
}

/// A lock on a simulated disk.
#[derive(Debug)]
pub struct SimLock {
    /// The disk.
    pub platter: Arc<Mutex<Platter>>,
    /// The locked file.
    pub path: PathBuf,
    /// The life in which it was locked.
    pub life: u64,
}

impl SimFile {
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let mut platter = self.alive()?;
        if !self.writable {
            return Err(io_error(EBADF));
        }
        let grows = (at + bytes.len()).saturating_sub(platter.files.get(&self.file).map_or(0, |contents| contents.seen.len()));
        match platter.faults.begin() {
            Some(Fault::JournalGone) if grows == 0 => {
                platter.change(self.file, Change::Write(at, bytes.to_vec()));
                Ok(())
            }
            Some(Fault::JournalGone) => Err(io_error(EROFS)),
            Some(fault) => {
                if fault != Fault::NoSpace {
                    let part = whole_sectors(at, platter.random.usize(0..=bytes.len()));
                    platter.change(self.file, Change::Write(at, bytes[..part].to_vec()));
                }
                Err(platter.faults.fail(fault))
            }
            None if !platter.has_room(grows) => Err(io_error(ENOSPC)),
            None => {
                platter.change(self.file, Change::Write(at, bytes.to_vec()));
                Ok(())
            }
        }
    }

    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let platter = self.alive()?;
        bytes.copy_from_slice(platter.slice(self.file, offset, bytes.len())?);
        Ok(())
    }

    pub fn append_to(&self, offset: u64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let mut platter = self.alive()?;
        out.extend_from_slice(platter.slice(self.file, offset, len)?);
        if let Some(contents) = platter.files.get_mut(&self.file) {
            contents.is_cold = false;
        }
        Ok(())
    }

    pub fn append_cached_to(&self, offset: u64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let is_cold = self.alive()?.files.get(&self.file).is_some_and(|contents| contents.is_cold);
        if is_cold { Err(io::ErrorKind::WouldBlock.into()) } else { self.append_to(offset, len, out) }
    }

    pub fn sync_data(&self) -> io::Result<()> {
        call_before_sync(&self.platter);
        let mut platter = self.alive()?;
        let fault = platter.faults.begin();
        let Some(contents) = platter.files.get_mut(&self.file) else { return Err(io_error(EIO)) };
        match fault {
            Some(Fault::PowerCut) => Err(platter.faults.fail(Fault::PowerCut)),
            Some(Fault::JournalGone) => {
                contents.unsynced.clear();
                Ok(())
            }
            Some(fault) => {
                // As Linux does: the pages count as clean, programs still see them, and no later sync will save them.
                contents.unsynced.clear();
                Err(platter.faults.fail(fault))
            }
            None => {
                let Contents { durable, unsynced, .. } = contents;
                unsynced.drain(..).for_each(|change| change.apply(durable));
                Ok(())
            }
        }
    }

    pub fn len(&self) -> io::Result<u64> {
        let platter = self.alive()?;
        Ok(platter.files.get(&self.file).map_or(0, |contents| contents.seen.len() as u64))
    }

    pub fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let mut platter = self.alive()?;
        match platter.faults.begin() {
            Some(fault) => Err(platter.faults.fail(fault)),
            None => {
                platter.change(self.file, Change::Len(len));
                Ok(())
            }
        }
    }

    pub fn allocate(&self, len: u64) -> io::Result<()> {
        let now = self.len()?;
        if now >= len {
            return Ok(());
        }
        if !self.alive()?.has_room((len - now) as usize) {
            return Err(io_error(ENOSPC));
        }
        self.set_len(len)
    }

    pub fn confirm(&self) -> io::Result<()> {
        let mut platter = self.alive()?;
        platter.faults.begin().map_or(Ok(()), |fault| Err(platter.faults.fail(fault)))
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let platter = self.platter.lock();
        platter.faults.alive()?;
        match platter.life == self.life {
            true => Ok(platter),
            false => Err(io_error(EBADF)),
        }
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut platter = self.platter.lock();
        if platter.life == self.life {
            platter.locks.remove(&self.path);
        }
    }
}
