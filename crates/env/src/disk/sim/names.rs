//! What do folders and names of the simulated disk do?

use crate::disk::sim::SimDisk;
use crate::disk::sim::changes::{Change, NameChange, Node, clean};
use crate::disk::sim::faults::Fault;
use crate::disk::sim::handles::{SimFile, SimLock};
use crate::disk::sim::platter::{Platter, call_before_sync};
use crate::disk::{Open, Space};
use parking_lot::MutexGuard;
use std::io;
use std::path::Path;

impl SimDisk {
    pub(in crate::disk) fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut platter = self.alive()?;
        let path = clean(path);
        for folder in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            match platter.seen.get(folder) {
                Some(Node::Folder) => {}
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None if folder.parent().is_none() || folder.as_os_str().is_empty() => {}
                None => {
                    if let Some(fault) = platter.faults.begin() {
                        return Err(platter.faults.fail(fault));
                    }
                    platter.seen.insert(folder.to_owned(), Node::Folder);
                    platter.durable.insert(folder.to_owned(), Node::Folder);
                }
            }
        }
        Ok(())
    }

    pub(in crate::disk) fn open(&self, path: &Path, how: Open) -> io::Result<SimFile> {
        let mut platter = self.alive()?;
        let path = clean(path);
        if platter.forbidden.contains(&path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let file = match (platter.seen.get(&path).copied(), how) {
            (Some(Node::Folder), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Some(Node::File(file)), Open::Truncate) => {
                if let Some(fault) = platter.faults.begin() {
                    return Err(platter.faults.fail(fault));
                }
                platter.change(file, Change::Len(0));
                file
            }
            (Some(Node::File(file)), _) => file,
            (None, Open::Read | Open::Write) => return Err(io::ErrorKind::NotFound.into()),
            (None, Open::Create | Open::Truncate) => {
                parent_exists(&platter, &path)?;
                if let Some(fault) = platter.faults.begin() {
                    return Err(platter.faults.fail(fault));
                }
                let file = platter.add_file();
                platter.change_names(NameChange::Set(path, Node::File(file)));
                file
            }
        };
        Ok(SimFile { platter: self.0.clone(), file, life: platter.life, writable: how != Open::Read })
    }

    pub(in crate::disk) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let platter = self.alive()?;
        let path = clean(path);
        if platter.seen.get(&path) != Some(&Node::Folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let files = platter.seen.iter().filter(|(at, node)| at.parent() == Some(&path) && matches!(node, Node::File(_)));
        Ok(files.filter_map(|(at, _)| at.file_name()?.to_str().map(str::to_owned)).collect())
    }

    pub(in crate::disk) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut platter = self.alive()?;
        let (from, to) = (clean(from), clean(to));
        let Some(node) = platter.seen.get(&from).copied() else { return Err(io::ErrorKind::NotFound.into()) };
        parent_exists(&platter, &to)?;
        if let Some(fault) = platter.faults.begin() {
            return Err(platter.faults.fail(fault));
        }
        platter.change_names(NameChange::Move(from, to, node));
        Ok(())
    }

    pub(in crate::disk) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut platter = self.alive()?;
        let path = clean(path);
        let Some(Node::File(_)) = platter.seen.get(&path) else { return Err(io::ErrorKind::NotFound.into()) };
        if let Some(fault) = platter.faults.begin() {
            return Err(platter.faults.fail(fault));
        }
        platter.change_names(NameChange::Unset(path));
        Ok(())
    }

    pub(in crate::disk) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        call_before_sync(&self.0);
        let mut platter = self.alive()?;
        let path = clean(path);
        let fault = platter.faults.begin();
        if let Some(fault) = fault.filter(|fault| *fault != Fault::JournalGone) {
            return Err(platter.faults.fail(fault));
        }
        let (synced, left) = std::mem::take(&mut platter.unsynced_names).into_iter().partition(|change| change.folder() == Some(&path));
        platter.unsynced_names = left;
        if fault.is_some() {
            return Ok(());
        }
        let synced: Vec<NameChange> = synced;
        for change in synced {
            change.apply(&mut platter.durable);
        }
        Ok(())
    }

    pub(in crate::disk) fn space(&self) -> io::Result<Space> {
        let platter = self.alive()?;
        let total = platter.capacity.unwrap_or(1 << 50);
        Ok(Space { free: total.saturating_sub(platter.used()), total })
    }

    pub(in crate::disk) fn lock(&self, path: &Path) -> io::Result<SimLock> {
        self.open(path, Open::Create)?;
        let mut platter = self.0.lock();
        let path = clean(path);
        match platter.locks.insert(path.clone()) {
            true => Ok(SimLock { platter: self.0.clone(), path, life: platter.life }),
            false => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let platter = self.0.lock();
        platter.faults.alive()?;
        Ok(platter)
    }
}

fn parent_exists(platter: &Platter, path: &Path) -> io::Result<()> {
    match path.parent().and_then(|parent| platter.seen.get(parent)) {
        Some(Node::Folder) => Ok(()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}
