//! How does a change of a table become durable without writing the whole table? It is appended to a journal, `config/changes.log`, and one
//! sync makes all that came meanwhile durable.
//!
//! ```text
//! a table, under its lock:  note      what changed, in the order in which it changed
//! whoever waits for it:     settle    one of them writes and syncs what all of them wait for
//! now and then:             save      the tables are saved, and the journal begins anew
//! ```
//!
//! The journal is emptied only when both copies of every table (`<name>` and `<name>.bak`) have all its changes: whichever of the two a start
//! has to take, the changes since are in the journal. A start applies all of them to what it loaded; see [`super::changes`] for why
//! it may apply those again that a table has.

use super::changes::{self, Change, FILE_BYTES, HEADER_BYTES, MARK_AT, TEXT_BYTES_MAX};
use parking_lot::Mutex;
use roxmq_env::clock::Clock;
use roxmq_env::disk::{Disk, File, Open};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tracing::{error, info};

/// How old the oldest change of the journal may become before the tables are saved: whoever reads them shall not be misled for long.
const AGE_MAX: Duration = Duration::from_secs(60);
/// Its name in the folder of the tables.
pub const NAME: &str = "changes.log";

/// The journal of changes.
pub struct Journal {
    clock: Clock,
    disk: Disk,
    path: PathBuf,
    /// Tables note changes under their own locks: whoever holds this one takes no other.
    noted: Mutex<Noted>,
    /// Whoever holds it writes.
    file: Mutex<Written>,
    /// How many of the noted changes are durable.
    durable: AtomicU64,
}

/// What is not in the file yet.
#[derive(Default)]
struct Noted {
    texts: Vec<Vec<u8>>,
    bytes: usize,
    /// How many there were in all.
    count: u64,
    /// There were too many, or one too long: only the tables have them.
    too_many: bool,
}

/// What is in the file.
#[derive(Default)]
struct Written {
    /// The file, and where the next change goes; none before the first change.
    open: Option<(File, usize)>,
    /// When the first change since the tables were saved was written.
    since: Option<Duration>,
    /// The tables have to be saved although nothing came.
    wants_saving: bool,
    /// Why nothing is written any more.
    dead: Option<String>,
}

