//! Which files does the log have?

use crate::files::lazy::LazyFile;
use crate::files::name::{name_of, offset_in};
use crate::locks;
use crate::log::next_segment::NextSegment;
use crate::log::segment::Segment;
use roxmq_env::disk::{Disk, Open};
use roxmq_env::lock_order::{Mutex, RwLock};
use roxmq_protocol::position::LogOffset;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The segments that hold data, oldest first. There may be gaps between them, where files were taken away.
#[derive(Debug)]
pub(crate) struct Segments {
    disk: Disk,
    folder: PathBuf,
    zero_fill: bool,
    list: RwLock<Vec<Arc<Segment>>>,
    /// How long the spare file is, if there is one: the file of a segment that expired.
    spare: Mutex<Option<u64>>,
}

impl Segments {
    /// Finds the files of `folder`; other files there are left alone.
    ///
    /// With `zero_fill`, segments made ahead are filled with zeros: synced appends into blocks that were written before are about
    /// twice as fast, as the file system has nothing of its own to write. For the same reason one is made of the file of a segment that is
    /// no longer needed, where there is one: filling that with zeros takes half the time, and a tenth of the work.
    pub fn load(disk: &Disk, folder: &Path, zero_fill: bool) -> io::Result<Segments> {
        let mut list: Vec<Arc<Segment>> = Vec::new();
        let names = disk.list(folder)?;
        for left_over in names.iter().filter(|name| *name == NEXT || *name == SPARE) {
            disk.remove(&folder.join(left_over))?;
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
        Ok(Segments {
            disk: disk.clone(),
            folder: folder.to_owned(),
            zero_fill,
            list: RwLock::new(locks::SEGMENTS, list),
            spare: Mutex::new(locks::SPARE, None),
        })
    }

    /// Makes an empty segment, whose name is durable. It is not in the list yet.
    pub fn create(&self, base: LogOffset, bytes: u64) -> io::Result<Arc<Segment>> {
        let path = self.folder.join(name_of(base));
        let file = self.disk.open(&path, Open::Truncate)?;
        file.set_len(bytes)?;
        file.sync_data()?;
        self.disk.sync_dir(&self.folder)?;
        Ok(Arc::new(Segment { base, bytes, file: LazyFile::new(&self.disk, path, Open::Write) }))
    }

    /// Begins a file that can become the next segment, with its room taken, so that appends need not wait for that.
    pub fn begin_next(&self, bytes: u64) -> io::Result<NextSegment> {
        let next = self.folder.join(NEXT);
        let mut spare = self.spare.lock();
        let how = match *spare == Some(bytes) {
            true => {
                self.disk.rename(&self.folder.join(SPARE), &next)?;
                *spare = None;
                Open::Write
            }
            false => Open::Truncate,
        };
        drop(spare);
        let file = self.disk.open(&next, how)?;
        file.allocate(bytes)?;
        Ok(NextSegment::new(file, bytes, if self.zero_fill { 0 } else { bytes }))
    }

    /// Gives the file its name. From now on only appends may write to it. Durable after [`Segments::sync_names`].
    pub fn name_next(&self, next: NextSegment, base: LogOffset) -> io::Result<Arc<Segment>> {
        let path = self.folder.join(name_of(base));
        self.disk.rename(&self.folder.join(NEXT), &path)?;
        Ok(Arc::new(Segment { base, bytes: next.bytes, file: LazyFile::new(&self.disk, path, Open::Write) }))
    }

    /// Whether the file of the next segment to expire would become the spare.
    pub fn wants_spare(&self) -> bool {
        self.zero_fill && self.spare.lock().is_none()
    }

    /// Whether the next segment takes no more room.
    pub fn has_spare(&self, bytes: u64) -> bool {
        *self.spare.lock() == Some(bytes)
    }

    /// Deletes the file of an unfinished next segment, and the spare.
    pub fn discard_unused(&self) -> io::Result<()> {
        self.discard(NEXT)?;
        self.discard_spare()
    }

    /// Deletes the spare file.
    pub fn discard_spare(&self) -> io::Result<()> {
        let mut spare = self.spare.lock();
        if spare.is_some() {
            self.discard(SPARE)?;
            *spare = None;
        }
        Ok(())
    }

    fn discard(&self, name: &str) -> io::Result<()> {
        match self.disk.remove(&self.folder.join(name)) {
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

    /// Takes back what [`Segments::extend_last`] did: the last file ends at `end` again.
    pub fn cut_last(&self, end: LogOffset) -> io::Result<()> {
        match self.last().filter(|last| last.end() > end && last.base <= end) {
            Some(last) => last.file.file()?.set_len((end - last.base) as u64),
            None => Ok(()),
        }
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

    pub fn at(&self, log_offset: LogOffset) -> Option<Arc<Segment>> {
        let list = self.list.read();
        let at = list.partition_point(|segment| segment.base <= log_offset).checked_sub(1)?;
        Some(&list[at]).filter(|segment| log_offset < segment.end()).cloned()
    }

    /// The segments that hold something of a range, oldest first.
    pub fn overlapping(&self, from: LogOffset, to: LogOffset) -> Vec<Arc<Segment>> {
        self.list.read().iter().filter(|segment| segment.base < to && segment.end() > from).cloned().collect()
    }

    /// Forgets a segment and deletes its file; durable when it returns.
    pub fn remove(&self, segment: &Segment) -> io::Result<()> {
        self.list.write().retain(|other| other.base != segment.base);
        self.remove_file(segment)
    }

    /// As [`Segments::remove`], but the file may become the spare, of which the next segment is made. One is enough, and it pays only where
    /// segments are filled with zeros; so its old contents are never taken for a part of the log again. A file that is
    /// still read is deleted instead, since the reader would see it change; so is one that is not as long as the next segment.
    pub fn retire(&self, segment: Arc<Segment>, next_bytes: u64) -> io::Result<()> {
        self.list.write().retain(|other| other.base != segment.base);
        let mut spare = self.spare.lock();
        // It is out of the list: only those that already have it can still reach it.
        match Arc::try_unwrap(segment) {
            Ok(segment) if self.zero_fill && spare.is_none() && segment.bytes == next_bytes && !segment.file.is_held() => {
                self.disk.rename(segment.file.path(), &self.folder.join(SPARE))?;
                // Before anything is written to it: else a crash could bring it back as the segment that it was.
                self.disk.sync_dir(&self.folder)?;
                *spare = Some(segment.bytes);
                Ok(())
            }
            Ok(segment) => self.remove_file(&segment),
            Err(segment) => self.remove_file(&segment),
        }
    }

    /// Deletes the file of a segment that is not in the list.
    pub fn remove_file(&self, segment: &Segment) -> io::Result<()> {
        self.disk.remove(segment.file.path())?;
        self.disk.sync_dir(&self.folder)
    }
}

/// The name of the next segment until it is one.
const NEXT: &str = "next.tmp";
/// The name of a file that is kept for the next segment.
const SPARE: &str = "spare.tmp";

#[cfg(test)]
mod tests {
    use super::*;
    use roxmq_env::disk::SimDisk;

    const BYTES: u64 = 4096;

    fn filled(segments: &Segments, base: LogOffset) -> Arc<Segment> {
        let segment = segments.create(base, BYTES).unwrap();
        segment.file.file().unwrap().write_at(0, &[7; BYTES as usize]).unwrap();
        segment.file.file().unwrap().sync_data().unwrap();
        segments.push(segment.clone());
        segment
    }

    fn names(disk: &Disk) -> Vec<String> {
        let mut names = disk.list(Path::new("/log")).unwrap();
        names.sort();
        names
    }

    #[test]
    fn the_file_of_an_old_segment_becomes_a_new_one_without_what_was_in_it() {
        let sim = SimDisk::new(1);
        let disk = sim.disk();
        disk.create_dir_all(Path::new("/log")).unwrap();
        let segments = Segments::load(&disk, Path::new("/log"), true).unwrap();
        for base in [0, 4096] {
            segments.retire(filled(&segments, LogOffset(base)), BYTES).unwrap();
        }
        assert_eq!((names(&disk), segments.len(), segments.has_spare(BYTES)), (vec![SPARE.to_owned()], 0, true), "one is enough");
        let mut next = segments.begin_next(BYTES).unwrap();
        assert!(!segments.has_spare(BYTES));
        while !next.make_ready(|| true).unwrap() {}
        let segment = segments.name_next(next, LogOffset(8192)).unwrap();
        let mut bytes = Vec::new();
        segment.read(LogOffset(8192), BYTES as usize, &mut bytes).unwrap();
        assert_eq!((names(&disk), bytes), (vec![name_of(LogOffset(8192))], vec![0; BYTES as usize]));
    }

    #[test]
    fn a_file_is_kept_only_where_that_is_of_use() {
        for (zero_fill, next_bytes, is_read, kept) in
            [(true, BYTES, false, true), (false, BYTES, false, false), (true, 2 * BYTES, false, false), (true, BYTES, true, false)]
        {
            let sim = SimDisk::new(2);
            let disk = sim.disk();
            disk.create_dir_all(Path::new("/log")).unwrap();
            let segments = Segments::load(&disk, Path::new("/log"), zero_fill).unwrap();
            let segment = filled(&segments, LogOffset(0));
            let reader = is_read.then(|| segment.file.file().unwrap());
            segments.retire(segment, next_bytes).unwrap();
            assert_eq!(names(&disk).is_empty(), !kept, "{zero_fill} {next_bytes} {is_read}");
            if let Some(reader) = reader {
                let mut bytes = Vec::new();
                reader.append_to(0, 1, &mut bytes).unwrap();
                assert_eq!(bytes, [7], "a reader of the segment goes on reading it");
            }
            segments.discard_unused().unwrap();
            assert!(names(&disk).is_empty());
        }
    }
}
