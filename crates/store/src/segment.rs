//! Where are the log's bytes?

use crate::cached::CachedView;
use crate::files::{LazyFile, name_of, offset_in};
use parking_lot::RwLock;
use roxmq_env::disk::{Disk, File, Open};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One file of the log. Its name is the offset of its first byte, as in Java (`MappedFile`).
#[derive(Debug)]
pub(crate) struct Segment {
    pub base: i64,
    pub bytes: u64,
    pub file: LazyFile,
}

impl Segment {
    pub fn end(&self) -> i64 {
        self.base + self.bytes as i64
    }

    /// Appends `len` bytes from `log_offset`, which must be in the segment, to `out`.
    pub fn read(&self, log_offset: i64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        self.file.file()?.append_to((log_offset - self.base) as u64, len, out)
    }

    /// As [`Segment::read`], if the disk need not be waited for; else [`io::ErrorKind::WouldBlock`].
    pub fn read_cached(&self, log_offset: i64, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        self.file.file()?.append_cached_to((log_offset - self.base) as u64, len, out)
    }

    /// The segment as memory to copy from, if that is to be had.
    pub fn view(&self) -> Option<Arc<CachedView>> {
        self.file.view(self.bytes)
    }

    /// Makes durable what is read, though an earlier life could not: after a sync that failed programs still read what the disk does not
    /// have, and the next sync says nothing. So what follows `from`, which is known to be durable, is written again first.
    pub fn sync_as_read(&self, from: i64, to: i64) -> io::Result<()> {
        let file = self.file.file()?;
        let mut bytes = Vec::new();
        let mut at = from.max(self.base);
        while at < to {
            let len = (to - at).min(REWRITE_BYTES);
            bytes.clear();
            self.read(at, len as usize, &mut bytes)?;
            file.write_at((at - self.base) as u64, &bytes)?;
            at += len;
        }
        file.sync_data()
    }

    /// Throws away everything from `log_offset` on, so that it reads as zeros. Takes no room, even on a full disk.
    pub fn clear_from(&self, log_offset: i64) -> io::Result<()> {
        let file = self.file.file()?;
        file.set_len((log_offset - self.base) as u64)?;
        file.set_len(self.bytes)
    }
}

/// The next segment, while it is being made.
#[derive(Debug)]
pub(crate) struct NextSegment {
    file: File,
    bytes: u64,
    zeroed: u64,
}

impl NextSegment {
    /// Fills some more of it with zeros, as long as `go_on` says so; whether it is ready, and durable.
    pub fn make_ready(&mut self, go_on: impl Fn() -> bool) -> io::Result<bool> {
        let zeros = vec![0; ZEROS_BYTES];
        let stop_at = self.bytes.min(self.zeroed + ZEROS_BYTES_PER_TURN);
        while self.zeroed < stop_at && go_on() {
            let len = (stop_at - self.zeroed).min(ZEROS_BYTES as u64);
            self.file.write_at(self.zeroed, &zeros[..len as usize])?;
            self.zeroed += len;
            if self.zeroed.is_multiple_of(ZEROS_SYNC_BYTES) {
                // A little at a time, lest the appends' own syncs have to carry it all.
                self.file.sync_data()?;
            }
        }
        if self.zeroed < self.bytes {
            return Ok(false);
        }
        self.file.sync_data()?;
        Ok(true)
    }
}

/// The segments that hold data, oldest first. There may be holes between them, where somebody took files away.
#[derive(Debug)]
pub(crate) struct Segments {
    disk: Disk,
    folder: PathBuf,
    zero_fill: bool,
    list: RwLock<Vec<Arc<Segment>>>,
}