impl Journal {
    /// The journal in the folder, and the changes that the tables may not have. What is damaged in it is passed over and reported.
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
                error!(file = %path.display(), at, what, "the journal of changes is damaged; changes of topics or groups are lost");
            }
            let is_sound = contents.damage.is_empty() && contents.unfinished.is_none();
            // Nothing is written behind what is not sound: the tables are saved instead.
            let end = if is_sound { contents.end } else { FILE_BYTES };
            if !contents.changes.is_empty() {
                info!(changes = contents.changes.len(), "took changes from the journal that the tables may not have");
            }
            written.wants_saving = !is_sound || !contents.changes.is_empty();
            written.open = Some((disk.open(&path, Open::Write)?, end));
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

    /// Takes note of a change. Called under the lock of its table, so that changes are noted in the order in which they are made.
    /// The number of the change, from 1.
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

    /// How many changes were noted since the start; a change that was noted before is one of them.
    pub fn noted(&self) -> u64 {
        self.noted.lock().count
    }

    /// How many of the noted changes are durable.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// The tables differ from their files, whatever the journal says.
    pub fn want_saving(&self) {
        self.file.lock().wants_saving = true;
    }

    /// Makes the first `wanted` noted changes durable. Of many callers one writes for all. `save` writes the tables, if the journal has no
    /// room.
    ///
    /// # Errors
    /// When the disk refuses. If it is full, the next call tries again; after another error nothing is written any more.
    pub fn settle(&self, wanted: u64, save: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.durable() >= wanted {
            return Ok(());
        }
        let mut file = self.file.lock();
        if self.durable() >= wanted {
            return Ok(());
        }
        self.write(&mut file, save)
    }

    /// Makes all noted changes durable, and saves the tables if it is time.
    ///
    /// # Errors
    /// As [`Journal::settle`].
    pub fn tend(&self, save: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let mut file = self.file.lock();
        if self.durable() < self.noted() {
            self.write(&mut file, &save)?;
        }
        if self.wants_saving(&file) { self.begin_anew(&mut file, &save) } else { Ok(()) }
    }

    /// Whether [`Journal::tend`] would do anything. Waits for nobody.
    pub fn wants_tending(&self) -> bool {
        self.durable() < self.noted() || self.file.try_lock().is_none_or(|file| self.wants_saving(&file))
    }

    fn wants_saving(&self, file: &Written) -> bool {
        file.wants_saving || file.since.is_some_and(|since| self.clock.elapsed().saturating_sub(since) >= AGE_MAX)
    }

    /// Saves the tables and takes the journal away: whoever changes the tables while no broker of ours runs, changes all there is.
    ///
    /// # Errors
    /// As [`Journal::settle`].
    pub fn close(&self, save: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut file = self.file.lock();
        let (count, _) = self.take(&file)?;
        let closed = self.ends_well(&mut file, |file| {
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

    /// Writes what was noted, or saves the tables where there is no room for it.
    fn write(&self, file: &mut Written, save: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let (count, texts) = self.take(file)?;
        let Some(texts) = texts else { return self.save_noted(file, count, save) };
        if file.open.is_none() {
            let made = self.ends_well(file, |file| self.begin_file(file));
            made.inspect_err(|_| self.put_back(texts.clone()))?;
        }
        let end = file.open.as_ref().map_or(FILE_BYTES, |(_, end)| *end);
        let mut bytes = Vec::new();
        texts.iter().for_each(|text| changes::push_record(text, end + bytes.len(), &mut bytes));
        if end + bytes.len() > FILE_BYTES {
            return self.save_noted(file, count, save);
        }
        let now = self.clock.elapsed();
        let written = self.ends_well(file, |file| match &mut file.open {
            Some((open, end)) => {
                open.write_at(*end as u64, &bytes)?;
                // A sync that fails has lost what it should have saved, so this must not be tried again.
                open.sync_data().map_err(|error| io::Error::other(error.to_string()))?;
                *end += bytes.len();
                // Not synced: it tells a damaged change from one that was not finished.
                open.write_at(MARK_AT as u64, &changes::mark(*end))?;
                open.confirm()
            }
            None => Ok(()),
        });
        written.inspect_err(|_| self.put_back(texts))?;
        file.since.get_or_insert(now);
        self.durable.store(count, Ordering::Release);
        Ok(())
    }

    /// Saves the tables, which have what was noted.
    fn save_noted(&self, file: &mut Written, count: u64, save: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if let Err(error) = self.begin_anew(file, save) {
            self.noted.lock().too_many = true;
            return Err(error);
        }
        self.durable.store(count, Ordering::Release);
        Ok(())
    }

    /// Saves the tables and empties the journal.
    fn begin_anew(&self, file: &mut Written, save: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.ends_well(file, |file| {
            save()?;
            match file.open {
                Some(_) => self.begin_file(file),
                None => Ok(()),
            }
        })?;
        (file.since, file.wants_saving) = (None, false);
        Ok(())
    }

    fn begin_file(&self, file: &mut Written) -> io::Result<()> {
        // If this ends half way, nobody may write on into a file that has lost its name.
        file.open = None;
        self.disk.replace_atomically(&self.path, &changes::empty())?;
        file.open = Some((self.disk.open(&self.path, Open::Write)?, HEADER_BYTES));
        Ok(())
    }

    /// How many changes were noted, and those that are not written yet; no changes if only the tables have them.
    fn take(&self, file: &Written) -> io::Result<(u64, Option<Vec<Vec<u8>>>)> {
        if let Some(why) = &file.dead {
            return Err(io::Error::other(why.clone()));
        }
        let mut noted = self.noted.lock();
        let texts = std::mem::take(&mut noted.texts);
        noted.bytes = 0;
        Ok((noted.count, (!std::mem::take(&mut noted.too_many)).then_some(texts)))
    }

    /// The next call writes them, before those that came meanwhile.
    fn put_back(&self, texts: Vec<Vec<u8>>) {
        let mut noted = self.noted.lock();
        noted.bytes += texts.iter().map(|text| changes::record_bytes(text)).sum::<usize>();
        let later = std::mem::replace(&mut noted.texts, texts);
        noted.texts.extend(later);
    }

    /// Does something with the disk. After an error, unless the disk is only full, nothing is done any more.
    fn ends_well(&self, file: &mut Written, work: impl FnOnce(&mut Written) -> io::Result<()>) -> io::Result<()> {
        let done = work(file);
        if let Err(error) = &done
            && !super::file::is_full(error)
        {
            file.dead = Some(error.to_string());
        }
        done
    }
}
