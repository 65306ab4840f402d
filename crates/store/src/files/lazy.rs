//! How can there be many files while only some are open?

use crate::files::cached::CachedView;
use crate::locks;
use roxmq_env::disk::{Disk, File, Open};
use roxmq_env::lock_order::Mutex;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A file that is opened when needed and can be closed in between.
#[derive(Debug)]
pub(crate) struct LazyFile {
    disk: Disk,
    path: PathBuf,
    how: Open,
    open: Mutex<Option<Arc<File>>>,
    used: AtomicBool,
    view: Mutex<View>,
    viewed: AtomicBool,
}

/// How the file is seen as memory.
#[derive(Debug)]
enum View {
    NotYet,
    There(Arc<CachedView>),
    /// It cannot be mapped, or could not be read when it was.
    Never,
}

impl LazyFile {
    pub fn new(disk: &Disk, path: PathBuf, how: Open) -> LazyFile {
        LazyFile {
            disk: disk.clone(),
            path,
            how,
            open: Mutex::new(locks::OPEN_FILE, None),
            used: AtomicBool::new(false),
            view: Mutex::new(locks::FILE_VIEW, View::NotYet),
            viewed: AtomicBool::new(false),
        }
    }

    pub fn file(&self) -> io::Result<Arc<File>> {
        let mut open = self.open.lock();
        self.used.store(true, Ordering::Relaxed);
        if let Some(file) = &*open {
            return Ok(file.clone());
        }
        let file = Arc::new(self.disk.open(&self.path, self.how)?);
        *open = Some(file.clone());
        Ok(file)
    }

    /// Its first `bytes` bytes as memory to copy from; `None` if it can only be read by calls.
    pub fn view(&self, bytes: u64) -> Option<Arc<CachedView>> {
        let mut view = self.view.lock();
        self.viewed.store(true, Ordering::Relaxed);
        match &*view {
            View::There(there) if !there.is_lost() => return Some(there.clone()),
            View::There(_) => {
                tracing::error!(file = %self.path.display(), "a page of the file could not be read; it is no longer read through its mapping")
            }
            View::Never => return None,
            View::NotYet => {}
        }
        let mapping = if matches!(*view, View::NotYet) { self.file().ok()?.map(bytes) } else { None };
        let made = mapping.map(|mapping| Arc::new(CachedView::new(mapping, bytes)));
        *view = made.clone().map_or(View::Never, View::There);
        made
    }

    /// Whether it is mapped.
    pub fn is_viewed(&self) -> bool {
        matches!(*self.view.lock(), View::There(_))
    }

    /// Ends the view unless it was asked for since the last call.
    pub fn end_view_if_idle(&self) {
        if !self.viewed.swap(false, Ordering::Relaxed) {
            *self.view.lock() = View::NotYet;
        }
    }

    /// The same file, with a handle of its own.
    pub fn another(&self) -> LazyFile {
        LazyFile::new(&self.disk, self.path.clone(), self.how)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_open(&self) -> bool {
        self.open.lock().is_some()
    }

    pub fn close(&self) {
        *self.open.lock() = None;
    }

    /// Whether it is being read or written.
    pub fn is_held(&self) -> bool {
        let open = self.open.lock().as_ref().is_some_and(|file| Arc::strong_count(file) > 1);
        open || matches!(&*self.view.lock(), View::There(view) if Arc::strong_count(view) > 1)
    }

    /// Closes the file unless it was used since the last call.
    pub fn close_if_idle(&self) {
        if !self.used.swap(false, Ordering::Relaxed) {
            self.close();
        }
    }
}
