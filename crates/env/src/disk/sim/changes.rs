//! Which changes of names and contents does the disk remember, and what does each do?

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// A folder.
    Folder,
    /// The file of this number.
    File(u64),
}

/// A change of a folder.
#[derive(Clone, Debug)]
pub enum NameChange {
    /// A new name.
    Set(PathBuf, Node),
    /// A name that is gone.
    Unset(PathBuf),
    /// The second name instead of the first.
    Move(PathBuf, PathBuf, Node),
}

/// A change of a file.
#[derive(Clone, Debug)]
pub enum Change {
    /// These bytes at this place.
    Write(usize, Vec<u8>),
    /// This length.
    Len(usize),
}

impl Node {
    /// The number of the file, if it is one.
    pub fn file(&self) -> Option<u64> {
        match self {
            Node::File(file) => Some(*file),
            Node::Folder => None,
        }
    }
}

impl NameChange {
    /// The folder that has to be synced for the change to last.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            NameChange::Set(path, _) | NameChange::Unset(path) | NameChange::Move(_, path, _) => path.parent(),
        }
    }

    /// Makes the change.
    pub fn apply(self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            NameChange::Set(path, node) => drop(names.insert(path, node)),
            NameChange::Unset(path) => drop(names.remove(&path)),
            NameChange::Move(from, to, node) => {
                names.remove(&from);
                names.insert(to, node);
            }
        }
    }
}

impl Change {
    /// Makes the change.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(at, data) => put(bytes, *at, data),
            Change::Len(len) => bytes.resize(*len, 0),
        }
    }
}

/// Writes `data` at `at`, behind zeros if `bytes` end before.
pub fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

/// `a/./b//c` and `a/b/c` are one file.
pub fn clean(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}
