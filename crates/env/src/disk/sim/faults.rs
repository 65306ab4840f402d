//! When does an operation fail, and how?

use std::collections::BTreeMap;
use std::io;

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device reports an error. A write may have happened in part; what a failed sync should have saved is lost.
    Io,
    /// No room: a write changes nothing. On a sync this is an I/O error with another number.
    NoSpace,
    /// The power goes: a write may have happened in part, and nothing works any more until [`crate::disk::SimDisk::crash`].
    PowerCut,
    /// The file system gives up its journal, as ext4 does after an error, and has not turned read-only yet. Until [`crate::disk::SimDisk::crash`] syncs
    /// say that they worked and save nothing, contents can be overwritten, and whatever would change names or lengths is refused.
    JournalGone,
}

/// The faults that are planned, and those whose consequences last until a crash.
#[derive(Debug, Default)]
pub struct Faults {
    operations: u64,
    planned: BTreeMap<u64, Fault>,
    has_no_power: bool,
    /// See [`Fault::JournalGone`].
    journal_is_gone: bool,
}

impl Faults {
    /// How many operations that change something were begun.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// Lets the `at`-th operation fail, the first being 0.
    pub fn plan(&mut self, at: u64, fault: Fault) {
        self.planned.insert(at, fault);
    }

    /// Forgets the faults that have not happened.
    pub fn clear(&mut self) {
        self.planned.clear();
    }

    /// Whether the power has gone.
    pub fn has_no_power(&self) -> bool {
        self.has_no_power
    }

    /// An error if the power has gone.
    pub fn alive(&self) -> io::Result<()> {
        match self.has_no_power {
            true => Err(io_error(EIO)),
            false => Ok(()),
        }
    }

    /// Counts an operation and says how it has to fail.
    pub fn begin(&mut self) -> Option<Fault> {
        let at = self.operations;
        self.operations += 1;
        let fault = self.planned.remove(&at);
        self.journal_is_gone |= fault == Some(Fault::JournalGone);
        fault.or(self.journal_is_gone.then_some(Fault::JournalGone))
    }

    /// The error of an operation that fails so.
    pub fn fail(&mut self, fault: Fault) -> io::Error {
        match fault {
            Fault::Io => io_error(EIO),
            Fault::NoSpace => io_error(ENOSPC),
            Fault::PowerCut => {
                self.has_no_power = true;
                io_error(EIO)
            }
            Fault::JournalGone => io_error(EROFS),
        }
    }

    /// The machine starts again; what is planned stays planned.
    pub fn recover(&mut self) {
        self.has_no_power = false;
        self.journal_is_gone = false;
    }
}

/// The system's error of this number.
pub fn io_error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// The device does not do what it is asked for.
pub const EIO: i32 = libc::EIO;
/// The handle is not good for that.
pub const EBADF: i32 = libc::EBADF;
/// No room.
pub const ENOSPC: i32 = libc::ENOSPC;
/// Linux: the file system is read-only.
pub const EROFS: i32 = libc::EROFS;