impl Segments {
    /// Finds the files of `folder`; other files there are left alone.
    ///
    /// With `zero_fill`, segments made ahead are filled with zeros: synced appends into blocks that were written before are about
    /// twice as fast, as the file system has nothing of its own to write.
    pub fn load(disk: &Disk, folder: &Path, zero_fill: bool) -> io::Result<Segments> {
        let mut list: Vec<Arc<Segment>> = Vec::new();
        let names = disk.list(folder)?;
        if names.iter().any(|name| name == NEXT) {
            disk.remove(&folder.join(NEXT))?;
        }
        for base in names.iter().filter_map(|name| offset_in(name)) {
            let file = LazyFile::new(disk, folder.join(name_of(base)), Open::Write);
            let bytes = file.file()?.len()?;
            file.close();
            if let Some(before) = list.last()
                && before.end() > base
            {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("commit-log files {} and {base} overlap", before.base)));
            }
            list.push(Arc::new(Segment { base, bytes, file }));
        }
        Ok(Segments { disk: disk.clone(), folder: folder.to_owned(), zero_fill, list: RwLock::new(list) })
    }

    /// Makes an empty segment, durable by name. It is not yet one of the list.
    pub fn create(&self, base: i64, bytes: u64) -> io::Result<Arc<Segment>> {
        let path = self.folder.join(name_of(base));
        let file = self.disk.open(&path, Open::Truncate)?;
        file.set_len(bytes)?;
        file.sync_data()?;
        self.disk.sync_dir(&self.folder)?;
        Ok(Arc::new(Segment { base, bytes, file: LazyFile::new(&self.disk, path, Open::Write) }))
    }

    /// Begins a file that can become the next segment, with its room taken, so that appends need not wait for that.
    pub fn begin_next(&self, bytes: u64) -> io::Result<NextSegment> {
        let file = self.disk.open(&self.folder.join(NEXT), Open::Truncate)?;
        file.allocate(bytes)?;
        Ok(NextSegment { file, bytes, zeroed: if self.zero_fill { 0 } else { bytes } })
    }

    /// Gives the file its name. It must not be written to any more but as a segment. Durable after [`Segments::sync_names`].
    pub fn name_next(&self, next: NextSegment, base: i64) -> io::Result<Arc<Segment>> {
        let path = self.folder.join(name_of(base));
        self.disk.rename(&self.folder.join(NEXT), &path)?;
        Ok(Arc::new(Segment { base, bytes: next.bytes, file: LazyFile::new(&self.disk, path, Open::Write) }))
    }

    /// Deletes the file of a next segment that does not become one.
    pub fn discard_next(&self) -> io::Result<()> {
        match self.disk.remove(&self.folder.join(NEXT)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    pub fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_dir(&self.folder)
    }

    pub fn push(&self, segment: Arc<Segment>) {
        self.list.write().push(segment);
    }

    /// Brings the last file to its full length: a crash may have left it shorter, or the setting may have grown.
    pub fn extend_last(&self, bytes: u64) -> io::Result<()> {
        if let Some(last) = self.last()
            && last.bytes < bytes
        {
            last.file.file()?.set_len(bytes)?;
            self.replace_last(Arc::new(Segment { base: last.base, bytes, file: last.file.another() }));
        }
        Ok(())
    }

    pub fn replace_last(&self, segment: Arc<Segment>) {
        let mut list = self.list.write();
        list.pop();
        list.push(segment);
    }

    pub fn all(&self) -> Vec<Arc<Segment>> {
        self.list.read().clone()
    }

    pub fn len(&self) -> usize {
        self.list.read().len()
    }

    pub fn first(&self) -> Option<Arc<Segment>> {
        self.list.read().first().cloned()
    }

    pub fn last(&self) -> Option<Arc<Segment>> {
        self.list.read().last().cloned()
    }

    pub fn at(&self, log_offset: i64) -> Option<Arc<Segment>> {
        let list = self.list.read();
        let at = list.partition_point(|segment| segment.base <= log_offset).checked_sub(1)?;
        Some(&list[at]).filter(|segment| log_offset < segment.end()).cloned()
    }

    /// The segments that hold something of a range, oldest first.
    pub fn overlapping(&self, from: i64, to: i64) -> Vec<Arc<Segment>> {
        self.list.read().iter().filter(|segment| segment.base < to && segment.end() > from).cloned().collect()
    }

    /// Deletes a segment's file, then forgets it; durable when it returns.
    pub fn remove(&self, segment: &Arc<Segment>) -> io::Result<()> {
        self.list.write().retain(|other| other.base != segment.base);
        self.remove_file(segment)
    }

    /// Deletes the file of a segment that is not in the list.
    pub fn remove_file(&self, segment: &Segment) -> io::Result<()> {
        self.disk.remove(segment.file.path())?;
        self.disk.sync_dir(&self.folder)
    }
}

/// The name of the next segment until it is one.
const NEXT: &str = "next.tmp";
const REWRITE_BYTES: i64 = 4 << 20;
const ZEROS_BYTES: usize = 1 << 20;
const ZEROS_SYNC_BYTES: u64 = 16 << 20;
const ZEROS_BYTES_PER_TURN: u64 = 128 << 20;
