//! How is a table stored in a file?
//!
//! As JSON of Java's shape with one more member at its end, `crc32`, of everything before it: JSON itself does not show a flipped bit in a
//! number. The previous file stays as `<name>.bak`, as with Java, and replaces one that is damaged. A file without the member, from Java
//! or edited by hand, is believed as it is.
//!
//! Topics, groups and request modes are saved rarely: their changes in between are in a [journal](super::journal), and their `<name>.bak`
//! is a second copy, not the previous file, so that the journal fits both.

use parking_lot::Mutex;
use roxmq_env::disk::Disk;
use roxmq_protocol::json::{self, Dialect};
use roxmq_store::{Flush, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::error;

/// The file of a table, replaced as a whole.
pub struct TableFile {
    disk: Disk,
    path: PathBuf,
    dirty: AtomicBool,
    /// The file is damaged, and must not become the backup.
    damaged: AtomicBool,
    /// Held while the file is written: a thread that finds it free and nothing dirty knows that the file is complete.
    saving: Mutex<()>,
}

impl TableFile {
    /// The file `name` in `folder`.
    pub fn new(disk: &Disk, folder: &Path, name: &str) -> TableFile {
        TableFile {
            disk: disk.clone(),
            path: folder.join(name),
            dirty: AtomicBool::new(false),
            damaged: AtomicBool::new(false),
            saving: Mutex::default(),
        }
    }

    /// The table on the disk, `None` before the first save.
    ///
    /// # Errors
    /// When neither the file nor its backup is readable: a broker never starts with an empty table over an unreadable file.
    pub fn load<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        let before = backup_of(&self.path);
        match read(&self.disk, &self.path) {
            Ok(Some(table)) => Ok(Some(table)),
            // A crash between the two renames of a save leaves only the backup.
            Ok(None) => read(&self.disk, &before),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => match read(&self.disk, &before) {
                Ok(Some(table)) => {
                    error!(%error, "a table is damaged; using its backup");
                    self.damaged.store(true, Ordering::Release);
                    self.touch();
                    Ok(Some(table))
                }
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// As [`TableFile::load`], for a journaled table: it has to be saved if its two copies differ.
    ///
    /// # Errors
    /// As [`TableFile::load`].
    pub fn load_journaled<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        let table = self.load()?;
        if table.is_some() && self.disk.read(&self.path)? != self.disk.read(&backup_of(&self.path))? {
            self.touch();
        }
        Ok(table)
    }

    /// Writes both copies of the table if it differs from them, one after the other: at any moment one of them is intact.
    ///
    /// # Errors
    /// When the disk refuses; the next save tries again.
    pub fn save_journaled<T: Serialize>(&self, table: impl FnOnce() -> T) -> io::Result<()> {
        let _saving = self.saving.lock();
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let bytes = sealed(json::to_vec(&table(), Dialect::Standard));
        let copies = [self.path.clone(), backup_of(&self.path)];
        copies.iter().try_for_each(|path| self.disk.replace_atomically(path, &bytes)).inspect_err(|_| self.touch())
    }

    /// Does the table differ from the file?
    pub fn is_touched(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    /// Notes that the table differs from the file.
    pub fn touch(&self) {
        self.dirty.store(true, Ordering::Release);
    }

    /// Writes the table if it differs from the file.
    ///
    /// # Errors
    /// When the disk refuses; the next save tries again.
    pub fn save<T: Serialize>(&self, table: impl FnOnce() -> T) -> io::Result<()> {
        self.save_if(table, || true)
    }

    /// Writes the table if it differs from the file, after the log is durable: the table has offsets. After a power cut a file ahead of the
    /// log would skip the messages that get the offsets of lost ones.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save_behind<T: Serialize>(&self, store: &Store, table: impl FnOnce() -> T) -> io::Result<()> {
        self.save_if(table, || store.flush() == Flush::Durable)
    }

    fn save_if<T: Serialize>(&self, table: impl FnOnce() -> T, may_be_written: impl FnOnce() -> bool) -> io::Result<()> {
        let _saving = self.saving.lock();
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let bytes = sealed(json::to_vec(&table(), Dialect::Standard));
        let written = match may_be_written() {
            false => Err(io::Error::other("the log cannot be made durable, and the table must not be ahead of it")),
            true if self.damaged.load(Ordering::Acquire) => self.disk.replace_atomically(&self.path, &bytes),
            true => self.disk.replace_keeping(&self.path, &bytes, &backup_of(&self.path)),
        };
        match written {
            Ok(()) => self.damaged.store(false, Ordering::Release),
            Err(_) => self.touch(),
        }
        written
    }
}

/// Is it only that the disk is full?
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn backup_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".bak");
    PathBuf::from(name)
}

