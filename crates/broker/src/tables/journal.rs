//! How does a change of a table become durable without writing the whole table?
//!
//! It is appended to a journal, `config/changes.log`, and one sync serves all changes that wait:
//!
//! ```text
//! a table, under its lock:      note       the change, in the order of changes
//! threads that wait for it:     sync       one of them writes and syncs for all
//! the journal service:          maintain   syncs the rest; now and then saves the tables and empties the journal
//! ```
//!
//! The journal is emptied only when both copies of every table (`<name>` and `<name>.bak`) have all its changes: whichever copy a start
//! has to load, the changes since are in the journal. A start applies all of them; [`super::changes`] says why it may apply a change that
//! the table already has.

use super::changes::{self, Change, DURABLE_AT, FILE_BYTES, HEADER_BYTES, TEXT_BYTES_MAX};
use parking_lot::Mutex;
use roxmq_env::clock::Clock;
use roxmq_env::disk::{Disk, File, Open};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tracing::{error, info};

/// How old the oldest change of the journal may become before the tables are saved: people read those files, and should not be misled for
/// long.
const AGE_MAX: Duration = Duration::from_secs(60);
/// The journal's name in the folder of the tables.
pub const NAME: &str = "changes.log";

/// The journal of changes.
pub struct Journal {
    clock: Clock,
    disk: Disk,
    path: PathBuf,
    /// Tables note changes under their own locks: a thread that holds this one takes no other.
    noted: Mutex<Noted>,
    /// The thread that holds it writes.
    file: Mutex<Written>,
    /// How many of the noted changes are durable.
    durable: AtomicU64,
}

/// Changes that are not in the file yet.
#[derive(Default)]
struct Noted {
    texts: Vec<Vec<u8>>,
    bytes: usize,
    /// How many were noted since the start.
    count: u64,
    /// There were too many, or one was too long: only the tables have them.
    too_many: bool,
}

/// The file, and why the tables have to be saved.
#[derive(Default)]
struct Written {
    /// The file, and where the next change goes; none before the first change.
    open: Option<(File, usize)>,
    /// When the first change since the tables were saved was written.
    since: Option<Duration>,
    /// The tables have to be saved although no change was noted.
    wants_saving: bool,
    /// The error after which nothing is written.
    failed: Option<String>,
}

