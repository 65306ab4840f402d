//! Where does a run keep its files, and who cleans up when it is killed?
//!
//! A watchdog process waits for the end of its standard input, which comes however this process ends, then kills the noted processes and
//! removes the folder. So neither Ctrl-C nor kill -9 leaves servers or data behind.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A temporary folder; removed when dropped, unless kept.
pub struct Folder {
    path: PathBuf,
    keep: bool,
    watchdog: Option<Child>,
}

impl Folder {
    /// Makes the folder and starts its watchdog.
    pub fn create(keep: bool) -> Result<Folder, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("roxmq-compat-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join(PROCESSES)).map_err(|error| format!("{}: {error}", path.display()))?;
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&path)
            .arg(if keep { "keep" } else { "remove" })
            .stdin(Stdio::piped())
            // Its own group, or Ctrl-C would end it together with us.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("sh: {error}"))?;
        if keep {
            println!("files in {}", path.display());
        }
        Ok(Folder { path, keep, watchdog: Some(watchdog) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// From now on the watchdog kills this process when we end.
    pub fn note_process(&self, id: u32) {
        note(&self.path, id);
    }

    /// The process has ended; its number may soon be another's.
    pub fn forget_process(&self, id: u32) {
        forget(&self.path, id);
    }
}

/// As [`Folder::note_process`], by path.
pub fn note(folder: &Path, id: u32) {
    // Without the note only the clean-up after a crash of this task is lost.
    let _ = fs::write(folder.join(PROCESSES).join(id.to_string()), "");
}

/// As [`Folder::forget_process`], by path.
pub fn forget(folder: &Path, id: u32) {
    let _ = fs::remove_file(folder.join(PROCESSES).join(id.to_string()));
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            drop(watchdog.stdin.take());
            let _ = watchdog.wait();
        }
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

const PROCESSES: &str = "processes";
const WATCHDOG: &str = r#"
cat >/dev/null
for noted in "$1"/processes/*; do
    [ -e "$noted" ] && kill -9 "${noted##*/}" 2>/dev/null
done
[ "$2" = keep ] || rm -rf "$1"
"#;