fn read<T: DeserializeOwned>(disk: &Disk, path: &Path) -> io::Result<Option<T>> {
    let Some(bytes) = disk.read(path)? else { return Ok(None) };
    let damaged = |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
    if !is_intact(&bytes) {
        return Err(damaged("its crc32 is not that of its contents; a file changed by hand must not have one".to_owned()));
    }
    json::from_slice(&bytes).map(Some).map_err(|error| damaged(error.to_string()))
}

/// The object with its checksum as its last member.
fn sealed(mut object: Vec<u8>) -> Vec<u8> {
    if object.pop() == Some(b'}') {
        let comma = if object.len() > 1 { "," } else { "" };
        let crc = crc32fast::hash(&object);
        object.extend_from_slice(format!("{comma}{MEMBER}{crc:08x}\"}}").as_bytes());
    }
    object
}

/// Does the checksum, if there is one, match the bytes before it?
pub fn is_intact(bytes: &[u8]) -> bool {
    let Some(at) = bytes.len().checked_sub(MEMBER.len() + TAIL_BYTES) else { return true };
    let (before, tail) = bytes.split_at(at);
    let (member, crc) = tail.split_at(MEMBER.len());
    let alike = member.iter().zip(MEMBER.as_bytes()).filter(|(found, expected)| found == expected).count();
    if alike + 2 < MEMBER.len() {
        return true;
    }
    let before = before.strip_suffix(b",").unwrap_or(before);
    member == MEMBER.as_bytes() && crc == format!("{:08x}\"}}", crc32fast::hash(before)).as_bytes()
}

/// How the checksum's member begins.
const MEMBER: &str = "\"crc32\":\"";
/// Eight digits, a quote, a brace.
const TAIL_BYTES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_env::disk::SimDisk;
    use roxmq_protocol::body::DelayOffsetSerializeWrapper;

    type Table = DelayOffsetSerializeWrapper;

    fn table(offset: i64) -> Table {
        Table { data_version: None, offset_table: [(1, offset), (2, 7)].into() }
    }

    fn saved(sim: &SimDisk, offsets: &[i64]) -> TableFile {
        sim.disk().create_dir_all(Path::new("/t")).unwrap();
        let file = TableFile::new(&sim.disk(), Path::new("/t"), "a.json");
        for offset in offsets {
            file.touch();
            file.save(|| table(*offset)).unwrap();
        }
        file
    }

    #[test]
    fn no_flipped_bit_is_believed_and_the_backup_is_used() {
        let sim = SimDisk::new(1);
        let file = saved(&sim, &[3, 5]);
        assert_eq!(file.load().unwrap(), Some(table(5)));
        let len = sim.disk().read(&file.path).unwrap().unwrap().len();
        for (at, mask) in (0..len).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit))) {
            sim.flip(&file.path, at, mask);
            assert_eq!(file.load().unwrap(), Some(table(3)), "byte {at} mask {mask}");
            sim.flip(&file.path, at, mask);
        }
        assert_eq!(file.load().unwrap(), Some(table(5)));
    }

    #[test]
    fn the_backup_is_used_for_a_file_that_is_gone_or_cut_and_nothing_for_both() {
        let sim = SimDisk::new(1);
        let file = saved(&sim, &[3, 5]);
        let open = |path: &Path| sim.disk().open(path, roxmq_env::disk::Open::Write).unwrap();
        open(&file.path).set_len(10).unwrap();
        assert_eq!(file.load().unwrap(), Some(table(3)));
        sim.disk().remove(&file.path).unwrap();
        assert_eq!(file.load().unwrap(), Some(table(3)));
        let sim = SimDisk::new(1);
        let file = saved(&sim, &[3, 5]);
        sim.disk().open(&file.path, roxmq_env::disk::Open::Write).unwrap().set_len(10).unwrap();
        sim.disk().open(&backup_of(&file.path), roxmq_env::disk::Open::Write).unwrap().set_len(10).unwrap();
        assert_eq!(file.load::<Table>().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_table_without_a_checksum_is_believed() {
        let sim = SimDisk::new(1);
        let file = saved(&sim, &[]);
        assert_eq!(file.load::<Table>().unwrap(), None);
        for (text, expected) in
            [("{}", Table::default()), (r#"{"offsetTable":{1:4}}"#, Table { data_version: None, offset_table: [(1, 4)].into() })]
        {
            sim.disk().replace_atomically(&file.path, text.as_bytes()).unwrap();
            assert_eq!(file.load().unwrap(), Some(expected));
        }
        assert!(is_intact(&sealed(b"{}".to_vec())));
    }
}
