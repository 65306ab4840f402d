//! Which index files are there at a start, and which of them can be used?

use crate::index::file::IndexFile;
use crate::index::format::{file_name, range_in};
use crate::index::table::Index;
use crate::log::segment::Segment;
use roxmq_env::disk::Disk;
use roxmq_protocol::position::LogOffset;
use std::cmp::Reverse;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The index files that are there, and those that are used.
pub(super) struct IndexFiles {
    pub ranges: Vec<(LogOffset, LogOffset)>,
    pub used: Vec<(LogOffset, LogOffset)>,
}

impl IndexFiles {
    pub fn load(disk: &Disk, folder: &Path) -> io::Result<IndexFiles> {
        let names = disk.list(folder)?;
        for unfinished in names.iter().filter(|name| name.ends_with(".tmp")) {
            disk.remove(&folder.join(unfinished))?;
        }
        let mut ranges: Vec<_> = names.iter().filter_map(|name| range_in(name)).collect();
        ranges.sort_by_key(|(from, to)| (*from, Reverse(*to)));
        Ok(IndexFiles { ranges, used: Vec::new() })
    }

    /// An index file is written only about what is durable.
    pub fn known_to(&self) -> LogOffset {
        self.ranges.iter().map(|(_, to)| *to).max().unwrap_or_default()
    }

    /// Takes in the files about a segment, one after the other, the longest first; says how far they reach. Files that go past `files_end`,
    /// where the log's files end, are not used.
    pub fn use_for(
        &mut self,
        disk: &Disk,
        folder: &Path,
        segment: &Segment,
        files_end: LogOffset,
        index: &mut Index,
    ) -> io::Result<LogOffset> {
        let mut at = segment.base;
        for (from, to) in &self.ranges {
            if *from != at || *to > segment.end().min(files_end) {
                continue;
            }
            match IndexFile::open(disk, folder, *from, *to) {
                Ok((file, rows)) => {
                    let file = Arc::new(file);
                    rows.iter().for_each(|row| index.add_row(&file, row));
                    file.file.close();
                    index.files.insert(*from, file);
                    self.used.push((*from, *to));
                    at = *to;
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::error!(%from, %to, %error, "index file is damaged; it will be rebuilt from the log");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(at)
    }

    /// Deletes files about segments that are gone, those that a merge has replaced, and damaged ones.
    pub fn remove_unused(&self, disk: &Disk, folder: &Path) -> io::Result<()> {
        let unused: Vec<_> = self.ranges.iter().filter(|range| !self.used.contains(range)).collect();
        for (from, to) in &unused {
            disk.remove(&folder.join(file_name(*from, *to)))?;
        }
        if unused.is_empty() { Ok(()) } else { disk.sync_dir(folder) }
    }
}
