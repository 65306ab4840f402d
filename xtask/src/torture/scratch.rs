//! Where does a run keep its files?

use crate::torture::scenario::SCENARIOS;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder in memory where there is one: the disk under the disks must not be what is waited for.
pub struct Scratch {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it stays.
    pub kept: bool,
}

impl Scratch {
    /// Makes it, and removes those of runs that were killed.
    pub fn create() -> Result<Scratch, String> {
        let shared = PathBuf::from("/dev/shm");
        let parent = match std::env::var_os("ROXMQ_TORTURE_DIR") {
            Some(folder) => PathBuf::from(folder),
            None if shared.is_dir() => shared,
            None => std::env::temp_dir(),
        };
        remove_leftovers(&parent);
        let path = parent.join(format!("{SCRATCH}{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Scratch { path, kept: false })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// A run that was killed leaves its folder, and perhaps a mounted drive in it.
fn remove_leftovers(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let owner = entry.file_name().to_string_lossy().strip_prefix(SCRATCH).and_then(|id| id.parse::<u32>().ok());
        if owner.is_none_or(|id| Path::new(&format!("/proc/{id}")).exists()) {
            continue;
        }
        for scenario in SCENARIOS {
            // Most of them are not mounted.
            let _ = Command::new("umount").arg(entry.path().join(scenario.name).join("drive")).output();
        }
        let _ = std::fs::remove_dir_all(entry.path());
    }
}

const SCRATCH: &str = "roxmq-torture-";