impl Journal {
    /// The journal in the folder, and the changes that the tables may lack. Damaged changes are skipped and reported.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn load(clock: &Clock, disk: &Disk, folder: &Path) -> io::Result<(Journal, Vec<Change>)> {
        let path = folder.join(NAME);
        let mut written = Written::default();
        let mut found = Vec::new();
        if let Some(bytes) = disk.read(&path)? {
            let contents = changes::read(&bytes);
            for (at, what) in &contents.damage {
                error!(file = %path.display(), at, what, "the journal of changes is damaged: changes of topics or groups are lost");
            }
            let is_sound = contents.damage.is_empty() && contents.unfinished.is_none();
            // Nothing is written behind damage: the tables are saved instead.
            let end = if is_sound { contents.end } else { FILE_BYTES };
            if !contents.changes.is_empty() {
                info!(changes = contents.changes.len(), "recovered changes from the journal");
            }
            written.wants_saving = !is_sound || !contents.changes.is_empty();
            let file = disk.open(&path, Open::Write)?;
            if !contents.changes.is_empty() {
                // An earlier process may have failed to sync them. They can be read, but only bytes that are written again are synced.
                file.write_at(0, &bytes[..contents.end])?;
                file.sync_data()?;
            }
            written.open = Some((file, end));
            found = contents.changes;
        }
        let journal = Journal {
            clock: clock.clone(),
            disk: disk.clone(),
            path,
            noted: Mutex::default(),
            file: Mutex::new(written),
            durable: AtomicU64::new(0),
        };
        Ok((journal, found))
    }

    /// Notes a change and returns its number, from 1. Called under the lock of its table, so that changes are noted in their order.
    pub fn note(&self, change: &Change) -> u64 {
        let text = change.text();
        let mut noted = self.noted.lock();
        noted.count += 1;
        noted.bytes += changes::record_bytes(&text);
        noted.too_many |= text.len() > TEXT_BYTES_MAX || noted.bytes > FILE_BYTES - HEADER_BYTES;
        match noted.too_many {
            true => noted.texts = Vec::new(),
            false => noted.texts.push(text),
        }
        noted.count
    }

    /// How many changes were noted since the start.
    pub fn noted(&self) -> u64 {
        self.noted.lock().count
    }

    /// How many of the noted changes are durable.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// The tables have to be saved: they differ from their files, and not by the journal's changes alone.
    pub fn request_saving(&self) {
        self.file.lock().wants_saving = true;
    }

    /// Makes the first `wanted` noted changes durable. One of many callers writes for all. `save` writes the tables if the journal has no
    /// room.
    ///
    /// # Errors
    /// When the disk refuses. If it is full, the next call tries again; after any other error the journal writes nothing more.
    pub fn sync(&self, wanted: u64, save: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.durable() >= wanted {
            return Ok(());
        }
        let mut file = self.file.lock();
        if self.durable() >= wanted {
            return Ok(());
        }
        self.write(&mut file, save)
    }

    /// Makes all noted changes durable, and saves the tables if that is due.
    ///
    /// # Errors
    /// As [`Journal::sync`].
    pub fn maintain(&self, save: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let mut file = self.file.lock();
        if self.durable() < self.noted() {
            self.write(&mut file, &save)?;
        }
        if self.is_saving_due(&file) { self.save_and_empty(&mut file, &save) } else { Ok(()) }
    }

    /// Would [`Journal::maintain`] do anything? Takes no lock that a writing thread holds.
    pub fn needs_maintenance(&self) -> bool {
        self.durable() < self.noted() || self.file.try_lock().is_none_or(|file| self.is_saving_due(&file))
    }

    fn is_saving_due(&self, file: &Written) -> bool {
        file.wants_saving || file.since.is_some_and(|since| self.clock.elapsed().saturating_sub(since) >= AGE_MAX)
    }

    /// Saves the tables and deletes the journal: while no RoxMQ broker runs, an edit of the tables is then an edit of everything.
    ///
    /// # Errors
    /// As [`Journal::sync`].
    pub fn close(&self, save: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut file = self.file.lock();
        let (count, _) = self.take(&file)?;
        let closed = self.or_fail(&mut file, |file| {
            save()?;
            file.open = None;
            match self.disk.remove(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed.and_then(|()| self.disk.sync_dir(self.path.parent().unwrap_or(Path::new("")))),
            }
        });
        closed.inspect_err(|_| self.noted.lock().too_many = true)?;
        *file = Written::default();
        self.durable.store(count, Ordering::Release);
        Ok(())
    }

    /// Writes the noted changes, or saves the tables if there is no room for them.
    fn write(&self, file: &mut Written, save: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let (count, texts) = self.take(file)?;
        let Some(texts) = texts else { return self.save_noted(file, count, save) };
        if file.open.is_none() {
            let made = self.or_fail(file, |file| self.empty_file(file));
            made.inspect_err(|_| self.put_back(texts.clone()))?;
        }
        let end = file.open.as_ref().map_or(FILE_BYTES, |(_, end)| *end);
        let mut bytes = Vec::new();
        texts.iter().for_each(|text| changes::push_record(text, end + bytes.len(), &mut bytes));
        if end + bytes.len() > FILE_BYTES {
            return self.save_noted(file, count, save);
        }
        let now = self.clock.elapsed();
        let written = self.or_fail(file, |file| match &mut file.open {
            Some((open, end)) => {
                open.write_at(*end as u64, &bytes)?;
                // A failed sync has lost the data it should have written, so it must not be tried again.
                open.sync_data().map_err(|error| io::Error::other(error.to_string()))?;
                *end += bytes.len();
                // Not synced: it only tells a damaged change from an unfinished one.
                open.write_at(DURABLE_AT as u64, &changes::durable_before(*end))?;
                open.confirm()
            }
            None => Ok(()),
        });
        written.inspect_err(|_| self.put_back(texts))?;
        file.since.get_or_insert(now);
        self.durable.store(count, Ordering::Release);
        Ok(())
    }

    /// Saves the tables, which have all noted changes.
    fn save_noted(&self, file: &mut Written, count: u64, save: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if let Err(error) = self.save_and_empty(file, save) {
            self.noted.lock().too_many = true;
            return Err(error);
        }
        self.durable.store(count, Ordering::Release);
        Ok(())
    }

    /// Saves the tables and empties the journal.
    fn save_and_empty(&self, file: &mut Written, save: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.or_fail(file, |file| {
            save()?;
            match file.open {
                Some(_) => self.empty_file(file),
                None => Ok(()),
            }
        })?;
        (file.since, file.wants_saving) = (None, false);
        Ok(())
    }

    fn empty_file(&self, file: &mut Written) -> io::Result<()> {
        // If this fails half way, no change may go to a file that has lost its name.
        file.open = None;
        self.disk.replace_atomically(&self.path, &changes::empty())?;
        file.open = Some((self.disk.open(&self.path, Open::Write)?, HEADER_BYTES));
        Ok(())
    }

    /// How many changes were noted, and those that are not written yet; `None` if only the tables have them.
    fn take(&self, file: &Written) -> io::Result<(u64, Option<Vec<Vec<u8>>>)> {
        if let Some(why) = &file.failed {
            return Err(io::Error::other(why.clone()));
        }
        let mut noted = self.noted.lock();
        let texts = std::mem::take(&mut noted.texts);
        noted.bytes = 0;
        Ok((noted.count, (!std::mem::take(&mut noted.too_many)).then_some(texts)))
    }

    /// Has the next call write them, before those noted since.
    fn put_back(&self, texts: Vec<Vec<u8>>) {
        let mut noted = self.noted.lock();
        noted.bytes += texts.iter().map(|text| changes::record_bytes(text)).sum::<usize>();
        let later = std::mem::replace(&mut noted.texts, texts);
        noted.texts.extend(later);
    }

    /// Works on the disk. After an error other than a full disk the journal writes nothing more.
    fn or_fail(&self, file: &mut Written, work: impl FnOnce(&mut Written) -> io::Result<()>) -> io::Result<()> {
        let done = work(file);
        if let Err(error) = &done
            && !super::file::is_full(error)
        {
            file.failed = Some(error.to_string());
        }
        done
    }
}
